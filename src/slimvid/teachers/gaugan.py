"""Training of GauGAN (Park et al. 2019, "SPADE"), and of every student that has its losses.

One generator from a label map to a frame, one discriminator that sees both, at two sizes; single frames:

    GAN              hinge, mean over the sizes; the discriminator's two parts are added, not halved
    features         10 L1 of the discriminator's features of frame and truth, mean over the sizes
    perceptual       10 L1 of VGG-19's features of frame and truth (off without weights)

Adam with betas (0, 0.9) and two time scales: the discriminator learns at four times the generator's rate (4).
It is spectrally normalised. The paper normalises its generator so, too; here it is not: CAT trains without,
and GAN Compression removes it before it compresses. There is no encoder of styles: compressed GauGANs have
none. The release updates the discriminator after the generator, by a frame drawn anew; here both learn from
the same frame, as everywhere in this project.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.nets.patchgan import SpadeDiscriminator
from slimvid.nets.spade import spade_spec
from slimvid.teachers.gaugan_settings import Settings
from slimvid.teachers.pairs import PairObjective
from slimvid.training.losses import adversarial, discriminating, feature_matching, perceptual
from slimvid.training.objective import View
from slimvid.training.run import Run

BETAS = (0.0, 0.9)


def generator_spec(
    settings: Settings, condition: ConditionSpec, *, width: int | None = None, **changes: Any
) -> dict[str, Any]:
    """The generator's architecture spec, with a student's ``width`` and ``changes``."""
    own = {"condition_channels": condition.channels, "more": settings.ups == 6, **changes}
    return spade_spec(settings.width if width is None else width, **own)


def check_task(
    settings: Settings, condition: ConditionSpec, height: int, width: int, *, longest: int
) -> None:
    """Refuse what cannot be trained on frames of that size; clips may have any length.

    Raises:
        SlimvidError: names the setting and the remedy.
    """
    if condition.kind != "labels":
        raise SlimvidError(
            f"gaugan draws from label maps, and the conditions here are {condition.kind}; give the task "
            "another kind of original (`teacher: pix2pix`)"
        )
    step = 2**settings.ups
    if height % step or width % step:
        return  # the network says it
    if settings.batch * (height // step) * (width // step) < 2:
        raise SlimvidError(
            f"frames of {height}x{width} begin as one pixel after {settings.ups} up-samplings, and one pixel "
            "has no batch statistics; raise `batch` to 2 or more"
        )


class Objective(PairObjective):
    """The paper's losses on pairs of single frames.

    Raises:
        SlimvidError: the settings do not fit the task, or its training clips are of two domains.
    """

    def __init__(self, run: Run, settings: Settings):
        super().__init__(run, settings)
        meta = run.data.meta
        check_task(settings, meta.condition, meta.height, meta.width, longest=run.longest)
        self.discriminators["disc"] = SpadeDiscriminator(
            meta.condition.channels + 3, settings.disc_width, scales=settings.disc_scales
        )
        self.vgg = perceptual(settings.vgg if settings.lambda_vgg else None)

    def optimizers(self, generator: nn.Module) -> dict[str, Optimizer]:
        """Adam with the paper's betas, at two rates."""
        made = super().optimizers(generator)
        for name, optimiser in made.items():
            rate = self.settings.disc_rate if name in self.discriminators else 1.0
            for group in optimiser.param_groups:
                group.update(betas=BETAS, lr=rate * group["lr"])
        return made

    def losses(self, view: View) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        s, condition = self.settings, view.batch.conditions[:, 0]
        out, truth = view.out.image, view.batch.frames[:, 0]
        with self.run.runtime.autocast():
            both = torch.cat((torch.cat((condition, out), dim=1), torch.cat((condition, truth), dim=1)))
            seen = self.discriminators["disc"](both)  # at once: one power iteration of the spectral norms
        fake, real = ([[x.chunk(2)[half] for x in scale] for scale in seen] for half in (0, 1))
        pairs = [(f[-1], r[-1]) for f, r in zip(fake, real, strict=True)]
        g = {"gan": torch.stack([adversarial(f, "hinge") for f, _ in pairs]).mean()}
        if s.lambda_feat:
            # five stages a size: the weight 4 / (5 - 1) / sizes of that loss is GauGAN's
            g["features"] = s.lambda_feat * feature_matching(fake, real)
        if self.vgg is not None:
            with self.run.runtime.autocast():
                g["vgg"] = s.lambda_vgg * self.vgg(out, truth)
        halved = torch.stack([discriminating(f, r, "hinge") for f, r in pairs])
        return g, {"disc": 2 * halved.mean()}

    def provenance(self) -> dict[str, Any]:
        if not self.settings.lambda_vgg:
            return {"perceptual_loss": "off: no weight"}
        return {"perceptual_loss": "on" if self.settings.vgg else "off: no VGG-19 weights were given"}

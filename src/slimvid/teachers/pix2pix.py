"""Training of pix2pix (Isola et al. 2017), and of every student that has its losses.

One generator G from condition x to frame y, one patch discriminator D that sees both, single frames:

    L = E[log D(x, y)] + E[log(1 - D(x, G(x)))] + lambda |y - G(x)|_1                  (Eq. 1, 3, 4; 3.3)

The discriminator's loss is halved (3.3), G maximises log D (3.3). Noise is dropout alone (3.1), which a
U-Net has while it trains; a translator draws the same frame for the same condition always (the paper keeps
its dropout at test time). GAN Compression, CAT and OMGD replace the logarithms by hinges and the U-Net by
CycleGAN's ResNet, which `gan` and `generator` say.
"""

from typing import Any

import torch
from torch import Tensor

from slimvid.data.condition import ConditionSpec
from slimvid.nets.patchgan import PatchGan, check_patch_size
from slimvid.nets.resnet import resnet_spec
from slimvid.teachers.pairs import PairObjective
from slimvid.teachers.pix2pix_settings import Settings
from slimvid.training.losses import adversarial, discriminating
from slimvid.training.objective import View
from slimvid.training.run import Run


def generator_spec(
    settings: Settings, condition: ConditionSpec, *, width: int | None = None, **changes: Any
) -> dict[str, Any]:
    """The generator's architecture spec, with a student's ``width`` and ``changes``."""
    width, norm = settings.width if width is None else width, {"norm": settings.norm}
    if settings.generator == "resnet":
        own = {"blocks": settings.blocks, "in_channels": condition.channels, **norm, **changes}
        return resnet_spec(width, **own)
    own = {"downs": settings.downs, "in_channels": condition.channels, "dropout": settings.dropout}
    return {"kind": "unet", "width": width, **own, **norm, **changes}


def check_task(
    settings: Settings, condition: ConditionSpec, height: int, width: int, *, longest: int
) -> None:
    """Refuse what cannot be trained on frames of that size; clips may have any length.

    Raises:
        SlimvidError: names the setting and the remedy.
    """
    check_patch_size(height, width, layers=settings.disc_layers)


class Objective(PairObjective):
    """The paper's losses on pairs of single frames.

    Raises:
        SlimvidError: the task's training clips are of two domains, without pairs.
    """

    def __init__(self, run: Run, settings: Settings):
        super().__init__(run, settings)
        meta = run.data.meta
        check_task(settings, meta.condition, meta.height, meta.width, longest=run.longest)
        self.discriminators["disc"] = PatchGan(
            meta.condition.channels + 3,
            width=settings.disc_width,
            layers=settings.disc_layers,
            norm=settings.disc_norm,
        )

    def losses(self, view: View) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        x, y, out = view.batch.conditions[:, 0], view.batch.frames[:, 0], view.out.image
        with self.run.runtime.autocast():
            fake, real = (self._scores(x, picture) for picture in (out, y))
        g = {"gan": adversarial(fake, self.settings.gan)}
        if self.settings.lambda_l1:
            g["l1"] = self.settings.lambda_l1 * (out - y).abs().mean()
        return g, {"disc": discriminating(fake, real, self.settings.gan)}

    def _scores(self, condition: Tensor, picture: Tensor) -> Tensor:
        return self.discriminators["disc"](torch.cat((condition * 2 - 1, picture), dim=1))[-1]

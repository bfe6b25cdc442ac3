"""Learning between two domains without pairs: what CycleGAN and RecycleGAN have in common.

Two ResNet generators, F from source to target and B back, learn from single frames x and y that are drawn
independently of one another: no pair is ever shown. Each domain has a PatchGAN with least-squares losses, and
where it has a weight a translation that is translated back is the frame again (Zhu et al. 2017, Eq. 2).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.data.condition import ConditionSpec
from slimvid.nets import build
from slimvid.nets.framewise import Drawn
from slimvid.nets.patchgan import PatchGan
from slimvid.nets.resnet import resnet_spec
from slimvid.settings import TeacherSettings
from slimvid.training import objective
from slimvid.training.losses import adversarial, discriminating
from slimvid.training.objective import View
from slimvid.training.run import Run
from slimvid.training.singles import Singles, Views, sample_singles

DOMAINS = ("source", "target")


class Way(NamedTuple):
    """One direction of a step: from ``domain``'s frames ``real`` to ``fake`` in the other."""

    domain: str
    real: Tensor
    fake: Tensor
    there: nn.Module
    back: nn.Module


@dataclass(kw_only=True)
class Ways(View):
    """A step's view: both directions; ``out`` is the generator's."""

    ways: Sequence[Way]


def generator_spec(
    settings: TeacherSettings, condition: ConditionSpec, *, width: int | None = None, **changes: Any
) -> dict[str, Any]:
    """The generator's architecture spec (ResNet, instance normalisation), with a student's ``changes``."""
    own = {"blocks": settings.blocks, "in_channels": condition.channels, **changes}
    return resnet_spec(settings.width if width is None else width, **own)


class TwoWays(objective.Objective):
    """Both generators and both discriminators, on two frames, each of its own draw.

    The way back has the original's architecture also for a student.
    """

    def __init__(self, run: Run, settings: TeacherSettings):
        super().__init__(run, settings)
        condition = run.data.meta.condition
        self.back = build(generator_spec(settings, condition, in_channels=3, out_channels=condition.channels))
        for domain, channels in zip(DOMAINS, (condition.channels, 3), strict=True):
            self.discriminators[f"{domain}_disc"] = PatchGan(
                channels, width=settings.disc_width, layers=settings.disc_layers
            )

    def views(self) -> Views:
        """How its pictures are varied."""
        return Views(enlarge=self.settings.enlarge)

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        how = {"batch": self.settings.batch, "device": self.run.runtime.device}
        return sample_singles(self.run.data, rng, paired=False, views=self.views(), **how)

    def unroll(self, generator: nn.Module, batch: Singles) -> Iterator[Ways]:
        """Both frames in the other's domain: one view."""
        x, y = batch.conditions[:, 0] * 2 - 1, batch.frames[:, 0]
        ways = [
            Way("source", x, self._run(generator, x), generator, self.back),
            Way("target", y, self._run(self.back, y), self.back, generator),
        ]
        yield Ways(batch=batch, out=Drawn(ways[0].fake), ways=ways)

    def stream(self, generator: nn.Module, batch: Singles) -> Iterator[View]:
        x = batch.conditions[:, 0] * 2 - 1
        yield View(batch=batch, out=Drawn(self._run(generator, x)))

    def _run(self, net: nn.Module, picture: Tensor) -> Tensor:
        with self.run.runtime.autocast():
            return net(picture).float()

    def _gan(
        self, ways: Sequence[Way], *, shown: Mapping[str, Tensor] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """LSGAN of each translation among the other domain's frames (generators, discriminators).

        ``shown``: by domain, what its discriminator learns from in the place of the translation.
        """
        g, d = {}, {}
        for way, other in zip(ways, reversed(ways), strict=True):
            net = self.discriminators[f"{other.domain}_disc"]
            with self.run.runtime.autocast():
                fake, real = net(way.fake)[-1], net(other.real)[-1]
                seen = fake if shown is None else net(shown[other.domain])[-1]
            g[f"gan_{other.domain}"] = adversarial(fake, "lsgan")
            d[f"disc_{other.domain}"] = discriminating(seen, real, "lsgan")
        return g, d

    def _cycle(self, way: Way) -> dict[str, Tensor]:
        """There and back is the frame again, where that has a weight."""
        weight = self.settings.lambda_cycle[DOMAINS.index(way.domain)]
        if not weight:
            return {}
        return {f"cycle_{way.domain}": weight * F.l1_loss(self._run(way.back, way.fake), way.real)}


class OneWay(TwoWays):
    """The way there alone, judged among the target's frames: for a student that has its teacher's for pairs.

    Mixed into the objective of a kind. What takes the way back is needed where there is no pair (GAN
    Compression 3.1).
    """

    def __init__(self, run: Run, settings: TeacherSettings):
        super().__init__(run, settings)
        del self.back, self.discriminators["source_disc"]

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        return TwoWays.sample(self, rng, index)

    def unroll(self, generator: nn.Module, batch: Singles) -> Iterator[View]:
        return self.stream(generator, batch)

    def losses(self, view: View) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        net = self.discriminators["target_disc"]
        with self.run.runtime.autocast():
            fake, real = net(view.out.image)[-1], net(view.batch.frames[:, 0])[-1]
        g = {"gan_target": adversarial(fake, "lsgan")}
        return g, {"disc_target": discriminating(fake, real, "lsgan")}

    def provenance(self) -> dict[str, Any]:
        return {"pairs": "the teacher's frames"}

    def other_way(self) -> None:
        return None

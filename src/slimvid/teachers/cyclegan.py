"""Training of CycleGAN (Zhu et al. 2017), and of every student that has its losses.

Two generators, F from source to target and B back, learn from single frames x and y without pairs:

    GAN        LSGAN, a PatchGAN per domain (Eq. 1; 4: squares in the place of logarithms)
    cycle      | B F(x) - x |  and  | F B(y) - y |                                      (Eq. 2)
    identity   | F(y) - y |    and  | B(x) - x |    where both domains have 3 channels   (5.2)

A discriminator's loss is halved, and it learns from a history of 50 translations (4, 7.1); the generators are
judged by their new ones. The paper has the identity loss for paintings only; the release and GAN Compression
have it everywhere, at half the weight of the cycle. Both generators are kept: `Artifact.way_back`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.data.condition import ConditionSpec
from slimvid.nets.patchgan import check_patch_size
from slimvid.teachers.cyclegan_settings import Settings
from slimvid.teachers.two_domains import DOMAINS, OneWay, TwoWays, Way, Ways, generator_spec
from slimvid.training.pool import ImagePool
from slimvid.training.run import Run
from slimvid.training.singles import Singles, Views

__all__ = ("Objective", "StudentObjective", "check_task", "generator_spec")


def check_task(
    settings: Settings, condition: ConditionSpec, height: int, width: int, *, longest: int
) -> None:
    """Refuse what cannot be trained on frames of that size; clips may have any length.

    Raises:
        SlimvidError: names the setting and the remedy.
    """
    check_patch_size(height, width, layers=settings.disc_layers)


class Objective(TwoWays):
    """The paper's losses on two frames, each of its own draw.

    Raises:
        SlimvidError: the settings do not fit the task; names the setting and the remedy.
    """

    def __init__(self, run: Run, settings: Settings):
        meta = run.data.meta
        check_task(settings, meta.condition, meta.height, meta.width, longest=run.longest)
        super().__init__(run, settings)
        self.alike = meta.condition.channels == 3  # a generator can be shown its target's frames
        sizes = zip(DOMAINS, (meta.condition.channels, 3), strict=True)
        self.pools = nn.ModuleDict(
            {domain: ImagePool(settings.pool, n, meta.height, meta.width) for domain, n in sizes}
        )

    def views(self) -> Views:
        return Views(enlarge=self.settings.enlarge, flip=self.settings.flip)

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        draws = {domain: pool.draws(rng, self.settings.batch) for domain, pool in self.pools.items()}
        return super().sample(rng, index)._replace(draws=draws)

    def losses(self, view: Ways) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        g, d = self._gan(view.ways, shown=self._shown(view))
        for way in view.ways:
            g |= self._cycle(way) | self._identity(way)
        return g, d

    def provenance(self) -> dict[str, Any]:
        if not self.settings.lambda_identity or not any(self.settings.lambda_cycle):
            return {"identity_loss": "off: no weight"}
        return {"identity_loss": "on" if self.alike else "off: conditions are no pictures of 3 channels"}

    def other_way(self) -> nn.Module:
        return self.back

    def _shown(self, view: Ways) -> Mapping[str, Tensor]:
        """By domain, what its discriminator learns from: new translations, or earlier ones for them."""
        new = dict(zip(reversed(DOMAINS), (way.fake for way in view.ways), strict=True))
        return {
            domain: pool.show(new[domain], view.batch.draws[domain]) for domain, pool in self.pools.items()
        }

    def _identity(self, way: Way) -> dict[str, Tensor]:
        """The generator into a domain leaves that domain's frames as they are (release: weights)."""
        weight = self.settings.lambda_identity * self.settings.lambda_cycle[DOMAINS.index(way.domain)]
        if not weight or not self.alike:
            return {}
        return {f"identity_{way.domain}": weight * F.l1_loss(self._run(way.back, way.real), way.real)}


class StudentObjective(OneWay, Objective):
    """The way there alone, without a pool (GAN Compression's release)."""

    def __init__(self, run: Run, settings: Settings):
        super().__init__(run, settings)
        del self.pools

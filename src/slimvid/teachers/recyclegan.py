"""Training of Unsupervised RecycleGAN (Wang, Akash, Misu 2022), and of every student that has its losses.

Two generators, F from source to target and B back, learn from single frames x and y drawn independently of
one another: no pair is ever shown. W moves a picture by a synthetic flow (``synthetic_flow``), n is noise:

    GAN               LSGAN, a PatchGAN per domain, without a pool of earlier pictures (release)
    unsup. cycle      | B(W F(x) + n) - W x |          and the same from y
    unsup. spatial    | F(W x + n) - W F(x) |          and the same from y
    cycle             | B F(x) - x |                   and the same from y   (off for viper2city)
    content           MSE of VGG features of F(x) and x, and of B(y) and y   (off for labels; needs weights)

The flow is one for the whole batch and the same on both sides of a term. The targets W F(x) are not detached:
neither the paper's equations nor the release stop their gradient. The release moves by grid_sample without
``align_corners``, whose default has changed since; ``nets.warp`` says it. Its schedule reaches zero one epoch
early: with no decay epochs, as its scripts have it, the whole last epoch changes no weight (2 epochs are 1,
and 5 are 4). Here ``iterations`` counts steps that learn. Its option for the generator defaults to 9 blocks;
its scripts, and the papers' figures, have 6.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.nets.patchgan import check_patch_size
from slimvid.nets.warp import warp
from slimvid.teachers.content import content_loss
from slimvid.teachers.recyclegan_settings import Settings
from slimvid.teachers.synthetic_flow import frame_noise, synthetic_flow
from slimvid.teachers.two_domains import DOMAINS, OneWay, TwoWays, Way, Ways, generator_spec
from slimvid.training.run import Run
from slimvid.training.singles import Singles

__all__ = ("Objective", "StudentObjective", "check_task", "generator_spec")


class Moves(NamedTuple):
    """What the terms of one domain move a picture by (N x 2 x H x W, pixels) and add to it (N x . x H x W).

    None where the term has no weight.
    """

    cycle: tuple[Tensor, Tensor] | None
    spatial: tuple[Tensor, Tensor] | None


def check_task(
    settings: Settings, condition: ConditionSpec, height: int, width: int, *, longest: int
) -> None:
    """Refuse what cannot be trained on frames of that size; clips may have any length.

    Raises:
        SlimvidError: names the setting and the remedy.
    """
    check_patch_size(height, width, layers=settings.disc_layers)
    if settings.vgg is not None and any(settings.lambda_content) and condition.channels != 3:
        raise SlimvidError(
            f"the content loss compares pictures, but conditions have {condition.channels} channels; set "
            "lambda_content to [0, 0]"
        )


class Objective(TwoWays):
    """The paper's losses on two frames, each of its own draw; the way back is thrown away.

    Raises:
        SlimvidError: the settings do not fit the task; names the setting and the remedy.
    """

    def __init__(self, run: Run, settings: Settings):
        meta = run.data.meta
        check_task(settings, meta.condition, meta.height, meta.width, longest=run.longest)
        super().__init__(run, settings)
        self.content = content_loss(settings.vgg if any(settings.lambda_content) else None)

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        s, batch = self.settings, super().sample(rng, index)
        here = (batch.conditions.shape, batch.frames.shape)
        moves = {}
        for number, domain in enumerate(DOMAINS):
            # noise goes onto the translation in the cycle, onto the picture itself in the spatial term
            weights = s.lambda_unsup_cycle[number], s.lambda_spatial[number]
            shapes = here[1 - number], here[number]
            moves[domain] = Moves(
                *(self._move(rng, shape) if w else None for w, shape in zip(weights, shapes, strict=True))
            )
        return batch._replace(draws=moves)

    def _move(self, rng: np.random.Generator, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """W and n of one term: the same flow for every picture of the batch and for both sides."""
        s, (n, _, channels, h, w) = self.settings, shape
        flow = synthetic_flow(rng, h, w, motion=s.motion, shift=s.shift).expand(n, -1, -1, -1)
        noise = frame_noise(rng, (n, channels, h, w), level=s.noise)
        return flow.to(self.run.runtime.device), noise.to(self.run.runtime.device)

    def losses(self, view: Ways) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        g, d = self._gan(view.ways)
        for way in view.ways:
            g |= self._motion(way, view.batch.draws[way.domain]) | self._cycle(way) | self._content(way)
        return g, d

    def provenance(self) -> dict[str, Any]:
        if not any(self.settings.lambda_content):
            return {"content_loss": "off: no weight"}
        return {"content_loss": "on" if self.settings.vgg else "off: no VGG weights were given"}

    def _motion(self, way: Way, moves: Moves) -> dict[str, Tensor]:
        """Unsupervised cycle and spatial loss: pseudo-supervision from a flow that is known."""
        s, number = self.settings, DOMAINS.index(way.domain)
        losses = {}
        if moves.cycle is not None:
            flow, noise = moves.cycle
            returned = self._run(way.back, warp(way.fake, flow) + noise)
            error = F.l1_loss(returned, warp(way.real, flow))
            losses[f"unsup_cycle_{way.domain}"] = s.lambda_unsup_cycle[number] * error
        if moves.spatial is not None:
            flow, noise = moves.spatial
            moved = self._run(way.there, warp(way.real, flow) + noise)
            error = F.l1_loss(moved, warp(way.fake, flow))
            losses[f"spatial_{way.domain}"] = s.lambda_spatial[number] * error
        return losses

    def _content(self, way: Way) -> dict[str, Tensor]:
        """Content loss, where it has a weight."""
        weight = self.settings.lambda_content[DOMAINS.index(way.domain)]
        if self.content is None or not weight:
            return {}
        return {f"content_{way.domain}": weight * self.content(way.fake, way.real)}


class StudentObjective(OneWay, Objective):
    """The way there alone."""

"""Training of Unsupervised RecycleGAN (Wang, Akash, Misu 2022), and of every student that has its losses.

Two generators, F from source to target and B back, learn from single frames x and y drawn independently of
one another: no pair is ever shown. W moves a picture by a synthetic flow (``synthetic_flow``), n is noise:

    GAN               LSGAN, a PatchGAN per domain
    unsup. cycle      | B(W F(x) + n) - W x |          and the same from y
    unsup. spatial    | F(W x + n) - W F(x) |          and the same from y
    cycle             | B F(x) - x |                   and the same from y   (off for viper2city)
    content           MSE of VGG features of F(x) and x, and of B(y) and y   (off for labels; needs weights)

The flow is one for the whole batch and the same on both sides of a term. The targets W F(x) are not detached:
neither the paper's equations nor the release stop their gradient. The release moves by grid_sample without
``align_corners``, whose default has changed since; ``nets.warp`` says it. Its schedule reaches zero one epoch
early: with no decay epochs, as its scripts have it, the whole last epoch changes no weight (2 epochs are 1,
and 5 are 4). Here ``iterations`` counts steps that learn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.nets.framewise import Drawn
from slimvid.nets.patchgan import PatchGan, check_patch_size
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.warp import warp
from slimvid.teachers.content import content_loss
from slimvid.teachers.recyclegan_settings import Settings
from slimvid.teachers.synthetic_flow import frame_noise, synthetic_flow
from slimvid.training import objective
from slimvid.training.losses import gan
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


class Moves(NamedTuple):
    """What the terms of one domain move a picture by (N x 2 x H x W, pixels) and add to it (N x . x H x W).

    None where the term has no weight.
    """

    cycle: tuple[Tensor, Tensor] | None
    spatial: tuple[Tensor, Tensor] | None


@dataclass(kw_only=True)
class Ways(View):
    """A step's view: both directions; ``out`` is the generator's."""

    ways: Sequence[Way]


def generator_spec(
    settings: Settings, condition: ConditionSpec, *, width: int | None = None, **changes: Any
) -> dict[str, Any]:
    """The generator's architecture spec (ResNet, instance normalisation), with a student's ``changes``.

    The release's option defaults to 9 blocks; its scripts, and the papers' figures, have 6.
    """
    own = {"blocks": settings.blocks, "in_channels": condition.channels, **changes}
    return resnet_spec(settings.width if width is None else width, **own)


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


class Objective(objective.Objective):
    """The paper's losses on two frames, each of its own draw.

    The way back has the original's architecture also for a student: it is thrown away.

    Raises:
        SlimvidError: the settings do not fit the task; names the setting and the remedy.
    """

    def __init__(self, run: Run, settings: Settings):
        super().__init__(run, settings)
        condition, meta = run.data.meta.condition, run.data.meta
        check_task(settings, condition, meta.height, meta.width, longest=run.longest)
        self.back = build(generator_spec(settings, condition, in_channels=3, out_channels=condition.channels))
        for domain, channels in zip(DOMAINS, (condition.channels, 3), strict=True):
            self.discriminators[f"{domain}_disc"] = PatchGan(
                channels, width=settings.disc_width, layers=settings.disc_layers
            )
        self.content = content_loss(settings.vgg if any(settings.lambda_content) else None)

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        s, batch = self.settings, self._frames(rng)
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

    def _frames(self, rng: np.random.Generator) -> Singles:
        how = {"batch": self.settings.batch, "device": self.run.runtime.device}
        views = Views(enlarge=self.settings.enlarge)
        return sample_singles(self.run.data, rng, paired=False, views=views, **how)

    def _move(self, rng: np.random.Generator, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """W and n of one term: the same flow for every picture of the batch and for both sides."""
        s, (n, _, channels, h, w) = self.settings, shape
        flow = synthetic_flow(rng, h, w, motion=s.motion, shift=s.shift).expand(n, -1, -1, -1)
        noise = frame_noise(rng, (n, channels, h, w), level=s.noise)
        return flow.to(self.run.runtime.device), noise.to(self.run.runtime.device)

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

    def losses(self, view: Ways) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        g, d = self._gan(view.ways)
        for way in view.ways:
            g |= self._motion(way, view.batch.draws[way.domain]) | self._likeness(way)
        return g, d

    def provenance(self) -> dict[str, Any]:
        if not any(self.settings.lambda_content):
            return {"content_loss": "off: no weight"}
        return {"content_loss": "on" if self.settings.vgg else "off: no VGG weights were given"}

    def _run(self, net: nn.Module, picture: Tensor) -> Tensor:
        with self.run.runtime.autocast():
            return net(picture).float()

    def _gan(self, ways: Sequence[Way]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """LSGAN of each translation among the other domain's frames; no pool of earlier ones (release)."""
        g, d = {}, {}
        for way, other in zip(ways, reversed(ways), strict=True):
            net = self.discriminators[f"{other.domain}_disc"]
            with self.run.runtime.autocast():
                fake, real = net(way.fake), net(other.real)
            g[f"gan_{other.domain}"] = gan([fake], real=True)
            d[f"disc_{other.domain}"] = 0.5 * (gan([real], real=True) + gan([fake], real=False))
        return g, d

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

    def _likeness(self, way: Way) -> dict[str, Tensor]:
        """Cycle and content loss, where they have a weight."""
        s, number = self.settings, DOMAINS.index(way.domain)
        losses = {}
        if s.lambda_cycle[number]:
            error = F.l1_loss(self._run(way.back, way.fake), way.real)
            losses[f"cycle_{way.domain}"] = s.lambda_cycle[number] * error
        if self.content is not None and s.lambda_content[number]:
            losses[f"content_{way.domain}"] = s.lambda_content[number] * self.content(way.fake, way.real)
        return losses


class StudentObjective(Objective):
    """The way there alone, judged among the target's frames: for a student that has its teacher's for pairs.

    Cycle, motion and content are what a pair is needed for where there is none (GAN Compression 3.1).
    """

    def __init__(self, run: Run, settings: Settings):
        super().__init__(run, settings)
        del self.back, self.discriminators["source_disc"]

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        return self._frames(rng)

    def unroll(self, generator: nn.Module, batch: Singles) -> Iterator[View]:
        return self.stream(generator, batch)

    def losses(self, view: View) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        net = self.discriminators["target_disc"]
        with self.run.runtime.autocast():
            fake, real = [net(view.out.image)], [net(view.batch.frames[:, 0])]
        g = {"gan_target": gan(fake, real=True)}
        return g, {"disc_target": 0.5 * (gan(real, real=True) + gan(fake, real=False))}

    def provenance(self) -> dict[str, Any]:
        return {"pairs": "the teacher's frames"}

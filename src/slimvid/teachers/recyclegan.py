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
``align_corners``, whose default has changed since; ``nets.warp`` says it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.nets.framewise import Drawn
from slimvid.nets.patchgan import PatchGan, check_patch_size
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.warp import warp
from slimvid.settings import RecycleGANSettings
from slimvid.teachers.content import content_loss
from slimvid.teachers.synthetic_flow import ROWS, frame_noise, synthetic_flow
from slimvid.training import loop
from slimvid.training.finish import seed_weights, train_to_artifact
from slimvid.training.losses import gan
from slimvid.training.run import Run
from slimvid.training.sequences import Batch

DOMAINS = ("source", "target")


class Distiller(Protocol):
    """What a student adds to the originals' losses."""

    def begin(self, batch: Batch, *, index: int) -> None:
        """Run the teacher on the conditions that the student is about to translate."""

    def losses(self, t: int, drawn: Sequence[Tensor], out: Drawn) -> Mapping[str, Tensor]:
        """Named losses of the student's picture; ``t`` is 0 and ``drawn`` empty: there is no sequence."""


class Way(NamedTuple):
    """One direction of a step: from ``domain``'s frames ``real`` to ``fake`` in the other."""

    domain: str
    real: Tensor
    fake: Tensor
    there: nn.Module
    back: nn.Module


def generator_spec(
    settings: RecycleGANSettings, condition: ConditionSpec, *, width: int | None = None, **changes: Any
) -> dict[str, Any]:
    """The generator's architecture spec (ResNet, instance normalisation), with a student's ``changes``.

    The release's option defaults to 9 blocks; its scripts, and the papers' figures, have 6.
    """
    own = {"blocks": settings.blocks, "in_channels": condition.channels, **changes}
    return resnet_spec(settings.width if width is None else width, **own)


def check_task(
    settings: RecycleGANSettings, condition: ConditionSpec, height: int, width: int, *, longest: int
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


class RecycleGANTraining:
    """Networks, optimisers and the step of one training."""

    def __init__(
        self,
        run: Run,
        generator: nn.Module,
        settings: RecycleGANSettings,
        *,
        distiller: Distiller | None = None,
    ):
        self.settings, self.data, self.seed, self.runtime = settings, run.data, run.seed, run.runtime
        self.distiller, data = distiller, run.data
        condition = data.meta.condition
        generator.check_size(data.meta.height, data.meta.width)
        back = generator_spec(settings, condition, in_channels=3, out_channels=condition.channels)
        judge = {"width": settings.disc_width, "layers": settings.disc_layers}
        self.modules: dict[str, nn.Module] = {
            "generator": generator,
            "back": build(back),
            "source_disc": PatchGan(condition.channels, **judge),
            "target_disc": PatchGan(3, **judge),
        }
        self.content = content_loss(settings.vgg if any(settings.lambda_content) else None)
        for module in (*self.modules.values(), *([self.content] if self.content else [])):
            module.to(run.runtime.device).train(module is not self.content)
        self.optimisers = {name: loop.adam(m, settings.lr) for name, m in self.modules.items()}
        self.tally = loop.Tally()

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of both generators, then of both discriminators; returns the losses."""
        rng = loop.step_rng(self.seed, index)
        batch = sample_unpaired(
            self.data,
            rng,
            batch=self.settings.batch,
            enlarge=self.settings.enlarge,
            device=self.runtime.device,
        )
        if self.distiller is not None:
            self.distiller.begin(batch, index=index)
        ways = self._translate(batch)
        g, d = self._gan(ways)
        for way in ways:
            g |= self._motion(way, rng) | self._likeness(way)
        if self.distiller is not None:
            g |= self.distiller.losses(0, (), Drawn(ways[0].fake))
        loop.descend(self.modules, self.optimisers, g, d, generators=("generator", "back"))
        self.tally.learned(len(batch.frames))
        return {name: value.detach() for name, value in (g | d).items()}

    def _translate(self, batch: Batch) -> list[Way]:
        """Both frames in the other's domain."""
        forward, back = self.modules["generator"], self.modules["back"]
        x, y = batch.conditions[:, 0] * 2 - 1, batch.frames[:, 0]
        return [
            Way("source", x, self._run(forward, x), forward, back),
            Way("target", y, self._run(back, y), back, forward),
        ]

    def _run(self, net: nn.Module, picture: Tensor) -> Tensor:
        with self.runtime.autocast():
            return net(picture).float()

    def _gan(self, ways: Sequence[Way]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """LSGAN of each translation among the other domain's frames; no pool of earlier ones (release)."""
        g, d = {}, {}
        for way, other in zip(ways, reversed(ways), strict=True):
            net = self.modules[f"{other.domain}_disc"]
            with self.runtime.autocast():
                fake, real = net(way.fake), net(other.real)
            g[f"gan_{other.domain}"] = gan([fake], real=True)
            d[f"disc_{other.domain}"] = 0.5 * (gan([real], real=True) + gan([fake], real=False))
        return g, d

    def _motion(self, way: Way, rng: np.random.Generator) -> dict[str, Tensor]:
        """Unsupervised cycle and spatial loss: pseudo-supervision from a flow that is known."""
        s, number = self.settings, DOMAINS.index(way.domain)
        losses = {}
        if s.lambda_unsup_cycle[number]:
            move = self._mover(rng, way.real)
            returned = self._run(way.back, self._noisy(move(way.fake), rng))
            error = F.l1_loss(returned, move(way.real))
            losses[f"unsup_cycle_{way.domain}"] = s.lambda_unsup_cycle[number] * error
        if s.lambda_spatial[number]:
            move = self._mover(rng, way.real)
            moved = self._run(way.there, self._noisy(move(way.real), rng))
            losses[f"spatial_{way.domain}"] = s.lambda_spatial[number] * F.l1_loss(moved, move(way.fake))
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

    def _mover(self, rng: np.random.Generator, like: Tensor):
        """W of one term: the same flow for every picture of the batch and for both sides."""
        s, (n, _, h, w) = self.settings, like.shape
        flow = synthetic_flow(rng, h, w, motion=s.motion, shift=s.shift).to(like.device).expand(n, -1, -1, -1)
        return lambda picture: warp(picture, flow)

    def _noisy(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        return picture + frame_noise(rng, tuple(picture.shape), level=self.settings.noise).to(picture.device)


def sample_unpaired(
    task: PreparedTask, rng: np.random.Generator, *, batch: int, enlarge: int = 0, device: str = "cpu"
) -> Batch:
    """Conditions and frames of two independent draws from the training clips, B x 1 x . x H x W each.

    Pictures are enlarged by ``enlarge`` pixels (at 256 rows) a side and cropped at random, as the release
    loads 286 x 542 for crops of 256 x 512. ``places`` belong to the conditions; there is no flow (zeros).
    """
    margin = round(enlarge * task.meta.height / ROWS)
    infos = task.clips("train")
    total = np.cumsum([info.length for info in infos])

    def draw(kind: str, low: float) -> tuple[Tensor, list[tuple[str, range]]]:
        pictures, places = [], []
        for number in rng.integers(total[-1], size=batch):
            clip = int(np.searchsorted(total, number, side="right"))
            at = int(number - (total[clip] - infos[clip].length))
            window = task.window("train", infos[clip].name, [at], flow=False)
            pictures.append(_crop(torch.from_numpy(getattr(window, kind)), margin, rng).clamp(low, 1))
            places.append((infos[clip].name, range(at, at + 1)))
        return torch.stack(pictures).to(device), places

    conditions, places = draw("conditions", 0)
    frames, _ = draw("frames", -1)
    flow = frames.new_zeros(batch, 1, 2, *frames.shape[-2:])
    return Batch(frames, conditions, flow, flow[:, :, :1], places)


def _crop(picture: Tensor, margin: int, rng: np.random.Generator) -> Tensor:
    """1 x C x H x W enlarged by ``margin`` a side, and a random H x W of it."""
    if margin == 0:
        return picture
    h, w = picture.shape[-2:]
    large = F.interpolate(picture, (h + margin, w + margin), mode="bicubic", align_corners=False)
    y, x = rng.integers(margin + 1, size=2)
    return large[..., y : y + h, x : x + w]


def train(run: Run, settings: RecycleGANSettings) -> None:
    """Train the original of a task and write its artifact."""
    fit(run, generator_spec(settings, run.data.meta.condition), settings)


def fit(
    run: Run,
    spec: Mapping[str, Any],
    settings: RecycleGANSettings,
    *,
    distiller: Distiller | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Train a frame-wise generator of ``spec``, original or student, and write its artifact.

    The way back has the original's architecture also for a student: it is a judge that is thrown away.
    An interrupted run goes on from its last state; the state is deleted once the artifact is whole.
    """
    meta, longest = run.data.meta, max(clip.length for clip in run.data.clips("train"))
    check_task(settings, meta.condition, meta.height, meta.width, longest=longest)
    seed_weights(run.seed)
    training = RecycleGANTraining(run, build(dict(spec)), settings, distiller=distiller)
    # The release's schedule reaches zero one epoch early: with no decay epochs, as its scripts have it, the
    # whole last epoch changes no weight (2 epochs are 1, and 5 are 4). `iterations` counts steps that learn.
    train_to_artifact(
        training,
        run,
        spec=spec,
        settings=settings,
        provenance={"content_loss": _content_state(settings), **(provenance or {})},
    )


def _content_state(settings: RecycleGANSettings) -> str:
    if not any(settings.lambda_content):
        return "off: no weight"
    return "on" if settings.vgg else "off: no VGG weights were given"

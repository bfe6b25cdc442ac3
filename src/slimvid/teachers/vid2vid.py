"""Training of vid2vid's composite generator (Wang et al. 2018), and of every student that has its losses.

Per frame, with raw and blended image (supplement of the paper; weights of the release):

    G = GAN(image) + GAN(raw) + 10 FM(image) + 10 FM(raw) + 10 VGG(image) + 10 VGG(raw)
        + 10 Warp + 10 Flow + 10 FlowWarp [+ Weight] + sum over strides of (GAN_T + 10 FM_T)

Gradients run through one frame: the previous outputs are detached. Flow supervision is the prepared store's
backward flow in place of FlowNet2. Where the release never decays the temporal discriminators' learning
rate, all rates decay here, as the paper says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.nets.discriminators import MultiScaleDiscriminator, temporal_discriminator
from slimvid.nets.vid2vid import FLOW_SCALE, Output
from slimvid.nets.warp import warp
from slimvid.settings import TeacherSettings
from slimvid.training import loop
from slimvid.training.distributed import any_process
from slimvid.training.finish import seed_weights, train_to_artifact
from slimvid.training.losses import feature_matching, gan, masked_l1, perceptual
from slimvid.training.run import Run
from slimvid.training.sequences import Batch, chain, sample, sequence_length


class Pace(NamedTuple):
    """Sequences of a step: key-frames at ``gap``, at most ``most`` frames (none: the settings' length)."""

    gap: int = 1
    most: int | None = None


def full_time(index: int, rng: np.random.Generator) -> Pace:
    """Every frame."""
    return Pace()


class Distiller(Protocol):
    """What a student adds to the originals' losses."""

    def begin(self, batch: Batch, *, index: int) -> None:
        """Run the teacher on the sequence that the student is about to draw."""

    def losses(self, t: int, drawn: Sequence[Tensor], out: Output) -> Mapping[str, Tensor]:
        """Named losses of frame ``t``; ``drawn`` are the student's frames before it, detached."""


def generator_spec(settings: TeacherSettings, condition: ConditionSpec, **changes: Any) -> dict[str, Any]:
    """The composite generator's architecture spec under these settings, with ``changes`` for a student."""
    return {
        "kind": "vid2vid",
        "condition_channels": condition.channels,
        "past": settings.past,
        "width": settings.width,
        "downs": settings.downs,
        "blocks": settings.blocks,
        "norm": settings.norm,
        "foreground": list(condition.foreground) if settings.foreground else [],
        "first_frame": settings.first == "generator",
        **changes,
    }


def check_task(
    settings: TeacherSettings, condition: ConditionSpec, height: int, width: int, *, longest: int
) -> None:
    """Refuse what cannot be trained on frames of that size and clips of at most ``longest`` frames.

    Raises:
        SlimvidError: names the setting and the remedy.
    """
    if settings.foreground and not condition.foreground:
        raise SlimvidError(
            "foreground is on, but the task names no foreground classes; set the task's `foreground`, or "
            "switch it off"
        )
    needed = settings.given + sequence_length(
        settings.iterations - 1,
        start=settings.sequence,
        longest=settings.sequence_max,
        doubles_every=settings.sequence_doubles_every,
    )
    if needed > longest:
        raise SlimvidError(
            f"sequences grow to {needed} frames, but clips have at most {longest}; lower `sequence` or "
            "`sequence_max`, or raise the task's `clip_frames`"
        )


class Vid2VidTraining:
    """Networks, optimisers and the step of one training."""

    def __init__(
        self,
        run: Run,
        generator: nn.Module,
        settings: TeacherSettings,
        *,
        distiller: Distiller | None = None,
        pace: Callable[[int, np.random.Generator], Pace] = full_time,
    ):
        self.settings, self.data, self.seed, self.runtime = settings, run.data, run.seed, run.runtime
        self.distiller, self.pace = distiller, pace
        data = run.data
        generator.check_size(data.meta.height, data.meta.width)
        channels = data.meta.condition.channels
        width, scales = settings.disc_width, settings.disc_scales
        self.modules: dict[str, nn.Module] = {
            "generator": generator,
            "image_disc": MultiScaleDiscriminator(channels + 3, width, scales=scales),
        }
        for s in range(settings.temporal_scales):
            self.modules[f"temporal_disc{s}"] = temporal_discriminator(width, scales=scales)
        self.vgg = perceptual(settings.vgg)
        for module in (*self.modules.values(), *([self.vgg] if self.vgg else [])):
            module.to(run.runtime.device).train(module is not self.vgg)
        self.optimisers = {name: loop.adam(m, settings.lr) for name, m in self.modules.items()}
        self.tally = loop.Tally()

    def step(self, index: int) -> dict[str, Tensor]:
        """Draw one batch of sequences frame by frame, learning after each; returns the mean losses."""
        s = self.settings
        rng = loop.step_rng(self.seed, index)
        gap, most = self.pace(index, rng)
        length = s.given + sequence_length(
            index, start=s.sequence, longest=s.sequence_max, doubles_every=s.sequence_doubles_every
        )
        length = length if most is None else min(length, most)
        how = {"length": length, "gap": gap, "given": s.given, "device": self.runtime.device}
        batch = sample(self.data, rng, batch=s.batch, **how)
        if self.distiller is not None:
            self.distiller.begin(batch, index=index)
        rollout = self.modules["generator"].rollout(first=s.first)
        drawn: list[Tensor] = []
        for t in range(s.given):
            rollout.prime(batch.conditions[:, t], batch.frames[:, t])
            drawn.append(batch.frames[:, t])
        totals: dict[str, list[Tensor]] = {}
        for t in range(s.given, length):
            with self.runtime.autocast():
                out = rollout.step(batch.conditions[:, t])
            out = Output(*(x.float() for x in out))
            for name, value in self._learn(t, batch, drawn, out).items():
                totals.setdefault(name, []).append(value)
            drawn.append(out.image.detach())
            rollout.push(drawn[-1])
        return {name: torch.stack(values).mean() for name, values in totals.items()}

    def _learn(self, t: int, batch: Batch, drawn: list[Tensor], out: Output) -> dict[str, Tensor]:
        """One update of the generator and of every discriminator from frame ``t``; returns the losses."""
        g, d = self._image_gan(t, batch, out)
        for stride_g, stride_d in self._temporal_gan(t, batch, drawn, out):
            g, d = g | stride_g, d | stride_d
        g |= self._reconstruction(t, batch, out) | self._motion(t, batch, drawn, out)
        if self.distiller is not None:
            g |= self.distiller.losses(t, drawn, out)
        loop.descend(self.modules, self.optimisers, g, d)
        self.tally.learned(len(out.image))
        return {name: value.detach() for name, value in (g | d).items()}

    def _image_gan(self, t: int, batch: Batch, out: Output) -> tuple[dict, dict]:
        """Image discriminator on (condition, frame): GAN and feature matching, blended and raw alike."""
        condition, net = batch.conditions[:, t], self.modules["image_disc"]
        with self.runtime.autocast():
            real = net(torch.cat((condition, batch.frames[:, t]), 1))
            fake = net(torch.cat((condition, out.image), 1))
            raw = net(torch.cat((condition, out.raw), 1))
        weight = self.settings.lambda_feat
        g = {
            "gan": gan(fake, real=True),
            "gan_raw": gan(raw, real=True),
            "fm": weight * feature_matching(fake, real),
            "fm_raw": weight * feature_matching(raw, real),
        }
        half = 0.5 * (gan(fake, real=False) + gan(raw, real=False))
        return g, {"disc": gan(real, real=True) + half}

    def _temporal_gan(self, t: int, batch: Batch, drawn: list[Tensor], out: Output):
        """Temporal discriminators: three frames at stride 3^s beside the two flows between them (/20)."""
        for s in range(self.settings.temporal_scales):
            stride = 3**s
            if t - 2 * stride < 0:
                continue
            flows = [
                chain(batch.flow, batch.valid, end, links=stride)[0] / FLOW_SCALE for end in (t - stride, t)
            ]
            past = [drawn[t - 2 * stride], drawn[t - stride]]
            truth = [batch.frames[:, i] for i in (t - 2 * stride, t - stride, t)]
            net = self.modules[f"temporal_disc{s}"]
            with self.runtime.autocast():
                real = net(torch.cat((*truth, *flows), 1))
                fake = net(torch.cat((*past, out.image, *flows), 1))
            g = {
                f"gan_t{s}": gan(fake, real=True),
                f"fm_t{s}": self.settings.lambda_feat * feature_matching(fake, real),
            }
            loss = 0.5 * (gan(real, real=True) + gan(fake, real=False))
            yield g, {f"disc_t{s}": loss.detach() if self._rests(loss, scales=len(real)) else loss}

    def _rests(self, loss: Tensor, *, scales: int) -> bool:
        """Whether a temporal discriminator is so far ahead that it does not learn from this frame.

        Its loss then has no graph: no backward pass is made for it, and no optimiser moves it. All processes
        of a training rest together.
        """
        rest = self.settings.temporal_rest
        return rest > 0 and not any_process(bool(loss.detach() / scales >= rest))

    def _reconstruction(self, t: int, batch: Batch, out: Output) -> dict[str, Tensor]:
        """Perceptual loss where VGG weights are there, and L1 where the settings ask for it."""
        real, losses = batch.frames[:, t], {}
        if self.vgg is not None:
            with self.runtime.autocast():
                losses["vgg"] = self.settings.lambda_feat * self.vgg(out.image, real)
                losses["vgg_raw"] = self.settings.lambda_feat * self.vgg(out.raw, real)
        if self.settings.lambda_l1:
            losses["l1"] = self.settings.lambda_l1 * (out.image - real).abs().mean()
            losses["l1_raw"] = self.settings.lambda_l1 * (out.raw - real).abs().mean()
        return losses

    def _motion(self, t: int, batch: Batch, drawn: list[Tensor], out: Output) -> dict[str, Tensor]:
        """Flow losses against the reference flow, where that can be trusted."""
        if t == 0:
            return {}
        flow, valid, real = batch.flow[:, t], batch.valid[:, t], batch.frames[:, t]
        weight = self.settings.lambda_flow
        losses = {
            "warp": weight * masked_l1(out.image, warp(drawn[t - 1], flow), valid),
            "flow": weight * masked_l1(out.flow, flow, valid),
            "flow_warp": weight * masked_l1(warp(batch.frames[:, t - 1], out.flow), real, valid),
        }
        if self.settings.first != "real":  # the release: only where no first image is given
            losses["weight"] = masked_l1(out.weight, torch.zeros_like(out.weight), valid)
        return losses


def train(run: Run, settings: TeacherSettings) -> None:
    """Train the original of a task and write its artifact."""
    fit(run, generator_spec(settings, run.data.meta.condition), settings)


def fit(
    run: Run,
    spec: Mapping[str, Any],
    settings: TeacherSettings,
    *,
    distiller: Distiller | None = None,
    pace: Callable[[int, np.random.Generator], Pace] = full_time,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Train a composite generator of ``spec``, original or student, and write its artifact.

    An interrupted run goes on from its last state; the state is deleted once the artifact is whole.
    """
    meta, longest = run.data.meta, max(clip.length for clip in run.data.clips("train"))
    try:
        check_task(settings, meta.condition, meta.height, meta.width, longest=longest)
    except SlimvidError as error:
        raise SlimvidError(f"{run.task}: {error}") from None
    seed_weights(run.seed)
    training = Vid2VidTraining(run, build(dict(spec)), settings, distiller=distiller, pace=pace)
    train_to_artifact(
        training,
        replace(run, plan={**run.plan, "first": settings.first}),
        spec=spec,
        settings=settings,
        provenance={
            "perceptual_loss": "on" if settings.vgg else "off: no VGG-19 weights were given",
            **(provenance or {}),
        },
    )

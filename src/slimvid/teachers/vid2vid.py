"""Training of vid2vid's composite generator (Wang et al. 2018), and of every student that has its losses.

Per frame, with raw and blended image (supplement of the paper; weights of the release):

    G = GAN(image) + GAN(raw) + 10 FM(image) + 10 FM(raw) + 10 VGG(image) + 10 VGG(raw)
        + 10 Warp + 10 Flow + 10 FlowWarp [+ Weight] + sum over strides of (GAN_T + 10 FM_T)

Gradients run through one frame: the previous outputs are detached. Flow supervision is the prepared store's
backward flow in place of FlowNet2. Where the release never decays the temporal discriminators' learning
rate, all rates decay here, as the paper says.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.nets.discriminators import MultiScaleDiscriminator, temporal_discriminator
from slimvid.nets.vid2vid import FLOW_SCALE, Output
from slimvid.nets.warp import warp
from slimvid.teachers.vid2vid_settings import Settings
from slimvid.training import objective
from slimvid.training.distributed import any_process
from slimvid.training.losses import feature_matching, gan, masked_l1, perceptual
from slimvid.training.objective import View
from slimvid.training.run import Run
from slimvid.training.sequences import Batch, chain, sample, sequence_length


class Pace(NamedTuple):
    """Sequences of a step: key-frames at ``gap``, at most ``most`` frames (none: the settings' length)."""

    gap: int = 1
    most: int | None = None


def generator_spec(settings: Settings, condition: ConditionSpec, **changes: Any) -> dict[str, Any]:
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
    settings: Settings, condition: ConditionSpec, height: int, width: int, *, longest: int
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
    if longest == 1:
        raise SlimvidError(
            "a vid2vid original learns from sequences, and this task's clips are single pictures; give the "
            "task an original of images (`teacher: pix2pix`, say)"
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


class Objective(objective.Objective):
    """vid2vid's losses on sequences that the generator draws frame by frame, an update after each.

    Raises:
        SlimvidError: the settings do not fit the task; names the setting and the remedy.
    """

    def __init__(self, run: Run, settings: Settings):
        super().__init__(run, settings)
        meta = run.data.meta
        try:
            check_task(settings, meta.condition, meta.height, meta.width, longest=run.longest)
        except SlimvidError as error:
            raise SlimvidError(f"{run.task}: {error}") from None
        self.walk = {"first": settings.first}
        width, scales = settings.disc_width, settings.disc_scales
        self.discriminators["image_disc"] = MultiScaleDiscriminator(
            meta.condition.channels + 3, width, scales=scales
        )
        for s in range(settings.temporal_scales):
            self.discriminators[f"temporal_disc{s}"] = temporal_discriminator(width, scales=scales)
        self.vgg = perceptual(settings.vgg)

    def pace(self, index: int, rng: np.random.Generator) -> Pace:
        """Which frames a step's sequences consist of: every one."""
        return Pace()

    def sample(self, rng: np.random.Generator, index: int) -> Batch:
        s = self.settings
        gap, most = self.pace(index, rng)
        length = s.given + sequence_length(
            index, start=s.sequence, longest=s.sequence_max, doubles_every=s.sequence_doubles_every
        )
        length = length if most is None else min(length, most)
        batch = sample(self.run.data, rng, batch=s.batch, length=length, gap=gap, given=s.given)
        return batch.to(self.run.runtime.device)

    def unroll(self, generator: nn.Module, batch: Batch) -> Iterator[View]:
        s = self.settings
        rollout = generator.rollout(first=s.first)
        drawn: list[Tensor] = []
        for t in range(s.given):
            rollout.prime(batch.conditions[:, t], batch.frames[:, t])
            drawn.append(batch.frames[:, t])
        for t in range(s.given, batch.frames.shape[1]):
            with self.run.runtime.autocast():
                out = rollout.step(batch.conditions[:, t])
            out = Output(*(x.float() for x in out))
            yield View(t=t, batch=batch, drawn=drawn, out=out)
            drawn.append(out.image.detach())
            rollout.push(drawn[-1])

    def losses(self, view: View) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        g, d = self._image_gan(view)
        for stride_g, stride_d in self._temporal_gan(view):
            g, d = g | stride_g, d | stride_d
        return g | self._reconstruction(view) | self._motion(view), d

    def provenance(self) -> dict[str, Any]:
        return {"perceptual_loss": "on" if self.settings.vgg else "off: no VGG-19 weights were given"}

    def _image_gan(self, view: View) -> tuple[dict, dict]:
        """Image discriminator on (condition, frame): GAN and feature matching, blended and raw alike."""
        condition, out = view.batch.conditions[:, view.t], view.out
        net = self.discriminators["image_disc"]
        with self.run.runtime.autocast():
            real = net(torch.cat((condition, view.batch.frames[:, view.t]), 1))
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

    def _temporal_gan(self, view: View) -> Iterator[tuple[dict, dict]]:
        """Temporal discriminators: three frames at stride 3^s beside the two flows between them (/20)."""
        t, batch = view.t, view.batch
        for s in range(self.settings.temporal_scales):
            stride = 3**s
            if t - 2 * stride < 0:
                continue
            flows = [
                chain(batch.flow, batch.valid, end, links=stride)[0] / FLOW_SCALE for end in (t - stride, t)
            ]
            past = [view.drawn[t - 2 * stride], view.drawn[t - stride]]
            truth = [batch.frames[:, i] for i in (t - 2 * stride, t - stride, t)]
            net = self.discriminators[f"temporal_disc{s}"]
            with self.run.runtime.autocast():
                real = net(torch.cat((*truth, *flows), 1))
                fake = net(torch.cat((*past, view.out.image, *flows), 1))
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

    def _reconstruction(self, view: View) -> dict[str, Tensor]:
        """Perceptual loss where VGG weights are there, and L1 where the settings ask for it."""
        real, out = view.batch.frames[:, view.t], view.out
        losses = {}
        if self.vgg is not None:
            with self.run.runtime.autocast():
                losses["vgg"] = self.settings.lambda_feat * self.vgg(out.image, real)
                losses["vgg_raw"] = self.settings.lambda_feat * self.vgg(out.raw, real)
        if self.settings.lambda_l1:
            losses["l1"] = self.settings.lambda_l1 * (out.image - real).abs().mean()
            losses["l1_raw"] = self.settings.lambda_l1 * (out.raw - real).abs().mean()
        return losses

    def _motion(self, view: View) -> dict[str, Tensor]:
        """Flow losses against the reference flow, where that can be trusted."""
        t, batch, out = view.t, view.batch, view.out
        if t == 0:
            return {}
        flow, valid, real = batch.flow[:, t], batch.valid[:, t], batch.frames[:, t]
        weight = self.settings.lambda_flow
        losses = {
            "warp": weight * masked_l1(out.image, warp(view.drawn[t - 1], flow), valid),
            "flow": weight * masked_l1(out.flow, flow, valid),
            "flow_warp": weight * masked_l1(warp(batch.frames[:, t - 1], out.flow), real, valid),
        }
        if self.settings.first != "real":  # the release: only where no first image is given
            losses["weight"] = masked_l1(out.weight, torch.zeros_like(out.weight), valid)
        return losses

"""Shortcut-V2V (Chung et al. 2023): most frames skip the middle of the original.

The original is frozen. A block (``nets.shortcut``) predicts its decoder's features of a frame from those of a
reference frame up to alpha - 1 frames back, and the original draws on from there. Any translator that can be
cut will do (``nets.cuts``): this module knows none by name.

Eq. 9:

    5 |f_t - f*_ref| + 5 |f_t - f^_t| + 10 |O_t - O^_t| + 10 L_perc + L_GAN + L_T-GAN

f_t, O_t are the original's features and frame, f*_ref the aligned reference (Eq. 7), f^_t, O^_t the block's.
The perceptual distance is VGG-19's where its weights are given, else off, which the artifact says (release:
LPIPS). Discriminators see the original's frames as real (3.3).

A sample of an original without memory is a random pair, frame i and frame i+k with k uniform in 1..alpha-1
(release). An original that sees its own previous frames (vid2vid; nothing of that training was released)
meets the frames of *this* stream at inference, so it is trained on whole streams of two cycles, an update
after every shortcut frame (``history: own``); the target is the original's own stream from the same start.

vid2vid shows a blend of a raw image and its last frame, moved by a flow. The published counts fit a decoder
that draws the raw image alone (``decode: raw``; the target then is the original's raw image too). ``blended``
has the block predict the features of the flow branch as well and blends as the original does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from slimvid.compress import Job
from slimvid.compress.shortcut_options import Options
from slimvid.compress.shortcut_windows import Window, Windows
from slimvid.data.condition import ConditionSpec
from slimvid.nets.framewise import Drawn
from slimvid.nets.patchgan import ShortcutDiscriminator
from slimvid.nets.shortcut_net import ShortcutGenerator, shortcut_spec
from slimvid.section import recorded
from slimvid.settings import TeacherSettings
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import step_rng, train
from slimvid.training.losses import gan, perceptual
from slimvid.training.objective import Objective, View
from slimvid.training.run import Run

FITTED, FITTING = 4, 1 << 30  # windows that weights are fitted on, and the index of their random numbers
UNBOUNDED = 6  # frames apart that pairs are trained up to where a plan names no longest interval


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: dict[str, Any]
) -> dict[str, Any]:
    """The translator below with a block attached."""
    blended = None if options.decode is None else options.decode == "blended"
    spec = shortcut_spec(below, cut=options.cut, hidden=options.hidden, form=options.form, blended=blended)
    return {**spec, "hidden": max(4, round(spec["hidden"] * options.width / 4) * 4)}


def compress(job: Job) -> None:
    """Train a block for the original and write the artifact of both."""
    options = job.parse(Options)
    run, settings = job.run, job.student_settings(options.train)
    teacher = FrozenTeacher(job.teacher, run)
    net = run.network(student_spec(settings, run.data.meta.condition, options, teacher.source.spec))
    objective = ShortcutObjective(run, settings, net=net, options=options, teacher=teacher)
    provenance = {"options": recorded(options, leave_out=("train",)), **teacher.provenance()}
    save(run, train(run, net, objective, settings, provenance=provenance))


class Features(NamedTuple):
    """A full frame: encoder features, decoder features, what the original shows; no gradient.

    ``aim`` is the picture that decoding ``f`` gives: ``image``, or the raw image where that alone is decoded.
    """

    a: Tensor
    f: Tensor
    image: Tensor
    aim: Tensor


@dataclass(kw_only=True)
class ShortcutFrame(View):
    """A shortcut frame to learn from.

    Attributes:
        inputs: what the network read there. f: the block's features; aligned: the reference's (Eq. 7), None
            in a form that does not align. reference: of this stream. before, target: the original's own
            reference frame (N x 3 x H x W) and frame.
    """

    inputs: tuple[Tensor, ...]
    f: Tensor
    aligned: Tensor | None
    reference: Features
    before: Tensor
    target: Features


class ShortcutObjective(Objective):
    """Eq. 9 on streams of the original with the block, an update after every shortcut frame.

    Args:
        net: the original and the block, whose initial weights are set here. teacher: the original.
    """

    def __init__(
        self,
        run: Run,
        settings: TeacherSettings,
        *,
        net: ShortcutGenerator,
        options: Options,
        teacher: FrozenTeacher,
    ):
        super().__init__(run, settings)
        self.options, self.first = options, teacher.first
        self.walk = {"first": teacher.first}
        net.teacher.load_state_dict(teacher.net.state_dict())
        net.to(run.runtime.device)
        self.windows = Windows(
            net.teacher,
            run.data,
            first=self.first,
            batch=settings.batch,
            interval=options.interval or run.plan.get("max_interval") or UNBOUNDED,
            learned=getattr(settings, "sequence", 1),
        )
        if options.start == "fitted":
            self._fit(net)
        width = settings.disc_width
        self.discriminators["disc"] = ShortcutDiscriminator(3, width)
        self.discriminators["temporal_disc"] = ShortcutDiscriminator(3, width, temporal=True)
        self.vgg = perceptual(options.vgg) if options.perc else None

    def sample(self, rng: np.random.Generator, index: int) -> Window:
        return self.windows.draw(rng)

    def unroll(self, net: ShortcutGenerator, window: Window) -> Iterator[ShortcutFrame]:
        """Walk a window's streams, this network's and the original's; gives every shortcut frame."""
        own, theirs = (net.teacher.rollout(first=self.first) for _ in range(2))
        alike = True  # until a shortcut frame is seen, the two streams are one
        reference = before = None
        for t in range(window.conditions.shape[1]):
            condition, place = window.conditions[:, t], t - window.begin
            if place < 0:
                self._begin(net, (own, theirs), condition, window.truth[:, t])
                continue
            target = self._full(net, theirs, condition)
            if place % window.interval:
                own.draw = lambda *inputs: inputs
                inputs = own.step(condition)
                drawn = self._draw(net, inputs, reference)
                yield ShortcutFrame(
                    t=t,
                    batch=window,
                    inputs=inputs,
                    reference=reference,
                    before=before,
                    target=target,
                    **drawn,
                )
                own.push(target.image if self.options.history == "teacher" else drawn["out"].image.detach())
                alike = False
                continue
            if alike:
                own.prime(condition, target.image)
            reference, before = target if alike else self._full(net, own, condition), target.image

    def losses(self, view: ShortcutFrame) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        g, d = self._judge((view.before, view.target.aim), (view.reference.image, view.out.image))
        return g | self._distil(view), d

    def provenance(self) -> dict[str, str]:
        return {"perceptual_loss": "on" if self.options.vgg else "off: no VGG-19 weights were given"}

    def _draw(
        self, net: ShortcutGenerator, inputs: tuple[Tensor, ...], reference: Features
    ) -> dict[str, Any]:
        """A shortcut frame: its picture, the block's features and the aligned reference."""
        parts = net.parts
        with self.run.runtime.autocast():
            with torch.no_grad():
                a_t = parts.encode(*inputs)
            f, aligned = net.block.align(reference.a, a_t, reference.f)
            image = parts.decode(f, *inputs).image.float()
        return {"out": Drawn(image), "f": f.float(), "aligned": aligned}

    def _fit(self, net: ShortcutGenerator) -> None:
        """Start the block from the original's features of some frames: the last of each window."""
        windows = [self.windows.draw(step_rng(self.run.seed, FITTING + i)) for i in range(FITTED)]
        features = [self._last(net, window) for window in windows]
        net.block.fit(torch.cat([x.a for x in features]), torch.cat([x.f for x in features]))

    def _last(self, net: ShortcutGenerator, window: Window) -> Features:
        theirs = net.teacher.rollout(first=self.first)
        for t in range(window.begin):
            self._begin(net, (theirs,), window.conditions[:, t], window.truth[:, t])
        for t in range(window.begin, window.conditions.shape[1]):
            features = self._full(net, theirs, window.conditions[:, t])
        return features

    @torch.no_grad()
    def _begin(
        self, net: ShortcutGenerator, streams: Sequence[Any], condition: Tensor, truth: Tensor
    ) -> None:
        """A frame before the first cycle: given, or drawn by a branch of its own."""
        if self.first != "real":
            with self.run.runtime.autocast():
                truth = net.teacher.draw_first(condition).float()
        for stream in streams:
            stream.prime(condition, truth)

    @torch.no_grad()
    def _full(self, net: ShortcutGenerator, stream: Any, condition: Tensor) -> Features:
        """The stream's next frame by the whole original."""
        parts, seen = net.parts, []

        def draw(*inputs: Tensor) -> Any:
            seen.append(parts.encode(*inputs))
            out, f = parts.complete(seen[0], *inputs)
            seen.append(f)
            return out

        stream.draw = draw
        with self.run.runtime.autocast():
            out = stream.step(condition)
        image = out.image.float()
        stream.push(image)
        return Features(*seen, image, parts.aim(out).float())

    def _distil(self, view: ShortcutFrame) -> dict[str, Tensor]:
        """L_align (Eq. 8), L_feat, L_out and L_perc, weighted."""
        o, target, image = self.options, view.target, view.out.image
        f = target.f.float()
        losses = {
            "feat": o.feat * (f - view.f).abs().mean(),
            "out": o.out * (target.aim - image).abs().mean(),
        }
        if view.aligned is not None:
            losses["align"] = o.align * (f - view.aligned.float()).abs().mean()
        if self.vgg is not None:
            with self.run.runtime.autocast():
                losses["perc"] = o.perc * self.vgg(image, target.aim)
        return losses

    def _judge(self, real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor]) -> tuple[dict, dict]:
        """GAN losses of frames, and of (reference, frame) in time, for generator and discriminators.

        The release's generator strives to look *fake* to its temporal discriminator (its target is False
        there); the paper means real, and so it is here.

        Args:
            real, fake: reference frame and frame of the original's stream, and of this one.
        """
        o = self.options
        g: dict[str, Tensor] = {}
        d: dict[str, Tensor] = {}
        for name, weight, truth, drawn in (
            ("disc", o.gan, real[1], fake[1]),
            ("temporal_disc", o.temporal_gan, torch.stack(real, dim=2), torch.stack(fake, dim=2)),
        ):
            net = self.discriminators[name]
            with self.run.runtime.autocast():
                on_real, on_fake = [net(truth)], [net(drawn)]
            g[name.replace("disc", "gan")] = weight * gan(on_fake, real=True)
            d[name] = 0.5 * (gan(on_real, real=True) + gan(on_fake, real=False))
        return g, d

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

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from slimvid.compress import Job
from slimvid.compress.frozen import FrozenTeacher
from slimvid.compress.shortcut_options import Options
from slimvid.compress.shortcut_windows import Window, Windows
from slimvid.data.condition import ConditionSpec
from slimvid.nets import build
from slimvid.nets.patchgan import ShortcutDiscriminator
from slimvid.nets.shortcut_net import ShortcutGenerator, shortcut_spec
from slimvid.section import recorded
from slimvid.settings import AnyTeacher
from slimvid.training import loop
from slimvid.training.finish import seed_weights, train_to_artifact
from slimvid.training.losses import gan, perceptual
from slimvid.training.run import Run

FITTED, FITTING = 4, 1 << 30  # windows that weights are fitted on, and the index of their random numbers
UNBOUNDED = 6  # frames apart that pairs are trained up to where a plan names no longest interval


def student_spec(
    settings: AnyTeacher, condition: ConditionSpec, options: Options, below: dict[str, Any]
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
    spec = student_spec(settings, run.data.meta.condition, options, teacher.source.spec)
    seed_weights(run.seed)
    training = ShortcutTraining(run, build(spec), settings, options, teacher)
    train_to_artifact(
        training,
        replace(run, plan={**run.plan, "first": teacher.first}),
        spec=spec,
        settings=settings,
        provenance={
            "options": recorded(options, leave_out=("train",)),
            "perceptual_loss": "on" if options.vgg else "off: no VGG-19 weights were given",
            **teacher.provenance(),
        },
    )


class Features(NamedTuple):
    """A full frame: encoder features, decoder features, what the original shows; no gradient.

    ``aim`` is the picture that decoding ``f`` gives: ``image``, or the raw image where that alone is decoded.
    """

    a: Tensor
    f: Tensor
    image: Tensor
    aim: Tensor


class View(NamedTuple):
    """A shortcut frame to learn from.

    Attributes:
        inputs: what the network reads there. reference: of this stream. before, target: the original's own
            reference frame (N x 3 x H x W) and frame.
    """

    inputs: tuple[Tensor, ...]
    reference: Features
    before: Tensor
    target: Features


class ShortcutTraining:
    """Networks, optimisers and the step."""

    def __init__(
        self,
        run: Run,
        net: ShortcutGenerator,
        settings: AnyTeacher,
        options: Options,
        teacher: FrozenTeacher,
    ):
        data, runtime = run.data, run.runtime
        self.options, self.seed, self.runtime, self.net = options, run.seed, runtime, net
        net.check_size(data.meta.height, data.meta.width)
        net.teacher.load_state_dict(teacher.net.state_dict())
        net.to(runtime.device)
        self.first = teacher.first
        self.windows = Windows(
            net.teacher,
            data,
            first=self.first,
            batch=settings.batch,
            interval=options.interval or run.plan.get("max_interval") or UNBOUNDED,
            learned=getattr(settings, "sequence", 1),
        )
        if options.start == "fitted":
            self._fit()
        width = settings.disc_width
        self.modules: dict[str, nn.Module] = {
            "generator": net,
            "disc": ShortcutDiscriminator(3, width),
            "temporal_disc": ShortcutDiscriminator(3, width, temporal=True),
        }
        for module in self.modules.values():
            module.to(runtime.device).train()
        vgg = perceptual(options.vgg) if options.perc else None
        self.vgg = None if vgg is None else vgg.to(runtime.device)
        self.optimisers = {
            name: loop.adam(net.block if module is net else module, settings.lr)
            for name, module in self.modules.items()
        }
        self.tally = loop.Tally()

    def step(self, index: int) -> dict[str, Tensor]:
        """An update after every shortcut frame of a batch of streams; returns the mean losses."""
        views = self.views(self.windows.draw(loop.step_rng(self.seed, index)))
        totals: dict[str, list[Tensor]] = {}
        view = next(views)
        while view is not None:
            image, losses = self._learn(view)
            for name, value in losses.items():
                totals.setdefault(name, []).append(value)
            view = views.send(image.detach())
        return {name: torch.stack(values).mean() for name, values in totals.items()}

    def views(self, window: Window) -> Generator[View | None, Tensor, None]:
        """Walk a window's streams, this network's and the original's; yields every shortcut frame.

        The picture of each (N x 3 x H x W) is to be sent in return: later frames see it. None ends the walk.
        """
        own, theirs = (self.net.teacher.rollout(first=self.first) for _ in range(2))
        alike = True  # until a shortcut frame is seen, the two streams are one
        reference = before = None
        for t in range(window.conditions.shape[1]):
            condition, place = window.conditions[:, t], t - window.begin
            if place < 0:
                self._begin((own, theirs), condition, window.truth[:, t])
                continue
            target = self._full(theirs, condition)
            if place % window.interval:
                own.draw = lambda *inputs: inputs
                image = yield View(own.step(condition), reference, before, target)
                own.push(target.image if self.options.history == "teacher" else image)
                alike = False
                continue
            if alike:
                own.prime(condition, target.image)
            reference, before = target if alike else self._full(own, condition), target.image
        yield None

    def _learn(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """One update from a shortcut frame; returns its picture and the losses."""
        reference, parts = view.reference, self.net.parts
        with self.runtime.autocast():
            with torch.no_grad():
                a_t = parts.encode(*view.inputs)
            f_t, aligned = self.net.block.align(reference.a, a_t, reference.f)
            image = parts.decode(f_t, *view.inputs).image.float()
        g, d = self._judge((view.before, view.target.aim), (reference.image, image))
        g |= self._distil(view.target, f_t.float(), aligned, image)
        loop.descend(self.modules, self.optimisers, g, d)
        self.tally.learned(len(image))
        return image, {name: value.detach() for name, value in (g | d).items()}

    def _fit(self) -> None:
        """Start the block from the original's features of some frames: the last of each window."""
        windows = [self.windows.draw(loop.step_rng(self.seed, FITTING + i)) for i in range(FITTED)]
        features = [self._last(window) for window in windows]
        self.net.block.fit(torch.cat([x.a for x in features]), torch.cat([x.f for x in features]))

    def _last(self, window: Window) -> Features:
        theirs = self.net.teacher.rollout(first=self.first)
        for t in range(window.begin):
            self._begin((theirs,), window.conditions[:, t], window.truth[:, t])
        for t in range(window.begin, window.conditions.shape[1]):
            features = self._full(theirs, window.conditions[:, t])
        return features

    @torch.no_grad()
    def _begin(self, streams: Sequence[Any], condition: Tensor, truth: Tensor) -> None:
        """A frame before the first cycle: given, or drawn by a branch of its own."""
        if self.first != "real":
            with self.runtime.autocast():
                truth = self.net.teacher.draw_first(condition).float()
        for stream in streams:
            stream.prime(condition, truth)

    @torch.no_grad()
    def _full(self, stream: Any, condition: Tensor) -> Features:
        """The stream's next frame by the whole original."""
        parts, seen = self.net.parts, []

        def draw(*inputs: Tensor) -> Any:
            seen.append(parts.encode(*inputs))
            out, f = parts.complete(seen[0], *inputs)
            seen.append(f)
            return out

        stream.draw = draw
        with self.runtime.autocast():
            out = stream.step(condition)
        image = out.image.float()
        stream.push(image)
        return Features(*seen, image, parts.aim(out).float())

    def _distil(
        self, target: Features, f_t: Tensor, aligned: Tensor | None, image: Tensor
    ) -> dict[str, Tensor]:
        """L_align (Eq. 8), L_feat, L_out and L_perc, weighted."""
        o, f = self.options, target.f.float()
        losses = {
            "feat": o.feat * (f - f_t).abs().mean(),
            "out": o.out * (target.aim - image).abs().mean(),
        }
        if aligned is not None:
            losses["align"] = o.align * (f - aligned.float()).abs().mean()
        if self.vgg is not None:
            with self.runtime.autocast():
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
            with self.runtime.autocast():
                on_real, on_fake = [self.modules[name](truth)], [self.modules[name](drawn)]
            g[name.replace("disc", "gan")] = weight * gan(on_fake, real=True)
            d[name] = 0.5 * (gan(on_real, real=True) + gan(on_fake, real=False))
        return g, d

"""Shortcut-V2V (Chung et al. 2023): most frames skip the middle of the original.

The original is frozen. A block (``nets.shortcut``) predicts its decoder's features of a frame from those of a
reference frame up to alpha - 1 frames back, and the original draws on from there. Any translator that can be
cut will do (``nets.cuts``): this module knows none by name.

A sample is a random pair, frame i and frame i+k with k uniform in 1..alpha-1 (release). Eq. 9:

    5 |f_t - f*_ref| + 5 |f_t - f^_t| + 10 |O_t - O^_t| + 10 L_perc + L_GAN + L_T-GAN

f_t, O_t are the original's features and frame, f*_ref the aligned reference (Eq. 7), f^_t, O^_t the block's.
The perceptual distance is VGG-19's where its weights are given, else off, which the artifact says (release:
LPIPS). Discriminators see the original's frames as real (3.3).

An original that sees its own previous frames (vid2vid; nothing of that training was released) meets the
frames of *this* stream at inference, so the frames between the two are drawn by the block here, too
(``history: own``), without gradient; the target is the original's own stream.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from slimvid.compress import Job
from slimvid.compress.frozen import FrozenTeacher
from slimvid.compress.shortcut_options import Options
from slimvid.compress.shortcut_pairs import Pair, Pairs
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.nets import build
from slimvid.nets.patchgan import ShortcutDiscriminator
from slimvid.nets.shortcut_net import ShortcutGenerator, shortcut_spec
from slimvid.runtime import Runtime
from slimvid.settings import AnyTeacher
from slimvid.teachers import loop
from slimvid.teachers.finish import seed_weights, train_to_artifact
from slimvid.teachers.losses import gan, perceptual

FITTED, FITTING = 4, 1 << 30  # batches that weights are fitted on, and the index of their random numbers
UNBOUNDED = 6  # frames apart that pairs are trained up to where a plan names no longest interval


def student_spec(
    settings: AnyTeacher, condition: ConditionSpec, options: Options, below: dict[str, Any]
) -> dict[str, Any]:
    """The translator below with a block attached."""
    spec = shortcut_spec(below, cut=options.cut, hidden=options.hidden, form=options.form)
    return {**spec, "hidden": max(4, round(spec["hidden"] * options.width / 4) * 4)}


def compress(job: Job) -> None:
    """Train a block for the original and write the artifact of both."""
    options = job.parse(Options)
    settings, data = job.student_settings(options.train), PreparedTask(job.prepared)
    teacher = FrozenTeacher(job.teacher, data, job.runtime)
    spec = student_spec(settings, data.meta.condition, options, teacher.source.spec)
    seed_weights(job.seed)
    training = ShortcutTraining(
        teacher=teacher,
        net=build(spec),
        options=options,
        interval=options.interval or job.plan.get("max_interval") or UNBOUNDED,
        settings=settings,
        data=data,
        seed=job.seed,
        runtime=job.runtime,
    )
    train_to_artifact(
        training,
        task=job.task,
        method=job.row,
        spec=spec,
        settings=settings,
        plan={**job.plan, "first": teacher.first},
        data=data,
        seed=job.seed,
        out=job.out,
        runtime=job.runtime,
        provenance={
            "options": options.model_dump(mode="json"),
            "perceptual_loss": "on" if options.vgg else "off: no VGG-19 weights were given",
            **teacher.provenance(),
        },
    )


class Features(NamedTuple):
    """A frame of the original: encoder features, decoder features, picture; no gradient."""

    a: Tensor
    f: Tensor
    image: Tensor


class ShortcutTraining:
    """Networks, optimisers and the step."""

    def __init__(
        self,
        *,
        teacher: FrozenTeacher,
        net: ShortcutGenerator,
        options: Options,
        interval: int,
        settings: AnyTeacher,
        data: PreparedTask,
        seed: int,
        runtime: Runtime,
    ):
        self.options, self.seed, self.runtime, self.net = options, seed, runtime, net
        net.check_size(data.meta.height, data.meta.width)
        net.teacher.load_state_dict(teacher.net.state_dict())
        self.pairs = Pairs(teacher, data, batch=settings.batch, interval=interval, device=runtime.device)
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

    def step(self, index: int) -> dict[str, Tensor]:
        """One update from a batch of pairs; returns the losses."""
        pair = self.pairs.draw(loop.step_rng(self.seed, index))
        reference, target = self._features(pair.inputs(pair.reference)), self._features(pair.inputs(pair.end))
        inputs = self._student_inputs(pair, reference)
        with self.runtime.autocast():
            with torch.no_grad():
                a_t = self.net.parts.encode(*inputs)
            f_t, aligned = self.net.block.align(reference.a, a_t, reference.f)
            image = self.net.parts.decode(f_t, *inputs).image.float()
        g, d = self._judge(reference.image, target.image, image)
        g |= self._distil(target, f_t.float(), aligned, image)
        loop.descend(self.modules, self.optimisers, g, d)
        return {name: value.detach() for name, value in (g | d).items()}

    def _fit(self) -> None:
        """Start the block from the original's features of some frames."""
        self.net.to(self.runtime.device)
        pairs = [self.pairs.draw(loop.step_rng(self.seed, FITTING + i)) for i in range(FITTED)]
        features = [self._features(pair.inputs(pair.end)) for pair in pairs]
        self.net.block.fit(torch.cat([x.a for x in features]), torch.cat([x.f for x in features]))

    @torch.no_grad()
    def _features(self, inputs: tuple[Tensor, ...]) -> Features:
        with self.runtime.autocast():
            a = self.net.parts.encode(*inputs)
            out, f = self.net.parts.complete(a, *inputs)
        return Features(a, f, out.image.float())

    @torch.no_grad()
    def _student_inputs(self, pair: Pair, reference: Features) -> tuple[Tensor, ...]:
        """What the network reads at the pair's second frame: after this stream's frames, or the teacher's."""
        if self.options.history == "teacher" or pair.end - pair.reference == 1 or not self.net.past:
            return pair.inputs(pair.end)
        own = pair._replace(frames=pair.frames.clone())
        with self.runtime.autocast():
            kept = self.net.keep(reference.a, reference.f)
            for at in range(pair.reference + 1, pair.end):
                inputs = own.inputs(at)
                f_t = self.net.block.predict(kept, self.net.parts.encode(*inputs))
                own.frames[:, at] = self.net.parts.decode(f_t, *inputs).image.float()
        return own.inputs(pair.end)

    def _distil(
        self, target: Features, f_t: Tensor, aligned: Tensor | None, image: Tensor
    ) -> dict[str, Tensor]:
        """L_align (Eq. 8), L_feat, L_out and L_perc, weighted."""
        o, f = self.options, target.f.float()
        losses = {
            "feat": o.feat * (f - f_t).abs().mean(),
            "out": o.out * (target.image - image).abs().mean(),
        }
        if aligned is not None:
            losses["align"] = o.align * (f - aligned.float()).abs().mean()
        if self.vgg is not None:
            with self.runtime.autocast():
                losses["perc"] = o.perc * self.vgg(image, target.image)
        return losses

    def _judge(self, before: Tensor, real: Tensor, fake: Tensor) -> tuple[dict, dict]:
        """GAN losses of frames, and of (reference, frame) in time, for generator and discriminators.

        The release's generator strives to look *fake* to its temporal discriminator (its target is False
        there); the paper means real, and so it is here.
        """
        o = self.options
        in_time = (torch.stack((before, x), dim=2) for x in (real, fake))
        g: dict[str, Tensor] = {}
        d: dict[str, Tensor] = {}
        for name, weight, truth, drawn in (
            ("disc", o.gan, real, fake),
            ("temporal_disc", o.temporal_gan, *in_time),
        ):
            with self.runtime.autocast():
                on_real, on_fake = [self.modules[name](truth)], [self.modules[name](drawn)]
            g[name.replace("disc", "gan")] = weight * gan(on_fake, real=True)
            d[name] = 0.5 * (gan(on_real, real=True) + gan(on_fake, real=False))
        return g, d

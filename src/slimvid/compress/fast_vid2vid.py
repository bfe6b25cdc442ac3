"""Fast-Vid2Vid (Zhuo et al. 2022): spatial and temporal compression of a vid2vid original.

Space (3.3): the student has decomposed blocks, reads its inputs at half size and keeps that size in its first
down-sampling layer, so that it still draws full-size frames; Spatial KD (Eq. 1) ties it to the teacher.

Time (3.4): the student works part-time. It is trained on sequences at a random gap, drawn from those that
its plan meets on the training clips, and Temporal KD (Eq. 4-6) ties its frames to those that the full-time
teacher draws at the same time stamps.

    L_KD = sigma * L_SKD + gamma * (alpha * L_LTKD + beta * L_GTKD)                          (Eq. 6, 7)

At inference (3.5) only key-frames are drawn: see ``slimvid.infer.keyframes`` and ``.interpolate``.

Where the release differs: it trains in sequence without the spatial term in the last stage (here both terms
act, Eq. 7); it takes its global loss without gradient and between sequences that are not aligned in time
(here it has a gradient and they are); it uses L1 in places of Eq. 1, 4 and 5's MSE (here MSE); its "teacher"
is the decomposed network at full size (here: the original).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.compress import Job
from slimvid.compress.fast_vid2vid_options import Options
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.nets.video_features import RandomVideoFeatures
from slimvid.section import recorded
from slimvid.teachers.vid2vid import Objective, Pace, generator_spec
from slimvid.teachers.vid2vid_settings import Settings
from slimvid.training.distillation import Distillation
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import train
from slimvid.training.losses import Perceptual, perceptual
from slimvid.training.objective import View
from slimvid.training.run import Run
from slimvid.training.sequences import Batch, most_frames
from slimvid.weights import I3D_SHA256, load_i3d


def student_spec(
    settings: Settings, condition: ConditionSpec, options: Options, below: Mapping[str, Any]
) -> dict[str, Any]:
    """The spatially low-demand, decomposed form of the original (3.2, 3.3).

    Raises:
        SlimvidError: the original is no vid2vid.
    """
    if settings.teacher != "vid2vid":
        raise SlimvidError(
            f"method fast_vid2vid: compresses vid2vid originals, not {settings.teacher}; leave the row "
            "out of tables of such tasks"
        )
    return generator_spec(settings, condition, decomposed=True, low_demand=True)


def compress(job: Job) -> None:
    """Train the part-time, spatially low-demand student and write its artifact."""
    options = job.parse(Options)
    run, settings = job.run, job.student_settings(options.train)
    teacher = FrozenTeacher(job.teacher, run)
    spec = student_spec(settings, run.data.meta.condition, options, teacher.source.spec)
    settings = settings.model_copy(update={"sequence_doubles_every": 0})
    stage = round(options.spatial_share * settings.iterations)
    gaps = plan_gaps(job, options, settings)
    generator = run.network(spec)
    trained = train(
        run,
        generator,
        PartTime(run, settings, gaps=gaps, from_step=stage),
        settings,
        distillation=STKD(options, teacher, vgg=perceptual(settings.vgg), spatial_until=stage),
        provenance={
            "options": recorded(options, leave_out=("train",)),
            "gaps": {str(gap): int((gaps == gap).sum()) for gap in np.unique(gaps)},
        },
    )
    save(run, trained)


def plan_gaps(job: Job, options: Options, settings: Settings) -> np.ndarray:
    """Gaps that part-time sequences are drawn from, one entry for each that the plan meets; int [n], rising.

    Gaps at which no training clip holds a sequence are left out.

    Raises:
        SlimvidError: there is none left.
    """
    longest, given = job.run.longest, settings.given
    shortest = 2 + given  # frames of a sequence in which one is learned after another
    if options.gap_max is None:
        met = np.concatenate([np.diff(keys) for keys in job.keyframes()])
    else:
        met = np.arange(2, options.gap_max + 1)
    if not len(met):
        raise SlimvidError(
            f"{job.run.task}: the plan of {job.run.row} chooses one key-frame a training clip, so there are "
            "no gaps to train at; lower its interval, or give `options.gap_max`"
        )
    fits = np.array([most_frames(longest, gap=gap, given=given) >= shortest for gap in met.tolist()])
    gaps = np.sort(met[fits])  # how often, not where, decides the draws
    if not len(gaps):
        raise SlimvidError(
            f"{job.run.task}: no training clip is long enough for {shortest} frames at gap {met.min()} (the "
            f"longest has {longest}); raise `clip_frames`"
        )
    return gaps


class PartTime(Objective):
    """vid2vid's objective on sequences at gap 1 before ``from_step``, then at one of ``gaps``.

    At a wide gap a sequence is shortened to what the longest training clip holds.
    """

    def __init__(self, run: Run, settings: Settings, *, gaps: np.ndarray, from_step: int):
        super().__init__(run, settings)
        self.gaps, self.from_step = gaps, from_step

    def pace(self, index: int, rng: np.random.Generator) -> Pace:
        gap = 1 if index < self.from_step else int(rng.choice(self.gaps))
        if gap == 1:
            return Pace()
        return Pace(gap, most_frames(self.run.longest, gap=gap, given=self.settings.given))


class STKD(Distillation):
    """Spatial and temporal knowledge distillation (3.3, 3.4)."""

    def __init__(
        self, options: Options, teacher: FrozenTeacher, *, vgg: Perceptual | None, spatial_until: int
    ):
        super().__init__(teacher)
        self.options, self.spatial_until, self.vgg = options, spatial_until, vgg
        self.features, self.features_name = video_features(options.i3d)
        self.part_time = False

    def begin(self, batch: Batch, *, index: int) -> None:
        """The full-time teacher draws the sequence; its frames at the student's time stamps are kept."""
        super().begin(batch, index=index)
        self.part_time = index >= self.spatial_until

    def losses(self, view: View, teacher: View) -> dict[str, Tensor]:
        """Eq. 7 for one frame: the spatial term alone in the first stage, both in the second."""
        o, per_frame = self.options, self._frame(view.out.image, teacher.out.image)
        losses = {"skd": o.sigma * per_frame}
        if self.part_time:
            # Eq. 1 and Eq. 4 are one formula; at gap > 1 the same distance carries both weights.
            losses["ltkd"] = o.gamma * o.alpha * per_frame
            if view.t > 0 and o.beta:
                losses["gtkd"] = o.gamma * o.beta * self._sequence(view, teacher)
        return losses

    def provenance(self) -> dict[str, str]:
        return {"video_features": self.features_name, **super().provenance()}

    def _frame(self, student: Tensor, teacher: Tensor) -> Tensor:
        """MSE + L_per of Eq. 1 and 4 (the perceptual term where VGG weights are given)."""
        loss = ((student - teacher) ** 2).mean()
        return loss if self.vgg is None else loss + self.vgg(student, teacher)

    def _sequence(self, view: View, teacher: View) -> Tensor:
        """Eq. 5: MSE between video features of Seq-s and Seq-t, both up to this frame.

        The student's earlier frames are detached, as everywhere in vid2vid's training; the gradient runs
        through the frame that is being drawn.
        """
        seq_s = torch.stack((*view.drawn, view.out.image), 1)
        seq_t = torch.stack((*teacher.drawn, teacher.out.image), 1)
        with torch.no_grad():
            wanted = self.features(seq_t)
        return ((self.features(seq_s) - wanted) ** 2).mean()


class I3D(nn.Module):
    """Kinetics-400 I3D as TorchScript: N x T x 3 x H x W in [-1, 1] -> N x 400 logits at 224 x 224.

    Sequences shorter than the 10 frames that its pooling needs are stretched in time (linear).
    """

    def __init__(self, path: Path):
        super().__init__()
        self.net = load_i3d(path, field="options.i3d")

    def forward(self, frames: Tensor) -> Tensor:
        size = (max(frames.shape[1], 10), 224, 224)
        x = nn.functional.interpolate(
            frames.transpose(1, 2), size=size, mode="trilinear", align_corners=False
        )
        return self.net(x, rescale=False, resize=False, return_features=True)


def video_features(i3d: Path | None) -> tuple[nn.Module, str]:
    """The video network of Eq. 5, frozen, and its name for the artifact."""
    if i3d is not None:
        return I3D(i3d).requires_grad_(False), f"I3D {I3D_SHA256[:8]}"
    return RandomVideoFeatures(seed=5).eval(), "fixed random 3-D network (no I3D weights were given)"

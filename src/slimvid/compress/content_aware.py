"""Content-aware GAN compression (CA; Liu et al. 2021) of a video original, as Fast-Vid2Vid compares with it.

The channels on which the content of interest hangs least leave every layer (``content_aware_scores``), the
same share everywhere; layers that meet in a sum lose the same ones. The student is the original's plain
network at a lower width and begins with the weights that are left. It goes on learning the original's
objective, with the discriminators that the original learned with, and from the original's frames where their
content is (M is the content, T and S are the original's and the student's frame):

    L_KD = 3 |M T - M S|_1 + 3 L_per(M T, M S)

Fast-Vid2Vid says only that salience-aware regions are the content and that around 60 % of the channels go
(its 4.1, 4.2). Its figures for CA, 290, 187 and 253 GMACs, are nearer to 64 % (289, 195, 239 as it counts)
than to 60 % (364, 242, 303).

The paper works on StyleGAN2, whose content a parsing network finds in the picture; here the condition shows
it (``content_aware_region``). L_per is VGG-19's in the place of the release's LPIPS, and off where no weights
are given, which the artifact says. The release begins with the original's discriminator, and so does this.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from slimvid.compress import Job
from slimvid.compress.content_aware_options import Options
from slimvid.compress.content_aware_region import Content, check_region
from slimvid.compress.content_aware_scores import Scorer
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json
from slimvid.nets.pruning import pruned, streams, strongest
from slimvid.section import recorded
from slimvid.settings import TeacherSettings
from slimvid.teachers import teacher_module
from slimvid.training.distillation import Distillation
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import train
from slimvid.training.losses import masked_l1, perceptual
from slimvid.training.objective import Objective, View
from slimvid.training.sequences import Batch


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: Mapping[str, Any]
) -> dict[str, Any]:
    """The original's spec without the share ``removed`` of its channels.

    An even number of the first layer's channels goes, and every other layer loses in proportion: so does a
    foreground branch, which has half as many.

    Raises:
        SlimvidError: too little would be left, the condition does not show such a content, or ``below`` is no
            original.
    """
    check_region(options.content, settings, condition)
    module = teacher_module(settings)
    if sha256_json(dict(below)) != sha256_json(module.generator_spec(settings, condition)):
        raise SlimvidError(
            "method content_aware goes on from an original's weights and discriminators, which a compressed "
            "row does not keep; take `over` away"
        )
    width = settings.width - 2 * round(settings.width * options.removed / 2)
    least = 2 + settings.width % 2
    if width < least:
        most = int(100 * (1 - least / settings.width)) / 100
        raise SlimvidError(
            f"removed: {options.removed} of the original's {settings.width} channels leaves fewer than 2; "
            f"give at most {most}"
        )
    return module.generator_spec(settings, condition, width=width)


def compress(job: Job) -> None:
    """Remove the channels that the content needs least, train what is left and write its artifact."""
    options = job.parse(Options)
    run, settings = job.run, job.student_settings(options.train)
    teacher = FrozenTeacher(job.teacher, run)
    student = run.network(student_spec(settings, run.data.meta.condition, options, teacher.source.spec))
    objective = teacher_module(settings).Objective(run, settings)
    teacher.source.load_discriminators(objective.discriminators)
    try:
        content = Content(options.content, settings, run.data)
        kept = inherit(student, teacher, objective, content=content, options=options)
    except SlimvidError as error:
        raise SlimvidError(f"methods.{run.row}.options: on {run.task}: {error}") from None
    trained = train(
        run,
        student,
        objective,
        settings,
        distillation=ContentDistillation(options, teacher, content=content),
        provenance={"options": recorded(options, leave_out=("train",)), "kept": kept},
    )
    save(run, trained)


def inherit(
    student: nn.Module, teacher: FrozenTeacher, objective: Objective, *, content: Content, options: Options
) -> dict[str, Any]:
    """Give the student the original's weights without the channels that matter least to the content.

    Returns:
        What the artifact says of it: how many channels stayed, of how many, a hash of which, and by what
        frames they were scored.

    Raises:
        SlimvidError: the frames do not show the content.
    """
    net = teacher.source.module(teacher.runtime.device)  # the teacher's own is frozen and quickened
    found = streams(net)
    scorer = Scorer(
        net=net, found=found, first=teacher.first, given=teacher.given, content=content, noise=options.noise
    )
    scores = scorer.score(objective, samples=options.samples)
    wanted = student.state_dict()
    kept = [
        strongest(score, stream.channels(wanted)) for score, stream in zip(scores.values, found, strict=True)
    ]
    student.load_state_dict(pruned(net.state_dict(), found, kept))
    return {
        "content": content.region,
        "channels": sum(len(channels) for channels in kept),
        "of": sum(len(score) for score in scores.values),
        "sha256": sha256_json([channels.tolist() for channels in kept]),
        "samples": options.samples,
        "frames": scores.frames,
        "content_pixels": scores.pixels,
    }


class ContentDistillation(Distillation):
    """L1 and the perceptual distance between the student's and the original's frame, in the content alone."""

    def __init__(self, options: Options, teacher: FrozenTeacher, *, content: Content):
        super().__init__(teacher)
        self.options, self.content = options, content
        self.vgg = perceptual(options.vgg) if options.perc else None

    def begin(self, batch: Batch, *, index: int) -> None:
        super().begin(batch, index=index)
        self.masks = self.content.masks(batch)

    def losses(self, view: View, teacher: View) -> dict[str, Tensor]:
        """L_KD of one frame; means are over all pixels, as in the release."""
        mask, ours, theirs = self.masks[:, view.t], view.out.image, teacher.out.image
        losses = {"distill": self.options.distill * masked_l1(ours, theirs, mask)}
        if self.vgg is not None:
            losses["distill_vgg"] = self.options.perc * self.vgg(ours * mask, theirs * mask)
        return losses

    def provenance(self) -> dict[str, str]:
        distance = "on" if self.vgg is not None else "off: no VGG-19 weights were given"
        return {"content_perceptual_loss": distance, **super().provenance()}

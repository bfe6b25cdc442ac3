"""The baseline that every paper compares with: the original's generator at a scaled width.

Trained from scratch with the original's losses and plain distillation of its output. It walks every frame.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from slimvid.compress import Job
from slimvid.compress.uniform_options import Options
from slimvid.data.condition import ConditionSpec
from slimvid.section import recorded
from slimvid.settings import TeacherSettings
from slimvid.teachers import teacher_module
from slimvid.training.distillation import Distillation
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import train
from slimvid.training.objective import View


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: Mapping[str, Any]
) -> dict[str, Any]:
    """The original's spec with every width scaled (an even number of channels, at least 4), over any row."""
    width = max(4, 2 * round(settings.width * options.width / 2))
    return teacher_module(settings).generator_spec(settings, condition, width=width)


def compress(job: Job) -> None:
    """Train the narrow generator and write its artifact."""
    options = job.parse(Options)
    run, settings = job.run, job.student_settings(options.train)
    teacher = FrozenTeacher(job.teacher, run)
    generator = run.network(student_spec(settings, run.data.meta.condition, options, teacher.source.spec))
    trained = train(
        run,
        generator,
        teacher_module(settings).Objective(run, settings),
        settings,
        distillation=OutputDistillation(teacher, weight=options.distill),
        provenance={"options": recorded(options, leave_out=("train",))},
    )
    save(run, trained)


class OutputDistillation(Distillation):
    """weight * L1 between the student's frame and the original's at the same time."""

    def __init__(self, teacher: FrozenTeacher, *, weight: float):
        super().__init__(teacher)
        self.weight = weight

    def losses(self, view: View, teacher: View) -> dict[str, Tensor]:
        return {"distill": self.weight * (view.out.image - teacher.out.image).abs().mean()}

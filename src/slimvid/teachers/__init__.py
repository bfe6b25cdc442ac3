"""Training of originals: one module per teacher over the loop, losses and sequences of ``training/``.

A teacher's module holds

    generator_spec(settings, condition, **changes)   the generator's architecture; ``width=`` scales it
    check_task(settings, condition, height, width, longest=)
                                                     refuses what cannot be trained, before anything runs
    Objective(run, settings)                         how the original learns, and every student of it

and its settings are a section of the configuration whose ``teacher`` names the module.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slimvid.settings import AnyTeacher
    from slimvid.training.run import Run


def teacher_module(settings: "AnyTeacher") -> ModuleType:
    """The module that trains the kind of teacher whose settings these are."""
    return import_module(f"slimvid.teachers.{settings.teacher}")


def train_original(run: "Run", settings: "AnyTeacher") -> None:
    """Train the original of a task and write its artifact; an interrupted run goes on from its last state."""
    from slimvid.training.finish import save
    from slimvid.training.loop import train

    teacher = teacher_module(settings)
    generator = run.network(teacher.generator_spec(settings, run.data.meta.condition))
    trained = train(run, generator, teacher.Objective(run, settings), settings)
    save(run, trained, keep=("generator", "discriminator"))

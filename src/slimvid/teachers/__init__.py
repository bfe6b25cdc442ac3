"""Training of originals: one module per teacher over the loop, losses and sequences of ``training/``.

A teacher's module holds

    generator_spec(settings, condition, **changes)   the generator's architecture; ``width=`` scales it
    check_task(settings, condition, height, width, longest=)
                                                     refuses what cannot be trained, before anything runs
    Objective(run, settings)                         how the original learns, and every student of it
    StudentObjective(run, settings)                  where it has one: how a student learns that is given the
                                                     teacher's frames in the place of pairs

and beside it its head ``NAME_settings.py`` (`slimvid.originals`): the keys of its section of ``teachers``.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from torch import nn

    from slimvid.settings import TeacherSettings
    from slimvid.training.objective import Objective
    from slimvid.training.run import Run


def teacher_module(settings: "TeacherSettings") -> ModuleType:
    """The module that trains the kind of teacher whose settings these are."""
    return import_module(f"slimvid.teachers.{settings.teacher}")


def student_objective(run: "Run", settings: "TeacherSettings") -> "Objective":
    """How a student learns that has its teacher's frames where the original has no pairs."""
    module = teacher_module(settings)
    return getattr(module, "StudentObjective", module.Objective)(run, settings)


def train_original(run: "Run", settings: "TeacherSettings") -> None:
    """Train the original of a task and write its artifact; an interrupted run goes on from its last state.

    Where the settings name a shipped original that fits, it goes on from that one, shorter and slower
    (``going_on``); where it does not fit, one line says why, and the training is from nothing.
    """
    from slimvid.training.finish import save
    from slimvid.training.loop import train

    teacher = teacher_module(settings)
    generator = run.network(teacher.generator_spec(settings, run.data.meta.condition))
    objective = teacher.Objective(run, settings)
    begun = _started(run, settings, generator, objective)
    if begun:
        objective.settings = settings = settings.model_copy(update=dict(settings.going_on))
    trained = train(run, generator, objective, settings, provenance=begun)
    save(run, trained, keep=("generator", "discriminator"))


def _started(
    run: "Run", settings: "TeacherSettings", generator: "nn.Module", objective: "Objective"
) -> dict[str, Any]:
    """Load the weights that a training is to go on from; what its artifact says of them, empty for none.

    Raises:
        SlimvidError: the file is damaged.
    """
    from slimvid.runtime import log
    from slimvid.teachers import shipped

    if settings.start == "scratch":
        return {}
    if settings.start == "shipped":  # resolved to a file where there is one
        log.warning("%s: no original of this task is shipped; trained from nothing", run.task)
        return {}
    found = shipped.read(settings.start)
    why = found.misfit(run, generator.spec)
    if why is None:
        try:
            found.load(generator, objective)
        except SlimvidError as error:
            why = str(error)
    if why is not None:
        log.warning("%s: does not go on from %s: %s; trained from nothing", run.task, settings.start, why)
        return {}
    return {"started_from": found.provenance()}

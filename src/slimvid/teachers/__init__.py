"""Training of originals: one module per teacher over the loop, losses and sequences of ``training/``.

A teacher's module holds

    generator_spec(settings, condition, **changes)   the generator's architecture; ``width=`` scales it
    train(run, settings)                             the original of a task
    fit(run, spec, settings, distiller=, provenance=)
                                                     any generator under the original's losses: students

and its settings are a section of the configuration whose ``teacher`` names the module.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slimvid.settings import AnyTeacher


def teacher_module(settings: "AnyTeacher") -> ModuleType:
    """The module that trains the kind of teacher whose settings these are."""
    return import_module(f"slimvid.teachers.{settings.teacher}")

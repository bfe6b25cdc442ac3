"""Compression methods: one module each.

A config entry ``methods.<row>.method: NAME`` runs ``slimvid/compress/NAME.py``, which holds

    student_spec(settings, condition, options, below)   the student's architecture; also counted at the
                                                 papers' size. ``below``: spec of the network to compress
    compress(job)                                trains the student and writes its artifact to ``job.out``

    check_budget(options, spec, below, cost)     optional: refuses, before anything runs, what no training can
                                                 reach; ``spec`` is the student's, ``cost`` as `Job` has it

and beside it its head ``NAME_options.py``: what an entry may say, checked before anything runs, see
``slimvid.rows``. Adding a method is these two files and that one entry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from slimvid.rows import check
from slimvid.settings import MethodSettings, TeacherSettings

if TYPE_CHECKING:
    from pydantic import BaseModel
    from torch import nn

    from slimvid.training.run import Run

    KeyFrames = Callable[[], list[list[int]]]

    class Latency(Protocol):
        """How long networks take for a frame, seconds."""

        def __call__(self, specs: Sequence[Mapping[str, Any]]) -> list[float]: ...

        def protocol(self) -> dict[str, Any]: ...

    class Evaluate(Protocol):
        """How well a network draws the validation clips."""

        def __call__(self, net: nn.Module) -> dict[str, float | None]: ...

        def identity(self) -> str: ...


T = TypeVar("T", bound="BaseModel")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One compression: what to compress and with what.

    Attributes:
        run: task, row, seed, data, plan, where the artifact goes. options: the row's, unchecked; see `parse`.
        teacher: artifact folder of what is compressed: the original, or the row that this one is put
            ``over``; teacher_settings: how the original was trained.
        cost: gives what the network of an architecture spec costs on frames of the task's size.
        latency: gives how long the networks of specs take for such a frame, seconds, timed in turns.
        keyframes, evaluate: where the method's head ``needs`` them: the key-frames that a plan of key-frames
            chooses in each training clip; how well a network in memory draws the validation clips (distances,
            PSNR and SSIM by name), with an ``identity()`` for the artifact's provenance.
    """

    run: "Run"
    options: dict[str, Any]
    teacher: Path
    teacher_settings: TeacherSettings
    cost: "Callable[[Mapping[str, Any]], Any] | None" = None
    latency: "Latency | None" = None
    keyframes: "KeyFrames | None" = None
    evaluate: "Evaluate | None" = None

    def parse(self, options: type[T]) -> T:
        """The method's options, type-checked; one clear error names the first field that does not fit."""
        return check(options, self.options, origin=f"methods.{self.run.row}.options")

    def student_settings(self, changes: dict[str, Any]) -> TeacherSettings:
        """The teacher's training settings with the student's ``changes``; a student starts from nothing."""
        merged = {**self.teacher_settings.model_dump(), "start": "scratch", **changes}
        return check(type(self.teacher_settings), merged, origin=f"methods.{self.run.row}.options.train")


def compress(
    run: "Run",
    settings: MethodSettings,
    *,
    teacher: Path,
    teacher_settings: TeacherSettings,
    **given: Any,
) -> None:
    """Run the method that a config entry names; ``given`` is what `Job` has from later rooms."""
    from importlib import import_module

    from slimvid.sources import method_module

    module = import_module(f"slimvid.{method_module(settings.method)}")
    below = {"teacher": teacher, "teacher_settings": teacher_settings}
    module.compress(Job(run=run, options=settings.options, **below, **given))

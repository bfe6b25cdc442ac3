"""Compression methods: one module each.

A config entry ``methods.<row>.method: NAME`` runs ``slimvid/compress/NAME.py``, which holds

    Options                                      its own keys of the entry, a pydantic model
    student_spec(settings, condition, options, below)   the student's architecture; also counted at the
                                                 papers' size. ``below``: spec of the network to compress
    compress(job)                                trains the student and writes its artifact to ``job.out``

Adding a method is that one module and that one entry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from slimvid.errors import SlimvidError
from slimvid.settings import AnyTeacher, MethodSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from slimvid.data.store import PreparedTask
    from slimvid.runtime import Runtime

    KeyFrames = Callable[[PreparedTask], list[list[int]]]

T = TypeVar("T", bound="BaseModel")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One compression: what to compress, with what, and where the artifact goes.

    Attributes:
        row: the method's name in the config, and in every path.
        teacher: artifact folder of what is compressed: the original, or the row that this one is put
            ``over``; teacher_settings: how the original was trained.
        plan: the plan that the artifact shall carry. keys: of prepared data, the key-frames that a plan of
            key-frames chooses in each training clip.
    """

    task: str
    row: str
    options: dict[str, Any]
    plan: dict[str, Any]
    teacher: Path
    teacher_settings: AnyTeacher
    prepared: Path
    seed: int
    out: Path
    runtime: "Runtime"
    keys: "KeyFrames"

    def parse(self, options: type[T]) -> T:
        """The method's options, type-checked; one clear error names the first field that does not fit."""
        return check(options, self.options, origin=f"methods.{self.row}.options")

    def student_settings(self, changes: dict[str, Any]) -> AnyTeacher:
        """The teacher's training settings with the student's ``changes`` laid on them."""
        merged = {**self.teacher_settings.model_dump(), **changes}
        return check(type(self.teacher_settings), merged, origin=f"methods.{self.row}.options.train")


def check(model: type[T], document: dict[str, Any], *, origin: str) -> T:
    """Validate ``document`` as ``model``.

    Raises:
        SlimvidError: names ``origin`` and the first field that does not fit.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SlimvidError(f"{origin}.{field}: {first['msg']}") from None


def compress(
    *,
    task: str,
    row: str,
    settings: MethodSettings,
    teacher_settings: AnyTeacher,
    seed: int,
    prepared: Path,
    teacher: Path,
    out: Path,
    runtime: "Runtime",
    keys: "KeyFrames",
) -> None:
    """Run the method that a config entry names."""
    from importlib import import_module
    from importlib.util import find_spec

    name = f"slimvid.compress.{settings.method}"
    if find_spec(name) is None:
        raise SlimvidError(f"methods.{row}.method: there is no module {name}; see docs/adding_a_method.md")
    job = Job(
        task=task,
        row=row,
        options=settings.options,
        plan=settings.plan.model_dump(exclude_none=True),
        teacher=teacher,
        teacher_settings=teacher_settings,
        prepared=prepared,
        seed=seed,
        out=out,
        runtime=runtime,
        keys=keys,
    )
    import_module(name).compress(job)

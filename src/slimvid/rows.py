"""What the rows of a configuration may say: each method's head, read before anything runs.

A method ``NAME`` is ``slimvid/compress/NAME.py`` and its head ``NAME_options.py``, which imports no torch:

    Options     its own keys of a config entry, a pydantic model
    TEACHERS    kinds of original that it compresses; left out: every kind
    PLANS       kinds of plan that its artifact may carry
    TRAIN       keys of the original's training that a row may change in ``options.train``; empty: it trains
                nothing, and the network stays what it was
    needs       ``needs(options)``: what a row's training is given from later rooms (``GIVEN``);
                ``keyframes``: those that its plan chooses in the training clips (``job.keyframes``);
                ``evaluate``: how well a network draws the validation clips (``job.evaluate``). Left out:
                nothing
    unfit       ``unfit(options, task settings)``: what of valid options a measured task cannot have, as
                ``key: why; the remedy``, or None. Left out: nothing
    SEARCHED    True: the widths of its student follow from its training and stand in its artifact alone;
                ``student_spec`` gives the widest. Left out: they follow from settings and options
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from slimvid.errors import SlimvidError
from slimvid.section import files_of, first_fault
from slimvid.sources import method_module

if TYPE_CHECKING:
    from slimvid.config import Config
    from slimvid.settings import MethodSettings

T = TypeVar("T", bound=BaseModel)
GIVEN = {
    "keyframes": "infer.keyframes",
    "evaluate": "measure.evaluate",
}  # what a method may need, and the module that decides it


@cache
def head(method: str) -> ModuleType:
    """The head of a method.

    Raises:
        SlimvidError: there is no such method (names those that there are), or it has no head.
    """
    module = f"slimvid.{method_module(method)}_options"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise SlimvidError(
            f"{module} is missing: a method is two files, and its head says what a row of it may say"
        ) from None


def training_modules(row: "MethodSettings", teacher: str) -> list[str]:
    """Modules below ``slimvid`` whose code decides what a row's training on a kind of teacher makes."""
    return [method_module(row.method), f"teachers.{teacher}", *(GIVEN[need] for need in needs(row))]


def needs(row: "MethodSettings") -> tuple[str, ...]:
    """What a row's training is given from later rooms."""
    own = head(row.method)
    return own.needs(own.Options.model_validate(row.options)) if hasattr(own, "needs") else ()


def searched(method: str) -> bool:
    """Whether the widths of a method's students are known from their artifacts alone."""
    return getattr(head(method), "SEARCHED", False)


def check(model: type[T], document: dict[str, Any], *, origin: str) -> T:
    """Validate ``document`` as ``model``.

    Raises:
        SlimvidError: names ``origin`` and the first field that does not fit.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise SlimvidError(first_fault(error, field=origin)) from None


def row_files(config: "Config", task: str, row: str) -> list[Path]:
    """The files that a row's own options name: weights, of its method or for its training."""
    settings, teacher = config.row(task, row), config.teacher_settings(task)
    options = head(settings.method).Options.model_validate(settings.options)
    training = {**teacher.model_dump(), **getattr(options, "train", {})}
    changed = files_of(type(teacher).model_validate(training))
    return [*files_of(options), *(file for file in changed if file not in files_of(teacher))]


def check_rows(config: "Config") -> None:
    """Check every row on every task that it applies to: options, training, plan and kind of original.

    Raises:
        SlimvidError: names the field of the first row that does not hold.
    """
    measured = {pair for table in config.tables for pair in config.rows_of(table)}
    for row, settings in config.methods.items():
        try:
            own = head(settings.method)
        except SlimvidError as error:
            raise SlimvidError(f"methods.{row}.method: {error}") from None
        check(own.Options, settings.options, origin=f"methods.{row}.options")
        for task, kind in ((t, config.tasks[t].teacher) for t in config.tasks if config.applies(t, row)):
            if kind in getattr(own, "TEACHERS", (kind,)):
                _check_options(config, task, row, own)
                _check_plan(config, task, row, own)
                if (task, row) in measured:
                    _check_task(config, task, row, own)
            elif (task, row) in measured:
                known = ", ".join(own.TEACHERS)
                raise SlimvidError(
                    f"methods.{row}.teachers: method {settings.method} cannot compress the {kind} of {task}, "
                    f"which a table asks for; say `teachers: [{known}]` to leave it out"
                )


def _check_options(config: "Config", task: str, row: str, own: ModuleType) -> None:
    options = config.row(task, row).options
    changes = _fits(config, task, row, "options", own.Options, options).model_dump().get("train", {})
    settings = config.teacher_settings(task)
    _fits(config, task, row, "options.train", type(settings), {**settings.model_dump(), **changes})
    unread = next((key for key in changes if key not in own.TRAIN), None)
    if unread is not None:
        field = place(config, task, row, f"options.train.{unread}")
        raise SlimvidError(f"{field}: method {config.methods[row].method} does not read it; leave it out")


def _check_task(config: "Config", task: str, row: str, own: ModuleType) -> None:
    options = own.Options.model_validate(config.row(task, row).options)
    if fault := getattr(own, "unfit", lambda *_: None)(options, config.tasks[task]):
        key, _, why = fault.partition(": ")
        raise SlimvidError(f"{place(config, task, row, f'options.{key}')}: on {task}: {why}")


def _check_plan(config: "Config", task: str, row: str, own: ModuleType) -> None:
    settings = config.row(task, row)
    wanted, below = settings.plan.kind, config.plan_of(task, config.teacher_row(row)).kind
    if wanted not in own.PLANS:
        known = " or ".join(f"`kind: {kind}`" for kind in own.PLANS)
        raise SlimvidError(
            f"methods.{row}.plan: kind is {wanted!r}; a plan of method {settings.method} is {known}"
        )
    if not own.TRAIN and wanted != below and "shortcut" in (wanted, below):
        raise SlimvidError(
            f"methods.{row}.plan: kind {wanted!r}, the row below has {below!r}; a shortcut plan and a "
            "network with a Shortcut block need each other"
        )


def _fits(config: "Config", task: str, row: str, key: str, model: type[T], document: dict[str, Any]) -> T:
    """Validate what a row says under ``key`` on a task."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        path, _, what = first_fault(error, field=key).partition(": ")
        raise SlimvidError(f"{place(config, task, row, path)}: {what}") from None


def place(config: "Config", task: str, row: str, path: str) -> str:
    """Where a row's key stands in the config: below ``per`` where that changes it."""
    for changed in (task, config.tasks[task].teacher):
        there: Any = {key: changes.model_dump() for key, changes in config.methods[row].per.items()}
        for part in (changed, *path.split(".")):
            there = there[part] if isinstance(there, dict) and part in there else None
        if there is not None:
            return f"methods.{row}.per.{changed}.{path}"
    return f"methods.{row}.{path}"

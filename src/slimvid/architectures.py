"""Every network that a configuration trains, built without weights before anything runs.

What cannot be trained shows here, and not after the original was: a cut that the original lacks, a size
that the strides do not divide, a branch for classes that the task does not name, a decode that the original
cannot, footage that is cut into clips too short for a sequence, weights that are not there.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, sha256_file, sha256_json
from slimvid.rows import head, place, training_modules
from slimvid.section import Section, files_of
from slimvid.sources import method_module, training_sources

if TYPE_CHECKING:
    from slimvid.config import Config
    from slimvid.data.condition import ConditionSpec


def check_before_the_dag(config: "Config", folder: Path) -> None:
    """Check the files that rows are made with, and once for each configuration and code, their networks.

    Args:
        folder: keeps a mark of what was checked: building networks imports torch, which takes seconds.

    Raises:
        SlimvidError: names the first field that does not hold, and the remedy.
    """
    check_files(config)
    rows = list(_rows(config))
    modules = {m for task, row in rows for m in _modules(config, task, row)}
    code = [sha256_file(path) for path in training_sources(*sorted(modules))]
    sections = config.model_dump(mode="json", include={"tasks", "teachers", "teacher_of", "methods"})
    mark = folder / f"checked-{sha256_json([rows, sections, code])[:16]}"
    if not mark.is_file():
        check_networks(config)
        with atomic_path(mark) as temporary:
            temporary.write_text("", encoding="utf-8")


def check_files(config: "Config") -> None:
    """Every file of weights that a measured row, its training or the measures name is there.

    Raises:
        SlimvidError: names the field and the file.
    """
    for field, section, known in _sections(config):
        for file in files_of(section):
            if file not in known and not file.is_file():
                key = next(name for name, value in section if value == file)
                raise SlimvidError(f"{field}.{key}: {file} is no file; give its path, or leave the key out")


def _sections(config: "Config") -> Iterator[tuple[str, Section, list[Path]]]:
    """(place, section, files that other sections answer for) of all that names files of weights."""
    yield "measure", config.measure, []
    for task, row in _rows(config):
        settings = config.teacher_settings(task)
        if row == "original":
            yield _teacher_place(config, task), settings, []
            continue
        own = config.row(task, row)
        options = head(own.method).Options.model_validate(own.options)
        yield place(config, task, row, "options"), options, []
        yield place(config, task, row, "options.train"), _trained(config, task, options), files_of(settings)


def check_networks(config: "Config") -> None:
    """Build the original and the student of every measured row, on the meta device at the task's size.

    Raises:
        SlimvidError: names the row's field.
    """
    known: dict[tuple, dict[str, Any]] = {}
    for task, row in _rows(config):
        _architecture(config, task, row, known)


def _architecture(config: "Config", task: str, row: str, known: dict) -> dict[str, Any]:
    """The spec of a row's network; built once for each task and row."""
    if (task, row) not in known:
        condition = _condition(config, task)
        below = None if row == "original" else _architecture(config, task, config.teacher_row(row), known)
        settings, make = _maker(config, task, row, condition, below)
        field = _teacher_place(config, task) if below is None else place(config, task, row, "options")
        try:
            known[task, row] = make()
            _check_size(config, task, known[task, row])
            if below is not None:
                _check_budget(config, task, row, known[task, row], below)
            if below is None or head(config.methods[row].method).TRAIN:
                _check_training(config, task, settings, condition)
        except SlimvidError as error:
            raise SlimvidError(f"{field}: on {task}: {error}") from None
    return known[task, row]


def _maker(
    config: "Config", task: str, row: str, condition: "ConditionSpec", below: dict[str, Any] | None
) -> tuple[Section, Callable[[], dict[str, Any]]]:
    """A row's training settings, and what gives its architecture spec."""
    if below is None:
        settings = config.teacher_settings(task)
        return settings, partial(_teacher(settings).generator_spec, settings, condition)
    own = config.row(task, row)
    options = head(own.method).Options.model_validate(own.options)
    settings = _trained(config, task, options)
    module = import_module(f"slimvid.{method_module(own.method)}")
    return settings, partial(module.student_spec, settings, condition, options, below)


def _check_size(config: "Config", task: str, spec: dict[str, Any]) -> None:
    import torch

    from slimvid import nets

    with torch.device("meta"):
        nets.build(spec).check_size(config.tasks[task].height, config.tasks[task].width)


def _check_budget(config: "Config", task: str, row: str, spec: dict[str, Any], below: dict[str, Any]) -> None:
    """What a method's module refuses of a row's cost, where it looks at that."""
    own = config.row(task, row)
    check = getattr(import_module(f"slimvid.{method_module(own.method)}"), "check_budget", None)
    if check is None:
        return
    from slimvid.measure.evaluate import network_cost

    size = {"height": config.tasks[task].height, "width": config.tasks[task].width}
    check(head(own.method).Options.model_validate(own.options), spec, below, partial(network_cost, **size))


def _check_training(config: "Config", task: str, settings: Section, condition: "ConditionSpec") -> None:
    own = config.tasks[task]
    _teacher(settings).check_task(settings, condition, own.height, own.width, longest=own.longest)


def _rows(config: "Config") -> Iterator[tuple[str, str]]:
    """(task, row) of all that a table or the search measures, below what it is put over; each once."""
    measured = [pair for table in config.tables for pair in config.rows_of(table)]
    if config.search is not None:
        measured += [(config.search.task, row) for row in ("original", *config.search.methods)]
    seen = {}
    for task, row in measured:
        chain = [row]
        while chain[-1] != "original":
            chain.append(config.teacher_row(chain[-1]))
        seen |= dict.fromkeys((task, below) for below in reversed(chain))
    yield from seen


def _modules(config: "Config", task: str, row: str) -> list[str]:
    teacher = config.tasks[task].teacher
    return [f"teachers.{teacher}"] if row == "original" else training_modules(config.row(task, row), teacher)


def _trained(config: "Config", task: str, options: Section) -> Section:
    """The original's settings with what a row's training changes."""
    settings = config.teacher_settings(task)
    return type(settings).model_validate({**settings.model_dump(), **getattr(options, "train", {})})


def _teacher(settings: Section) -> Any:
    return import_module(f"slimvid.teachers.{settings.teacher}")


def _teacher_place(config: "Config", task: str) -> str:
    """Where an original's settings stand in the config."""
    if task in config.teacher_of:
        return f"teacher_of.{task}"
    return f"teachers.{config.tasks[task].teacher}"


def _condition(config: "Config", task: str) -> "ConditionSpec":
    """What the original of a task reads."""
    from slimvid.data.prepare import SOURCES

    # whether a data set has instance maps is for `prepare` to see: its store may be there and the footage not
    settings = config.tasks[task].model_copy(update={"instances": False})
    try:
        return import_module(SOURCES[settings.source]).condition_spec(settings)
    except SlimvidError as error:
        raise SlimvidError(f"tasks.{task}: {error}") from None

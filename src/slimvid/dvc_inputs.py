"""What DVC's stages look at in place of configuration keys and users' files: the folder data/inputs.

DVC compares files, and its stages cannot ask whether a key is there. So the stage ``inputs`` writes down what
each step reads (`slimvid.reads`), with the hashes of its source files, and puts links beside it:

    data/inputs/<step>/<task>[/<row>].json     settings and code
    data/inputs/files/<what>                   a folder of the user's; "none" where nothing is named

A link leads to the folder that the configuration names, or to a folder of links to single files. DVC follows
a dependency that is a link, and so sees footage change. In the folder that it caches it passes such links
over; where it removes that folder, it removes the links alone.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from slimvid import paths, reads, sources
from slimvid.config import Config
from slimvid.errors import SlimvidError
from slimvid.files import sha256_file, system_errors, write_json
from slimvid.rows import row_files
from slimvid.section import files_of
from slimvid.settings import TASK_FILES

SINGLE_FILES = Path(
    ".slimvid/files"
)  # folders of links to single files: what is in data/inputs DVC would cache


def write_inputs(config: Config, root: Path) -> None:
    """Write data/inputs below ``root`` anew, for the rows of all tables.

    Raises:
        SlimvidError: a file or folder that the configuration names is missing.
    """
    folder = root / paths.DVC_INPUTS
    with system_errors(folder):
        for old in (folder, root / SINGLE_FILES):
            if old.exists():
                shutil.rmtree(old)  # of links it removes the links
        for name, document in _documents(config):
            write_json(folder / f"{name}.json", document)
        for name, files in _files(config):
            _place(root, name, files)


def _documents(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "evaluator", reads.fields(config, *reads.EVALUATOR_FIELDS)
    for task in _tasks(config):
        teacher = {"settings": reads.train_teacher(config, task), "code": _code(config, task, "original")}
        yield f"teachers/{task}", teacher
    for task, row in _trained(config):
        yield f"rows/{task}/{row}", _row(config, task, row)
    for name in config.tables:
        yield f"tables/{name}", reads.table(config, name)
        for task, row in config.rows_of(name):
            yield f"measures/{task}/{row}", _measures(config, task, row)
        for task in dict(config.rows_of(name)):
            shown = reads.strip(config, name, task)
            strip = {"strip": shown, "seed": config.seeds[0]}
            plans = {row: _plan(config, task, row) for row in shown}
            yield f"strips/{name}/{task}", {**strip, "plans": plans}


def _tasks(config: Config) -> list[str]:
    return sorted({task for name in config.tables for task, _ in config.rows_of(name)})


def _trained(config: Config) -> list[tuple[str, str]]:
    """(task, row) of every training of a student."""
    measured = {row for name in config.tables for row in config.rows_of(name)}
    chains = {(task, below) for task, row in measured for below in config.trained(row)}
    return sorted(row for row in chains if row[1] != "original")


def _row(config: Config, task: str, row: str) -> dict[str, Any]:
    settings = {**reads.compress(config, task, row), "teacher": reads.train_teacher(config, task)}
    return {"settings": settings, "code": _code(config, task, row)}


def _measures(config: Config, task: str, row: str) -> dict[str, Any]:
    return {
        **_plan(config, task, row),
        "measure_latency": reads.measure_latency(config),
        "measure": reads.measure(config, task),
    }


def _plan(config: Config, task: str, row: str) -> dict[str, Any]:
    return {
        "select_keyframes": reads.select_keyframes(config, task, row),
        "translate": reads.translate(config, task, row),
    }


def _code(config: Config, task: str, row: str) -> dict[str, str]:
    files = reads.code(config, task, row)
    return {str(path.relative_to(sources.PACKAGE)): sha256_file(path) for path in files}


def _files(config: Config) -> Iterator[tuple[str, Sequence[Path]]]:
    yield "evaluator", reads.measure_files(config, *reads.EVALUATOR_FIELDS)
    for task in _tasks(config):
        for key in TASK_FILES:
            named = getattr(config.tasks[task], key)
            yield f"tasks/{task}/{key}", [] if named is None else [named]
        yield f"teachers/{task}", files_of(config.teacher_settings(task))
    for task, row in _trained(config):
        yield f"rows/{task}/{row}", row_files(config, task, row)


def _place(root: Path, name: str, files: Sequence[Path]) -> None:
    """Put what stands for the user's files where DVC looks."""
    place, found = root / paths.DVC_INPUTS / "files" / name, [(root / file).absolute() for file in files]
    place.parent.mkdir(parents=True, exist_ok=True)
    for file in found:
        if not file.exists():
            raise SlimvidError(f"{file}: missing; correct its path in the configuration")
    if not found:
        place.write_text("none\n", encoding="utf-8")
    elif found[0].is_dir():
        place.symlink_to(found[0])
    else:
        beside = root / SINGLE_FILES / name
        beside.mkdir(parents=True)
        for number, file in enumerate(found):
            (beside / f"{number}-{file.name}").symlink_to(file)
        place.symlink_to(os.path.relpath(beside, place.parent))

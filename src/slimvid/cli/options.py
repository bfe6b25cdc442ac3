"""What the commands share: arguments, the job they run in, and what a row of the config means in paths."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slimvid import paths
from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from slimvid.config import Config
    from slimvid.settings import PlanSettings

Task = Annotated[str, typer.Argument(help="task, a key of `tasks` in the config", show_default=False)]
Method = Annotated[str, typer.Argument(help="row: `original` or a key of `methods`", show_default=False)]
Seed = Annotated[int, typer.Argument(help="training seed", min=0, show_default=False)]
TABLES = "tables (`table1` and `papers`)"  # for errors: these names are keys of no one section
Table = Annotated[str, typer.Option("--table", help="table: `table1`, or `PAPER/NAME` of `papers`")]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--config", help="config file, config/demo.yaml if none; a later one overrides an earlier one"
    ),
]
LogFile = Annotated[Path | None, typer.Option("--log", help="write the log to this file (appended)")]


def default_config() -> Path:
    """``config/demo.yaml`` of the working directory, else that of the source tree."""
    here = Path("config/demo.yaml")
    return here if here.is_file() else Path(__file__).resolve().parents[3] / "config" / "demo.yaml"


@contextmanager
def job(files: list[Path] | None, log: Path | None) -> Iterator["Config"]:
    """The validated config, with the job's log open; what goes wrong is in the log as well."""
    from slimvid.config import load
    from slimvid.files import system_errors
    from slimvid.runtime import logging_to

    with logging_to(log):
        try:
            with system_errors():
                yield load(*(files or [default_config()]))
        except SlimvidError as error:
            if log is not None:
                logging.getLogger("slimvid").error("%s", error)
            raise
        except Exception:
            if log is not None:
                logging.getLogger("slimvid").exception("stopped by an unexpected error")
            raise


def section(table: dict, name: str, section: str):
    """``table[name]`` with an error that names the config section."""
    if name not in table:
        raise SlimvidError(f"config: {section} has no {name!r}; it has {', '.join(table) or 'nothing'}")
    return table[name]


def plan(config: "Config", task: str, method: str) -> "PlanSettings":
    """A row's plan on a task; an unknown name is one clear error."""
    section(config.tasks, task, "tasks")
    if method != "original":
        section(config.methods, method, "methods")
    return config.plan_of(task, method)


def rows_of(config: "Config", table: str, task: str) -> list[str]:
    """The methods measured on a task for a table; an unknown name is one clear error."""
    section(config.tables, table, TABLES)
    section(config.tasks, task, "tasks")
    methods = [m for t, m in config.rows_of(table) if t == task]
    if not methods:
        tasks = ", ".join(config.tables[table].tasks)
        raise SlimvidError(f"config: {table} has no rows of {task!r}; it has those of {tasks}")
    return methods


def keyframes(config: "Config", task: str, method: str) -> Path | None:
    """The key-frame list of a row whose plan has one."""
    return paths.keyframes(task, method) if plan(config, task, method).kind == "keyframes" else None


def drawn(config: "Config", task: str, method: str, seed: int) -> Path | None:
    """Which frames the whole network draws, for plans that skip some."""
    if plan(config, task, method).kind == "shortcut":
        return paths.drawn_in_full(task, method, seed)
    return keyframes(config, task, method)


def below(config: "Config", task: str, method: str, seed: int) -> list[Path]:
    """Checkpoints of the students that a row was put over."""
    plan(config, task, method)
    return [paths.checkpoint(task, row, seed) for row in config.trained(method)[1:]]

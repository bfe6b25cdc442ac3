"""What each step reads of the configuration: one list for Snakemake's rules and for DVC's stages.

A rule's ``params: reads=`` and a stage's inputs (`slimvid.dvc_inputs`) are made of these functions, most of
which are named like the rules; so both run a step again for the same reasons. Everything is JSON-ready. The
state of the files that the settings name comes on top.
"""

from pathlib import Path
from typing import Any

from slimvid import sources
from slimvid.config import Config
from slimvid.rows import training_modules

EVALUATOR_FIELDS = ("dimensions", "window_stride", "segmenter_iterations", "inception", "i3d", "fcn")


def prepare(config: Config, task: str) -> dict[str, Any]:
    """The task."""
    return config.tasks[task].model_dump(mode="json")


def train_teacher(config: Config, task: str) -> dict[str, Any]:
    """The teacher's settings. In fp32 no byte depends on how often a state is saved to resume from."""
    settings = config.teacher_settings(task)
    idle = {"save_every"} if settings.precision == "fp32" else set()
    return settings.model_dump(mode="json", exclude=idle)


def compress(config: Config, task: str, row: str) -> dict[str, Any]:
    """The row's own entry on a task; the teacher's settings come on top."""
    return config.row(task, row).model_dump(mode="json", exclude={"per", "teachers"})


def code(config: Config, task: str, row: str) -> list[Path]:
    """Source files whose change trains a row, or the original, anew."""
    teacher = config.tasks[task].teacher
    if row == "original":
        return sources.training_sources(f"teachers.{teacher}")
    return sources.training_sources(*training_modules(config.row(task, row), teacher))


def select_keyframes(config: Config, task: str, row: str) -> dict[str, Any]:
    """The plan, as far as it chooses."""
    plan = config.plan_of(task, row)
    held = plan.interpolation == "hold"  # then the last frame need not be a key-frame
    return {**plan.model_dump(include={"kind", "strategy", "window", "max_gap", "interval"}), "held": held}


def translate(config: Config, task: str, row: str) -> dict[str, Any]:
    """The plan, as far as it fills gaps."""
    return config.plan_of(task, row).model_dump(include={"interpolation", "timing"})


def fields(config: Config, *names: str) -> dict[str, Any]:
    """These fields of the protocols."""
    return config.measure.model_dump(mode="json", include=set(names))


def measure_files(config: Config, *names: str) -> list[Path]:
    """Weights that these fields name."""
    return [file for name in names if isinstance(file := getattr(config.measure, name), Path)]


def measure_latency(config: Config) -> dict[str, Any]:
    """Rows of one table are timed alike: with as many threads, on the same device."""
    timed = fields(config, "latency_frames", "latency_warmup")
    return {**timed, "device": config.device, "threads": config.threads}


def measure(config: Config, task: str) -> dict[str, Any]:
    """The protocol's fields, and how many given frames it leaves out of a clip."""
    given = config.teacher_settings(task).given
    return {**fields(config, *EVALUATOR_FIELDS, "bootstrap"), "skip_first": given}


def strip(config: Config, table: str, task: str) -> list[str]:
    """The rows that a table's strip of a task shows."""
    return [row for name, row in config.rows_of(table) if name == task]


def table(config: Config, name: str = "table1") -> dict[str, Any]:
    """A table's rows, named as in ``Config.tables``."""
    shown = config.tables[name]
    return {
        "profile": config.profile,
        "tasks": list(shown.tasks),
        "methods": list(shown.methods),
        "seeds": list(config.seeds),
        "unequal": shown.unequal,
    }

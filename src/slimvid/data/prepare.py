"""The step `prepare`: from a task's settings to its store."""

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

from slimvid.data.clip import Clip
from slimvid.data.store import TaskMeta, write_prepared
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

# Each module has clips(settings) -> {"train": clips, "test": clips} and condition_spec(settings); those whose
# frames or labels need a word more have task_facts(settings) -> fields of TaskMeta.
SOURCES = {
    "world": "slimvid.data.worlds",
    "video": "slimvid.data.video",
    "cityscapes": "slimvid.data.cityscapes",
    "face": "slimvid.data.face",
    "pose": "slimvid.data.pose",
    "camvid": "slimvid.data.camvid",
    "viper": "slimvid.data.viper",
}


def prepare(task: str, settings: TaskSettings, out: Path | str) -> None:
    """Draw or read the task's clips and write its store.

    Args:
        task: the task's name.
        settings: its section of the configuration.
        out: the folder ``data/prepared/<task>``.

    Raises:
        SlimvidError: names the file or field at fault; then nothing is left behind, and an earlier store of
            the task is untouched.
    """
    source = import_module(SOURCES[settings.source])
    condition = source.condition_spec(settings)
    splits: dict[str, Iterator[Clip]] = {
        split: iter(found) for split, found in source.clips(settings).items()
    }
    first = next(splits["train"], None)
    if first is None:
        raise SlimvidError(f"task {task}: no clip in split 'train'; widen its range or add data")
    splits["train"] = chain([first], splits["train"])
    meta = TaskMeta(
        task=task,
        source=describe(settings),
        condition=condition,
        height=settings.height,
        width=settings.width,
        fps=first.fps,
        **(source.task_facts(settings) if hasattr(source, "task_facts") else {}),
    )
    write_prepared(out, meta, splits)


def describe(settings: TaskSettings) -> str:
    """What a reader of results is told about the data that made them."""
    way = f", {settings.translation}" if settings.translation else ""
    if settings.source == "world":
        return f"procedural world: {settings.world}{way}, seed {settings.seed}"
    other = f" and {Path(settings.path_target).name}, unpaired" if settings.path_target else ""
    return f"{settings.source}: {Path(settings.path).name}{other}{way}"

"""The step `prepare`: from a task's settings to its store."""

import logging
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

from slimvid.data.clip import Clip
from slimvid.data.manifest import SPLITS
from slimvid.data.store import PreparedTask, TaskMeta, write_prepared
from slimvid.errors import SlimvidError
from slimvid.settings import IMAGES, TaskSettings

log = logging.getLogger("slimvid")

# Each module has clips(settings) -> {"train": clips, "val": ..., "test": ...} and condition_spec(settings);
# those whose frames or labels need a word more have task_facts(settings) -> fields of TaskMeta.
SOURCES = {
    "world": "slimvid.data.worlds",
    "video": "slimvid.data.video",
    "cityscapes": "slimvid.data.cityscapes",
    "face": "slimvid.data.face",
    "pose": "slimvid.data.pose",
    "camvid": "slimvid.data.camvid",
    "viper": "slimvid.data.viper",
    "pairs": "slimvid.data.images",
    "domains": "slimvid.data.images",
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
    _say(PreparedTask(out))


def _say(store: PreparedTask) -> None:
    """One line in the log: what trains, what is chosen by, and what tests."""
    found = []
    for split in SPLITS:
        infos = store.clips(split)
        if not infos:
            found.append(
                f"{split} none: the footage is too short to hold any back; {split}_frames can name them"
            )
            continue
        pairs = "" if split in store.meta.aligned else ", not in pairs"
        found.append(f"{split} {len(infos)} clips, {sum(i.length for i in infos)} frames{pairs}")
    log.info("%s: %s", store.meta.task, "; ".join(found))


def describe(settings: TaskSettings) -> str:
    """What a reader of results is told about the data that made them."""
    way = f", {settings.translation}" if settings.translation else ""
    way += f", {settings.direction}" if settings.source in IMAGES else ""
    way += ", single pictures" if settings.stills else ""
    if settings.source == "world":
        way += ", unpaired" if settings.unpaired else ""
        return f"procedural world: {settings.world}{way}, seed {settings.seed}"
    other = f" and {Path(settings.path_target).name}, unpaired" if settings.path_target else ""
    return f"{settings.source}: {Path(settings.path).name}{other}{way}"

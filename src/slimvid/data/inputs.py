"""The files of its user that a step reads, told apart from their earlier states by a short digest.

The workflow keeps the digest beside a step's settings. It is made of names, sizes and times, in one pass over
the folders that a source reads: 100,000 frames take about half a second, as inputs of their own they would
take minutes. Other files below the same root, and hidden ones, change nothing.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from slimvid.settings import TaskSettings

# Below the task's `path`, by its `source`; one star or name a level.
FOOTAGE = {
    "video": ("*",),
    "cityscapes": (
        *("leftImg8bit_sequence/*/*/*", "gtFine/*/*/*", "images/*/*", "seg_maps/*/*", "instance_maps/*/*"),
        *("leftImg8bit/*/*/*", "*_A/*/*", "*_B/*/*", "*_inst/*/*"),
    ),
    "face": ("images/*/*", "landmarks-dlib68/*/*", "*_img/*/*", "*_keypoints/*/*"),
    "pose": (
        *("images/*/*", "poses-openpose/*/*", "pose_maps-densepose/*/*"),
        *("*_img/*/*", "*_openpose/*/*", "*_densepose/*/*"),
    ),
    "camvid": (
        *("images/*/*", "labels/*/*", "train/*", "trainannot/*", "val/*", "valannot/*", "test/*"),
        "testannot/*",
    ),
    "viper": ("*/img/*/*", "*/cls/*/*"),
    "pairs": ("train/*", "val/*", "test/*"),
    "domains": ("trainA/*", "trainB/*", "valA/*", "valB/*", "testA/*", "testB/*"),
}
TARGET = ("leftImg8bit_sequence/*/*/*", "images/*/*")  # below `path_target`
BESIDE = ("landmarks", "labels", "poses")  # folders with a file a frame


def footage_state(settings: TaskSettings) -> str | None:
    """Digest of the files that a task is prepared from; None for a world, which reads none."""
    if settings.path is None:
        return None
    found = list(_footage(settings))
    for name, patterns in (("path_target", TARGET), *((kind, ("*",)) for kind in BESIDE)):
        folder = getattr(settings, name)
        if folder is not None:
            found += _below(folder, patterns)
    return _digest(found)


def files_state(files: Iterable[Path]) -> str:
    """Digest of single files, such as weights; a missing file has a state, too."""
    return _digest((str(file), _stat(file)) for file in files)


def _footage(settings: TaskSettings) -> Iterator[tuple[str, str]]:
    if not settings.path.is_dir():
        yield settings.path.name, _stat(settings.path)
    elif settings.source == "video":
        from slimvid.data.pictures import PICTURES  # imports numpy

        found = _below(settings.path, FOOTAGE["video"])
        yield from ((name, state) for name, state in found if Path(name).suffix.lower() in PICTURES)
    else:
        yield from _below(settings.path, FOOTAGE[settings.source])


def _below(root: Path, patterns: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path, state) of the files below ``root`` that patterns name; links are followed."""
    for pattern in patterns:
        yield from _matching(str(root), pattern.split("/"))


def _matching(folder: str, levels: list[str]) -> Iterator[tuple[str, str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # the step says what is missing
        return
    for entry in entries:
        if entry.name.startswith(".") or not fnmatchcase(entry.name, levels[0]):
            continue
        if levels[1:]:
            if entry.is_dir():
                yield from _matching(entry.path, levels[1:])
        elif not entry.is_dir():
            yield entry.path, _stat(entry)


def _stat(file: Path | os.DirEntry) -> str:
    try:
        found = file.stat()
    except OSError as error:
        return error.strerror
    return f"{found.st_size} {found.st_mtime_ns}"


def _digest(found: Iterable[tuple[str, str]]) -> str:
    digest, count = hashlib.sha256(), 0
    for path, state in found:
        digest.update(f"{path}\0{state}\0".encode(errors="surrogateescape"))
        count += 1
    return f"{count} files, {digest.hexdigest()[:16]}"

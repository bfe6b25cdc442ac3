"""Folders of numbered files: in which order they come, which are missing, which do not belong."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from slimvid.errors import SlimvidError


def list_files(folder: Path, suffixes: tuple[str, ...], *, field: str = "path") -> list[Path]:
    """The files of a folder with one of these suffixes, in the order of their frame numbers (2 before 10).

    Args:
        folder: where to look; hidden files are none.
        suffixes: in lower case, with the dot.
        field: the task's field that led here, for errors.

    Raises:
        SlimvidError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise SlimvidError(f"{folder}: no such folder; check the task's `{field}`")
    files = [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    files = [p for p in files if not p.is_dir()]
    if not files:
        raise SlimvidError(
            f"{folder}: holds no {'/'.join(s[1:] for s in suffixes)} file; check the task's `{field}`"
        )
    return sorted(files, key=lambda p: (*(number_of(p) or (p.stem, -1)), p.name))


def list_folders(folder: Path) -> list[Path]:
    """The sub-folders of a folder in the order of their names.

    Raises:
        SlimvidError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise SlimvidError(f"{folder}: no such folder; check the task's `path`")
    folders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise SlimvidError(f"{folder}: holds no sequence folders; put each sequence into a folder of its own")
    return folders


def number_of(path: Path) -> tuple[str, int] | None:
    """The frame number in a file's name and what precedes it; None where there is none.

    It is the last run of digits in the stem: ``aachen_000000_000019_leftImg8bit`` -> ("aachen_000000_", 19).
    """
    found = _split(path)
    return found and (found[0], int(found[1]))


def check_numbering(files: Sequence[Path]) -> None:
    """The files of one sequence must be named alike and numbered in equal steps.

    A hole means that a file is missing; another name, that a file does not belong (or that the check for
    holes would be blind).

    Raises:
        SlimvidError: names the hole, the stray file, or two files with one number.
    """
    if len(files) < 2:
        return
    _check_names(files)
    numbers = [number_of(f)[1] for f in files]
    steps = [b - a for a, b in pairwise(numbers)]
    usual = min(steps)
    for before, after, step in zip(files[:-1], files[1:], steps, strict=True):
        if step == 0:
            raise SlimvidError(f"{before}: {after.name} has the same frame number; keep one of the two")
        if step != usual and usual > 0:
            raise SlimvidError(
                f"{before.parent}: a frame is missing between {before.name} and {after.name} (numbers rise "
                f"by {usual} elsewhere); restore it, or put the parts into folders of their own"
            )


def sequences(files: Sequence[Path]) -> dict[str, list[Path]]:
    """The files of a folder of several sequences, by what their names begin with; each one's are checked.

    Raises:
        SlimvidError: see `check_numbering`; a file that is alone with its name, or without a number.
    """
    groups: dict[str, list[Path]] = {}
    for file in files:
        found = number_of(file)
        if found is None:
            raise SlimvidError(f"{file}: has no frame number in its name; number it or move it elsewhere")
        groups.setdefault(found[0], []).append(file)
    for group in groups.values():
        if len(group) == 1 and len(groups) > 1:
            raise SlimvidError(
                f"{group[0]}: belongs to no sequence of this folder; name it like its sequence or move it "
                "elsewhere"
            )
        check_numbering(group)
    return groups


def partners(
    images: Sequence[Path], folder: Path, kind: str, suffixes: tuple[str, ...] = (".png",)
) -> list[Path]:
    """The file of ``kind`` for each image: named alike, a suffix to the name allowed (``_keypoints``).

    Raises:
        SlimvidError: names the first image without one, a file that belongs to no image, or two for one.
    """
    by_stem: dict[str, Path] = {}
    for file in list_files(folder, suffixes):
        if file.stem in by_stem:
            raise SlimvidError(f"{file}: there is {by_stem[file.stem].name} too; keep one file a frame")
        by_stem[file.stem] = file
    found = []
    for image in images:
        partner = by_stem.pop(image.stem, None) or by_stem.pop(f"{image.stem}_keypoints", None)
        if partner is None:
            raise SlimvidError(f"{image}: has no {kind} file in {folder}; add one named like it")
        found.append(partner)
    if by_stem:
        stray = next(iter(by_stem.values()))
        raise SlimvidError(
            f"{stray}: belongs to no frame of {images[0].parent}; restore the frame or remove it"
        )
    return found


def _split(path: Path) -> tuple[str, str, str] | None:
    """What precedes the frame number, its digits, and what follows them."""
    found = re.match(r"(.*?)([0-9]+)([^0-9]*)$", re.sub(r"_(leftImg8bit|keypoints)$", "", path.stem), re.S)
    return found and found.groups()


def _check_names(files: Sequence[Path]) -> None:
    """All names must differ in the frame number only."""
    stems: dict[str, Path] = {}
    alike: dict[tuple[str, ...] | None, list[Path]] = {}
    for file in files:
        twin = stems.setdefault(file.stem, file)
        if twin is not file:
            raise SlimvidError(f"{twin}: there is {file.name} too; keep one file a frame")
        parts = _split(file)
        alike.setdefault(parts and (parts[0], parts[2], file.suffix.lower()), []).append(file)
    usual = max(alike, key=lambda pattern: len(alike[pattern]))
    if len(alike) == 1 and usual is not None:
        return
    if usual is not None and 2 * len(alike[usual]) > len(files):
        stray = next(file for file in files if file not in alike[usual])
        raise SlimvidError(
            f"{stray}: is not named like the others ({alike[usual][0].name} ...); number it like them, or "
            "move it to another folder"
        )
    raise SlimvidError(
        f"{files[0].parent}: {files[0].name} ... {files[-1].name} are not numbered as one sequence; end "
        "their names with the frame number, and put each sequence into a folder of its own"
    )

"""``source: pairs`` and ``source: domains``: single pictures, each a clip of length 1.

``pairs`` has pictures that show both sides, A left of B (pix2pix): ``train/``, and ``test/`` or ``val/``.
``domains`` has two sets without pairs (CycleGAN): ``trainA/``, ``trainB/``, ``testA/``, ``testB/``.
``direction`` says which side is translated into which.

A folder ``test`` tests, else ``val`` does (edges2shoes, maps and Cityscapes come so). Where ``val`` is not a
folder of its own, ``val_images`` pictures of ``train``, evenly spread over the names, are what is chosen by.
The papers hold back 2,048 of edges2shoes, 300 of maps, 200 of Cityscapes, 120 of horse2zebra.

Pictures are squeezed to the task's size, as pix2pix and CycleGAN do: bicubic with the low pass that shrinking
needs (Pillow's; before its version 7 the releases shrank by the nearest neighbour).

`stills` is for the single pictures of datasets that are read elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.layout import Item, clean
from slimvid.data.pictures import PICTURES, read_picture
from slimvid.data.sequence import list_files
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

T = TypeVar("T")
FPS = 1.0  # a picture has no rate, and a clip of one frame never asks for it
VAL_SHARE, VAL_MOST = 0.1, 300  # of the training pictures, where the task does not say


@dataclass(frozen=True)
class Picture:
    """A picture of the store: its name, and where its condition and its frame come from."""

    name: str
    condition: Path
    frame: Path


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """The other side's picture."""
    return ConditionSpec(kind="image")


def task_facts(settings: TaskSettings) -> dict[str, Any]:
    """Two domains share no pictures: nowhere is a frame the truth of its condition."""
    return {"aligned": ()} if settings.source == "domains" else {}


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """The splits' pictures, read when they are asked for: memory does not grow with their number.

    Raises:
        SlimvidError: a folder is missing or holds no picture; a file that is damaged, that is not as large
            as the first one, or (pairs) has no two halves.
    """
    root = Path(settings.path)
    found = _pairs(root) if settings.source == "pairs" else _domains(root, settings)
    if "val" not in found:
        found["train"], found["val"] = hold_back(found["train"], settings.val_images)
    reader = Reader(settings)
    read = reader.pair if settings.source == "pairs" else reader.two
    return {split: _clips(found[split], read) for split in ("train", "val", "test")}


def _pairs(root: Path) -> dict[str, list[Picture]]:
    """Pictures by split; "val" is missing where it must be held back."""
    there = [split for split in ("test", "val") if (root / split).is_dir()]
    if not (root / "train").is_dir() or not there:
        remedy = "give their folder as the task's `path`"
        if (root / "trainA").is_dir() or (root / "trainB").is_dir():
            remedy = "what lies here is two domains: give `source: domains`, and an original that learns so"
        raise SlimvidError(
            f"{root}: pairs are in the folders train/ and test/ (or val/), each picture with side A left of "
            f"side B; {remedy}"
        )
    splits = {"train": "train", "test": there[0], **({"val": "val"} if len(there) == 2 else {})}
    return {
        split: [Picture(clean(f"{split}_{f.stem}"), f, f) for f in list_files(root / folder, PICTURES)]
        for split, folder in splits.items()
    }


def _domains(root: Path, settings: TaskSettings) -> dict[str, list[Picture]]:
    """Each condition beside some picture of the other domain; the shorter list is gone through again.

    In training both lists are used up, elsewhere the conditions are, each once.
    """
    sides = "AB" if settings.direction == "AtoB" else "BA"
    splits = [s for s in ("train", "val", "test") if s != "val" or (root / "valA").is_dir()]
    found = {}
    for split in splits:
        for side in sides:
            if not (root / f"{split}{side}").is_dir():
                raise SlimvidError(
                    f"{root / f'{split}{side}'}: missing; two domains are in the folders trainA/, trainB/, "
                    "testA/ and testB/: give their folder as the task's `path`"
                )
        ours, theirs = (list_files(root / f"{split}{side}", PICTURES) for side in sides)
        count = max(len(ours), len(theirs)) if split == "train" else len(ours)
        found[split] = [
            Picture(clean(f"{split}_{i}_{ours[i % len(ours)].stem}"), ours[i % len(ours)], theirs[j])
            for i, j in enumerate(_spread(len(theirs), count))
        ]
    return found


def _spread(size: int, count: int) -> list[int]:
    """``count`` numbers below ``size``: evenly spread where there are fewer, else all of them in turn."""
    if count <= size:
        return [i * size // count for i in range(count)]
    return [i % size for i in range(count)]


def hold_back(train: Sequence[T], wanted: int | None) -> tuple[list[T], list[T]]:
    """What trains, and what is chosen by: ``wanted`` pictures, evenly spread; None: a tenth, at most 300.

    Raises:
        SlimvidError: nothing would be left to train on.
    """
    count = min(VAL_MOST, int(VAL_SHARE * len(train))) if wanted is None else wanted
    if count >= len(train):
        raise SlimvidError(
            f"task field val_images: {count} of {len(train)} training pictures leave none to train on; "
            "give fewer"
        )
    held = set(_spread(len(train), count))
    return (
        [picture for i, picture in enumerate(train) if i not in held],
        [picture for i, picture in enumerate(train) if i in held],
    )


def stills(
    train: Sequence[Item],
    test: Sequence[Item],
    settings: TaskSettings,
    load: Callable[[Item], Mapping[str, np.ndarray]],
) -> dict[str, Iterator[Clip]]:
    """The splits of a dataset whose single pictures are trained on (``stills``), each a clip of one frame.

    Args:
        train: what trains, less the pictures that are held back to choose by.
        load: reads one picture's maps, by the names of `Clip`.
    """
    kept, held = hold_back(train, settings.val_images)
    splits = {"train": kept, "val": held, "test": test}
    return {split: _stills(split, items, load) for split, items in splits.items()}


def _stills(
    split: str, items: Sequence[Item], load: Callable[[Item], Mapping[str, np.ndarray]]
) -> Iterator[Clip]:
    for item in items:
        maps = {name: value[None] for name, value in load(item).items()}
        yield Clip(name=clean(f"{split}_{item.files['image'].stem}"), fps=FPS, **maps)


def _clips(
    pictures: Sequence[Picture], read: Callable[[Picture], tuple[np.ndarray, np.ndarray]]
) -> Iterator[Clip]:
    for picture in pictures:
        condition, frame = read(picture)
        yield Clip(name=picture.name, fps=FPS, frames=frame[None], image=condition[None])


class Reader:
    """Reads a task's pictures; all of one side must be as large as the first."""

    def __init__(self, settings: TaskSettings):
        self.settings = settings
        self.firsts: dict[str, tuple[Path, tuple[int, ...]]] = {}  # a side's first picture and its size

    def pair(self, picture: Picture) -> tuple[np.ndarray, np.ndarray]:
        """Condition and frame, of one file: uint8 H x W x 3 of the task's size.

        Raises:
            SlimvidError: a picture of odd width, damaged or of another size than the others.
        """
        both = self._read("pair", picture.frame)
        width = both.shape[1]
        if width % 2:
            raise SlimvidError(f"{picture.frame}: is {width} pixels wide; a pair has two sides of one width")
        a, b = (self._squeeze(side) for side in (both[:, : width // 2], both[:, width // 2 :]))
        return (a, b) if self.settings.direction == "AtoB" else (b, a)

    def two(self, picture: Picture) -> tuple[np.ndarray, np.ndarray]:
        """The same of two files."""
        condition = self._read("condition", picture.condition)
        return self._squeeze(condition), self._squeeze(self._read("frame", picture.frame))

    def _read(self, side: str, path: Path) -> np.ndarray:
        found = read_picture(path)
        first, (height, width) = self.firsts.setdefault(side, (path, found.shape[:2]))
        if found.shape[:2] != (height, width):
            raise SlimvidError(
                f"{path}: is {found.shape[1]}x{found.shape[0]}, but {first.name} is {width}x{height}; make "
                "all pictures of a side the same size"
            )
        return found

    def _squeeze(self, picture: np.ndarray) -> np.ndarray:
        from PIL import Image

        size = self.settings.width, self.settings.height
        picture = np.ascontiguousarray(picture)
        if (picture.shape[1], picture.shape[0]) == size:
            return picture
        return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))

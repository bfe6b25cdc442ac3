"""Folder layouts of datasets: which file goes with which frame, sequence by sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from slimvid.data.footage import Shot, hold_back, split_shots
from slimvid.data.pictures import PICTURES, read_picture
from slimvid.data.sequence import check_numbering, list_files, list_folders, partners
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

SUFFIXES = {"image": PICTURES, "landmarks": (".json", ".txt"), "openpose": (".json",)}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A dataset's shape: parallel folders that hold one folder per sequence and one file per frame.

    Attributes:
        folders: kind of file -> folder under the root; ``{split}`` stands for the split's name. "image" is
            the frame itself.
        optional: kinds that may be missing as a whole.
        splits: the training and the test split, where they have folders of their own; none: ranges of one set
            of sequences.
    """

    folders: Mapping[str, str]
    optional: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()

    def fits(self, root: Path) -> bool:
        """Whether the folder of frames is there (for the first split)."""
        return (root / self._folder("image", (self.splits or ("",))[0])).is_dir()

    def shots(self, root: Path, split: str, fps: float) -> list[Shot]:
        """The sequences of a split, with `Item` frames; a split's name begins theirs."""
        folders = {kind: root / self._folder(kind, split) for kind in self.folders}
        kept = {k: f for k, f in folders.items() if k not in self.optional or f.is_dir()}
        _check_sequences(kept)
        return [
            Shot(
                name=clean(f"{split}_{sequence.name}".lstrip("_")),
                fps=fps,
                frames=_items(kept, sequence.name),
            )
            for sequence in list_folders(kept["image"])
        ]

    def _folder(self, kind: str, split: str) -> str:
        return self.folders[kind].format(split=split)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One frame's files by kind, and those of its sequence's first frame."""

    files: Mapping[str, Path]
    first: Mapping[str, Path]


def items_of(files: Sequence[Mapping[str, Path]]) -> list[Item]:
    """The frames of one sequence, from each one's files by kind."""
    return [Item(files=entry, first=files[0]) for entry in files]


@dataclass(frozen=True)
class SteadyPictures:
    """Reads the pictures of sequences, each of which keeps the size of its first one.

    A picture of another shape would be cropped and scaled in another way than the frames around it.
    """

    _sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def read(self, item: Item, kind: str = "image") -> np.ndarray:
        """A frame's picture: uint8 [H, W, 3].

        Raises:
            SlimvidError: see `read_picture`; a picture of another size than its sequence's first.
        """
        first = item.first[kind]
        if first not in self._sizes:
            self._sizes[first] = read_picture(first).shape[:2]
        return read_picture(item.files[kind], size=self._sizes[first])


def clean(name: str) -> str:
    """A name that is safe in a clip's."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


def find_layout(settings: TaskSettings, layouts: Sequence[Layout]) -> Layout:
    """The first layout that the task's folder has.

    Raises:
        SlimvidError: none of them; names the folders that were looked for.
    """
    root = Path(settings.path)
    if not root.is_dir():
        raise SlimvidError(f"{root}: no such folder; check the task's `path`")
    for layout in layouts:
        if layout.fits(root):
            return layout
    wanted = " or ".join(layout.folders["image"].format(split="train") + "/" for layout in layouts)
    raise SlimvidError(f"{root}: holds no {wanted}; give the folder that does as the task's `path`")


def find_pieces(settings: TaskSettings, layouts: Sequence[Layout], *, fps: float) -> dict[str, list[Shot]]:
    """The pieces of each split: from the layout's own (`hold_back`), or by the ranges of `split_shots`.

    Raises:
        SlimvidError: see `find_layout` and `split_shots`; a frame without its files.
    """
    layout, root = find_layout(settings, layouts), Path(settings.path)
    if not layout.splits:
        return split_shots(layout.shots(root, "", fps), settings, whole=True)
    train, test = (layout.shots(root, own, fps) for own in layout.splits)
    return hold_back(train, test, settings)


def _items(folders: Mapping[str, Path], sequence: str) -> list[Item]:
    images = list_files(folders["image"] / sequence, SUFFIXES["image"])
    check_numbering(images)
    files = [{"image": image} for image in images]
    for kind in folders:
        if kind == "image":
            continue
        found = partners(images, folders[kind] / sequence, kind, SUFFIXES.get(kind, (".png",)))
        for entry, file in zip(files, found, strict=True):
            entry[kind] = file
    return items_of(files)


def _check_sequences(folders: Mapping[str, Path]) -> None:
    """Labels, landmarks or poses of a sequence whose frames are not there: the sequence is missing.

    Raises:
        SlimvidError: names the folder.
    """
    frames = {folder.name for folder in list_folders(folders["image"])}
    for kind, parent in folders.items():
        there = [folder for folder in sorted(parent.glob("*/")) if not folder.name.startswith(".")]
        left = [folder for folder in there if folder.name not in frames]
        if left:
            raise SlimvidError(
                f"{left[0]}: {kind} of a sequence without frames in {folders['image']}; restore or remove it"
            )

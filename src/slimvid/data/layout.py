"""Folder layouts of datasets: which file goes with which frame, sequence by sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slimvid.data.footage import Shot, cut_shot, refuse_ranges, split_shots
from slimvid.data.frames_io import PICTURES, check_numbering, list_files, list_folders
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
        splits: the splits that have folders of their own; none: ranges of one set of sequences.
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
    """The pieces of "train" and "test": from the layout's own splits, or by the ranges of `split_shots`.

    Raises:
        SlimvidError: see `find_layout` and `split_shots`; a frame without its files.
    """
    layout, root = find_layout(settings, layouts), Path(settings.path)
    if not layout.splits:
        return split_shots(layout.shots(root, "", fps), settings, whole=True)
    refuse_ranges(settings)
    pieces = {}
    for split, own in zip(("train", "test"), layout.splits, strict=True):
        pieces[split] = [p for shot in layout.shots(root, own, fps) for p in cut_shot(shot, settings)]
    return pieces


def _items(folders: Mapping[str, Path], sequence: str) -> list[Item]:
    images = list_files(folders["image"] / sequence, SUFFIXES["image"])
    check_numbering(images)
    files = [{"image": image} for image in images]
    for kind in folders:
        if kind == "image":
            continue
        for entry, file in zip(files, _partners(folders[kind] / sequence, kind, images), strict=True):
            entry[kind] = file
    return [Item(files=entry, first=files[0]) for entry in files]


def _partners(folder: Path, kind: str, images: Sequence[Path]) -> list[Path]:
    """The file of ``kind`` for each image: named alike, a suffix to the name allowed (``_keypoints``).

    Raises:
        SlimvidError: names the first image without one, or a file that belongs to no image.
    """
    files = list_files(folder, SUFFIXES.get(kind, (".png",)))
    by_stem = {file.stem: file for file in files}
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

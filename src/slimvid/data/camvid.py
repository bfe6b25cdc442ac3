"""``source: camvid``: driving footage with 11 classes (Brostow et al. 2009, in SegNet's selection).

Layouts under ``path``: images/val + labels/val, or val + valannot as the SegNet tutorial has them. Only
``val`` is a video (101 consecutive frames of sequence 0016E5 at 15 frames per second); ``train`` is stills
about a second apart, which cannot train a video translator. Ranges of ``val`` train, choose and test.

With ``stills: true`` the pictures of ``train`` train and choose, those of ``test`` (or ``val``) test, each a
clip of one frame: the task of an image original.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import VOID, ConditionSpec
from slimvid.data.crop import Crop
from slimvid.data.footage import Shot, lazy_clips, rate, split_shots
from slimvid.data.images import stills
from slimvid.data.layout import Item, SteadyPictures, items_of
from slimvid.data.pictures import PICTURES, read_ids
from slimvid.data.sequence import check_numbering, list_files, partners
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FPS = 15.0
UNLABELLED = 11
CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    *(
        ("sky", (128, 128, 128)),
        ("building", (128, 0, 0)),
        ("pole", (192, 192, 128)),
        ("road", (128, 64, 128)),
    ),
    *(
        ("pavement", (60, 40, 222)),
        ("tree", (128, 128, 0)),
        ("sign", (192, 128, 128)),
        ("fence", (64, 64, 128)),
    ),
    *(("car", (64, 0, 128)), ("pedestrian", (64, 64, 0)), ("bicyclist", (0, 128, 192))),
)
NAMES = tuple(name for name, _ in CLASSES)
_LAYOUTS = (("images/{}", "labels/{}"), ("{}", "{}annot"))  # of a split


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """11 one-hot channels; unlabelled pixels are void, zero in all of them. Cars are the foreground.

    Raises:
        SlimvidError: a foreground class that CamVid does not have.
    """
    wanted = settings.foreground or ("car",)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise SlimvidError(f"task field foreground: no class {unknown[0]!r}; CamVid has {', '.join(NAMES)}")
    return ConditionSpec(
        kind="labels",
        label_names=NAMES,
        palette=tuple(colour for _, colour in CLASSES),
        foreground=tuple(NAMES.index(name) for name in wanted),
    )


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """Clips of the ``val`` sequence; the first 70 % train and choose, the rest tests, unless it is given.

    Raises:
        SlimvidError: a frame without label map, a hole in the numbering; a file that is damaged, of another
            size than its frame or sequence, or with an id above 11.
    """
    load = partial(_frame_maps, settings, SteadyPictures())
    if settings.stills:
        test = "test" if _folders(settings, "test") else "val"
        return stills(_items(settings, "train"), _items(settings, test), settings, load)
    frames = _items(settings, "val", video=True)
    name = frames[0].files["image"].stem.split("_")[0]
    shot = Shot(name=name, fps=rate(settings, FPS), frames=frames)
    pieces = split_shots([shot], settings)
    return {split: lazy_clips(found, load) for split, found in pieces.items()}


def _folders(settings: TaskSettings, split: str) -> tuple[Path, Path] | None:
    """Where the pictures and the label maps of a split are; None where there is no such split."""
    root = Path(settings.path)
    found = ((root / a.format(split), root / b.format(split)) for a, b in _LAYOUTS)
    return next((pair for pair in found if pair[0].is_dir()), None)


def _items(settings: TaskSettings, split: str, *, video: bool = False) -> list[Item]:
    """The pictures of a split with their label maps, in the order of their names; a video has no holes."""
    folders = _folders(settings, split)
    if folders is None:
        raise SlimvidError(
            f"{settings.path}: holds no images/{split} (or {split}); give CamVid's folder as the task's "
            "`path`"
        )
    images = list_files(folders[0], PICTURES)
    if video:
        check_numbering(images)
    labels = partners(images, folders[1], "label map")
    return items_of([{"image": i, "labels": m} for i, m in zip(images, labels, strict=True)])


def _frame_maps(settings: TaskSettings, pictures: SteadyPictures, item: Item) -> dict[str, np.ndarray]:
    image = pictures.read(item)
    size = image.shape[:2]
    crop = Crop.centre(size, height=settings.height, width=settings.width)
    labels = read_ids(item.files["labels"], size=size, limit=UNLABELLED)
    labels = np.where(labels == UNLABELLED, VOID, labels).astype(np.uint8)
    return {"frames": crop.picture(image), "labels": crop.ids(labels)}

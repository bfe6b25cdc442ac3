"""``source: viper``: driving scenes of a game with class maps (Richter et al. 2017), for unpaired tasks.

Layout under ``path``, the official one:
  <split>/img/<sequence>/<sequence>_<number>.jpg (or .png)
  <split>/cls/<sequence>/<sequence>_<number>.png   class maps, in the dataset's colours or as ids

Split "train" trains, and its last sequences are held back to choose by; "val" tests, or "test" where there is
no "val"; with "train" alone, its last sequences.

``game2camera`` goes to Cityscapes under ``path_target``: leftImg8bit_sequence/<split>/<city>/ (train, val),
or images/<sequence>/. The two datasets share nothing: a row holds a Viper frame as condition beside any
Cityscapes frame, and the task says that they are not aligned. The shorter dataset begins again at its end.
``game2label`` and ``label2game`` stay in Viper, with label maps as pictures in the dataset's colours.
"""

from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from slimvid.data import cityscapes
from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.crop import Crop
from slimvid.data.footage import Shot, hold_back, lazy_clips, rate, split_shots
from slimvid.data.layout import Item, SteadyPictures, clean, items_of
from slimvid.data.palette import exact_class, paint
from slimvid.data.pictures import PICTURES, read_colours
from slimvid.data.sequence import check_numbering, list_files, list_folders, partners, sequences
from slimvid.errors import SlimvidError
from slimvid.settings import RANGES, TaskSettings

FPS = 15.0

# Ids, names and colours of the Viper benchmark; van and train have the same colour.
CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    *(("unlabeled", (0, 0, 0)), ("ambiguous", (111, 74, 0)), ("sky", (70, 130, 180))),
    *(("road", (128, 64, 128)), ("sidewalk", (244, 35, 232)), ("railtrack", (230, 150, 140))),
    *(("terrain", (152, 251, 152)), ("tree", (87, 182, 35)), ("vegetation", (35, 142, 35))),
    *(("building", (70, 70, 70)), ("infrastructure", (153, 153, 153)), ("fence", (190, 153, 153))),
    *(("billboard", (150, 20, 20)), ("traffic light", (250, 170, 30)), ("traffic sign", (220, 220, 0))),
    *(("mobile barrier", (180, 180, 100)), ("fire hydrant", (173, 153, 153)), ("chair", (168, 153, 153))),
    *(("trash", (81, 0, 21)), ("trash can", (81, 0, 81)), ("person", (220, 20, 60))),
    *(("animal", (255, 0, 0)), ("bicycle", (119, 11, 32)), ("motorcycle", (0, 0, 230))),
    *(("car", (0, 0, 142)), ("van", (0, 80, 100)), ("bus", (0, 60, 100)), ("truck", (0, 0, 70))),
    *(("trailer", (0, 0, 90)), ("train", (0, 80, 100)), ("plane", (0, 100, 100)), ("boat", (50, 0, 90))),
)
NAMES = tuple(name for name, _ in CLASSES)
PALETTE = tuple(colour for _, colour in CLASSES)


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """Conditions are pictures: game frames, or label maps in the dataset's colours."""
    return ConditionSpec(kind="image")


def task_facts(settings: TaskSettings) -> dict[str, Any]:
    """Fields of `slimvid.data.store.TaskMeta` beyond the common ones."""
    if settings.translation == "game2camera":
        return {"aligned": ()}
    return {
        "label_names": NAMES,
        "palette": PALETTE,
        "label_frames": settings.translation == "game2label",
    }


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """Clips of the sequences, centre-cropped to the task's aspect and scaled.

    Raises:
        SlimvidError: no such layout, a frame without class map, a hole in the numbering, a file that is
            damaged or of another size than its frame or sequence, or a colour that Viper does not have.
    """
    sources = _pieces(settings)
    load = partial(_frame_maps, settings, SteadyPictures())
    if settings.translation != "game2camera":
        return {split: lazy_clips(pieces, load) for split, pieces in sources.items()}
    targets = _targets(settings)
    pairs = {split: _pair(sources[split], targets[split], whole=split == "train") for split in sources}
    return {split: lazy_clips(pieces, load) for split, pieces in pairs.items()}


def _pieces(settings: TaskSettings) -> dict[str, list[Shot]]:
    root = Path(settings.path)
    test = next((s for s in ("val", "test") if (root / s / "img").is_dir()), None)
    train = _shots(settings, root / "train")
    if test is None:
        return split_shots(train, settings, whole=True)
    return hold_back(train, _shots(settings, root / test), settings)


def _shots(settings: TaskSettings, folder: Path) -> list[Shot]:
    """The sequences of a split; a frame's files are its "image" and, within the game, its "labels"."""
    with_labels = settings.translation != "game2camera"
    shots = []
    for sequence in list_folders(folder / "img"):
        images = list_files(sequence, PICTURES)
        check_numbering(images)
        files = [{"image": image} for image in images]
        if with_labels:
            files = [{**f, "labels": m} for f, m in zip(files, _class_maps(folder, images), strict=True)]
        name = clean(f"{folder.name}_{sequence.name}")
        shots.append(Shot(name=name, fps=rate(settings, FPS), frames=items_of(files)))
    return shots


def _class_maps(folder: Path, images: list[Path]) -> list[Path]:
    maps = folder / "cls" / images[0].parent.name
    if not maps.is_dir():
        raise SlimvidError(f"{maps}: missing; every frame needs its class map: unpack the benchmark's cls")
    return partners(images, maps, "class map")


def _targets(settings: TaskSettings) -> dict[str, list[Shot]]:
    """Cityscapes frames without labels, in pieces like those of the source; a frame's file is "target"."""
    root, fps = Path(settings.path_target), rate(settings, cityscapes.FPS)
    official = root / cityscapes.SEQUENCES
    unbounded = settings.model_copy(update={"path": root, **dict.fromkeys(RANGES)})  # those are Viper's
    if official.is_dir():
        train, test = (
            [shot for city in list_folders(official / own) for shot in _by_name(city, fps)]
            for own in ("train", "val")
        )
        return hold_back(train, test, unbounded)
    if not (root / "images").is_dir():
        raise SlimvidError(
            f"{root}: holds no {cityscapes.SEQUENCES}/ or images/; "
            "give the Cityscapes folder as `path_target`"
        )
    shots = [shot for folder in list_folders(root / "images") for shot in _by_name(folder, fps)]
    return split_shots(shots, unbounded, whole=True)


def _by_name(folder: Path, fps: float) -> list[Shot]:
    """Sequences of a folder: frames whose names differ in the last number only."""
    groups = sequences(list_files(folder, PICTURES))

    def name(start: str) -> str:
        return clean(f"{folder.name}_{start}".strip("_"))

    frames = {start: items_of([{"target": image} for image in images]) for start, images in groups.items()}
    return [Shot(name=name(start), fps=fps, frames=items) for start, items in frames.items()]


def _pair(sources: list[Shot], targets: list[Shot], *, whole: bool) -> list[Shot]:
    """Pieces side by side, as long as the shorter of two; ``whole``: until both datasets were used."""
    if not sources or not targets:
        return []  # nothing was held back of one of them
    count = max(len(sources), len(targets)) if whole else len(sources)
    pairs = zip(cycle(sources), cycle(targets), strict=True)
    out = []
    for number, (source, target) in enumerate(islice(pairs, count)):
        again = f".{number // len(sources)}" if number >= len(sources) else ""
        rows = zip(source.frames, target.frames, strict=False)
        frames = [Item(files={**a.files, **b.files}, first={**a.first, **b.first}) for a, b in rows]
        out.append(Shot(name=source.name + again, fps=source.fps, frames=frames))
    return out


def _frame_maps(settings: TaskSettings, pictures: SteadyPictures, item: Item) -> dict[str, np.ndarray]:
    image = pictures.read(item)
    crop = Crop.centre(image.shape[:2], height=settings.height, width=settings.width)
    game = crop.picture(image)
    if settings.translation == "game2camera":
        other = pictures.read(item, "target")
        crop = Crop.centre(other.shape[:2], height=settings.height, width=settings.width)
        return {"image": game, "frames": crop.picture(other)}
    labels = crop.ids(_read_classes(item.files["labels"], image.shape[:2]))
    drawn = paint(labels, PALETTE)
    pair = (game, drawn) if settings.translation == "game2label" else (drawn, game)
    return {"image": pair[0], "frames": pair[1], "labels": labels}


def _read_classes(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A class map as ids, uint8 [H, W]; of the colour that two classes share the later one."""
    stored = read_colours(path, size=size)
    if stored.max() < len(CLASSES) and (stored == stored[..., :1]).all():
        return np.ascontiguousarray(stored[..., 0])  # ids; of the colours only black is as dark and grey
    ids, strange = exact_class(stored, PALETTE)
    if strange is not None:
        raise SlimvidError(f"{path}: colour {strange} is no Viper class; give the benchmark's cls files")
    return ids

"""``source: cityscapes``: street sequences with label maps and, where there are any, instance maps.

Layouts under ``path``:
  leftImg8bit_sequence/<split>/<city>/*_leftImg8bit.png + gtFine/<split>/<city>/*_gtFine_labelIds.png
      (+ *_gtFine_instanceIds.png), the official one: split "train" trains, its last sequences are
      held back to choose by, and "val" tests
  images/<sequence>/ + seg_maps/<sequence>/ (+ instance_maps/<sequence>/), files named alike
  train_B/ + train_A/ (+ train_inst/) and test_B/ + test_A/ (+ test_inst/), the vid2vid release's

The official annotation covers one frame in thirty; vid2vid labels the others with a segmentation network.
They are expected under the same names, because a translator needs a label map for every frame.

With ``stills: true`` the official pictures that are annotated train, each a clip of one frame:
  leftImg8bit/<split>/<city>/*_leftImg8bit.png + gtFine as above; "train" trains and chooses, "val" tests
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import VOID, ConditionSpec
from slimvid.data.crop import Crop
from slimvid.data.footage import Shot, hold_back, lazy_clips, rate
from slimvid.data.images import stills
from slimvid.data.layout import Item, Layout, SteadyPictures, clean, find_layout, find_pieces, items_of
from slimvid.data.pictures import PICTURES, read_ids
from slimvid.data.sequence import list_files, list_folders, sequences
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FPS = 17.0  # of the official sequences
SEQUENCES, STILLS = "leftImg8bit_sequence", "leftImg8bit"

# Ids and colours of the Cityscapes label definition (Cordts et al. 2016); the licence plate, -1 there and 255
# in files, is the 35th channel of vid2vid's label_nc.
CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    *(("unlabeled", (0, 0, 0)), ("ego vehicle", (0, 0, 0)), ("rectification border", (0, 0, 0))),
    *(("out of roi", (0, 0, 0)), ("static", (0, 0, 0)), ("dynamic", (111, 74, 0)), ("ground", (81, 0, 81))),
    *(("road", (128, 64, 128)), ("sidewalk", (244, 35, 232)), ("parking", (250, 170, 160))),
    *(("rail track", (230, 150, 140)), ("building", (70, 70, 70)), ("wall", (102, 102, 156))),
    *(("fence", (190, 153, 153)), ("guard rail", (180, 165, 180)), ("bridge", (150, 100, 100))),
    *(("tunnel", (150, 120, 90)), ("pole", (153, 153, 153)), ("polegroup", (153, 153, 153))),
    *(("traffic light", (250, 170, 30)), ("traffic sign", (220, 220, 0)), ("vegetation", (107, 142, 35))),
    *(
        ("terrain", (152, 251, 152)),
        ("sky", (70, 130, 180)),
        ("person", (220, 20, 60)),
        ("rider", (255, 0, 0)),
    ),
    *(("car", (0, 0, 142)), ("truck", (0, 0, 70)), ("bus", (0, 60, 100)), ("caravan", (0, 0, 90))),
    *(("trailer", (0, 0, 110)), ("train", (0, 80, 100)), ("motorcycle", (0, 0, 230))),
    *(("bicycle", (119, 11, 32)), ("license plate", (0, 0, 142))),
)
NAMES = tuple(name for name, _ in CLASSES)
PLATE = NAMES.index("license plate")

LAYOUTS = (
    Layout(folders={"image": SEQUENCES}),
    Layout(
        folders={"image": "images", "labels": "seg_maps", "instances": "instance_maps"},
        optional=("instances",),
    ),
    Layout(
        folders={"image": "{split}_B", "labels": "{split}_A", "instances": "{split}_inst"},
        optional=("instances",),
        splits=("train", "test"),
    ),
)


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """35 one-hot channels, and the instance boundaries where the dataset has instance maps (and the
    task wants them).

    The foreground branch draws cars unless the task names other classes (vid2vid ``--fg_labels 26``).

    Raises:
        SlimvidError: a foreground class that Cityscapes does not have; no such dataset.
    """
    wanted = settings.foreground or ("car",)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise SlimvidError(
            f"task field foreground: Cityscapes has no class {unknown[0]!r}; see its label names"
        )
    return ConditionSpec(
        kind="labels",
        label_names=NAMES,
        palette=tuple(colour for _, colour in CLASSES),
        instances=settings.instances and _has_instances(settings),
        foreground=tuple(NAMES.index(name) for name in wanted),
    )


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """Clips of the sequences, centre-cropped to the task's aspect and scaled.

    Raises:
        SlimvidError: a frame without its label (or instance) map; a file that is damaged, of another size
            than its frame or sequence, or with an id that Cityscapes does not have.
    """
    load = partial(_frame_maps, settings, SteadyPictures())
    if settings.stills:
        train, test = (_official_stills(Path(settings.path), own) for own in ("train", "val"))
        return stills(train, test, settings, load)
    fps = rate(settings, FPS)
    if find_layout(settings, LAYOUTS) is LAYOUTS[0]:
        train, test = (_official(Path(settings.path), own, fps) for own in ("train", "val"))
        pieces = hold_back(train, test, settings)
    else:
        pieces = find_pieces(settings, LAYOUTS[1:], fps=fps)
    return {split: lazy_clips(found, load) for split, found in pieces.items()}


def _has_instances(settings: TaskSettings) -> bool:
    root = Path(settings.path)
    if settings.stills:
        return _official_instances(root)
    layout = find_layout(settings, LAYOUTS)
    if layout is LAYOUTS[0]:
        return _official_instances(root)
    return (root / layout.folders["instances"].format(split="train")).is_dir()


def _official_instances(root: Path) -> bool:
    return any(root.glob("gtFine/train/*/*_gtFine_instanceIds.png"))


def _official_stills(root: Path, split: str) -> list[Item]:
    """The annotated pictures of a split, city by city."""
    folder = root / STILLS / split
    if not folder.is_dir():
        raise SlimvidError(
            f"{folder}: no such folder; the pictures of `stills: true` are in {STILLS}/train and "
            f"{STILLS}/val: give the folder that holds them as the task's `path`"
        )
    images = [image for city in list_folders(folder) for image in list_files(city, PICTURES)]
    instances = _official_instances(root)
    return items_of([_official_files(root, split, image, instances) for image in images])


def _official(root: Path, split: str, fps: float) -> list[Shot]:
    """Sequences of the official layout: frames of a city whose names differ in the last number only."""
    instances, shots = _official_instances(root), []
    for city in list_folders(root / SEQUENCES / split):
        for start, images in sequences(list_files(city, PICTURES)).items():
            files = [_official_files(root, split, image, instances) for image in images]
            shots.append(Shot(name=clean(start.strip("_")), fps=fps, frames=items_of(files)))
    return shots


def _official_files(root: Path, split: str, image: Path, instances: bool) -> dict[str, Path]:
    stem = image.stem.removesuffix("_leftImg8bit")
    folder = root / "gtFine" / split / image.parent.name
    files = {"image": image, "labels": folder / f"{stem}_gtFine_labelIds.png"}
    if instances:
        files["instances"] = folder / f"{stem}_gtFine_instanceIds.png"
    for kind, file in files.items():
        if not file.is_file():
            raise SlimvidError(
                f"{file}: missing; every picture needs {kind}: restore the file, or annotate {image.name} "
                "with a segmentation network and save the ids under this name"
            )
    return files


def _frame_maps(settings: TaskSettings, pictures: SteadyPictures, item: Item) -> dict[str, np.ndarray]:
    image = pictures.read(item)
    size = image.shape[:2]
    crop = Crop.centre(size, height=settings.height, width=settings.width)
    labels = _plates(read_ids(item.files["labels"], size=size), item.files["labels"])
    maps = {"frames": crop.picture(image), "labels": crop.ids(labels)}
    if "instances" in item.files:
        instances = read_ids(item.files["instances"], size=size, limit=65535).astype(np.uint16)
        maps["instances"] = crop.ids(instances)
    return maps


def _plates(labels: np.ndarray, path: Path) -> np.ndarray:
    """Label ids 0..34 of a map, 34 for plates.

    Training ids are 0..18: road 0, building 2. As label ids these are unlabelled and the border that
    rectification leaves, and no street shows them without any id from 19 on (vegetation, sky, cars, people).

    Raises:
        SlimvidError: other ids, or training ids.
    """
    counts = np.bincount(labels.ravel(), minlength=VOID + 1)
    if not counts[19:VOID].any() and min(counts[0], counts[2]) > labels.size / 100:
        raise SlimvidError(
            f"{path}: holds trainIds (0..18), it seems: ids 0 and 2 are frequent, and none is from 19 to 33; "
            "give the labelIds files"
        )
    labels = np.where(labels == VOID, PLATE, labels).astype(np.uint8)
    if labels.max() > PLATE:
        raise SlimvidError(
            f"{path}: holds id {int(labels.max())}; Cityscapes label ids are 0..33 (255 for plates): "
            "give the labelIds files, not trainIds or colours"
        )
    return labels

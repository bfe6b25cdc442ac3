"""``source: pose``: dancing people with OpenPose key-points and DensePose maps (pose to body).

Layouts under ``path``, each with one folder per sequence:
  images/ + poses-openpose/ + pose_maps-densepose/                       one set of sequences
  {train,test}_img/ + {train,test}_openpose/ + {train,test}_densepose/   the vid2vid release's
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.crop import Crop
from slimvid.data.footage import lazy_clips, rate
from slimvid.data.layout import Item, Layout, SteadyPictures, find_pieces
from slimvid.data.pictures import read_colours
from slimvid.data.points import read_openpose
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FPS = 30.0  # of most dance videos; frames as pictures do not say

LAYOUTS = (
    Layout(folders={"image": "images", "openpose": "poses-openpose", "densepose": "pose_maps-densepose"}),
    Layout(
        folders={"image": "{split}_img", "openpose": "{split}_openpose", "densepose": "{split}_densepose"},
        splits=("train", "test"),
    ),
)


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """6 channels: the DensePose map and the drawing of the limbs."""
    return ConditionSpec(kind="pose")


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """Clips scaled to the task's height and cropped at the centre to its width (the vid2vid pose protocol).

    Raises:
        SlimvidError: a frame, OpenPose or DensePose file is missing, damaged, or of another size or model.
    """
    pieces = find_pieces(settings, LAYOUTS, fps=rate(settings, FPS))
    load = partial(_frame_maps, settings, SteadyPictures())
    return {split: lazy_clips(found, load) for split, found in pieces.items()}


def _frame_maps(settings: TaskSettings, pictures: SteadyPictures, item: Item) -> dict[str, np.ndarray]:
    image = pictures.read(item)
    size = image.shape[:2]
    crop = Crop.centre(size, height=settings.height, width=settings.width)
    people = read_openpose(item.files["openpose"], size=size)
    people[..., :2] = crop.points(people[..., :2])
    surface = crop.ids(read_densepose(item.files["densepose"], size=size))
    return {"frames": crop.picture(image), "keypoints": people, "densepose": surface}


def read_densepose(path: Path, *, size: tuple[int, int]) -> np.ndarray:
    """A DensePose IUV picture as uint8 [H, W, 3]: part (0..24, spread over 0..255), U, V.

    Files hold the part in blue, U in green, V in red, as OpenCV writes an (I, U, V) array. The part is spread
    as in the vid2vid release, so that neighbouring parts differ visibly.

    Raises:
        SlimvidError: missing, damaged, of another size, or with a part above 24.
    """
    iuv = read_colours(path, size=size)[..., ::-1]
    if iuv[..., 0].max(initial=0) > 24:
        raise SlimvidError(f"{path}: body part {int(iuv[..., 0].max())} of 24; give DensePose's IUV picture")
    parts = np.rint(iuv[..., 0] * (255 / 24)).astype(np.uint8)
    return np.dstack([parts, iuv[..., 1], iuv[..., 2]])

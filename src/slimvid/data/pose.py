"""``source: pose``: dancing people with OpenPose key-points and DensePose maps (pose to body).

Layouts under ``path``, each with one folder per sequence:
  images/ + poses-openpose/ + pose_maps-densepose/                       one set of sequences
  {train,test}_img/ + {train,test}_openpose/ + {train,test}_densepose/   the vid2vid release's
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.footage import lazy_clips, rate
from slimvid.data.frames_io import Crop, read_densepose, read_openpose, read_picture
from slimvid.data.layout import Item, Layout, find_pieces
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
    load = partial(_frame_maps, settings)
    return {split: lazy_clips(found, load) for split, found in pieces.items()}


def _frame_maps(settings: TaskSettings, item: Item) -> dict[str, np.ndarray]:
    image = read_picture(item.files["image"])
    size = image.shape[:2]
    crop = Crop.centre(size, height=settings.height, width=settings.width)
    people = read_openpose(item.files["openpose"])
    people[..., :2] = crop.points(people[..., :2])
    surface = crop.ids(read_densepose(item.files["densepose"], size=size))
    return {"frames": crop.picture(image), "keypoints": people, "densepose": surface}

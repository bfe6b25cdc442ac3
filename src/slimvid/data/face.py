"""``source: face``: talking heads in the FaceForensics manner: frames and 68 landmarks each (edges to face).

Layouts under ``path``, each with one folder per sequence:
  images/ + landmarks-dlib68/                                      one set of sequences
  train_img/ + train_keypoints/ and test_img/ + test_keypoints/    the vid2vid release's
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.crop import Crop
from slimvid.data.drawing import canny_edges, face_edges
from slimvid.data.footage import Shot, lazy_clips, rate
from slimvid.data.layout import Item, Layout, find_pieces
from slimvid.data.pictures import read_picture
from slimvid.data.points import read_landmarks
from slimvid.settings import TaskSettings

FPS = 30.0  # of most of FaceForensics' videos; frames as pictures do not say
_FACE_WIDTHS = 2.5  # the vid2vid release crops a square of so many face widths

LAYOUTS = (
    Layout(folders={"image": "images", "landmarks": "landmarks-dlib68"}),
    Layout(folders={"image": "{split}_img", "landmarks": "{split}_keypoints"}, splits=("train", "test")),
)


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """The edge map (face and background); with ``distance_maps`` the 15 channels of the vid2vid protocol."""
    return ConditionSpec(kind="edges", distance_maps=settings.distance_maps)


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """Clips cropped to the head, with landmark edges inside the face and Canny edges outside.

    Raises:
        SlimvidError: a frame or landmark file that is missing, damaged, of another size or not 68 points.
    """
    pieces = find_pieces(settings, LAYOUTS, fps=rate(settings, FPS))
    return {split: _clips(settings, found) for split, found in pieces.items()}


def _clips(settings: TaskSettings, pieces: list[Shot]) -> Iterator[Clip]:
    crops: dict[Path, tuple[tuple[int, int], Crop]] = {}

    def load(item: Item) -> dict[str, np.ndarray]:
        folder = item.first["image"].parent
        if folder not in crops:  # one crop per sequence: the background must not move with the head
            size = read_picture(item.first["image"]).shape[:2]
            landmarks = read_landmarks(item.first["landmarks"], size=size)
            crops[folder] = size, head_crop(landmarks, size, height=settings.height, width=settings.width)
        size, crop = crops[folder]
        return _frame_maps(settings, item, size, crop)

    yield from lazy_clips(pieces, load)


def head_crop(landmarks: np.ndarray, size: tuple[int, int], *, height: int, width: int) -> Crop:
    """The box around a head: 2.5 face widths high, of the task's aspect, moved (then shrunk) to lie inside.

    Args:
        landmarks: float32 [68, 2] of the sequence's first frame.
        size: (rows, columns) of the frames.
        height: rows of the task.
        width: columns of the task.
    """
    (x0, y0), (x1, y1) = landmarks.min(axis=0), landmarks.max(axis=0)
    rows = float(_FACE_WIDTHS * (x1 - x0)) * max(1.0, height / width)
    rows = min(rows, size[0], size[1] * height / width)
    box_height, box_width = max(1, round(rows)), max(1, round(rows * width / height))
    left = round((x0 + x1) / 2 - box_width / 2)
    top = round((3 * y0 + y1) / 4 - box_height / 2)  # above the middle: hair counts as head
    return Crop(
        left=int(np.clip(left, 0, size[1] - box_width)),
        top=int(np.clip(top, 0, size[0] - box_height)),
        width=box_width,
        height=box_height,
        out_height=height,
        out_width=width,
    )


def _frame_maps(
    settings: TaskSettings, item: Item, size: tuple[int, int], crop: Crop
) -> dict[str, np.ndarray]:
    picture = crop.picture(read_picture(item.files["image"], size=size))
    landmarks = crop.points(read_landmarks(item.files["landmarks"], size=size))
    low, high = settings.canny
    edges = face_edges(
        landmarks,
        height=settings.height,
        width=settings.width,
        background=canny_edges(picture, low=low, high=high),
    )
    return {"frames": picture, "landmarks": landmarks, "edges": edges}

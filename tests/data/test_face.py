"""Faces with 68 landmarks: layouts, the crop, and the real miniature."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_footage import (
    every_split,
    face_points,
    moving,
    task_settings,
    write_picture,
    write_text,
)

from slimvid.data import face
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FRAMES = moving(8, 48, 64)


def settings(path: Path, **over) -> TaskSettings:
    return task_settings("face", path, **over)


def faces(root: Path, images: str = "images", points: str = "landmarks-dlib68", seq: str = "s0") -> Path:
    for t, frame in enumerate(FRAMES):
        write_picture(root / images / seq / f"{t:05d}.png", frame)
        write_text(root / points / seq / f"{t:05d}.json", face_points(width=14, centre=(30 + t, 20)).tolist())
    return root


def test_face_layout(tmp_path):
    task = settings(faces(tmp_path), distance_maps=True)
    found = every_split(face, task)
    assert [len(c) for split in found for c in found[split]] == [5, 3]
    clip = found["train"][0]
    assert clip.fps == 30
    assert face.condition_spec(task).channels == 15
    assert 0 < clip.landmarks.min() < clip.landmarks.max() < 32
    assert clip.landmarks[4, 27, 0] > clip.landmarks[0, 27, 0]  # the head moves, the crop does not
    assert set(np.unique(clip.edges)) == {0, 255}


def test_vid2vid_layout_of_faces(tmp_path):
    faces(tmp_path, "train_img", "train_keypoints")
    faces(tmp_path, "test_img", "test_keypoints")
    found = every_split(face, settings(tmp_path))
    assert [[c.name for c in found[s]] for s in found] == [
        ["train_s0_00000"],
        [],  # too short to hold any back
        ["test_s0_00000"],
    ]


@pytest.mark.parametrize(
    ("size", "target"), [((480, 640), (256, 256)), ((200, 120), (64, 128)), ((100, 900), (128, 64))]
)
def test_head_crop_lies_inside_with_the_tasks_aspect(size, target):
    points = face_points(width=90, centre=(20, 15))
    crop = face.head_crop(points, size, height=target[0], width=target[1])
    assert 0 <= crop.left <= crop.left + crop.width <= size[1]
    assert 0 <= crop.top <= crop.top + crop.height <= size[0]
    assert crop.width / crop.height == pytest.approx(target[1] / target[0], rel=0.02)


def test_head_crop_is_two_and_a_half_faces_wide():
    points = face_points(width=100, centre=(320, 240))
    crop = face.head_crop(points, (480, 640), height=64, width=64)
    assert (crop.width, crop.height, crop.left) == (250, 250, 195)
    low, high = points[:, 1].min(), points[:, 1].max()
    assert crop.top + 125 == pytest.approx((3 * low + high) / 4, abs=1)  # above the middle of the face


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda r: (r / "landmarks-dlib68/s0/00003.json").unlink(), "00003.png: has no landmarks file"),
        (lambda r: (r / "images/s0/00007.png").unlink(), "00007.json: belongs to no frame"),
        (lambda r: (r / "images/s0/00003.png").unlink(), "missing between 00002.png and 00004.png"),
        (lambda r: (r / "landmarks-dlib68/s0/00003.json").write_text("[[1"), "00003.json: damaged"),
        (lambda r: write_picture(r / "images/s0/00003.png", FRAMES[0][:40]), "00003.png: is 64x40"),
        (lambda r: shutil.rmtree(r / "landmarks-dlib68/s0"), "landmarks-dlib68/s0: no such folder"),
        (lambda r: write_picture(r / "images/s0/cover.png", FRAMES[0]), "cover.png: is not named like"),
        (
            lambda r: shutil.copytree(r / "landmarks-dlib68/s0", r / "landmarks-dlib68/s1"),
            "s1: landmarks of a",
        ),
        (
            lambda r: write_text(r / "landmarks-dlib68/s0/00000.json", [[0, 0]] * 68),
            "00000.json: all landmarks",
        ),
        (lambda r: shutil.rmtree(r / "images/s0"), "images: holds no sequence folders"),
    ],
)
def test_face_damage_is_named(tmp_path, spoil, word):
    root = faces(tmp_path)
    spoil(root)
    with pytest.raises(SlimvidError, match=word.replace(".", r"\.")):
        every_split(face, settings(root))


def test_missing_root_is_named(tmp_path):
    with pytest.raises(SlimvidError, match="gone"):
        every_split(face, settings(tmp_path / "gone"))


def test_real_faces(real_data):
    task = settings(real_data / "layouts" / "face", height=128, width=128)
    (clip,) = every_split(face, task)["train"]
    x, y = clip.landmarks[0].mean(axis=0)
    assert 44 < x < 84  # the head is in the middle
    assert 44 < y < 90
    face_width = np.ptp(clip.landmarks[0][:, 0])
    assert face_width == pytest.approx(128 / 2.5, rel=0.05)
    skin = clip.frames[0, int(y), int(x)].astype(int)
    assert skin[0] > skin[2]

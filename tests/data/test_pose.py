"""OpenPose and DensePose: layouts, the crop, and the real miniature."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_footage import (
    body_points,
    every_split,
    moving,
    openpose_document,
    task_settings,
    turn_picture,
    write_picture,
    write_text,
)

from slimvid.data import pose
from slimvid.data.pose import read_densepose
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FRAMES = moving(8, 48, 64)


def settings(path: Path, **over) -> TaskSettings:
    return task_settings("pose", path, **over)


def poses(root: Path) -> Path:
    for t, frame in enumerate(FRAMES):
        write_picture(root / "images" / "s0" / f"frame{t:06d}.png", frame)
        write_text(
            root / "poses-openpose" / "s0" / f"frame{t:06d}.json", openpose_document(body_points(48, 64))
        )
        iuv = np.zeros((48, 64, 3), np.uint8)
        iuv[10:30, 20:40] = (90, 60, 12)  # V, U, part: RGB order of the file
        write_picture(root / "pose_maps-densepose" / "s0" / f"frame{t:06d}.png", iuv)
    return root


def test_pose_layout_is_scaled_by_height_and_cropped(tmp_path):
    task = settings(poses(tmp_path))
    clip = next(pose.clips(task)["train"])
    assert pose.condition_spec(task).channels == 6
    wanted = (body_points(48, 64)[0, :, :2] - [8, 0] + 0.5) * (32 / 48) - 0.5  # 64 wide: 8 cut off each side
    assert np.allclose(clip.keypoints[0, 0, :, :2], wanted, atol=1e-3)
    assert clip.densepose[0].max(axis=(0, 1)).tolist() == [128, 60, 90]  # part 12 of 24, U, V


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda r: (r / "poses-openpose/s0/frame000002.json").unlink(), "frame000002.png: has no openpose"),
        (lambda r: (r / "pose_maps-densepose/s0/frame000002.png").unlink(), "has no densepose file"),
        (
            lambda r: write_picture(r / "pose_maps-densepose/s0/frame000002.png", FRAMES[0][:, :60]),
            "pose_maps-densepose/s0/frame000002.png: is 60x48",
        ),
        (
            lambda r: [turn_picture(f) for f in r.glob("*/s0/frame000002.png")],
            "images/s0/frame000002.png: is 48x64, its frame or sequence 64x48",
        ),
        (
            lambda r: write_text(
                r / "poses-openpose/s0/frame000002.json", {"people": [{"pose_keypoints_2d": [1]}]}
            ),
            "frame000002.json: a person has 1 numbers",
        ),
    ],
)
def test_pose_damage_is_named(tmp_path, spoil, word):
    root = poses(tmp_path)
    spoil(root)
    with pytest.raises(SlimvidError, match=word.replace(".", r"\.")):
        every_split(pose, settings(root))


def test_missing_root_is_named(tmp_path):
    with pytest.raises(SlimvidError, match="gone"):
        every_split(pose, settings(tmp_path / "gone"))


def test_real_poses(real_data):
    task = settings(real_data / "layouts" / "pose", height=256, width=224)
    (clip,) = every_split(pose, task)["train"]
    body = clip.densepose[0].any(axis=2)
    seen = clip.keypoints[0, 0, :, 2] > 0.3
    x, y = np.rint(clip.keypoints[0, 0, seen, :2]).astype(int).T
    grown = cv2.dilate(body.astype(np.uint8), np.ones((7, 7), np.uint8))
    assert grown[y, x].mean() > 0.9  # the two maps were moved alike


def test_densepose_spreads_the_part(tmp_path):
    iuv = np.zeros((6, 6, 3), np.uint8)
    iuv[2:4, 2:4] = (24, 7, 9)
    path = tmp_path / "d.png"
    cv2.imwrite(str(path), iuv)  # as DensePose's tools do: I where OpenCV has blue
    surface = read_densepose(path, size=(6, 6))
    assert tuple(surface[2, 2]) == (255, 7, 9)
    assert surface[0, 0].max() == 0
    cv2.imwrite(str(path), iuv * 2)
    with pytest.raises(SlimvidError, match="body part 48 of 24"):
        read_densepose(path, size=(6, 6))

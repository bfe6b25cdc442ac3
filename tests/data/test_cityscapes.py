"""Cityscapes: the official layout, its relatives, and the real miniature."""

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

from slimvid.data import cityscapes
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FRAMES = moving(8, 48, 64)


def settings(path: Path, **over) -> TaskSettings:
    return task_settings("cityscapes", path, **over)


def label_map(t: int) -> np.ndarray:
    ids = np.full((48, 64), 7, np.uint8)
    ids[:16], ids[20:30, t : t + 20] = 23, 26
    return ids


def official_city(root: Path, *, instances: bool = True) -> Path:
    for split, city in (("train", "aachen"), ("val", "lindau")):
        for sequence in range(3):
            for t, frame in enumerate(FRAMES[:6]):
                stem = f"{city}_{sequence:06d}_{t:06d}"
                write_picture(root / cityscapes.SEQUENCES / split / city / f"{stem}_leftImg8bit.png", frame)
                fine = root / "gtFine" / split / city
                write_picture(fine / f"{stem}_gtFine_labelIds.png", label_map(t))
                if instances:
                    ids = label_map(t).astype(np.uint16)
                    write_picture(
                        fine / f"{stem}_gtFine_instanceIds.png",
                        np.where(ids == 26, 26001, ids).astype(np.uint16),
                    )
    return root


def test_cityscapes_official_layout(tmp_path):
    task = settings(official_city(tmp_path))
    found = every_split(cityscapes, task)
    assert [c.name for c in found["train"]] == ["aachen_000000_00000", "aachen_000001_00000"]
    assert [c.name for c in found["val"]] == ["aachen_000002_00000"]  # of the training split, not of "val"
    assert [c.name for c in found["test"]] == [f"lindau_00000{n}_00000" for n in range(3)]
    with pytest.raises(SlimvidError, match=r"task field train_frames: .* has splits of its own"):
        cityscapes.clips(settings(task.path, train_frames=(0, 4)))
    clip, spec = found["train"][0], cityscapes.condition_spec(task)
    assert clip.fps == 17
    assert (spec.channels, spec.foreground, spec.label_names[26]) == (36, (26,), "car")
    condition = spec.encode(labels=clip.labels[0], instances=clip.instances[0])
    assert set(np.unique(clip.labels)) == {7, 23, 26}
    assert spec.foreground_mask(condition).sum() == (clip.labels[0] == 26).sum()
    assert condition[35].max() == 1
    assert clip.instances.max() == 26001


def test_cityscapes_without_instances_has_35_channels(tmp_path):
    task = settings(official_city(tmp_path, instances=False))
    assert cityscapes.condition_spec(task).channels == 35
    assert next(cityscapes.clips(task)["train"]).instances is None


def test_cityscapes_instances_can_be_left_out(tmp_path):
    task = settings(official_city(tmp_path), instances=False, foreground=("bus", "truck"))
    spec = cityscapes.condition_spec(task)
    assert (spec.channels, spec.foreground) == (35, (28, 27))
    with pytest.raises(SlimvidError, match="no class 'boat'"):
        cityscapes.condition_spec(settings(tmp_path, foreground=("boat",)))


def test_licence_plates_have_the_last_channel(tmp_path):
    root = official_city(tmp_path)
    write_picture(
        root / "gtFine/train/aachen/aachen_000000_000000_gtFine_labelIds.png",
        np.full((48, 64), 255, np.uint8),
    )
    assert next(cityscapes.clips(settings(root))["train"]).labels[0].min() == 34


def test_vid2vid_layout_of_cityscapes(tmp_path):
    for split in ("train", "test"):
        for t, frame in enumerate(FRAMES):
            write_picture(tmp_path / f"{split}_B/seq0/{t:04d}.png", frame)
            write_picture(tmp_path / f"{split}_A/seq0/{t:04d}.png", label_map(t))
            write_picture(tmp_path / f"{split}_inst/seq0/{t:04d}.png", label_map(t))
    task = settings(tmp_path)
    found = every_split(cityscapes, task)
    assert [[c.name for c in found[s]] for s in found] == [
        ["train_seq0_00000"],
        [],  # too short to hold any back
        ["test_seq0_00000"],
    ]
    with pytest.raises(SlimvidError, match=r"task field test_frames: .* has splits of its own"):
        cityscapes.clips(settings(tmp_path, test_frames=(0, 4)))
    assert cityscapes.condition_spec(task).channels == 36


CITY_FINE = "gtFine/train/aachen/aachen_000001_000003_gtFine"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda r: (r / f"{CITY_FINE}_labelIds.png").unlink(), "000003_gtFine_labelIds.png: missing"),
        (lambda r: (r / f"{CITY_FINE}_instanceIds.png").unlink(), "instanceIds.png: missing"),
        (
            lambda r: write_picture(r / f"{CITY_FINE}_labelIds.png", label_map(0)[:-1]),
            "labelIds.png: is 64x47",
        ),
        (
            lambda r: [turn_picture(f) for f in r.glob("*/train/aachen/aachen_000001_000003_*.png")],
            "aachen_000001_000003_leftImg8bit.png: is 48x64, its frame or sequence 64x48",
        ),
        (lambda r: write_picture(r / f"{CITY_FINE}_labelIds.png", label_map(0) + 50), "holds id 76"),
        (lambda r: write_picture(r / f"{CITY_FINE}_labelIds.png", FRAMES[0]), "colour picture"),
        (lambda r: (r / f"{CITY_FINE}_labelIds.png").write_bytes(b"\x89PNG"), "damaged or truncated"),
        (
            lambda r: shutil.rmtree(r / cityscapes.SEQUENCES / "val"),
            "leftImg8bit_sequence/val: no such folder",
        ),
        (lambda r: shutil.rmtree(r / cityscapes.SEQUENCES), "holds no leftImg8bit_sequence/ or images/"),
        (
            lambda r: (
                r / cityscapes.SEQUENCES / "train/aachen/aachen_000001_000003_leftImg8bit.png"
            ).unlink(),
            "missing between aachen_000001_000002_leftImg8bit.png",
        ),
    ],
)
def test_cityscapes_damage_is_named(tmp_path, spoil, word):
    root = official_city(tmp_path)
    spoil(root)
    with pytest.raises(SlimvidError, match=word.replace(".", r"\.")):
        every_split(cityscapes, settings(root))


def test_missing_root_is_named(tmp_path):
    with pytest.raises(SlimvidError, match="gone"):
        every_split(cityscapes, settings(tmp_path / "gone"))


def test_real_cityscapes(real_data):
    task = settings(real_data / "layouts" / "cityscapes", height=64, width=128)
    found = every_split(cityscapes, task)
    assert [len(c) for split in found for c in found[split]] == [7, 3]
    labels = found["train"][0].labels
    assert {7, 23, 26} <= set(np.unique(labels))
    assert found["train"][0].frames[:, -10:].mean() < found["train"][0].frames[:, :10, 40:60].mean()


def test_training_ids_are_not_taken_for_label_ids(tmp_path):
    """As label ids road would become unlabelled, building a border, and void a licence plate."""
    of_label = {7: 0, 23: 10, 26: 13, 11: 2}
    root = official_city(tmp_path, instances=False)
    for t, path in enumerate(sorted((root / "gtFine").rglob("*_labelIds.png"))):
        ids = label_map(t % 6)
        ids[:, :6] = 11  # a building
        write_picture(path, ids)
    assert next(cityscapes.clips(settings(root))["train"]).labels[0].max() == 26
    for t, path in enumerate(sorted((root / "gtFine").rglob("*_labelIds.png"))):
        ids = label_map(t % 6)
        ids[:, :6] = 11
        write_picture(path, np.vectorize(of_label.get)(ids).astype(np.uint8))
    with pytest.raises(SlimvidError, match=r"labelIds\.png: holds trainIds .*; give the labelIds files"):
        next(cityscapes.clips(settings(root))["train"])


def stills_city(root: Path, *, instances: bool = True) -> Path:
    """Five annotated pictures in each of two training cities and three in one to test on, beside no video."""
    for split, city, count in (("train", "aachen", 5), ("train", "ulm", 5), ("val", "lindau", 3)):
        for t in range(count):
            stem = f"{city}_{t:06d}_000019"
            write_picture(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", FRAMES[t])
            fine = root / "gtFine" / split / city
            write_picture(fine / f"{stem}_gtFine_labelIds.png", label_map(t))
            write_picture(fine / f"{stem}_gtFine_color.png", FRAMES[t])  # comes with them, and is not read
            if instances:
                write_picture(fine / f"{stem}_gtFine_instanceIds.png", 26 * label_map(t).astype(np.uint16))
    return root


def test_annotated_pictures_are_clips_of_one_frame(tmp_path):
    task = settings(stills_city(tmp_path), stills=True, val_images=2, teacher="pix2pix")
    found = every_split(cityscapes, task)
    assert [len(found[split]) for split in ("train", "val", "test")] == [8, 2, 3]
    assert {len(clip) for split in found for clip in found[split]} == {1} and task.longest == 1
    held = [clip.name for clip in found["val"]]  # from all cities
    assert held == ["val_aachen_000000_000019_leftImg8bit", "val_ulm_000000_000019_leftImg8bit"]
    clip, spec = found["test"][2], cityscapes.condition_spec(task)
    assert clip.name == "test_lindau_000002_000019_leftImg8bit" and clip.flow is None
    assert np.array_equal(np.unique(clip.labels), [7, 23, 26]) and spec.channels == 36
    other = every_split(cityscapes, settings(tmp_path, stills=True, instances=False))["test"][2]
    assert other.frames.tobytes() == clip.frames.tobytes()
    plain = settings(stills_city(tmp_path / "plain", instances=False), stills=True)
    assert cityscapes.condition_spec(plain).channels == 35


def test_pictures_beside_the_video_train_only_where_stills_are_asked_for(tmp_path):
    stills_city(official_city(tmp_path))
    assert {len(clip) for clip in every_split(cityscapes, settings(tmp_path))["train"]} == {6}
    assert {len(clip) for clip in every_split(cityscapes, settings(tmp_path, stills=True))["train"]} == {1}


STILL = "gtFine/train/ulm/ulm_000003_000019_gtFine"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (
            lambda r: (r / f"{STILL}_labelIds.png").unlink(),
            "ulm_000003_000019_gtFine_labelIds.png: missing; every picture needs labels: restore the file",
        ),
        (lambda r: (r / f"{STILL}_instanceIds.png").unlink(), "instanceIds.png: missing; every picture"),
        (
            lambda r: write_picture(r / f"{STILL}_labelIds.png", label_map(0) + 50),
            "labelIds.png: holds id 76",
        ),
        (lambda r: write_picture(r / f"{STILL}_labelIds.png", label_map(0)[:-1]), "labelIds.png: is 64x47"),
        (
            lambda r: [turn_picture(f) for f in r.glob("*/train/ulm/ulm_000003_*.png")],
            "ulm_000003_000019_leftImg8bit.png: is 48x64, its frame or sequence 64x48",
        ),
        (
            lambda r: shutil.rmtree(r / "leftImg8bit/val"),
            "leftImg8bit/val: no such folder; the pictures of `stills: true` are in leftImg8bit/train",
        ),
    ],
)
def test_damage_among_pictures_is_named(tmp_path, spoil, word):
    root = stills_city(tmp_path)
    spoil(root)
    with pytest.raises(SlimvidError, match=word.replace(".", r"\.")) as error:
        every_split(cityscapes, settings(root, stills=True))
    assert "\n" not in str(error.value)


def test_the_footage_without_pictures_is_no_task_of_stills(tmp_path):
    with pytest.raises(SlimvidError, match="leftImg8bit/train: no such folder"):
        cityscapes.clips(settings(official_city(tmp_path), stills=True))
    for key, value in (("stride", 2), ("clip_frames", 8), ("fps", 17.0)):
        with pytest.raises(ValueError, match=f"`{key}:` is of videos"):
            settings(tmp_path, stills=True, **{key: value})

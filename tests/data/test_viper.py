"""Viper: the official layout within the game, and unpaired with Cityscapes."""

from pathlib import Path

import numpy as np
import pytest
from toy_footage import every_split, moving, task_settings, turn_picture, write_picture

from slimvid.data import cityscapes, viper
from slimvid.data.palette import paint
from slimvid.data.prepare import prepare
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

FRAMES = moving(12, 48, 64)


def settings(path: Path, translation: str = "game2label", **over) -> TaskSettings:
    return task_settings("viper", path, translation=translation, **over)


def classes(t: int) -> np.ndarray:
    ids = np.full((48, 64), 3, np.uint8)
    ids[:16], ids[20:30, t : t + 20], ids[30:, :24] = 2, 24, 25
    return ids


def game(root: Path, *, splits=("train", "val"), sequences: int = 3, length: int = 6, colours: bool = True):
    for split in splits:
        for number in range(sequences):
            for t in range(length):
                name = f"{number:03d}/{number:03d}_{t + 1:05d}"
                write_picture(root / split / "img" / f"{name}.png", FRAMES[t])
                labels = paint(classes(t), viper.PALETTE) if colours else classes(t)
                write_picture(root / split / "cls" / f"{name}.png", labels)
    return root


def city(root: Path, *, sequences: int = 3, length: int = 5) -> Path:
    for split, name in (("train", "aachen"), ("val", "lindau")):
        for sequence in range(sequences):
            for t in range(length):
                stem = f"{name}_{sequence:06d}_{t:06d}_leftImg8bit.png"
                write_picture(root / cityscapes.SEQUENCES / split / name / stem, 255 - FRAMES[t + sequence])
    return root


@pytest.mark.parametrize("colours", [True, False])
def test_labels_are_pictures_both_ways(tmp_path, colours):
    root = game(tmp_path, colours=colours)
    to_label = every_split(viper, settings(root))
    assert [c.name for c in to_label["train"]] == ["train_000_00000", "train_001_00000"]
    assert [c.name for c in to_label["val"]] == ["train_002_00000"]  # a sequence of its own
    assert [c.name for c in to_label["test"]] == ["val_000_00000", "val_001_00000", "val_002_00000"]
    clip = to_label["train"][0]
    assert clip.fps == 15
    assert set(np.unique(clip.labels)) == ({2, 3, 24, 29} if colours else {2, 3, 24, 25})
    assert np.array_equal(clip.frames, paint(clip.labels, viper.PALETTE))
    back = every_split(viper, settings(root, "label2game"))["train"][0]
    assert np.array_equal(back.image, clip.frames) and np.array_equal(back.frames, clip.image)


def test_ranges_are_refused_where_there_are_splits(tmp_path):
    with pytest.raises(SlimvidError, match=r"task field train_frames: .* has splits of its own"):
        viper.clips(settings(game(tmp_path), train_frames=(0, 4)))


def test_train_alone_is_split_between_sequences(tmp_path):
    found = every_split(viper, settings(game(tmp_path, splits=("train",), sequences=4)))
    assert [c.name[:9] for c in found["train"]] == ["train_000", "train_001"]
    assert [c.name[:9] for c in found["val"]] == ["train_002"]
    assert [c.name[:9] for c in found["test"]] == ["train_003"]


def test_game_beside_city_is_not_aligned(tmp_path):
    folders = {"path_target": city(tmp_path / "city", sequences=4), "teacher": "recyclegan"}
    task = settings(game(tmp_path / "viper"), "game2camera", **folders)
    found = every_split(viper, task)
    assert [c.name for c in found["train"]] == ["train_000_00000", "train_001_00000", "train_000_00000.1"]
    assert [c.name for c in found["val"]] == ["train_002_00000"]
    assert [c.name for c in found["test"]] == ["val_000_00000", "val_001_00000", "val_002_00000"]
    assert all(len(c) == 5 and c.labels is None for split in found.values() for c in split)
    first, again = found["train"][0], found["train"][2]
    assert np.array_equal(first.image, again.image) and not np.array_equal(first.frames, again.frames)
    prepare("viper2city", task, tmp_path / "store")
    store = PreparedTask(tmp_path / "store")
    assert store.meta.aligned == () and store.meta.classes == () and not store.meta.label_frames
    assert store.meta.source == "viper: viper and city, unpaired, game2camera"


def test_a_folder_of_city_sequences_does_too(tmp_path):
    for sequence in ("a", "b", "c"):
        for t in range(6):
            write_picture(tmp_path / "city/images" / sequence / f"{t:03d}.png", FRAMES[t])
    own = {"path_target": tmp_path / "city", "teacher": "recyclegan"}
    found = every_split(viper, settings(game(tmp_path / "viper"), "game2camera", **own))
    assert {split: len(found[split]) for split in found} == {
        "train": 2,
        "val": 0,
        "test": 3,
    }  # val: too short
    remedy = "give it `teacher: cyclegan` or `teacher: recyclegan`"
    with pytest.raises(ValueError, match=f"game2camera has no pairs: {remedy}"):
        settings(tmp_path / "viper", "game2camera", path_target=tmp_path / "city")


def test_task_facts():
    for translation, labelled in (("game2label", True), ("label2game", False)):
        facts = viper.task_facts(settings(Path("x"), translation))
        assert facts["label_frames"] == labelled and len(facts["palette"]) == len(facts["label_names"]) == 32


def test_a_frame_without_class_map_is_named(tmp_path):
    root = game(tmp_path)
    missing = root / "train/cls/001/001_00003.png"
    missing.unlink()
    with pytest.raises(SlimvidError, match=r"img/001/001_00003\.png: has no class map file in .*add one"):
        every_split(viper, settings(root))
    own = {"path_target": city(tmp_path / "city"), "teacher": "recyclegan"}
    every_split(viper, settings(root, "game2camera", **own))  # which needs none


def test_a_strange_colour_is_named(tmp_path):
    root = game(tmp_path)
    picture = paint(classes(1), viper.PALETTE)
    picture[3, 4] = (1, 2, 3)
    write_picture(root / "train/cls/000/000_00002.png", picture)
    with pytest.raises(SlimvidError, match=r"000_00002\.png: colour \(1, 2, 3\) is no Viper class"):
        every_split(viper, settings(root))


@pytest.mark.parametrize("translation", ["game2label", "label2game", "game2camera"])
def test_a_frame_of_another_shape_is_named(tmp_path, translation):
    own = {}
    if translation == "game2camera":
        own = {"path_target": city(tmp_path / "city"), "teacher": "recyclegan"}
    root = game(tmp_path / "viper")
    for file in root.glob("train/*/001/001_00003.png"):
        turn_picture(file)
    with pytest.raises(SlimvidError, match=r"img/001/001_00003\.png: is 48x64, its frame or sequence 64x48"):
        every_split(viper, settings(root, translation, **own))


def test_so_is_one_of_the_other_domain(tmp_path):
    own = {"path_target": city(tmp_path / "city"), "teacher": "recyclegan"}
    turn_picture(tmp_path / "city/leftImg8bit_sequence/train/aachen/aachen_000001_000002_leftImg8bit.png")
    with pytest.raises(SlimvidError, match=r"aachen_000001_000002_leftImg8bit\.png: is 48x64"):
        every_split(viper, settings(game(tmp_path / "viper"), "game2camera", **own))


def test_sequences_may_differ_in_shape(tmp_path):
    root = game(tmp_path)
    for file in root.glob("train/*/001/*.png"):
        turn_picture(file)
    assert len(every_split(viper, settings(root))["train"]) == 2


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(SlimvidError, match=r"train/img: no such folder"):
        every_split(viper, settings(tmp_path))
    own = {"path_target": tmp_path, "teacher": "recyclegan"}
    task = settings(game(tmp_path / "viper"), "game2camera", **own)
    with pytest.raises(SlimvidError, match="give the Cityscapes folder as `path_target`"):
        every_split(viper, task)

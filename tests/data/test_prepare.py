"""The step `prepare`, from settings to a store that opens."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from toy_footage import moving, write_picture

from slimvid.data.prepare import SOURCES, describe, prepare
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings


@pytest.fixture
def folder(tmp_path) -> Path:
    for t, frame in enumerate(moving(16, 48, 64)):
        write_picture(tmp_path / "film" / f"{t:03d}.png", frame)
    return tmp_path / "film"


def settings(folder: Path, **over) -> TaskSettings:
    size = {"height": 32, "width": 32}
    return TaskSettings(**{"source": "video", "path": folder, "fps": 12.5, "clip_frames": 8, **size, **over})


def test_video_task_is_ready_for_training(folder, tmp_path, caplog):
    with caplog.at_level("INFO", logger="slimvid"):
        prepare("edges2film", settings(folder), tmp_path / "out")
    assert "edges2film: train 1 clips, 11 frames; val none: the footage is too short" in caplog.text
    task = PreparedTask(tmp_path / "out")
    assert (task.meta.task, task.meta.source, task.meta.fps) == ("edges2film", "video: film", 12.5)
    lengths = [c.length for split in ("train", "val", "test") for c in task.clips(split)]
    assert lengths == [11, 5]
    window = task.window("train", task.clips("train")[0].name, [0, 1, 2, 3])
    assert window.frames.shape == (4, 3, 32, 32)
    assert window.conditions.shape == (4, 1, 32, 32)
    assert window.valid[1:].mean() > 0.5


def test_preparing_twice_gives_the_same_bytes(folder, tmp_path):
    for name in ("x", "y"):
        prepare("t", settings(folder), tmp_path / name)
    ours, theirs = (
        {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / n).iterdir()}
        for n in ("x", "y")
    )
    assert ours == theirs
    prepare("t", settings(folder, canny=(50, 100)), tmp_path / "y")
    assert PreparedTask(tmp_path / "x").digest != PreparedTask(tmp_path / "y").digest


def test_bad_source_leaves_nothing_behind(folder, tmp_path):
    (folder / "014.png").write_bytes((folder / "014.png").read_bytes()[:100])
    with pytest.raises(SlimvidError, match=r"014\.png: damaged or truncated"):
        prepare("t", settings(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_every_source_of_the_configuration_has_a_module():
    from typing import get_args

    assert set(get_args(TaskSettings.model_fields["source"].annotation)) == set(SOURCES)


def test_description_names_the_data_not_the_machine(folder):
    assert str(folder.parent) not in describe(settings(folder))
    world = TaskSettings(source="world", world="face", height=64, width=64, seed=3)
    assert describe(world) == "procedural world: face, seed 3"
    own = {"world": "city", "translation": "game2camera", "teacher": "recyclegan"}
    unpaired = world.model_copy(update=own)
    assert describe(unpaired) == "procedural world: city, game2camera, unpaired, seed 3"


def test_world_task_is_prepared(tmp_path):
    pytest.importorskip("slimvid.data.worlds")
    over = {"clip_frames": 4, "train_clips": 1, "val_clips": 2, "test_clips": 1}
    prepare("w", TaskSettings(source="world", world="face", height=64, width=64, **over), tmp_path / "w")
    task = PreparedTask(tmp_path / "w")
    assert task.meta.source.startswith("procedural world")
    assert [len(task.clips(split)) for split in ("train", "val", "test")] == [1, 2, 1]
    assert np.ptp(task.frame("test", task.clips("test")[0].name, 0)) > 50

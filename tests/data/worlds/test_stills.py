"""Single pictures of the worlds: moments of scenes of their own, and one frame drawn for each."""

import numpy as np
import pytest

from slimvid.data.prepare import describe, prepare
from slimvid.data.store import PreparedTask
from slimvid.data.worlds import FIRST, OWN, canvas, city, clips, take
from slimvid.data.worlds.face import person
from slimvid.settings import TaskSettings

SCENES = {  # world and translation -> the maps that go with a frame
    ("face", None): {"edges", "landmarks"},
    ("city", None): {"labels", "instances"},
    ("city", "game2camera"): {"image", "labels"},
    ("body", None): {"keypoints", "densepose"},
}
PICTURES = [*SCENES, ("aerial", None), ("object", None)]


def settings(world: str, translation: str | None = None, **changes) -> TaskSettings:
    small = {"height": 48, "width": 64, "seed": 3, "train_clips": 4, "val_clips": 2, "test_clips": 2}
    own = {"source": "world", "world": world, "translation": translation, "teacher": "pix2pix"}
    return TaskSettings(**(own | {"stills": True} | small | changes))


def every(task: TaskSettings) -> dict[str, list]:
    return {split: list(found) for split, found in clips(task).items()}


@pytest.fixture
def drawn(monkeypatch) -> list[None]:
    """An entry for every frame that a renderer draws."""
    calls, frame = [], canvas.Renderer.frame

    def counted(self, **told):
        calls.append(None)
        return frame(self, **told)

    monkeypatch.setattr(canvas.Renderer, "frame", counted)
    return calls


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_still_is_a_moment_of_the_video_and_is_drawn_alone(scene, drawn):
    looks, moments = 2 if scene[1] else 1, city.MOMENTS if scene[0] == "city" else 1
    pictures = list(clips(settings(*scene))["train"])
    assert len(drawn) == looks * len(pictures) == looks * 4
    assert [picture.name for picture in pictures] == [f"{scene[0]}_train_{k:04d}" for k in range(4)]
    motion = {"clip_frames": take.FRAMES, "fps": take.RATE}
    found = []
    videos = list(clips(settings(*scene, stills=False, train_clips=4 // moments, **motion))["train"])
    for still, video in zip(pictures, [v for v in videos for _ in range(moments)], strict=True):
        assert (len(still), still.fps, still.flow, still.flow_valid) == (1, 1.0, None, None)
        same = [k for k in range(take.FRAMES) if np.array_equal(video.frames[k], still.frames[0])]
        assert len(same) == 1
        for name in SCENES[scene]:
            assert np.array_equal(getattr(video, name)[same[0]], getattr(still, name)[0]), name
        found += same
    assert len(set(found)) == 4 and max(found) - min(found) > take.FRAMES / 3  # any moment, not the first
    assert moments == 1 or set(np.diff(found)) == {take.FRAMES // moments}


@pytest.mark.parametrize("scene", PICTURES, ids=str)
def test_every_picture_is_another_and_no_split_shows_a_scene_of_another(scene):
    pictures = [clip.frames[0].astype(float) for found in every(settings(*scene)).values() for clip in found]
    assert len(pictures) == 8
    for i, a in enumerate(pictures):
        assert all(np.abs(a - b).mean() > 4 for b in pictures[:i])


def test_the_two_sides_of_an_unpaired_task_never_show_one_scene_in_training():
    paired, apart = (
        every(settings("city", "game2camera", teacher=teacher, train_clips=6))
        for teacher in ("pix2pix", "recyclegan")
    )
    for split in ("val", "test"):
        for one, other in zip(paired[split], apart[split], strict=True):
            assert np.array_equal(one.image, other.image) and np.array_equal(one.frames, other.frames)
    conditions = [clip.image[0].astype(int) for clip in apart["train"]]
    for clip, truth in zip(apart["train"], paired["train"], strict=True):
        assert np.array_equal(clip.frames, truth.frames) and np.array_equal(clip.labels, truth.labels)
        assert min(np.abs(seen - truth.image[0]).mean() for seen in conditions) > 15


def test_the_pictures_of_a_split_do_not_depend_on_how_many_follow():
    few, many = (list(clips(settings("city", train_clips=n))["train"]) for n in (5, 9))
    assert len(few) == 5 and len({clip.name for clip in many}) == 9
    for one, other in zip(few, many[:5], strict=True):
        assert one.name == other.name and np.array_equal(one.frames, other.frames)


@pytest.mark.parametrize(("world", "channels"), [("city", 13), ("aerial", 3), ("object", 1)])
def test_the_store_holds_pictures_and_the_same_bytes_again(world, channels, tmp_path):
    task = settings(world, height=32, width=48)
    for name in ("x", "y"):
        prepare("stills", task, tmp_path / name)
    store = PreparedTask(tmp_path / "x")
    assert store.digest == PreparedTask(tmp_path / "y").digest
    assert [len(store.clips(split)) for split in ("train", "val", "test")] == [4, 2, 2]
    assert {info.length for split in ("train", "val", "test") for info in store.clips(split)} == {1}
    window = store.window("train", store.clips("train")[0].name, [0], flow=False)
    assert store.meta.condition.channels == channels
    assert window.conditions.shape == (1, channels, 32, 48)
    assert store.meta.source == describe(task) == f"procedural world: {world}, single pictures, seed 3"


def test_hundreds_of_pictures_leave_the_held_out_looks_alone(monkeypatch):
    """Training pictures go round their own 147 sets of hair, clothes and room."""
    numbers = {"train": [], "val": [], "test": []}

    def render(rng, *, settings, name, number):
        numbers[name.split("_")[1]].append(number)
        return name

    monkeypatch.setattr("slimvid.data.worlds.face.render", render)
    every(settings("face", train_clips=400, val_clips=50, test_clips=50))
    assert [len(found) for found in numbers.values()] == [400, 50, 50]

    def looks(split: str) -> set[tuple]:
        people = [person(np.random.default_rng(0), number=number) for number in numbers[split]]
        return {(who.style, who.outfit, who.room) for who in people}

    assert [len(looks(split)) for split in numbers] == [OWN[split] for split in numbers]
    assert not looks("train") & (looks("val") | looks("test"))
    assert FIRST["val"] == OWN["train"] and FIRST["test"] == FIRST["val"] + OWN["val"]


@pytest.mark.parametrize("key", ["clip_frames", "fps"])
def test_what_is_of_videos_is_refused(key):
    with pytest.raises(ValueError, match=rf"`{key}:` is of videos, and this task has single pictures; leave"):
        settings("city", **{key: 12})
    assert settings("city").longest == 1


def test_a_worlds_pictures_are_counted_not_held_back():
    with pytest.raises(ValueError, match=r"`val_images:` holds back files; .* `val_clips:` are chosen by"):
        settings("city", val_images=3)

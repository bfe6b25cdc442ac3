"""The city's second look: the same scene, another look, and the truth of each condition."""

import cv2
import numpy as np
import pytest

from slimvid.data.manifest import SPLITS
from slimvid.data.prepare import prepare
from slimvid.data.store import PreparedTask
from slimvid.data.worlds import city, city_game, clips, condition_spec, task_facts
from slimvid.data.worlds.city_street import LABEL, PALETTE
from slimvid.settings import TaskSettings


def settings(translation, **changes) -> TaskSettings:
    small = {"height": 64, "width": 96, "clip_frames": 4, "train_clips": 1, "val_clips": 1, "seed": 3}
    own = {"source": "world", "world": "city", "translation": translation, "fps": 15, "test_clips": 1}
    return TaskSettings(**(own | small | changes))


@pytest.fixture(scope="module")
def shot():
    names = ("game2camera", "game2label", "label2game")
    return {name: next(clips(settings(name))["train"]) for name in names}


def test_the_three_tasks_show_one_street(shot):
    camera, label, game = (shot[n] for n in ("game2camera", "game2label", "label2game"))
    assert np.array_equal(camera.image, label.image) and np.array_equal(label.image, game.frames)
    assert np.array_equal(label.frames, game.image)
    assert np.array_equal(label.frames, np.array(PALETTE, np.uint8)[label.labels])
    assert (camera.labels == label.labels).mean() > 0.93  # sampled thrice, or once, a pixel and axis


def test_the_camera_task_keeps_the_world_as_it_is(shot):
    plain = next(clips(settings(None))["train"])
    assert np.array_equal(shot["game2camera"].frames, plain.frames)
    assert np.array_equal(shot["game2camera"].labels, plain.labels)


def test_the_looks_differ_in_colour_not_in_place(shot):
    clip = shot["game2camera"]
    game, camera = (cv2.cvtColor(x[1], cv2.COLOR_RGB2HSV).astype(float) for x in (clip.image, clip.frames))
    assert game[..., 1].mean() > 1.4 * camera[..., 1].mean()  # saturated
    edges = [np.abs(np.diff(x[..., 2], axis=1)) > 40 for x in (game, camera)]
    assert edges[0].mean() > edges[1].mean()  # hard
    grey = [x[..., 2] - cv2.blur(x[..., 2], (15, 15)) for x in (game, camera)]
    assert np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1] > 0.6


def test_the_game_has_clear_air_and_a_banded_sky(shot):
    clip = shot["game2camera"]
    sky = clip.labels == LABEL["sky"]
    common = [
        np.sort(np.unique(x[sky], axis=0, return_counts=True)[1])[-5:].sum()
        for x in (clip.image, clip.frames)
    ]
    assert common[0] > 0.7 * sky.sum() > 5 * common[1]


def test_flat_surfaces_have_few_tones():
    noisy = np.random.default_rng(0).normal(120, 6, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    assert len(np.unique(city_game.flatten(noisy).reshape(-1, 3), axis=0)) < 0.02 * noisy.shape[0] ** 2


def test_flow_belongs_to_the_frames(shot):
    """A valid pixel shows what its source showed, within the change of light."""
    clip = shot["label2game"]
    y, x = np.mgrid[0:64, 0:96].astype(np.float32)
    flow = clip.flow[2].astype(np.float32)
    moved = cv2.remap(clip.labels[1], x + flow[0], y + flow[1], cv2.INTER_NEAREST)
    valid = clip.flow_valid[2] > 0
    assert valid.mean() > 0.5 and (moved == clip.labels[2])[valid].mean() > 0.97


@pytest.mark.parametrize("translation", ["game2camera", "game2label", "label2game"])
def test_prepared_tasks_know_their_classes(translation, tmp_path):
    prepare("toy", settings(translation, height=32, width=48), tmp_path)
    task = PreparedTask(tmp_path)
    assert task.meta.condition == condition_spec(settings(translation)) and task.meta.condition.channels == 3
    assert task.meta.classes == city.condition_spec().label_names
    assert task.meta.aligned == SPLITS  # of a teacher that learns from pairs
    assert task.meta.label_frames == (translation == "game2label")
    assert task.labels("test", task.clips("test")[0].name, 0) is not None


@pytest.mark.parametrize("translation", ["game2camera", "game2label", "label2game"])
def test_no_training_scene_of_an_unpaired_task_is_seen_in_both_domains(translation):
    """Each domain of the training split has streets of its own; pairs are left for val and test alone."""
    sizes = {"height": 32, "width": 48, "clip_frames": 4, "train_clips": 2}
    unpaired = settings(translation, teacher="recyclegan", **sizes)
    assert task_facts(unpaired)["aligned"] == ("val", "test")
    paired = {split: list(found) for split, found in clips(settings(translation, **sizes)).items()}
    apart = {split: list(found) for split, found in clips(unpaired).items()}
    for split in ("val", "test"):
        for one, other in zip(paired[split], apart[split], strict=True):
            assert np.array_equal(one.image, other.image) and np.array_equal(one.frames, other.frames)
    for clip in apart["train"]:  # its frames' own conditions are nowhere among the conditions
        truth = next(c for c in paired["train"] if np.array_equal(c.frames, clip.frames))
        assert np.array_equal(truth.labels, clip.labels)  # they go with the frames
        seen = [c.image[0].astype(int) for c in apart["train"]]
        assert min(np.abs(picture - truth.image[0]).mean() for picture in seen) > 15


def test_other_worlds_have_one_look():
    with pytest.raises(
        ValueError,
        match="`translation:` would not be read here: it goes with `source: viper` or `world: city`",
    ):
        settings("game2camera", world="face")
    assert task_facts(settings(None)) == {}

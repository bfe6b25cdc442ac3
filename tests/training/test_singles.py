"""Single frames to learn from: pairs stay pairs, two domains never meet, and how pictures are varied."""

from dataclasses import replace

import numpy as np
import torch

from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask, TaskMeta, write_prepared
from slimvid.training.singles import Views, sample_singles


def drawn(store, seed=0, **changes):
    how = {"batch": 6, "paired": True, "views": Views(), "device": "cpu"}
    return sample_singles(PreparedTask(store), np.random.default_rng(seed), **how | changes)


def test_pairs_are_a_frame_and_its_own_condition(looks_task):
    batch = drawn(looks_task)
    negative = 1 - (batch.frames.flip(2) + 1) / 2  # the store's conditions: negatives, red and blue exchanged
    assert torch.allclose(batch.conditions, negative, atol=1 / 255)
    assert batch.frames.shape == (6, 1, 3, 32, 32) and len(set(map(str, batch.places))) > 1


def test_a_pair_is_cropped_and_mirrored_together(looks_task):
    plain = drawn(looks_task)
    batch = drawn(looks_task, views=Views(enlarge=64, flip=True))
    negative = 1 - (batch.frames.flip(2) + 1) / 2
    assert torch.allclose(batch.conditions, negative.clamp(0, 1), atol=0.02)
    assert not torch.allclose(batch.frames, plain.frames, atol=0.02)


def test_half_of_the_pictures_are_mirrored(looks_task):
    task = PreparedTask(looks_task)
    mirrored = []
    for seed in range(10):
        batch = drawn(looks_task, seed, views=Views(flip=True))
        for frame, (name, indices) in zip(batch.frames, batch.places, strict=True):
            own = torch.from_numpy(task.window("train", name, list(indices), flow=False).frames)
            assert torch.equal(frame, own) or torch.equal(frame, own.flip(-1))
            mirrored.append(not torch.equal(frame, own))
    assert 15 < sum(mirrored) < 45


def test_labels_are_never_mixed(sliding, tmp_path):
    """Enlarged label maps hold whole labels: bicubic interpolation would make classes that are not there."""
    clip = sliding("a", length=8, seed=0)
    clip = replace(clip, edges=None, labels=clip.edges // 255)
    made = {split: [replace(clip, name=split)] for split in ("train", "val", "test")}
    spec = ConditionSpec(kind="labels", label_names=("dark", "bright"))
    meta = TaskMeta(task="t", source="noise", condition=spec, height=32, width=32, fps=10.0)
    write_prepared(tmp_path / "t", meta, made)
    batch = drawn(tmp_path / "t", views=Views(enlarge=100))
    assert set(batch.conditions.unique().tolist()) == {0.0, 1.0}

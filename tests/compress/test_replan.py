"""Another plan for a network that is there."""

import json

import numpy as np
import pytest
import torch
from pyarrow.parquet import read_table

import slimvid
from slimvid import artifact
from slimvid.data.store import FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translate import translate
from slimvid.measure.budget import training_budget, training_clock
from slimvid.nets import build
from slimvid.nets.shortcut_net import shortcut_spec
from slimvid.settings import MethodSettings


@pytest.fixture
def block(tiny_teacher, tiny_task, tmp_path):
    """The tiny original with an untrained block, and curves as a training leaves them."""
    below = artifact.read(tiny_teacher)
    spec = shortcut_spec(below.spec)
    torch.manual_seed(0)
    net = build(spec)
    net.teacher.load_state_dict(below.module().state_dict())
    artifact.save(
        tmp_path / "block",
        task="tiny",
        method="shortcut",
        spec=spec,
        plan={"kind": "shortcut", "max_interval": 3, "first": "zero"},
        condition=PreparedTask(tiny_task).meta.condition.to_dict(),
        provenance={"seed": 4},
        state=net.state_dict(),
    )
    (tmp_path / "block" / "training.json").write_text('{"updates": 7, "samples": 14}')
    (tmp_path / "block" / "clock.json").write_text('{"cpu_seconds": 3.5, "wall_seconds": 4}')
    return tmp_path / "block"


@pytest.fixture
def replan(compressed, block, tiny_task, tiny_settings, tmp_path):
    def go(options=None, **plan):
        settings = MethodSettings(method="replan", over="shortcut", plan=plan, options=options or {})
        below = {"teacher": block, "teacher_settings": tiny_settings}
        compressed(settings, tiny_task, tmp_path / "often", row="often", **below)
        return tmp_path / "often"

    return go


def test_the_network_stays_and_the_plan_changes(block, replan):
    path = replan(kind="shortcut", max_interval=2)
    document = json.loads((path / "translator.json").read_text())
    assert document["plan"] == {**document["plan"], "kind": "shortcut", "max_interval": 2, "first": "zero"}
    assert document["method"] == "often" and document["provenance"]["replanned"] == "shortcut"
    assert document["provenance"]["seed"] == 4
    assert (path / "weights.safetensors").read_bytes() == (block / "weights.safetensors").read_bytes()
    assert read_table(path / "curves.parquet").to_pydict() == {"step": []}  # of no training, not of another's


def test_what_it_cost_to_train_is_what_the_row_below_cost(block, replan):
    """Its own training is none; a table adds up what a row and the students below it had."""
    path = replan(kind="shortcut", max_interval=2)
    assert training_budget([path]) == {"training_updates": 0, "training_samples": 0}
    assert training_budget([path, block]) == {"training_updates": 7, "training_samples": 14}
    assert training_clock([path, block]) == {"training_cpu_seconds": 3.5}


def test_it_is_walked_by_the_new_plan_and_says_which_frames_were_full(replan, tiny_task, tmp_path):
    path = replan(kind="shortcut", max_interval=4)
    translate(path, tiny_task, None, tmp_path / "f.arrow", tmp_path / "full.json", device="cpu")
    full = json.loads((tmp_path / "full.json").read_text())
    assert full["clips"] == {"test0": [0, 4, 8]} and full["fraction"] == 0.3
    translator = slimvid.load(path, device="cpu")
    data = PreparedTask(tiny_task)
    streamed = translator.stream(data.condition("test", "test0", i) for i in range(10))
    drawn = FrameArchive(tmp_path / "f.arrow")
    assert all(np.array_equal(frame, drawn.frame("test0", i)) for i, frame in enumerate(streamed))


def test_a_budget_takes_the_place_of_the_interval(replan, tiny_task, tmp_path):
    path = replan(kind="shortcut", budget_interval=2.5)
    translate(path, tiny_task, None, tmp_path / "f.arrow", tmp_path / "full.json", device="cpu")
    assert 0 < json.loads((tmp_path / "full.json").read_text())["fraction"] <= 0.4


def test_plans_that_the_network_cannot_follow_are_refused(replan):
    with pytest.raises(SlimvidError, match="kind 'keyframes', the row below has 'shortcut'"):
        replan(kind="keyframes")
    with pytest.raises(SlimvidError, match=r"methods\.often\.options\.width"):
        replan({"width": 1}, kind="shortcut", max_interval=2)

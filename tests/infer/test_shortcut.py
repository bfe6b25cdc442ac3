"""The plan `shortcut`: intervals, budgets, and the stream."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from slimvid import artifact
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.infer.shortcut import (
    AdaptiveInterval,
    ConstantInterval,
    feature_distance,
    full_share,
    schedule,
)
from slimvid.infer.translator import load
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.shortcut_net import shortcut_spec
from slimvid.settings import PlanSettings

A = torch.ones(1, 1, 2, 2)


def full_frames(plan, distances):
    """Indices drawn in full when the content is that far from where it was at the last reference."""
    drawn, position, reference = [0], np.cumsum(distances), 0.0
    for t, at in enumerate(position, start=1):
        if plan.refresh(A * (1 + at - reference), A):
            drawn.append(t)
            reference = at
    return drawn


def test_constant_interval():
    assert full_frames(ConstantInterval(3), np.zeros(9)) == [0, 3, 6, 9]
    assert full_frames(ConstantInterval(1), np.zeros(3)) == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("interval", [1, 2, 3, 4.5])
def test_the_budget_holds_at_every_frame(seed, interval):
    steps = np.random.default_rng(seed).exponential(size=80) ** 3
    drawn = full_frames(AdaptiveInterval(share=1 / interval), steps)
    for n in range(1, 82):
        assert sum(t < n for t in drawn) <= 1 + (n - 1) / interval + 1e-6
    if interval == 1:
        assert len(drawn) == 81


def test_steady_content_is_refreshed_at_the_constant_interval():
    assert full_frames(AdaptiveInterval(share=1 / 3), np.ones(12)) == [0, 3, 6, 9, 12]


def test_what_a_still_scene_saves_a_lively_one_spends():
    steps = np.r_[np.ones(6), np.zeros(30), np.full(30, 3.0)]
    drawn = full_frames(AdaptiveInterval(share=1 / 3), steps)
    still, lively = [t for t in drawn if 8 < t <= 36], [t for t in drawn if t > 36]
    assert len(still) <= 1 and len(lively) > 15 and len(drawn) <= 1 + 66 / 3


def test_a_still_scene_is_refreshed_at_the_longest_interval_at_least():
    drawn = full_frames(AdaptiveInterval(share=1 / 3, max_interval=5), np.r_[np.ones(6), np.zeros(30)])
    assert max(np.diff(drawn)) <= 5


def test_distance_is_relative_and_zero_for_the_same():
    assert feature_distance(A, A) == 0 and feature_distance(0 * A, 0 * A) == 0
    assert feature_distance(30 * A, 20 * A) == pytest.approx(feature_distance(3 * A, 2 * A)) == 0.5


def test_a_budget_in_macs_pays_for_a_share_of_full_frames():
    plan = PlanSettings(kind="shortcut", budget_macs_g=40)
    assert full_share(plan, 70, 10) == pytest.approx(0.5)
    assert full_share(plan, 30, 10) == 1
    with pytest.raises(SlimvidError, match=r"budget_macs_g: 40\.0 does not pay for shortcut frames alone"):
        full_share(plan, 70, 45)
    assert full_share(PlanSettings(kind="shortcut", max_interval=4), 70, 45) == 0.25


def test_plans_have_their_schedules():
    plan = PlanSettings(kind="shortcut", budget_interval=4, max_interval=9)
    assert schedule(plan, share=lambda: 0.25) == AdaptiveInterval(share=0.25, max_interval=9)
    plan = PlanSettings(kind="shortcut", max_interval=9)
    assert schedule(plan, share=lambda: 1 / 0) == ConstantInterval(9)  # nothing to count for it


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"kind": "shortcut"}, "needs max_interval"),
        ({"kind": "shortcut", "max_interval": 0}, "max_interval"),
        ({"kind": "shortcut", "budget_macs_g": 3, "budget_interval": 3}, "not both"),
        ({"kind": "every_frame", "max_interval": 3}, "belongs to the plan `kind: shortcut`"),
    ],
)
def test_plans_that_cannot_be(plan, message):
    with pytest.raises(ValidationError, match=message):
        PlanSettings(**plan)


@pytest.fixture
def saved(tmp_path):
    """A frame-wise translator with a block, under any plan."""

    def make(**plan):
        torch.manual_seed(0)
        spec = shortcut_spec(resnet_spec(4, blocks=2), hidden=4)
        net, condition = build(spec), ConditionSpec(kind="image")
        artifact.save(
            tmp_path / "t",
            task="tiny",
            method="shortcut",
            spec=spec,
            plan={"kind": "shortcut", **plan},
            condition=condition.to_dict(),
            provenance={"seed": 0},
            state=net.state_dict(),
        )
        return load(tmp_path / "t", device="cpu")

    return make


def clip(length, size=(16, 16)):
    return list(np.random.default_rng(0).random((length, 3, *size), np.float32))


@pytest.mark.parametrize("length", [1, 3, 7])
def test_a_stream_is_causal_and_loses_no_frame_between_references(saved, length):
    t, read = saved(max_interval=3), []
    middle = []
    t.net.teacher.model[8].register_forward_hook(lambda *_: middle.append(len(read)))
    count = 0
    for count, frame in enumerate(t.stream(read.append(1) or c for c in clip(length)), start=1):
        assert frame.shape == (16, 16, 3) and len(read) == count
    assert count == length
    assert middle == [n for n in range(1, length + 1) if n % 3 == 1]  # full frames: t mod 3 = 0


def test_interval_one_is_the_original(saved):
    t = saved(max_interval=1)
    alone = t.net.teacher.rollout()
    with torch.inference_mode():
        for frame, c in zip(t.stream(clip(3)), clip(3), strict=True):
            image = alone.step(torch.from_numpy(c)[None]).image
            assert np.abs(frame - ((image[0] + 1) * 127.5).permute(1, 2, 0).numpy()).max() < 0.51


def test_a_size_that_changes_midway_is_named(saved):
    t = saved(max_interval=3)
    with pytest.raises(SlimvidError, match=r"frame 1: size \(16, 20\), the stream began with \(16, 16\)"):
        list(t.stream([*clip(1), *clip(1, (16, 20))]))


def test_a_budget_in_macs_is_kept_by_the_stream(saved):
    constant = saved(max_interval=4).cost(height=16, width=16)
    assert constant.macs_per_generated_frame > constant.macs > constant.macs_shortcut_frame > 0
    t = saved(budget_macs_g=constant.macs / 1e9)
    assert t.cost(height=16, width=16).full_share == pytest.approx(0.25)
    rollout = t.rollout(16, 16)
    with torch.inference_mode():
        for c in clip(25):
            rollout.step(torch.from_numpy(c)[None])
    assert rollout.full_frames <= 7 and rollout.full_frames + rollout.shortcut_frames == 25


def test_half_precision_draws_nearly_the_same(saved):
    full = saved(max_interval=3)
    half = load(full.source.path, device="cpu", precision="bf16")
    for a, b in zip(full.stream(clip(4)), half.stream(clip(4)), strict=True):
        assert np.abs(a.astype(int) - b).mean() < 4

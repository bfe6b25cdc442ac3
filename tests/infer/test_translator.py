"""Streams: causal where the plan is, the same frames by every way in."""

import shutil

import numpy as np
import pytest
import torch

import slimvid
from slimvid import artifact, runtime
from slimvid.data.store import FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json, write_json
from slimvid.infer.interpolate import interpolate
from slimvid.infer.keyframes import select_keyframes
from slimvid.infer.translate import translate
from slimvid.infer.translator import load, with_given


@pytest.fixture(scope="module")
def conditions(tiny_task):
    data = PreparedTask(tiny_task)
    return [data.condition("test", "test0", i) for i in range(10)]


@pytest.fixture
def replanned(tiny_teacher, tmp_path):
    """The tiny original under another plan."""

    def make(**plan):
        source = artifact.read(tiny_teacher)
        state = source.module().state_dict()
        keys = ("task", "method", "spec", "condition", "provenance")
        known = {key: getattr(source, key) for key in keys}
        artifact.save(tmp_path / "t", **known, plan={**source.plan, **plan}, state=state)
        return tmp_path / "t"

    return make


def test_every_frame_is_causal(tiny_teacher, conditions):
    read = []
    source = (read.append(i) or c for i, c in enumerate(conditions))
    for count, frame in enumerate(slimvid.load(tiny_teacher, device="cpu").stream(source), start=1):
        assert frame.shape == (32, 32, 3) and frame.dtype == np.uint8
        assert len(read) == count
    assert count == 10


def test_streams_do_not_disturb_each_other(tiny_teacher, conditions):
    t = slimvid.load(tiny_teacher, device="cpu")
    alone = list(t.stream(conditions))
    pairs = list(zip(t.stream(conditions), t.stream(conditions[::-1]), strict=True))
    assert all(np.array_equal(a, b) for a, (b, _) in zip(alone, pairs, strict=True))


def test_keyframes_plan_gives_every_frame_and_draws_few(replanned, conditions):
    t = slimvid.load(replanned(kind="keyframes", max_gap=4), device="cpu")
    calls = []
    t.net.register_forward_hook(lambda *a: calls.append(1))
    frames = list(t.stream(conditions))
    assert len(frames) == 10 and 2 <= len(calls) < 10


def nth(n, **plan):
    return {"kind": "keyframes", "strategy": "fixed", "interval": n, **plan}


@pytest.mark.parametrize(("mode", "ahead"), [("hold", 0), ("linear", 2), ("dis", 2)])
def test_key_frames_at_an_interval_stream_as_they_come(replanned, conditions, mode, ahead):
    t = slimvid.load(replanned(**nth(3, interpolation=mode)), device="cpu")
    read, calls = [], []
    t.net.register_forward_hook(lambda *a: calls.append(len(read)))
    source = (read.append(i) or c for i, c in enumerate([*conditions, *conditions[:1]]))
    for index, _ in enumerate(t.stream(source)):
        assert len(read) <= index + 1 + ahead
    assert index == 10
    assert calls == ([1, 4, 7, 10] if mode == "hold" else [1, 4, 7, 10, 11])


def test_held_frames_are_those_of_the_frame_drawn_last(replanned, conditions):
    t = slimvid.load(replanned(**nth(4, interpolation="hold")), device="cpu")
    drawn = list(t.draw(conditions[::4]))  # the network's own previous frames are four apart, too
    for index, frame in enumerate(t.stream(conditions)):
        assert np.array_equal(frame, drawn[index // 4])
    assert index == 9


@pytest.mark.parametrize("first", ["zero", "real"])
@pytest.mark.parametrize("mode", ["hold", "dis", "mci"])
def test_a_stream_at_an_interval_is_what_the_steps_write(
    replanned, conditions, tiny_task, tmp_path, mode, first
):
    path = replanned(**nth(4, interpolation=mode), first=first)
    t = slimvid.load(path, device="cpu")
    keys, generated, whole = (tmp_path / name for name in ("keys.json", "g.arrow", "w.arrow"))
    select_keyframes(tiny_task, t.plan, keys)
    translate(path, tiny_task, keys, generated, tmp_path / "full.json", device="cpu")
    interpolate(generated, tiny_task, t.plan, whole)
    given = [PreparedTask(tiny_task).frame("test", "test0", i) for i in range(t.given)]
    archive = FrameArchive(whole)
    streamed = list(t.stream(conditions, first_frames=given))
    assert len(streamed) == len(archive.indices("test0")) == 10
    assert all(np.array_equal(archive.frame("test0", i), frame) for i, frame in enumerate(streamed))


def test_given_first_frames_come_out_unchanged(replanned, conditions, tiny_task):
    t = slimvid.load(replanned(first="real"), device="cpu")
    first = [PreparedTask(tiny_task).frame("test", "test0", i) for i in range(2)]
    frames = list(t.stream(conditions, first_frames=first))
    assert np.array_equal(frames[0], first[0]) and np.array_equal(frames[1], first[1])
    assert len(frames) == 10
    with pytest.raises(SlimvidError, match="first_frames: 0 given, this translator needs 2"):
        next(t.stream(conditions))


def test_translate_writes_the_same_frames_as_a_stream(tiny_teacher, tiny_task, conditions, tmp_path):
    translate(tiny_teacher, tiny_task, None, tmp_path / "frames.arrow", tmp_path / "full.json", device="cpu")
    archive = FrameArchive(tmp_path / "frames.arrow")
    streamed = list(slimvid.load(tiny_teacher, device="cpu").stream(conditions))
    assert all(np.array_equal(archive.frame("test0", i), f) for i, f in enumerate(streamed))
    first = (tmp_path / "frames.arrow").read_bytes()
    translate(tiny_teacher, tiny_task, None, tmp_path / "frames.arrow", tmp_path / "full.json", device="cpu")
    assert (tmp_path / "frames.arrow").read_bytes() == first


def test_translate_draws_the_chosen_frames(replanned, tiny_task, tmp_path):
    write_json(tmp_path / "keys.json", {"clips": {"test0": [0, 4, 9]}})
    path = replanned(kind="keyframes")
    translate(
        path, tiny_task, tmp_path / "keys.json", tmp_path / "f.arrow", tmp_path / "full.json", device="cpu"
    )
    assert FrameArchive(tmp_path / "f.arrow").indices("test0") == [0, 4, 9]
    with pytest.raises(SlimvidError, match="needs its key-frame file"):
        translate(path, tiny_task, None, tmp_path / "f.arrow", tmp_path / "full.json", device="cpu")
    write_json(tmp_path / "keys.json", {"clips": {"other": [0]}})
    with pytest.raises(SlimvidError, match="holds other clips"):
        translate(
            path,
            tiny_task,
            tmp_path / "keys.json",
            tmp_path / "f.arrow",
            tmp_path / "full.json",
            device="cpu",
        )


def test_wrong_conditions_are_named(tiny_teacher, conditions):
    t = slimvid.load(tiny_teacher, device="cpu")
    with pytest.raises(SlimvidError, match=r"frame 0: shape \(2, 32, 32\), this translator reads 1"):
        next(t.stream([np.zeros((2, 32, 32), np.float32)]))
    with pytest.raises(SlimvidError, match=r"frame 1: size \(16, 16\), the stream began with \(32, 32\)"):
        list(t.stream([conditions[0], np.zeros((1, 16, 16), np.float32)]))
    with pytest.raises(SlimvidError, match="30x32"):
        next(t.stream([np.zeros((1, 30, 32), np.float32)]))


BAD = {  # what a stream is given as its second condition, and what is said of it
    "a list": (lambda c: c.tolist(), "is list; give a NumPy array"),
    "bytes": (lambda c: (c * 255).astype(np.uint8), "is uint8; .*bytes are divided by 255"),
    "bytes as floats": (lambda c: c + 254, r"values from 254 to 255; they must lie in \[0, 1\]"),
    "the network's range": (lambda c: c * 2 - 1, r"values from -1 to"),
    "NaN": (lambda c: np.where(np.arange(32) == 31, np.nan, c), "values from nan to nan"),
}


@pytest.mark.parametrize("plan", [{}, nth(5), nth(5, interpolation="hold"), {"kind": "keyframes"}])
@pytest.mark.parametrize("bad", BAD)
def test_a_condition_of_another_type_or_range_is_named(replanned, conditions, plan, bad):
    spoil, said = BAD[bad]
    t = slimvid.load(replanned(**plan), device="cpu")
    with pytest.raises(SlimvidError, match=f"condition of frame 1: {said}"):
        list(t.stream([conditions[0], spoil(conditions[1]), *conditions[2:]]))


def test_any_floating_type_and_its_rounding_are_taken(tiny_teacher, conditions):
    t = slimvid.load(tiny_teacher, device="cpu")
    drawn = list(t.stream(conditions))
    rounded = [np.nextafter(c.astype(np.float64), 2) for c in conditions]  # a bit above 1
    assert max(c.max() for c in rounded) > 1
    assert all(np.array_equal(a, b) for a, b in zip(t.stream(rounded), drawn, strict=True))


@pytest.mark.parametrize("change", [lambda f: f[:16], lambda f: f / 255, lambda f: f[..., 0], lambda f: None])
def test_a_first_frame_of_another_kind_is_named(replanned, conditions, tiny_task, change):
    t = slimvid.load(replanned(first="real"), device="cpu")
    first = [PreparedTask(tiny_task).frame("test", "test0", i) for i in range(2)]
    with pytest.raises(SlimvidError, match=r"first_frames\[1\]: .* as uint8 32 x 32 x 3"):
        list(t.stream(conditions, first_frames=[first[0], change(first[1])]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"condition": {}}, "condition: "),
        ({"condition": {"kind": "edges", "size": 1}}, "condition: .*size"),
        ({"condition": {"kind": "pose"}}, "condition: has 6 channels, the network reads 1"),
        ({"plan": {"kind": "shortcut", "max_interval": 3}}, r"plan\.kind: 'shortcut' needs a Shortcut block"),
        ({"plan": {"first": "generator"}}, r"plan\.first: 'generator', but spec has no first_frame"),
    ],
)
def test_parts_of_an_artifact_that_do_not_fit_are_named(tiny_teacher, tmp_path, changes, said):
    path = shutil.copytree(tiny_teacher, tmp_path / "t")
    write_json(path / "translator.json", {**read_json(path / "translator.json"), **changes})
    with pytest.raises(SlimvidError, match=rf"translator\.json: {said}"):
        slimvid.load(path, device="cpu")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"precision": "fp16"}, "precision 'fp16'"),
        ({"threads": 0}, "threads 0"),
        ({"device": "tpu"}, "'tpu'"),
    ],
)
def test_what_no_machine_has_is_refused(tiny_teacher, option, said):
    with pytest.raises(SlimvidError, match=said):
        load(tiny_teacher, **{"device": "cpu", **option})


def test_a_torch_device_is_one(tiny_teacher):
    assert slimvid.load(tiny_teacher, device=torch.device("cpu")).runtime.device == "cpu"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"height": 30}, "30x32"),
        ({"height": 32.0}, r"frame size 32\.0 x 32: give height and width in whole pixels"),
        ({"width": -32}, r"frame size 32 x -32"),
        ({"key_fraction": 0}, "key_fraction 0"),
        ({"key_fraction": 2}, "key_fraction 2"),
        ({"key_fraction": float("nan")}, "key_fraction nan"),
    ],
)
def test_a_cost_of_no_size_or_share_is_refused(tiny_teacher, arguments, said):
    t = slimvid.load(tiny_teacher, device="cpu")
    with pytest.raises(SlimvidError, match=said):
        t.cost(**{"height": 32, "width": 32, **arguments})


def test_cost_is_asked_of_the_translator(tiny_teacher):
    t = slimvid.load(tiny_teacher, device="cpu")
    cost = t.cost(height=64, width=64, key_fraction=0.5)
    assert cost.macs == pytest.approx(cost.macs_per_generated_frame / 2) and cost.params > 0


def test_cost_of_key_frames_needs_their_share(replanned):
    t = slimvid.load(replanned(kind="keyframes"), device="cpu")
    with pytest.raises(SlimvidError, match="key_fraction"):
        t.cost(height=32, width=32)
    assert t.cost(height=32, width=32, key_fraction=0.25).key_fraction == 0.25


def test_cost_of_an_interval_is_that_of_a_long_clip_unless_the_share_is_given(replanned):
    t = slimvid.load(replanned(**nth(4, interpolation="hold")), device="cpu")
    cost = t.cost(height=32, width=32)
    assert cost.macs == pytest.approx(cost.macs_per_generated_frame / 4)
    assert t.cost(height=32, width=32, key_fraction=0.3).key_fraction == 0.3


def test_given_indices_join_the_keys():
    assert with_given([0, 5, 9], 2) == [0, 1, 5, 9]


def test_auto_precision_keeps_to_layers_that_were_compared(tiny_teacher, conditions, monkeypatch):
    """And a stream in it shows what one in fp32 shows, but for rounding."""
    monkeypatch.setattr(runtime, "_native_bf16", lambda device: True)
    exact = np.stack(list(load(tiny_teacher, device="cpu").stream(conditions))).astype(int)
    mixed = load(tiny_teacher, device="cpu", precision="auto")
    assert mixed.runtime.precision == "bf16"
    frames = np.stack(list(mixed.stream(conditions))).astype(int)
    assert 0 < np.abs(frames - exact).mean() < 2
    monkeypatch.setitem(runtime.COMPARED, "cpu", frozenset())
    assert load(tiny_teacher, device="cpu", precision="auto").runtime.precision == "fp32"

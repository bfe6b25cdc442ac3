"""Key-frame selection."""

import json

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.infer.keyframes import (
    every_nth,
    fixed_keys,
    motion_curve,
    motion_keys,
    peaks,
    random_keys,
    select,
    select_keyframes,
    smooth,
)
from slimvid.settings import PlanSettings


def _pictures(levels, size=(8, 10)):
    """One grey picture per level."""
    return [np.full((*size, 3), level, np.uint8) for level in levels]


def _plan(**fields) -> PlanSettings:
    return PlanSettings(kind="keyframes", **fields)


def test_curve_is_a_sum_of_absolute_differences_that_does_not_wrap():
    curve = motion_curve(iter(_pictures([0, 0, 255, 0, 250], size=(300, 400))))
    assert curve.dtype == np.float64 and curve.shape == (4,)
    assert curve[0] == 0 and curve[1] == curve[2] == 255 * 300 * 400  # L runs over 0..255, u and v stay
    assert 0 < curve[3] < curve[2]


def test_curve_sees_colour_at_equal_brightness():
    red, green = np.zeros((2, 16, 16, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 138  # the same lightness
    assert motion_curve([red, green])[0] > 16 * 16 * 60


@pytest.mark.parametrize("count", [0, 1])
def test_curve_of_short_clips_is_empty(count):
    assert motion_curve(_pictures([7] * count)).shape == (0,)


def test_curve_names_the_picture_of_another_size():
    with pytest.raises(SlimvidError, match="picture 1: size"):
        motion_curve([*_pictures([0]), *_pictures([0], size=(9, 9))])
    with pytest.raises(SlimvidError, match="picture 0: float64"):
        motion_curve([np.zeros((4, 4, 3))])


def test_window_three_smooths_nothing_and_five_takes_quarters():
    curve = np.array([1.0, 5.0, 2.0, 8.0, 8.0, 0.0])
    for window in (1, 2, 3):
        assert np.array_equal(smooth(curve, window), curve)
    smoothed = smooth(curve, 5)
    assert smoothed[1] == pytest.approx(0.25 * 1 + 0.5 * 5 + 0.25 * 2)
    assert smoothed[0] == pytest.approx(curve[0])  # mirrored about the end: (2*1-5)/4 + 1/2 + 5/4
    assert len(smooth(curve, 4)) == len(smooth(curve, 51)) == len(curve)


def test_large_sums_do_not_wrap_when_the_padding_goes_below_zero():
    curve = np.array([1, 9e8, 2, 3, 2, 1, 0])
    assert np.all(np.abs(smooth(curve, 7)) < 1e9)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0, 1, 0, 2, 0], [1, 3]),
        ([0, 3, 3, 3, 0], [1]),  # a plateau once, at its start
        ([0, 2, 2, 3, 0], [3]),  # a step on the way up is no peak
        ([0, 3, 2, 2, 1], [1]),  # nor one on the way down
        ([3, 3, 1, 3, 3], []),  # plateaus at the ends are not
        ([5, 5, 5, 5], []),
        ([0, 0, 7, 0, 0, 7, 7, 0], [2, 5]),
        ([1, 2], []),
        ([], []),
    ],
)
def test_peaks(curve, expected):
    assert peaks(np.array(curve, dtype=float)) == expected


@pytest.mark.parametrize("window", [5, 7, 9, 11])
def test_smoothing_noise_makes_no_peaks(window):
    """Footage with every frame shown twice: the smoothed curve is level but for its last bits."""
    held = np.tile([3.0, 1e8 + 7], 20)
    assert peaks(smooth(held, window)) == []
    assert peaks(smooth(np.full(33, 1e8 / 3), window)) == []


def test_peak_names_the_frame_that_brought_the_motion_and_ends_are_forced():
    assert select(_pictures([0, 0, 0, 90, 95, 95, 95]), _plan()) == [0, 3, 6]


def test_held_frames_do_not_hide_a_peak():
    # every frame shown twice: the curve alternates with zeros
    assert select(_pictures([0, 0, 50, 50, 150, 150, 160, 160]), _plan()) == [0, 2, 4, 6, 7]


def test_static_clip_keeps_its_ends_and_the_cap_fills_it():
    assert motion_keys(np.zeros(9)) == [0, 9]
    assert motion_keys(np.zeros(9), max_gap=4) == [0, 3, 6, 9]
    assert motion_keys(np.zeros(9), max_gap=1) == list(range(10))
    assert motion_keys(np.zeros(0)) == [0]
    assert motion_keys(np.zeros(1), max_gap=8) == [0, 1]


def test_cap_keeps_the_peaks_and_holds():
    rng = np.random.default_rng(1)
    curve = rng.random(200) * (np.arange(200) % 40 < 10)
    free, capped = motion_keys(curve, window=5), motion_keys(curve, window=5, max_gap=6)
    assert set(free) < set(capped)
    assert np.diff(free).max() > 6 and np.diff(capped).max() <= 6
    assert capped == sorted(set(capped))


def test_larger_windows_take_fewer_frames():
    curve = np.random.default_rng(0).random(400)
    counts = [len(motion_keys(curve, window=w)) for w in (3, 5, 9, 17)]
    assert counts == sorted(counts, reverse=True) and len(set(counts)) == 4


def test_fixed_keys():
    assert fixed_keys(10, 4) == [0, 3, 6, 9]
    assert fixed_keys(10, 1) == [0, 9] and fixed_keys(1, 5) == [0] and fixed_keys(4, 99) == [0, 1, 2, 3]
    assert all(len(set(fixed_keys(n, k))) == k for n in range(2, 40) for k in range(2, n + 1))


def test_random_keys():
    draw = [random_keys(30, 9, np.random.default_rng(s)) for s in (0, 0, 1)]
    assert draw[0] == draw[1] != draw[2]
    for keys in draw:
        assert len(keys) == 9 and keys == sorted(set(keys)) and keys[0] == 0 and keys[-1] == 29
    assert random_keys(1, 3, np.random.default_rng(0)) == [0]
    assert random_keys(2, 3, np.random.default_rng(0)) == [0, 1]


def test_strategies_take_the_same_number_and_random_depends_on_the_clip():
    pictures = _pictures(np.random.default_rng(3).integers(0, 255, 40))
    motion = select(pictures, _plan())
    fixed = select(pictures, _plan(strategy="fixed"))
    drawn = {name: select(pictures, _plan(strategy="random"), clip_name=name) for name in ("a", "b")}
    assert len(motion) == len(fixed) == len(drawn["a"]) == len(drawn["b"])
    assert len({tuple(k) for k in (motion, fixed, drawn["a"], drawn["b"])}) == 4
    assert drawn["a"] == select(pictures, _plan(strategy="random"), clip_name="a")
    assert drawn["a"] != select(pictures, _plan(strategy="random"), clip_name="a", seed=1)


def test_every_frame_and_the_empty_clip():
    assert select(iter(_pictures([1, 2, 3])), PlanSettings()) == [0, 1, 2]
    with pytest.raises(SlimvidError, match="clip 'x': has no frames"):
        select([], _plan(), clip_name="x")


def test_document_of_a_prepared_task(prepared, tmp_path):
    out = tmp_path / "keys.json"
    plan = _plan(max_gap=5)
    select_keyframes(prepared, plan, out)
    document = json.loads(out.read_text())
    assert PlanSettings(**document["plan"]) == plan
    assert list(document["clips"]) == ["test0", "test1"]
    assert all(keys[0] == 0 and keys[-1] == 11 for keys in document["clips"].values())
    assert document["clips"]["test0"] == [0, 4, 8, 11]  # the square jumps at 4 and 8
    assert document["fraction"] == sum(map(len, document["clips"].values())) / 24
    first = out.read_bytes()
    select_keyframes(prepared, plan, out)
    assert out.read_bytes() == first


def test_missing_store_is_named(tmp_path):
    with pytest.raises(SlimvidError, match="nowhere"):
        select_keyframes(tmp_path / "nowhere", _plan(), tmp_path / "keys.json")
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize(
    ("frames", "interval", "held", "interpolated"),
    [
        (10, 3, [0, 3, 6, 9], [0, 3, 6, 9]),
        (11, 3, [0, 3, 6, 9], [0, 3, 6, 9, 10]),
        (12, 3, [0, 3, 6, 9], [0, 3, 6, 9, 11]),
        (4, 1, [0, 1, 2, 3], [0, 1, 2, 3]),
        (4, 9, [0], [0, 3]),
        (1, 3, [0], [0]),
    ],
)
def test_an_interval_counts_frames_and_ends_on_one_where_frames_are_interpolated(
    frames, interval, held, interpolated
):
    pictures = _pictures(range(frames))
    plan = {"strategy": "fixed", "interval": interval}
    assert select(pictures, _plan(**plan, interpolation="hold")) == held
    for mode in ("dis", "mci", "linear"):
        assert select(pictures, _plan(**plan, interpolation=mode)) == interpolated


def test_frames_at_an_interval_come_as_they_are_known_and_given_ones_with_them():
    read = []
    plan = _plan(strategy="fixed", interval=4, interpolation="dis")
    found = every_nth((read.append(i) or i for i in range(10)), plan, given=2)
    assert [(next(found), len(read)) for _ in range(4)] == [
        ((0, 0), 1),
        ((1, 1), 2),
        ((4, 4), 5),
        ((8, 8), 9),
    ]
    assert list(found) == [(9, 9)]
    assert list(every_nth([], plan)) == []


def test_an_interval_over_no_frames_is_named():
    with pytest.raises(SlimvidError, match="clip 'none': has no frames"):
        select([], _plan(strategy="fixed", interval=3), clip_name="none")

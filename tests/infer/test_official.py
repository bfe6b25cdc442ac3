"""The release's list of key-frames and its mis-timing."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.infer.keyframes import motion_curve, motion_keys
from slimvid.infer.official import official_keys, official_schedule, official_time_error


def test_keys_keep_the_forced_frames_and_their_order():
    assert official_keys(np.array([0, 5, 0, 0, 9, 0])) == [0, 1, 2, 2, 5, 6]  # the maximum at 2 comes twice
    assert official_keys(np.zeros(20)) == [0, 1, 2, 20]


def test_plateaus_are_missed_and_ours_are_not():
    held = np.array([0, 4, 4, 0, 7, 0, 0])
    assert official_keys(held) == [0, 1, 2, 5, 7] and motion_keys(held) == [0, 2, 5, 7]


def test_unsigned_padding_swallows_the_first_peak():
    curve = np.array([2, 9, 5, 1, 1, 8, 1, 1])  # the pad before it is 2 * 2 - 5: below zero
    assert motion_keys(curve, window=5) == [0, 2, 6, 8]
    assert official_keys(curve, window=5) == [0, 1, 2, 6, 8]
    assert official_keys(curve + 10, window=5) == [0, 1, 2, 2, 6, 8]  # now it stays above


def test_too_short_for_the_window():
    with pytest.raises(SlimvidError, match="too few for window 11"):
        official_keys(np.zeros(6), window=11)


@pytest.mark.parametrize("keys", [3, 4, 5, 9, 14, 28])
def test_schedule_gives_the_length_and_uniform_gaps(keys):
    gap, positions = official_schedule(keys, 28, np.random.default_rng(0))
    assert len(positions) == 28 and np.all(np.diff(positions) >= 1)
    assert (keys - 2) * gap + 1 >= 28 > (keys - 2) * (gap - 1) + 1 or gap == -(-28 // keys)
    assert positions[0] >= 0 and positions[-1] <= (keys - 2) * gap


def test_schedule_is_seeded_and_refuses_what_never_ends():
    draws = [official_schedule(9, 28, np.random.default_rng(s))[1].tolist() for s in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    with pytest.raises(SlimvidError, match="at least 3"):
        official_schedule(2, 28, np.random.default_rng(0))


def test_time_error_is_real_even_for_evenly_spaced_keys():
    assert np.abs(official_time_error([0, 3, 5, 11, 12, 20, 27], 28)).mean() > 1.0
    even = official_time_error(list(range(0, 28, 3)), 28)
    assert even[-1] < -2.0  # the last interval is dropped


def test_time_error_on_footage(carphone_edges):
    """About two frames and a half on chunks of a talking face, generated frames 2..29 (of 30)."""
    errors = []
    for start in range(0, 120, 30):
        keys = sorted(set(official_keys(motion_curve(carphone_edges[start : start + 30]))[2:]))
        shifted = [key - 2 for key in keys]
        errors += [np.abs(official_time_error(shifted, 28, seed=s)).mean() for s in range(10)]
    assert 2.0 < np.mean(errors) < 3.0

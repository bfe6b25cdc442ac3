"""Paired resampling of clips."""

import numpy as np
import pytest

from slimvid.measure.resample import clip_draws, interval, mean_replicates, paired_difference


def test_draws_depend_on_count_and_seed_only_and_never_hold_one_clip():
    draws = clip_draws(3, 50, seed=4)
    assert len(draws) == 50
    assert all(len(d) == 3 and len(set(d.tolist())) > 1 for d in draws)
    assert all((a == b).all() for a, b in zip(draws, clip_draws(3, 50, seed=4), strict=True))
    assert clip_draws(1, 50) == []


def test_interval_of_means_covers_and_narrows():
    values = np.random.default_rng(0).normal(10, 2, size=40)
    low, high = interval(mean_replicates(values, np.ones(40), clip_draws(40, 400)))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(40), rel=0.25)
    assert interval([]) is None


def test_weights_are_frames():
    assert mean_replicates([1.0, 4.0], [10, 20], [np.array([0, 1])]) == [pytest.approx(3.0)]


def test_pairing_finds_a_small_difference_inside_a_large_spread():
    random = np.random.default_rng(1)
    hard = random.normal(25, 5, size=12)  # how hard each clip is decides most of the spread
    draws = clip_draws(12, 300)
    rows = [
        {"psnr": mean_replicates(hard + gain + random.normal(0, 0.05, 12), np.ones(12), draws)}
        for gain in (0.3, 0.0)
    ]
    found = paired_difference(*rows, "psnr")
    assert 0.2 < found["low"] < found["mean"] < found["high"] < 0.4
    assert found["below"] == 0
    own = interval(rows[0]["psnr"])
    assert own[1] - own[0] > 1  # the row's own interval could not have told
    assert paired_difference(rows[0], {}, "psnr") is None

"""The Fréchet distance against scipy's matrix square root, and its floor."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from slimvid.errors import SlimvidError
from slimvid.measure.frechet import (
    distance_per_dimension,
    frechet_distance,
    frechet_from_moments,
    frechet_replicates,
    half_sample_floor,
    half_sample_sd,
    moments,
)


def features(n: int, d: int, *, seed: int, shift: float = 0.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((d, d)) / np.sqrt(np.arange(1, d + 1))
    return draw.standard_normal((n, d)) @ mixing + shift


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    """The textbook formula with scipy's general matrix square root."""
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(sqrtm(s1 @ s2))
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 24), (20, 30, 64), (12, 12, 12), (10, 80, 32)])
def test_agrees_with_scipy_on_both_sides_of_n_equals_d(n, m, d):
    a, b = features(n, d, seed=1), features(m, d, seed=2, shift=0.3)
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-5, abs=1e-5)


def test_the_two_routes_are_one_number():
    a, b = features(40, 48, seed=1), features(30, 48, seed=2)
    assert frechet_distance(a, b) == pytest.approx(frechet_from_moments(*moments(a), *moments(b)), rel=1e-7)


def test_known_gaussians():
    mean, other = np.zeros(3), np.array([1.0, 2.0, 0.0])
    distance = frechet_from_moments(mean, np.diag([1.0, 4.0, 9.0]), other, np.diag([4.0, 4.0, 1.0]))
    assert distance == pytest.approx(5 + 1 + 0 + 4)  # |m|² + (1-2)² + (2-2)² + (3-1)²


def test_same_set_is_zero_and_float32_is_not_what_decides():
    a = features(50, 16, seed=3)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a.astype(np.float32) + 1e4, a + 1e4) == pytest.approx(0, abs=1e-3)


def test_per_dimension_is_a_share_of_the_distance_and_takes_samples():
    a, b = features(50, 16, seed=3), features(50, 16, seed=4, shift=1)
    assert distance_per_dimension(a, b) == pytest.approx(frechet_distance(a, b) / 16)
    for first, second in ((a[:16], b), (a, b[:16])):
        with pytest.raises(SlimvidError, match="16 samples in 16 dimensions"):
            distance_per_dimension(first, second)


def test_floor_falls_with_the_number_of_samples():
    floors = [half_sample_floor(features(n, 8, seed=5)) for n in (20, 64, 256)]
    assert floors[0] > 2 * floors[1] > 4 * floors[2] > 0


def test_half_sample_spread_is_of_the_size_of_the_real_spread():
    estimates, spreads = [], []
    for seed in range(12):
        a, b = features(64, 8, seed=seed), features(64, 8, seed=100 + seed, shift=0.5)
        estimates.append(distance_per_dimension(a, b))
        spreads.append(half_sample_sd(a, b))
    assert 0.5 < np.mean(spreads) / np.std(estimates) < 3


def test_replicates_resample_whole_clips_of_both_sets():
    real, drawn = features(30, 6, seed=1), features(30, 6, seed=2)
    clip_of = np.repeat([0, 1, 2], 10)
    all_once, twice = frechet_replicates(real, drawn, clip_of, [np.array([0, 1, 2]), np.array([1, 1, 2])])
    assert all_once == pytest.approx(distance_per_dimension(real, drawn))
    pick = np.r_[10:20, 10:20, 20:30]
    assert twice == pytest.approx(distance_per_dimension(real[pick], drawn[pick]))

    short = [np.array([0, 1, 2]), np.array([3])]
    assert frechet_replicates(real[:25], drawn[:25], np.repeat([0, 1, 2, 3], [8, 8, 5, 4]), short) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.full((5, 4), np.nan), "NaN"),
        (np.zeros((1, 4)), "n >= 2"),
        (np.zeros((5, 3)), "one extractor"),
    ],
)
def test_bad_features_are_refused(bad, said):
    with pytest.raises(SlimvidError, match=said):
        frechet_distance(bad, features(9, 4, seed=0))

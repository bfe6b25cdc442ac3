"""KID against its definition, and its lack of bias."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.kid import kernel_distance, squared_mmd


def by_definition(x: np.ndarray, y: np.ndarray) -> float:
    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_squared_mmd_is_its_definition():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((7, 5)), draw.standard_normal((9, 5)) + 0.4
    assert squared_mmd(x, y) == pytest.approx(by_definition(x, y), rel=1e-10)


def test_unbiased_for_small_sets_of_one_distribution():
    draw = np.random.default_rng(1)
    values = [kernel_distance(*draw.standard_normal((2, 40, 16)), subsets=5)[0] for _ in range(60)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)


def test_shift_is_seen_and_seed_decides():
    draw = np.random.default_rng(2)
    x = draw.standard_normal((60, 16))
    mean, spread = kernel_distance(x, x + 1)
    assert mean > 5 * spread > 0
    assert kernel_distance(x, x + 1) == (mean, spread)


def test_subsets_larger_than_the_set_are_refused():
    with pytest.raises(SlimvidError, match="subsets of 50 out of 20"):
        kernel_distance(np.zeros((20, 4)), np.zeros((30, 4)), subset_size=50)


def test_paired_sets_leave_their_own_partners_out():
    draw = np.random.default_rng(3)
    x = draw.standard_normal((9, 4))
    y = x + 0.3 * draw.standard_normal((9, 4))
    partners = sum((a @ b / 4 + 1) ** 3 for a, b in zip(x, y, strict=True))
    crossed = sum((a @ b / 4 + 1) ** 3 for a in x for b in y)
    change = 2 * crossed / 81 - 2 * (crossed - partners) / 72
    assert squared_mmd(x, y, paired=True) == pytest.approx(by_definition(x, y) + change)
    assert squared_mmd(x, x, paired=True) == pytest.approx(0, abs=1e-12)


def test_sets_that_cannot_be_paired_are_refused():
    with pytest.raises(SlimvidError, match="9 and 8 samples"):
        squared_mmd(np.ones((9, 4)), np.ones((8, 4)), paired=True)

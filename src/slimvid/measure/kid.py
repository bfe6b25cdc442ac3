"""Kernel Inception Distance (Bińkowski et al. 2018, section 4): an unbiased squared MMD.

Kernel k(x, y) = (xᵀy / d + 1)³. Unlike the Fréchet distance its expectation does not depend on the number of
samples, so it may be slightly negative, and small sets can be judged.
"""

import numpy as np

from slimvid.errors import SlimvidError


def kernel_distance(
    first: np.ndarray,
    second: np.ndarray,
    *,
    subsets: int = 100,
    subset_size: int | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Mean and standard deviation over random subsets of the unbiased squared MMD.

    The deviation is over overlapping subsets, as the CAT paper's tables print it: not a standard error.

    Args:
        first: n x d features.
        second: m x d features.
        subset_size: samples per subset; by default min(100, n // 2) for the smaller n.

    Raises:
        SlimvidError: too few samples, or subsets larger than the sets.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    smaller = min(len(first), len(second))
    size = min(100, smaller // 2) if subset_size is None else subset_size
    if not 2 <= size <= smaller:
        raise SlimvidError(f"KID: subsets of {size} out of {smaller} samples; give 2 .. {smaller} a subset")
    draw = np.random.default_rng(seed)
    values = [
        squared_mmd(
            first[draw.choice(len(first), size, replace=False)],
            second[draw.choice(len(second), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def squared_mmd(first: np.ndarray, second: np.ndarray, *, paired: bool = False) -> float:
    """Unbiased squared maximum mean discrepancy of n x d and m x d features under the cubic kernel.

    Args:
        paired: sample i of both sets is of the same content, so not independent; the pairs (i, i) are left
            out between the sets as within them (Gretton et al. 2012, equation 5). Equal sets are 0 apart.

    Raises:
        SlimvidError: fewer than two samples, or paired sets of different size.
    """
    d, n, m = first.shape[1], len(first), len(second)
    if min(n, m) < 2 or (paired and n != m):
        raise SlimvidError(
            f"MMD: {n} and {m} samples; give at least 2 of each, and as many of both if paired"
        )
    between = _kernel(first, second, d)
    cross = _mean_of_others(between) if paired else between.mean()
    return float(
        _mean_of_others(_kernel(first, first, d)) + _mean_of_others(_kernel(second, second, d)) - 2 * cross
    )


def _mean_of_others(kernel: np.ndarray) -> float:
    """The mean off the diagonal: of different samples."""
    n = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (n * (n - 1))


def _kernel(x: np.ndarray, y: np.ndarray, d: int) -> np.ndarray:
    return (x @ y.T / d + 1) ** 3

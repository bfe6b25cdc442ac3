"""Fréchet distance between two sets of features: the number under FID, FVD, frame and video distance.

    d² = |m1 - m2|² + tr(S1) + tr(S2) - 2 tr((S1 S2)^½)

(Dowson and Landau 1982; Heusel et al. 2017). The trace of the square root is the sum of the square
roots of the eigenvalues of S1 S2. It needs no general matrix square root, which is slow, can come out complex
and then wants a silent repair:

* with centred features A (n x d) and B (m x d) it is the nuclear norm of A Bᵀ / sqrt((n-1)(m-1)), which is
  exact and cheap while there are no more samples than dimensions;
* otherwise it is tr((R S2 R)^½) with R = S1^½, two symmetric eigenproblems.

Everything is float64. The distance is biased upwards, the more so the fewer the samples: two samples of the
*same* distribution are not 0 apart. So compare values of equal n and d only, and print the floor beside them.
"""

from collections.abc import Sequence

import numpy as np

from slimvid.errors import SlimvidError


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of Gaussians fitted to two feature sets.

    Args:
        first: n x d features, any real dtype.
        second: m x d features.

    Raises:
        SlimvidError: fewer than two samples, sizes that differ, or values that are not finite.
    """
    first, second = _checked(first, "first"), _checked(second, "second")
    if first.shape[1] != second.shape[1]:
        raise SlimvidError(
            f"features: {first.shape[1]} and {second.shape[1]} dimensions; use one extractor for both sets"
        )
    samples = max(len(first), len(second))
    if samples > first.shape[1]:
        return frechet_from_moments(*moments(first), *moments(second))
    a, b = first - first.mean(0), second - second.mean(0)
    scale = np.sqrt((len(a) - 1.0) * (len(b) - 1.0))
    cross = np.linalg.svd(a @ b.T / scale, compute_uv=False).sum()
    spread = (a**2).sum() / (len(a) - 1) + (b**2).sum() / (len(b) - 1)
    shift = ((first.mean(0) - second.mean(0)) ** 2).sum()
    return float(max(shift + spread - 2 * cross, 0.0))


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d) and unbiased covariance (d x d), float64, of n x d features."""
    features = _checked(features, "features")
    mean = features.mean(0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def frechet_from_moments(
    mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray
) -> float:
    """Fréchet distance of two Gaussians; means d, covariances d x d, float64."""
    values, vectors = np.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ covariance2 @ root), 0, None)).sum()
    spread = np.trace(covariance1) + np.trace(covariance2)
    return float(max(((mean1 - mean2) ** 2).sum() + spread - 2 * cross, 0.0))


def distance_per_dimension(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of n x d and m x d features, divided by d; both sets must determine a covariance.

    Raises:
        SlimvidError: as `frechet_distance`, or not more samples than dimensions.
    """
    (n, d), m = first.shape, len(second)
    if min(n, m) <= d:
        raise SlimvidError(
            f"Fréchet distance: {min(n, m)} samples in {d} dimensions; it needs more samples than "
            "dimensions: lower measure.dimensions, or give more or longer clips"
        )
    return frechet_distance(first, second) / d


def half_sample_floor(features: np.ndarray, *, repeats: int = 10, seed: int = 0) -> float:
    """What the estimator says for two samples of one distribution: mean over random halvings of a real set.

    Each half has n // 2 samples, so the floor at the full n is somewhat lower than this.

    Args:
        features: n x d.

    Raises:
        SlimvidError: a half has not more samples than dimensions.
    """
    n = len(features)
    draw = np.random.default_rng(seed)
    distances = []
    for _ in range(repeats):
        order = draw.permutation(n)
        left, right = order[: n // 2], order[n // 2 : 2 * (n // 2)]
        distances.append(distance_per_dimension(features[left], features[right]))
    return float(np.mean(distances))


def half_sample_sd(real: np.ndarray, generated: np.ndarray, *, repeats: int = 20, seed: int = 0) -> float:
    """How much the estimate moves with the samples: sd over random halves, the same half of both sets.

    A bootstrap interval of one Fréchet distance need not contain the estimate; this spread is honest, and a
    little wide, because a half has half the samples. Inputs n x d.

    Raises:
        SlimvidError: a half has not more samples than dimensions.
    """
    n = len(real)
    draw = np.random.default_rng(seed)
    halves = [draw.permutation(n)[: n // 2] for _ in range(repeats)]
    return float(np.std([distance_per_dimension(real[half], generated[half]) for half in halves]))


def frechet_replicates(
    real: np.ndarray, generated: np.ndarray, clip_of: np.ndarray, draws: Sequence[np.ndarray]
) -> list[float]:
    """The distance on resampled clips: the same clips of both sets in each draw (the paired protocol).

    A bootstrap of one Fréchet distance is biased upwards and may not even contain the estimate. The
    *difference* of two rows on the same draws is what these are for (``resample.paired_difference``).

    Args:
        real: n x d features of the true samples.
        generated: n x d, sample by sample of the same content.
        clip_of: n clip numbers, 0 .. clips - 1.
        draws: clip numbers of each replicate (``resample.clip_draws``).

    Returns:
        empty where some draw is of short clips only, and has too few samples.
    """
    picks = [np.concatenate([np.flatnonzero(clip_of == clip) for clip in draw]) for draw in draws]
    if any(len(pick) <= real.shape[1] for pick in picks):
        return []
    return [distance_per_dimension(real[pick], generated[pick]) for pick in picks]


def _checked(features: np.ndarray, name: str) -> np.ndarray:
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise SlimvidError(
            f"{name} feature set: shape {features.shape}; a Fréchet distance needs n x d, n >= 2 samples"
        )
    if not np.isfinite(features).all():
        raise SlimvidError(
            f"{name} feature set: holds NaN or infinity; look for a diverged translator before measuring"
        )
    return features

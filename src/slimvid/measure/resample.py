"""Uncertainty over clips. Frames of one clip are not independent, so whole clips are resampled.

The draws follow from a seed and the number of clips alone: every row of a table is resampled with the *same*
clips, and the element-wise difference of two rows' replicates is a paired bootstrap of their difference.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def clip_draws(clips: int, repeats: int, *, seed: int = 0) -> list[np.ndarray]:
    """``repeats`` bootstrap draws of clip numbers, each as long as there are clips, at least two different.

    A draw of one clip only would have no spread between clips, and is drawn again. With fewer than two
    clips there is nothing to resample and the list is empty.
    """
    if clips < 2:
        return []
    random = np.random.default_rng(seed)
    draws: list[np.ndarray] = []
    while len(draws) < repeats:
        draw = np.sort(random.integers(clips, size=clips))
        if draw[0] != draw[-1]:
            draws.append(draw)
    return draws


def mean_replicates(
    values: Sequence[float], weights: Sequence[float], draws: Sequence[np.ndarray]
) -> list[float]:
    """The weighted mean of one value a clip, in every draw; weights are frame counts."""
    v, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    return [float((v[draw] * w[draw]).sum() / w[draw].sum()) for draw in draws]


def interval(replicates: Sequence[float], *, level: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval; None without replicates. For means over clips, not for a Fréchet distance."""
    if not len(replicates):
        return None
    low, high = np.quantile(np.asarray(replicates, np.float64), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]], metric: str
) -> dict[str, float] | None:
    """Is row ``first`` different from row ``second``? From the ``bootstrap`` parts of two quality documents.

    Returns:
        mean, low and high (95 %) of first minus second, and ``below``: the share of draws in which first is
        smaller. None where either row has no replicates of the metric.
    """
    a, b = first.get(metric, ()), second.get(metric, ())
    if not len(a) or len(a) != len(b):
        return None
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    low, high = np.quantile(difference, [0.025, 0.975])
    return {
        "mean": float(difference.mean()),
        "low": float(low),
        "high": float(high),
        "below": float((difference < 0).mean()),
    }

"""Which channels of a CAT teacher fit a budget of multiply-accumulates (CAT 3.2, Algorithm 1; release).

One threshold on the normalisation scales decides every width at once, and is found by bisection. The cost of
a choice is arithmetic on its widths, so a search takes milliseconds where one that builds and counts every
pruned network takes seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.nets.inception import KERNELS, InceptionGenerator
from slimvid.nets.inception_spade import InceptionSpadeGenerator
from slimvid.nets.spade import STREAM

LEAST = 16  # channels that the stem, the down- and the up-samplings keep at least (release)
TOLERANCE = 1e-3
_SQUARES = np.array([k * k for k in KERNELS])


def branch_products(fin: Any, widths: np.ndarray, fout: Any) -> Any:
    """Products a pixel of the six branches, widths ... x 6: Conv k twice, or Conv1, depthwise k, Conv1."""
    conventional, depthwise = widths[..., :3], widths[..., 3:]
    ends = np.asarray(fin)[..., None] + np.asarray(fout)[..., None]
    return (_SQUARES * conventional * ends).sum(-1) + (depthwise * (ends + _SQUARES)).sum(-1)


def inception_macs(
    stem: Sequence[int],
    widths: np.ndarray,
    up: Sequence[int],
    *,
    height: int = 256,
    width: int = 256,
    norms: bool = False,
) -> int:
    """MACs of an InceptionGenerator (RGB to RGB), transposed convolutions on their output grid.

    Args:
        stem, widths, up: as the generator's; ``widths`` is blocks x 6.
        norms: add an element of each normalisation's output, as the release's pruner does for normalisations
            without running statistics (horse2zebra, zebra2horse).
    """
    p, (s0, s1, s2), (u0, u1) = height * width, stem, up
    widths = np.asarray(widths, np.int64).reshape(-1, 2 * len(KERNELS))
    macs = p * 147 * (s0 + u1) + p // 4 * 9 * (s0 * s1 + s2 * u0) + p * 9 * u0 * u1 + p // 16 * 9 * s1 * s2
    macs += p // 16 * int(branch_products(s2, widths, s2).sum())
    if norms:
        inner = widths[:, :3].sum() + 2 * widths[:, 3:].sum() + s2 * np.count_nonzero(widths.any(axis=1))
        macs += p * (s0 + u1) + p // 4 * (s1 + u0) + p // 16 * (s2 + int(inner))
    return int(macs)


def inception_spade_macs(
    width: int,
    widths: np.ndarray,
    spades: np.ndarray,
    *,
    height: int = 256,
    condition: int = 36,
    pixels_wide: int = 512,
) -> int:
    """MACs of an InceptionSpadeGenerator with six up-samplings.

    Args:
        width: ngf, which all stream widths are multiples of.
        widths, spades: 7 x 6, the widths of the blocks' and of their SPADEs' branches.
    """
    p = height * pixels_wide
    widths, spades = np.asarray(widths, np.int64), np.asarray(spades, np.int64)
    stream = np.array([16, *STREAM]) * width
    fin, fout = stream[:-1], stream[1:]
    pixels = p // np.array([4096, 1024, 256, 64, 16, 4, 1])
    products = branch_products(fin, widths, fout)
    # a block without branches has no use for its normalisation
    products = products + branch_products(condition, spades, 2 * fin) * widths.any(axis=1)
    products = products + np.where(fin != fout, fin * fout, 0)
    ends = 9 * condition * stream[0] * pixels[0] + 27 * stream[-1] * p
    return int((products * pixels).sum() + ends)


@dataclass(frozen=True)
class Choice:
    """The outcome: the threshold, the architecture's widths as its spec takes them, and its cost."""

    threshold: float
    widths: dict[str, Any]
    macs: int


def bisect(
    scales: np.ndarray,
    widths_at: Callable[[float], dict[str, Any]],
    macs_of: Callable[..., int],
    target: float,
) -> Choice:
    """Bisect the threshold between the least and the greatest scale until its cost fits ``target``.

    Args:
        scales: all prunable scales' magnitudes. widths_at: widths of what stays above a threshold.
        macs_of: cost of such widths. target: budget in multiply-accumulates.

    Raises:
        SlimvidError: even with everything prunable gone the network costs more than ``target``.
    """
    low, high = float(scales.min()), float(scales.max())
    floor = macs_of(**widths_at(high))
    if floor > target:
        raise SlimvidError(
            f"MACs target {target:.4g}: pruned to the floor it still costs {floor:.4g}; raise it"
        )
    macs, threshold = float("inf"), low
    while abs(high - low) > TOLERANCE * low or macs > target:
        threshold = (low + high) / 2
        macs = macs_of(**widths_at(threshold))
        if threshold in (low, high) and macs <= target:
            break
        low, high = (threshold, high) if macs > target else (low, threshold)
    return Choice(threshold, widths_at(threshold), int(macs))


def _scale(norm: nn.Module) -> np.ndarray:
    return np.sort(norm.weight.detach().abs().double().cpu().numpy())


def _above(scales: np.ndarray, threshold: float) -> int:
    """How many of the sorted ``scales`` are strictly greater."""
    return len(scales) - int(np.searchsorted(scales, threshold, side="right"))


def _branch_scales(branches: nn.ModuleList) -> list[np.ndarray]:
    """Scales of the normalisation after each branch's first convolution."""
    norms = (nn.BatchNorm2d, nn.InstanceNorm2d)
    found = [_scale(next(m for m in branch if isinstance(m, norms))) for branch in branches]
    if len(found) != 2 * len(KERNELS):
        raise SlimvidError(
            f"inception block with {len(found)} branches: the search starts from a teacher's 6"
        )
    return found


def generator_scales(net: InceptionGenerator) -> Mapping[str, list]:
    """Sorted scales that decide: of the stem, of every branch of every block, of the up-samplings."""
    blocks = [m for m in net.model if hasattr(m, "branches")]
    after = 10 + len(blocks)
    return {
        "stem": [_scale(net.model[i]) for i in (2, 5, 8)],
        "widths": [_branch_scales(block.branches) for block in blocks],
        "up": [_scale(net.model[i]) for i in (after + 1, after + 4)],
    }


def prune_generator(
    net: InceptionGenerator,
    target: float,
    *,
    height: int = 256,
    width: int = 256,
    macs_of: Callable[..., int] | None = None,
) -> Choice:
    """Widths of the student that a trained CAT teacher is pruned to.

    Args:
        net: RGB to RGB, with an affine normalisation everywhere.
        target: budget in MACs, transposed convolutions on their output grid.
        macs_of: cost of (stem, widths, up); None: the closed form.

    Raises:
        SlimvidError: a target below what is left at the least.
    """
    scales = generator_scales(net)
    norms = not net.model[2].track_running_stats

    def widths_at(threshold: float) -> dict[str, Any]:
        def ends(group: list[np.ndarray]) -> tuple[int, ...]:
            return tuple(max(_above(s, threshold), min(LEAST, len(s))) for s in group)

        rows = tuple(tuple(_above(s, threshold) for s in row) for row in scales["widths"])
        return {"stem": ends(scales["stem"]), "widths": rows, "up": ends(scales["up"])}

    def closed(**widths: Any) -> int:
        return inception_macs(**widths, height=height, width=width, norms=norms)

    every = [*scales["stem"], *(s for row in scales["widths"] for s in row), *scales["up"]]
    return bisect(np.concatenate(every), widths_at, macs_of or closed, target)


def prune_spade(
    net: InceptionSpadeGenerator,
    target: float,
    *,
    height: int = 256,
    width: int = 512,
    macs_of: Callable[..., int] | None = None,
) -> Choice:
    """Widths of a CAT SPADE teacher's student: ``width`` (ngf, from fc's scales), ``widths``, ``spades``.

    The kept channels of fc, over 16, give the one ngf that all stream widths are multiples of; at least 16.
    """
    first = _scale(net.fc[1])
    blocks = [_branch_scales(block.branches) for block in net.blocks]
    spades = [_branch_scales(block.spade.branches) for block in net.blocks]

    def widths_at(threshold: float) -> dict[str, Any]:
        counts = [[[_above(s, threshold) for s in row] for row in rows] for rows in (blocks, spades)]
        ngf = max(_above(first, threshold) // STREAM[0], min(LEAST, len(first) // STREAM[0]))
        return {"width": ngf, "widths": counts[0], "spades": counts[1]}

    def closed(**widths: Any) -> int:
        size = {"height": height, "pixels_wide": width, "condition": net.condition_channels}
        return inception_spade_macs(**widths, **size)

    every = [first, *(s for rows in (*blocks, *spades) for s in rows)]
    return bisect(np.concatenate(every), widths_at, macs_of or closed, target)

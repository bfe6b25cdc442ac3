"""Where a Shortcut block reads its reference, and how it blends (Chung et al. 2023, 3.2), in picture pixels.

Points lie in picture pixels: (y, x), where the first pixel reaches from 0 to 1, so that its middle is at 0.5.
The block's offsets are in pixels of the map they were found on, global ones of half the cut's size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = 10  # output points at most along the longer side
UNBLENDED = ("without_current", "without_blending")  # forms whose mask nothing reads


@dataclass(frozen=True, kw_only=True)
class Fields:
    """What the block found for one frame, float32.

    Attributes:
        coarse: 2 x h x w, global offsets (dy, dx); None for a single stage of alignment.
        fine: K x 2 x H x W, local offsets of the K taps.
        mask: H x W in [0, 1], the share of the current frame, mean over the taps; None where nothing is
            blended.
    """

    coarse: np.ndarray | None
    fine: np.ndarray
    mask: np.ndarray | None


@contextmanager
def watched(block: Any) -> Iterator[list[Fields]]:
    """Everything that the block finds meanwhile; the block itself draws as before."""
    found: list[Fields] = []
    plain = block.fields

    def fields(reference: Any, a_t: Any) -> Any:
        got = plain(reference, a_t)
        coarse = None if block.form == "single_stage" else _array(block.global_offsets(reference, a_t))
        fine = _array(got.offset)
        mask = None if block.form in UNBLENDED else _array(got.mask).mean(0)
        found.append(Fields(coarse=coarse, fine=fine.reshape(-1, 2, *fine.shape[1:]), mask=mask))
        return got

    block.fields = fields  # of this object alone: it hides the method until it is deleted
    try:
        yield found
    finally:
        del block.fields


def _array(x: Any) -> np.ndarray:
    return x[0].float().cpu().numpy()


def output_points(shape: tuple[int, ...]) -> np.ndarray:
    """Every n-th pixel of a map of ``shape`` (H, W), both ways: P x 2 map pixels; at most 10 a side."""
    step = max(1, -(-max(shape) // POINTS))
    counts = [max(1, n // step) for n in shape]  # with as much left on both sides
    rows, columns = (
        (n - (k - 1) * step) // 2 + step * np.arange(k) for n, k in zip(shape, counts, strict=True)
    )
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def to_picture(points: np.ndarray, shape: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """Where the middles of a map's pixels (... x 2, or between them) lie in a picture of ``size`` (H, W)."""
    return (points + 0.5) * (np.array(size) / np.array(shape[-2:]))


def moved_globally(points: np.ndarray, coarse: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Points (... x 2, picture) moved by the global offsets 2 x h x w there, which are read bilinearly."""
    unit = np.array(size) / np.array(coarse.shape[-2:])
    limit = np.array(coarse.shape[-2:]) - 1
    at = np.clip(points / unit - 0.5, 0, limit)
    low = np.floor(at).astype(int)
    high, share = np.minimum(low + 1, limit), at - low
    (y0, x0), (y1, x1) = np.moveaxis(low, -1, 0), np.moveaxis(high, -1, 0)
    down, right = np.moveaxis(share, -1, 0)
    above = coarse[:, y0, x0] * (1 - right) + coarse[:, y0, x1] * right
    below = coarse[:, y1, x0] * (1 - right) + coarse[:, y1, x1] * right
    return points + np.moveaxis(above * (1 - down) + below * down, 0, -1) * unit


def positions(
    fields: Fields, points: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray | None, np.ndarray]:
    """Where the reference is read for output points (P x 2, map pixels), in picture pixels.

    AdaBD moves tap k of point p to q = p + p_k + dp_l, on features that global offsets moved before, so that
    it reads q + dp_g(q).

    Returns:
        P x 2, by the global offsets alone (None without them), and P x K x 2, the taps, by both.
    """
    taps, shape = len(fields.fine), fields.fine.shape[-2:]
    side = round(taps**0.5)
    reach = np.stack(np.divmod(np.arange(taps), side), axis=-1) - side // 2
    local = np.moveaxis(fields.fine[..., points[:, 0], points[:, 1]], -1, 0)  # P x K x 2
    moved = to_picture(points[:, None] + reach + local, shape, size)
    if fields.coarse is None:
        return None, moved
    alone = moved_globally(to_picture(points, shape, size), fields.coarse, size)
    return alone, moved_globally(moved, fields.coarse, size)


def summary(fields: Fields, size: tuple[int, int]) -> str:
    """Mean lengths of the offsets in picture pixels, and the mean mask."""

    def length(offsets: np.ndarray, shape: tuple[int, ...]) -> float:
        unit = np.array(size) / np.array(shape[-2:])
        return float(np.hypot(offsets[0] * unit[0], offsets[1] * unit[1]).mean())

    parts = [] if fields.coarse is None else [f"global {length(fields.coarse, fields.coarse.shape):.2f} px"]
    parts.append(f"local {length(np.moveaxis(fields.fine, 1, 0), fields.fine.shape):.2f} px")
    return ", ".join(parts if fields.mask is None else [*parts, f"mask {fields.mask.mean():.2f}"])

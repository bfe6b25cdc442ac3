"""The streets of a place: six networks of lines, and the geometry that what stands along them needs.

All in metres. A network is drawn around the origin, and far beyond the picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

HALF = {"minor": 3.4, "main": 6.2, "drive": 1.3, "path": 1.0, "rail": 3.0, "river": 8.5}  # widths / 2
FAR = 200.0  # how far lines go


@dataclass(frozen=True, kw_only=True)
class Way:
    """A street, path, railway or river: kind (`HALF`) and its middle line [n, 2]."""

    kind: str
    points: np.ndarray


def clipped(
    points: np.ndarray, *, size: tuple[float, float], step: float = 3.0, margin: float = 16.0
) -> list[np.ndarray]:
    """The parts of a line in a place of ``size`` (width, height) and ``margin`` around it, finely divided."""
    at = along(points)
    s = np.linspace(0, at[-1], max(2, round(at[-1] / step) + 1))
    fine = np.column_stack([np.interp(s, at, points[:, i]) for i in (0, 1)])
    inside = ((fine > -margin) & (fine < (size[0] + margin, size[1] + margin))).all(axis=1)
    borders = np.nonzero(np.diff(inside.astype(int)))[0] + 1
    runs = np.split(np.arange(len(fine)), borders)
    return [fine[run] for run in runs if inside[run[0]] and len(run) > 1]


def along(points: np.ndarray) -> np.ndarray:
    """Metres along a line [n, 2] at its points: [n]."""
    return np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def box(middle: np.ndarray, heading: np.ndarray, length: float, depth: float) -> np.ndarray:
    """Corners [4, 2] of a rectangle: ``length`` along the unit vector ``heading``, ``depth`` across."""
    (x, y), (u, v) = middle, heading * 0.5
    a, b, c, d = u * length, v * length, -v * depth, u * depth
    return np.array(
        [(x - a - c, y - b - d), (x + a - c, y + b - d), (x + a + c, y + b + d), (x - a + c, y - b + d)]
    )


def blob(rng: np.random.Generator, middle: np.ndarray, radius: float, *, rough: float = 0.2) -> np.ndarray:
    """A closed, smooth, uneven outline [40, 2]."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = radius * (1 + sum(rough / k * np.sin(k * angle + rng.uniform(0, 6.28)) for k in (1, 2, 3, 4)))
    return middle + reach[:, None] * np.column_stack([np.cos(angle), 0.8 * np.sin(angle)])


def spot_of(points: np.ndarray, at: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    """The point ``s`` metres along a line, and the unit vector ahead."""
    k = min(max(int(at.searchsorted(s)) - 1, 0), len(points) - 2)
    step, long = points[k + 1] - points[k], at[k + 1] - at[k]
    return points[k] + step * (min(s - at[k], long) / long), step / long


def _straight(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y1)], float)


def _grid(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    step, rows = rng.uniform(40, 48), rng.uniform(46, 56)
    across = [("minor", _straight(k * step, -FAR, k * step, FAR)) for k in range(-3, 4) if k]
    along = [("minor", _straight(-FAR, k * rows, FAR, k * rows)) for k in range(-3, 4) if k]
    main = [("main", _straight(-FAR, 0, FAR, 0)), ("minor", _straight(0, -FAR, 0, FAR))]
    return [*across, *along, *main]


def _tee(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    first, step, back = rng.uniform(-8, 8), rng.uniform(44, 54), rng.uniform(44, 52)
    side = [("minor", _straight(first + k * step, 0, first + k * step, back)) for k in (-2, -1, 0, 1, 2)]
    return [*side, ("minor", _straight(-FAR, back, FAR, back)), ("main", _straight(-FAR, 0, FAR, 0))]


def _bend(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    x = np.linspace(-FAR, FAR, 120)
    high, long = rng.uniform(10, 18), rng.uniform(90, 120)
    wave = np.column_stack([x, high * np.sin(2 * np.pi * x / long)])
    others = [("minor", wave + np.array([0, shift])) for shift in (-54, 54)]
    links = [("minor", _straight(k * long / 2, -54, k * long / 2, 54)) for k in (-2, -1, 0, 1, 2)]
    return [*others, *links, ("main", wave)]


def _fork(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    angle, back = rng.uniform(0.7, 1.0), rng.uniform(44, 54)
    end = (FAR * np.cos(angle), FAR * np.sin(angle))
    lanes = [("minor", _straight(-FAR, k * back, FAR, k * back)) for k in (-2, -1)]
    return [*lanes, ("main", _straight(0, 0, *end)), ("main", _straight(-FAR, 0, FAR, 0))]


def _ring(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    radius, angle = rng.uniform(26, 33), np.linspace(0, 2 * np.pi, 60)
    circle = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    arms = [("minor", _straight(radius * s, 0, FAR * s, 0)) for s in (-1, 1)]
    arms.append(("minor", _straight(0, -radius, 0, -FAR)))
    return [*arms, ("minor", circle)]


def _avenue(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    apart, step = rng.uniform(8.5, 10), rng.uniform(50, 62)
    side = [("minor", _straight(k * step, -FAR, k * step, FAR)) for k in (-2, -1, 0, 1, 2)]
    lanes = [("main", _straight(-FAR, s * apart, FAR, s * apart)) for s in (-1, 1)]
    return [*side, *lanes]


NETWORKS: dict[str, Callable] = {
    "grid": _grid, "tee": _tee, "bend": _bend, "fork": _fork, "ring": _ring, "avenue": _avenue
}  # fmt: skip

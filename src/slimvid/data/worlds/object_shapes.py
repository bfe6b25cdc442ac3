"""Six kinds of things from the side, as parts with outlines: shoe, boot, pump, bag, mug, teapot.

Coordinates are (x, y) in a square of 1 x 1, y down. Parts are listed from back to front.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slimvid.data.drawing import smooth_curve


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of a thing.

    Attributes:
        outline: corners [n, 2].
        cloth: "main" (the material), "trim" (plain, second colour), "sole", "dark" (an inside), "metal",
            "badge".
        plump: how far its rounded border reaches in, a share of the square; large: round all over.
    """

    outline: np.ndarray
    cloth: str
    plump: float = 0.05


def curve(*points: tuple[float, float]) -> np.ndarray:
    """A closed smooth outline through points."""
    return smooth_curve(np.array([*points, points[0]], float), steps=8)[:-1]


def corners(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)


def tube(*points: tuple[float, float], wide: float, thin: float | None = None) -> np.ndarray:
    """The outline of a smooth line ``wide`` at its start, ``thin`` at its end."""
    line = smooth_curve(np.array(points, float), steps=8).astype(float)
    step = np.gradient(line, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]]) / np.linalg.norm(step, axis=1)[:, None]
    half = np.linspace(wide, wide if thin is None else thin, len(line))[:, None] / 2
    return np.concatenate([line + half * normal, (line - half * normal)[::-1]])


def ring(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.column_stack([x + rx * np.cos(angle), y + ry * np.sin(angle)])


BADGES = ("disc", "square", "triangle", "star", "bar", "cross")


def badge(kind: str, x: float, y: float, size: float = 0.07) -> np.ndarray:
    """The outline of an emblem around (x, y)."""
    if kind == "disc":
        return ring(x, y, 0.9 * size, 0.9 * size)
    if kind == "star":
        angle = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = size * np.where(np.arange(10) % 2, 0.45, 1.2)
        return np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])
    a, b = 0.35, 1.0
    outline = {
        "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
        "triangle": [(0, -1.1), (1.1, 0.8), (-1.1, 0.8)],
        "bar": [(-1.5, -0.35), (1.5, -0.35), (1.5, 0.35), (-1.5, 0.35)],
        "cross": [
            *((-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a)),
            *((a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a)),
        ],
    }[kind]
    return np.array([x, y]) + size * np.array(outline)


# fmt: off
def _shoe(mark: str) -> list[Part]:
    upper = curve((0.06, 0.7), (0.07, 0.61), (0.15, 0.545), (0.28, 0.505), (0.4, 0.43), (0.52, 0.33),
        (0.585, 0.295), (0.66, 0.36), (0.76, 0.385), (0.86, 0.335), (0.915, 0.275), (0.95, 0.31),
        (0.945, 0.46), (0.95, 0.68), (0.7, 0.725), (0.4, 0.735), (0.15, 0.73))
    toe = curve((0.058, 0.7), (0.07, 0.61), (0.14, 0.55), (0.2, 0.55), (0.245, 0.62), (0.24, 0.735),
        (0.12, 0.735))
    heel = curve((0.85, 0.5), (0.9, 0.42), (0.952, 0.42), (0.948, 0.55), (0.952, 0.7), (0.84, 0.71),
        (0.82, 0.6))
    tongue = curve((0.47, 0.37), (0.53, 0.235), (0.6, 0.215), (0.635, 0.27), (0.6, 0.36))
    stay = tube((0.3, 0.545), (0.43, 0.475), (0.565, 0.36), (0.61, 0.34), wide=0.055)
    laces = [Part(outline=tube((x - 0.055, y - 0.058), (x + 0.01, y + 0.012), wide=0.026), cloth="sole",
        plump=0.012) for x, y in ((0.355, 0.505), (0.42, 0.465), (0.48, 0.415), (0.535, 0.365))]
    return [
        Part(outline=tongue, cloth="trim", plump=0.03),
        Part(outline=curve((0.57, 0.31), (0.74, 0.3), (0.92, 0.28), (0.86, 0.38), (0.75, 0.41), (0.64, 0.38)),
             cloth="dark"),
        Part(outline=upper, cloth="main", plump=0.16),
        Part(outline=toe, cloth="trim", plump=0.09),
        Part(outline=heel, cloth="trim", plump=0.05),
        Part(outline=stay, cloth="trim", plump=0.02),
        *laces,
        Part(outline=curve((0.045, 0.7), (0.3, 0.725), (0.6, 0.715), (0.95, 0.675), (0.965, 0.73),
             (0.93, 0.785), (0.5, 0.8), (0.12, 0.8), (0.05, 0.765)), cloth="sole", plump=0.035),
        Part(outline=badge(mark, 0.7, 0.56), cloth="badge", plump=0.02),
    ]


def _boot(mark: str) -> list[Part]:
    upper = curve((0.44, 0.08), (0.6, 0.075), (0.8, 0.08), (0.795, 0.25), (0.8, 0.45), (0.845, 0.6),
        (0.85, 0.76), (0.6, 0.81), (0.3, 0.83), (0.11, 0.83), (0.085, 0.76), (0.13, 0.67), (0.27, 0.61),
        (0.38, 0.54), (0.43, 0.42), (0.435, 0.25))
    toe = curve((0.085, 0.82), (0.09, 0.75), (0.135, 0.675), (0.2, 0.65), (0.27, 0.72), (0.27, 0.83))
    strap = tube((0.415, 0.5), (0.55, 0.535), (0.7, 0.515), (0.81, 0.49), wide=0.06)
    return [
        Part(outline=ring(0.62, 0.085, 0.175, 0.035), cloth="dark"),
        Part(outline=upper, cloth="main", plump=0.17),
        Part(outline=toe, cloth="trim", plump=0.09),
        Part(outline=tube((0.43, 0.115), (0.62, 0.145), (0.8, 0.115), wide=0.07), cloth="trim", plump=0.03),
        Part(outline=strap, cloth="trim", plump=0.025),
        Part(outline=corners((0.585, 0.485), (0.66, 0.485), (0.66, 0.58), (0.585, 0.58)), cloth="metal",
             plump=0.015),
        Part(outline=corners((0.605, 0.51), (0.64, 0.51), (0.64, 0.555), (0.605, 0.555)), cloth="trim",
             plump=0.01),
        Part(outline=corners((0.07, 0.815), (0.45, 0.815), (0.85, 0.755), (0.875, 0.8), (0.87, 0.93),
             (0.66, 0.93), (0.63, 0.86), (0.46, 0.875), (0.09, 0.88), (0.065, 0.85)), cloth="sole",
             plump=0.03),
        Part(outline=badge(mark, 0.62, 0.3), cloth="badge", plump=0.02),
    ]


def _pump(mark: str) -> list[Part]:
    upper = curve((0.04, 0.745), (0.1, 0.665), (0.2, 0.615), (0.285, 0.6), (0.34, 0.655), (0.44, 0.66),
        (0.56, 0.585), (0.68, 0.445), (0.78, 0.31), (0.86, 0.225), (0.915, 0.25), (0.945, 0.36), (0.93, 0.47),
        (0.8, 0.505), (0.68, 0.61), (0.55, 0.715), (0.38, 0.775), (0.2, 0.785), (0.08, 0.78))
    lining = curve((0.28, 0.6), (0.45, 0.58), (0.62, 0.46), (0.78, 0.28), (0.87, 0.225), (0.72, 0.45),
        (0.56, 0.62), (0.42, 0.68), (0.33, 0.66))
    heel = curve((0.77, 0.49), (0.86, 0.475), (0.94, 0.43), (0.93, 0.55), (0.895, 0.7), (0.885, 0.845),
        (0.845, 0.845), (0.845, 0.7), (0.815, 0.58))
    sole = tube((0.05, 0.785), (0.2, 0.8), (0.4, 0.785), (0.56, 0.725), (0.69, 0.62), (0.8, 0.515),
        (0.9, 0.475), wide=0.028)
    return [
        Part(outline=lining, cloth="dark"),
        Part(outline=heel, cloth="trim", plump=0.04),
        Part(outline=upper, cloth="main", plump=0.12),
        Part(outline=sole, cloth="sole", plump=0.015),
        Part(outline=tube((0.045, 0.752), (0.12, 0.69), (0.24, 0.7), (0.27, 0.785), wide=0.03), cloth="trim",
             plump=0.015),
        Part(outline=tube((0.5, 0.66), (0.59, 0.46), (0.7, 0.4), wide=0.045), cloth="trim", plump=0.02),
        Part(outline=badge(mark, 0.5, 0.69, 0.055), cloth="badge", plump=0.02),
    ]


def _bag(mark: str) -> list[Part]:
    body = curve((0.15, 0.42), (0.5, 0.405), (0.85, 0.42), (0.885, 0.62), (0.925, 0.86), (0.86, 0.91),
        (0.5, 0.92), (0.14, 0.91), (0.075, 0.86), (0.115, 0.62))
    flap = curve((0.145, 0.425), (0.5, 0.395), (0.855, 0.425), (0.865, 0.55), (0.8, 0.63), (0.5, 0.675),
        (0.2, 0.63), (0.135, 0.55))
    handle = [(0.27, 0.45), (0.29, 0.25), (0.39, 0.12), (0.5, 0.095), (0.61, 0.12), (0.71, 0.25),
        (0.73, 0.45)]
    inner = [(0.33, 0.44), (0.35, 0.3), (0.42, 0.2), (0.5, 0.18), (0.58, 0.2), (0.65, 0.3), (0.67, 0.44)]
    return [
        Part(outline=tube(*inner, wide=0.03), cloth="dark", plump=0.015),
        Part(outline=tube(*handle, wide=0.045), cloth="trim", plump=0.022),
        Part(outline=body, cloth="main", plump=0.12),
        Part(outline=tube((0.08, 0.86), (0.15, 0.9), (0.5, 0.91), (0.85, 0.9), (0.92, 0.86), wide=0.05),
             cloth="trim", plump=0.02),
        Part(outline=flap, cloth="main", plump=0.05),
        Part(outline=ring(0.275, 0.455, 0.032, 0.032), cloth="metal", plump=0.02),
        Part(outline=ring(0.725, 0.455, 0.032, 0.032), cloth="metal", plump=0.02),
        Part(outline=badge(mark, 0.5, 0.655, 0.075), cloth="badge", plump=0.02),
    ]


def _mug(mark: str) -> list[Part]:
    handle = [(0.68, 0.32), (0.82, 0.3), (0.91, 0.42), (0.89, 0.58), (0.8, 0.68), (0.66, 0.72)]
    body = curve((0.14, 0.22), (0.135, 0.5), (0.155, 0.78), (0.2, 0.86), (0.43, 0.885), (0.66, 0.86),
        (0.705, 0.78), (0.725, 0.5), (0.72, 0.22), (0.43, 0.245))
    return [
        Part(outline=tube(*handle, wide=0.075), cloth="trim", plump=0.035),
        Part(outline=body, cloth="main", plump=0.24),
        Part(outline=tube((0.165, 0.8), (0.43, 0.845), (0.695, 0.8), wide=0.05), cloth="trim", plump=0.02),
        Part(outline=ring(0.43, 0.205, 0.295, 0.075), cloth="trim", plump=0.02),
        Part(outline=ring(0.43, 0.21, 0.26, 0.056), cloth="dark"),
        Part(outline=ring(0.43, 0.228, 0.225, 0.038), cloth="sole"),
        Part(outline=badge(mark, 0.43, 0.53, 0.1), cloth="badge", plump=0.02),
    ]


def _teapot(mark: str) -> list[Part]:
    handle = [(0.7, 0.4), (0.82, 0.33), (0.93, 0.42), (0.91, 0.57), (0.82, 0.68), (0.7, 0.71)]
    spout = tube((0.27, 0.68), (0.17, 0.6), (0.125, 0.46), (0.05, 0.36), wide=0.15, thin=0.05)
    body = curve((0.35, 0.34), (0.49, 0.325), (0.63, 0.34), (0.745, 0.43), (0.785, 0.58), (0.73, 0.74),
        (0.62, 0.83), (0.49, 0.85), (0.36, 0.83), (0.25, 0.74), (0.195, 0.58), (0.235, 0.43))
    return [
        Part(outline=tube(*handle, wide=0.055), cloth="trim", plump=0.028),
        Part(outline=spout, cloth="main", plump=0.06),
        Part(outline=ring(0.05, 0.358, 0.032, 0.016), cloth="dark"),
        Part(outline=curve((0.34, 0.82), (0.49, 0.84), (0.64, 0.82), (0.66, 0.875), (0.49, 0.89),
             (0.32, 0.875)), cloth="trim", plump=0.02),
        Part(outline=body, cloth="main", plump=0.28),
        Part(outline=curve((0.34, 0.345), (0.4, 0.275), (0.49, 0.255), (0.58, 0.275), (0.64, 0.345),
             (0.49, 0.37)), cloth="trim", plump=0.07),
        Part(outline=ring(0.49, 0.225, 0.042, 0.042), cloth="metal", plump=0.05),
        Part(outline=badge(mark, 0.49, 0.58, 0.09), cloth="badge", plump=0.02),
    ]
# fmt: on


KINDS: dict[str, Callable[[str], list[Part]]] = {
    "shoe": _shoe, "boot": _boot, "pump": _pump, "bag": _bag, "mug": _mug, "teapot": _teapot
}  # fmt: skip

"""The cars of the city world: boxes with a profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimvid.data.worlds import city_look as look
from slimvid.data.worlds.stage import THINGS, Stage
from slimvid.data.worlds.texture import mix, soft_line, soft_polygon, to_bytes

_HALF = 0.88  # half a car's width
# upper contour from the rear bumper over the roof to the front: (z, y), and the kind of each strip between
_STRIP_LIGHT = {"rear": 0.86, "front": 0.92, "glass": 1.0, "paint": 1.12}
_STRIPS = ("rear", "paint", "glass", "paint", "glass", "paint", "front")
CARS = {
    "sedan": (
        (-2.2, -0.15),
        (-2.2, -0.95),
        (-1.50, -1.02),
        (-0.95, -1.43),
        (0.30, -1.46),
        (1.05, -1.0),
        (2.1, -0.78),
        (2.2, -0.15),
    ),
    "hatch": (
        (-1.9, -0.15),
        (-1.9, -0.98),
        (-1.78, -1.05),
        (-1.40, -1.50),
        (0.25, -1.53),
        (0.95, -1.02),
        (1.85, -0.82),
        (1.9, -0.15),
    ),
    "suv": (
        (-2.25, -0.2),
        (-2.25, -1.10),
        (-2.18, -1.20),
        (-1.90, -1.74),
        (0.30, -1.80),
        (1.0, -1.22),
        (2.15, -1.05),
        (2.25, -0.2),
    ),
    "van": (
        (-2.4, -0.2),
        (-2.4, -2.05),
        (-2.38, -2.08),
        (-2.30, -2.12),
        (1.20, -2.12),
        (1.85, -1.28),
        (2.4, -1.05),
        (2.4, -0.2),
    ),
    "mini": (
        (-1.6, -0.15),
        (-1.6, -0.92),
        (-1.50, -1.0),
        (-1.15, -1.46),
        (0.40, -1.46),
        (0.95, -0.98),
        (1.55, -0.84),
        (1.6, -0.15),
    ),
}
PAINT = {
    "sedan": (132, 142, 156),
    "hatch": (186, 40, 42),
    "suv": (40, 62, 56),
    "van": (226, 226, 222),
    "mini": (226, 176, 52),
}
_WHEELS = {"sedan": 1.35, "hatch": 1.2, "suv": 1.4, "van": 1.5, "mini": 1.0}


def car_textures(stage: Stage, kind: str, size: int) -> dict[str, int]:
    """Side, rear, front, paint and glass of a kind of car; added to the atlas once per clip."""
    paint = np.array(PAINT[kind], float)

    def add(picture: np.ndarray) -> int:
        return stage.atlas.add(picture, levels=3)

    return {
        "side": add(_side(kind, paint, size)),
        "rear": add(_end(paint, size, rear=True)),
        "front": add(_end(paint, size, rear=False)),
        "paint": add(_panel(paint * 1.08, size // 2)),
        "glass": add(_glass(size // 2)),
    }


def _panel(colour: np.ndarray, size: int) -> np.ndarray:
    x = np.linspace(-1, 1, size)
    shade = 1.05 + 0.12 * np.cos(x * 2) - 0.10 * x**4
    return to_bytes(np.broadcast_to(shade[None, :, None] * colour, (size, size, 3)))


def _glass(size: int) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size] / size
    tone = np.array([54, 68, 80]) + (70 * np.clip(0.9 - y - 0.5 * x, 0, 1))[..., None]
    return to_bytes(mix(tone.astype(np.float32), (26, 28, 32), np.clip(np.abs(x - 0.5) * 30 - 13.8, 0, 1)))


def _end(paint: np.ndarray, size: int, *, rear: bool) -> np.ndarray:
    """Rear or front over 1.76 m x its height: lights, plate, grille, bumper."""
    base = np.empty((size, size, 3), np.float32)
    base[:] = paint * np.linspace(1.1, 0.8, size)[:, None, None]
    box = look._box
    box(base, 0, 0.86, 1, 1, (24, 24, 26))  # the dark gap above the ground
    box(base, 0.02, 0.64, 0.98, 0.86, paint * 0.62)
    box(base, 0.36, 0.66, 0.64, 0.78, (236, 234, 220))
    for k in range(5):
        box(base, 0.39 + 0.045 * k, 0.69, 0.42 + 0.045 * k, 0.75, (40, 40, 60))
    for a, b in ((0.03, 0.22), (0.78, 0.97)):
        box(base, a, 0.22, b, 0.44, (196, 22, 26) if rear else (244, 244, 232))
        box(base, a + 0.03, 0.36, b - 0.03, 0.42, (244, 150, 60) if rear else (190, 200, 210))
    if not rear:
        box(base, 0.28, 0.26, 0.72, 0.54, (36, 38, 42))
        for k in range(4):
            box(base, 0.29, 0.29 + 0.06 * k, 0.71, 0.31 + 0.06 * k, (130, 132, 136))
    return to_bytes(base)


def _side(kind: str, paint: np.ndarray, size: int) -> np.ndarray:
    profile = np.array(CARS[kind])
    z0, z1, top = profile[0, 0], profile[-1, 0], profile[:, 1].min()
    w, h = round(size * (z1 - z0) / -top), size

    def at(pts: Sequence[Sequence[float]]) -> np.ndarray:
        return (np.asarray(pts, float) - [z0, top]) * [w / (z1 - z0), h / -top] - 0.5

    base = np.empty((h, w, 3), np.float32)
    base[:] = paint * np.linspace(1.16, 0.72, h)[:, None, None]
    belt = profile[5, 1] - 0.02
    roof = [
        (profile[3, 0] + 0.10, top + 0.12),
        (profile[4, 0] - 0.02, top + 0.12),
        (profile[5, 0] - 0.15, belt),
    ]
    glass = np.array([*roof, (profile[2, 0] + 0.35, belt)])
    base = mix(base, (48, 60, 70), soft_polygon((h, w), at(glass), 0.5))
    shine = glass * [0.5, 1] + [0.25, 0]
    base = mix(base, (120, 138, 150), 0.35 * soft_polygon((h, w), at(shine), h / 40))
    for z in (profile[3, 0] + 0.35, (profile[3, 0] + profile[4, 0]) / 2 + 0.25):
        base = mix(base, paint * 0.5, soft_line((h, w), at([(z, top + 0.1), (z + 0.03, -0.32)]), h / 45, 0.5))
    base = mix(base, (30, 30, 32), soft_line((h, w), at([(z0, -0.30), (z1, -0.30)]), h / 22, h / 80))
    ring = np.linspace(0, 2 * np.pi, 32)
    circle = np.column_stack([np.cos(ring), np.sin(ring)])
    for z in (-_WHEELS[kind], _WHEELS[kind]):
        for radius, colour in (
            (0.40, (18, 18, 20)),
            (0.32, (38, 38, 40)),
            (0.21, (150, 152, 156)),
            (0.07, (70, 70, 74)),
        ):
            base = mix(base, colour, soft_polygon((h, w), at(circle * radius + [z, -0.32]), 0.5))
    return to_bytes(base)


def _side_outline(kind: str) -> np.ndarray:
    """The contour of a side with wheels below the sill."""
    profile = [tuple(p) for p in CARS[kind]]
    profile[0], profile[-1] = (profile[0][0], -0.30), (profile[-1][0], -0.30)
    ring = np.linspace(0.15, np.pi - 0.15, 9)
    below = []
    for z in (_WHEELS[kind], -_WHEELS[kind]):
        below += [(z + 0.34 * np.cos(a), -0.32 + 0.32 * np.sin(a)) for a in ring]
    return np.array(profile + below)


def _strip(first: np.ndarray, last: np.ndarray, name: str) -> tuple[np.ndarray, float]:
    """Basis and length of the strip between two points (z, y) of the contour; v runs downwards."""
    ahead = name == "front" or (name == "glass" and first[0] > -0.5)
    a, b = (first, last) if ahead else (last, first)
    size = float(np.hypot(*(b - a)))
    z, y = (b - a) / size
    return np.column_stack([(1, 0, 0), (0, y, z), (0, a[1], a[0])]), size


@dataclass
class Car:
    """One car: where it drives (``track``: position and heading over time) and its facets."""

    facets: np.ndarray
    local: np.ndarray  # [n, 3, 3]
    normals: np.ndarray  # outward, [n, 3]
    track: np.ndarray  # [T, 3]: x, z, heading
    half_length: float

    @classmethod
    def build(cls, stage: Stage, textures: dict[str, int], kind: str, track: np.ndarray, **ids: int) -> "Car":
        """Add a car to the stage; ``ids``: label and instance."""
        profile, group = np.array(CARS[kind]), stage.group()
        top, start, long = profile[:, 1].min(), profile[0, 0], profile[-1, 0] - profile[0, 0]
        facets, bases = [], []

        def add(name: str, span: tuple, basis: np.ndarray, **look_: Any) -> None:
            facets.append(
                stage.facet(
                    texture=textures[name], span=span, basis=basis, layer=THINGS, group=group, **look_, **ids
                )
            )
            bases.append(basis)

        floor = np.column_stack([(1, 0, 0), (0, 0, 1), (0, -0.12, 0)])
        add("glass", (-_HALF, start, 2 * _HALF, long), floor, light=0.12, tier=0)
        for first, last, name in zip(profile, profile[1:], _STRIPS, strict=False):
            basis, size = _strip(first, last, name)
            add(name, (-_HALF, 0, 2 * _HALF, size), basis, light=_STRIP_LIGHT[name], tier=1)
        for side, light in ((-1, 1.05), (1, 0.84)):
            basis = np.column_stack([(0, 0, 1), (0, 1, 0), (side * _HALF, 0, 0)])
            add("side", (start, top, long, -top), basis, outline=_side_outline(kind), light=light, tier=2)
        local = np.array(bases)
        normals = np.cross(local[:, :, 0], local[:, :, 1])
        inward = np.array([0, -0.7, 0]) - local[:, :, 2]
        normals *= -np.sign((normals * inward).sum(axis=1))[:, None]
        return cls(np.array(facets), local, normals, track, long / 2)

    def place(self, frame: int, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World bases [n, 3, 3] at a frame, and which facets face the camera."""
        x, z, heading = self.track[frame]
        turn = np.array(
            [[np.cos(heading), 0, np.sin(heading)], [0, 1, 0], [-np.sin(heading), 0, np.cos(heading)]]
        )
        bases = turn @ self.local
        bases[:, :, 2] += [x, 0, z]
        eye = (camera - [x, 0, z]) @ turn  # in the car's own axes
        facing = ((eye - self.local[:, :, 2]) * self.normals).sum(axis=1) > 0
        facing[0] = True  # the floor is the dark below
        return bases, facing

"""The shape of the face world: 68 landmarks in three dimensions, the head mesh, expressions and hair.

Units: 1 is half the width of a mean head; x to the right of the picture, y down, z towards the viewer.
"""

from dataclasses import dataclass

import cv2
import numpy as np

_JAW = [
    (-1.0, -0.12),
    (-0.985, 0.13),
    (-0.935, 0.37),
    (-0.855, 0.61),
    (-0.725, 0.83),
    (-0.55, 1.01),
    (-0.365, 1.13),
]
_JAW += [(-0.18, 1.20), (0.0, 1.225)]
_BROW = [(-0.80, -0.37), (-0.68, -0.465), (-0.51, -0.50), (-0.34, -0.47), (-0.18, -0.40)]
_NOSE = [(0.0, -0.20), (0.0, -0.02), (0.0, 0.16), (0.0, 0.33), (-0.20, 0.455), (-0.105, 0.49), (0.0, 0.515)]
_EYE = [
    (-0.665, -0.185),
    (-0.545, -0.275),
    (-0.395, -0.275),
    (-0.275, -0.165),
    (-0.40, -0.115),
    (-0.545, -0.115),
]
_LIPS = [(-0.37, 0.775), (-0.23, 0.72), (-0.085, 0.685), (0.0, 0.705)]
_LIPS_BELOW = [(-0.23, 0.89), (-0.10, 0.945), (0.0, 0.955)]
_INNER = [(-0.31, 0.783), (-0.10, 0.785), (0.0, 0.79)]
_INNER_BELOW = [(-0.10, 0.815), (0.0, 0.82)]


def _mirror(points: list[tuple[float, float]], order: list[int]) -> list[tuple[float, float]]:
    return [(-points[i][0], points[i][1]) for i in order]


def mean_landmarks() -> np.ndarray:
    """A mean face in dlib-68 order, [68, 2]."""
    jaw = _JAW + _mirror(_JAW, [7, 6, 5, 4, 3, 2, 1, 0])
    brows = _BROW + _mirror(_BROW, [4, 3, 2, 1, 0])
    nose = _NOSE + _mirror(_NOSE, [5, 4])
    eyes = _EYE + _mirror(_EYE, [3, 2, 1, 0, 5, 4])
    outer = _LIPS + _mirror(_LIPS, [2, 1, 0]) + _mirror(_LIPS_BELOW, [0, 1]) + [_LIPS_BELOW[2]]
    outer += [_LIPS_BELOW[1], _LIPS_BELOW[0]]
    inner = _INNER + _mirror(_INNER, [1, 0]) + _mirror(_INNER_BELOW, [0]) + [_INNER_BELOW[1], _INNER_BELOW[0]]
    return np.array(jaw + brows + nose + eyes + outer + inner)


def relief(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height z of the head's front above (x, y): an ellipsoid with brow, sockets, nose, lips and chin."""

    def bump(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
        return np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)

    def twice(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
        return bump(cx, cy, sx, sy) + bump(-cx, cy, sx, sy)

    inside = np.clip(1 - (x / 1.05) ** 2 - ((y + 0.10) / 1.40) ** 2, 0, None)
    z = 1.22 * np.sqrt(inside + 0.002) - 0.62
    z = z + 0.30 * bump(0, 0.36, 0.15, 0.17) + 0.17 * bump(0, 0.08, 0.11, 0.26)  # tip and ridge of the nose
    z = z + 0.05 * twice(0.15, 0.42, 0.08, 0.08)  # wings of the nose
    z = z - 0.11 * twice(0.46, -0.20, 0.24, 0.13) + 0.05 * twice(0.45, -0.44, 0.35, 0.10)
    z = z + 0.07 * twice(0.52, 0.22, 0.25, 0.20)  # cheek bones
    z = (
        z
        + 0.09 * bump(0, 0.76, 0.28, 0.09)
        + 0.06 * bump(0, 0.91, 0.22, 0.07)
        - 0.05 * bump(0, 1.0, 0.3, 0.05)
    )
    return z + 0.10 * bump(0, 1.10, 0.26, 0.12)


@dataclass(frozen=True)
class Mesh:
    """The front of the head; the first 68 vertices are the landmarks."""

    flat: np.ndarray  # material coordinates, [V, 2]
    triangles: np.ndarray  # [F, 3]
    spread: np.ndarray  # [V, 68]: how landmark displacements move every vertex


def head_mesh() -> Mesh:
    """Triangulate the mean face; eye openings and the gap between the lips stay open."""
    marks = mean_landmarks()
    angle = np.linspace(np.pi, 2 * np.pi, 15)[1:-1]
    crown = np.column_stack([1.0 * np.cos(angle), -0.12 + 1.33 * np.sin(angle)])
    gx, gy = np.meshgrid(np.arange(-0.9, 0.91, 0.18), np.arange(-1.25, 1.2, 0.17))
    grid = np.column_stack([gx.ravel() + 0.09 * (np.arange(gx.size) // gx.shape[1] % 2), gy.ravel()])
    outline = np.vstack([marks[:17], crown[::-1]]).astype(np.float32)
    depth = np.array([cv2.pointPolygonTest(outline, (float(px), float(py)), True) for px, py in grid])
    gap = np.linalg.norm(grid[:, None] - marks[None], axis=2).min(axis=1)
    flat = np.vstack([marks, crown, grid[(depth > 0.10) & (gap > 0.10)]])
    spread = _spread(flat, marks)
    # Neighbours are found on an open mouth: on closed lips triangles would bridge the slit.
    opened = flat + spread @ still(open_=0.7).expression()
    return Mesh(flat, _delaunay(opened, flat, outline), spread)


def _delaunay(opened: np.ndarray, flat: np.ndarray, outline: np.ndarray) -> np.ndarray:
    from scipy.spatial import Delaunay

    triangles = np.sort(Delaunay(opened).simplices, axis=1)
    triangles = triangles[np.lexsort(triangles.T[::-1])]
    holes = [set(range(36, 42)), set(range(42, 48)), set(range(60, 68))]
    kept = []
    for triangle in triangles:
        centre = flat[triangle].mean(axis=0)
        if cv2.pointPolygonTest(outline, (float(centre[0]), float(centre[1])), False) < 0:
            continue
        if not any(set(triangle.tolist()) <= hole for hole in holes):
            kept.append(triangle)
    return np.array(kept)


def _spread(flat: np.ndarray, marks: np.ndarray) -> np.ndarray:
    far = np.linalg.norm(flat[:, None] - marks[None], axis=2)
    weight = np.exp(-((far / 0.17) ** 2))
    weight = weight / (weight.sum(axis=1, keepdims=True) + 0.35)
    weight[: len(marks)] = np.eye(len(marks))
    return weight


@dataclass(frozen=True, kw_only=True)
class Build:
    """What distinguishes one skull from another; every number is about -1..1, 0 is the mean face."""

    width: float
    jaw: float
    chin: float
    eyes: float
    gap: float
    tilt: float
    nose: float
    mouth: float
    lips: float
    brow: float

    def shift(self) -> np.ndarray:
        """Displacement of the 68 landmarks from the mean face, [68, 2]."""
        m = mean_landmarks()
        d = np.zeros_like(m)
        side = np.sign(m[:, 0])
        d[:, 0] += m[:, 0] * 0.09 * self.width
        jaw = slice(2, 15)
        d[jaw, 0] += m[jaw, 0] * 0.10 * self.jaw * np.clip(m[jaw, 1], 0, 1)
        low = np.clip((m[:17, 1] - 0.5) / 0.7, 0, 1)
        d[:17, 1] += 0.10 * self.chin * low
        for eye in (range(36, 42), range(42, 48)):
            e = list(eye)
            centre = m[e].mean(axis=0)
            d[e] += (m[e] - centre) * (0.22 * self.eyes)
            d[e, 0] += 0.04 * self.gap * side[e]
            d[e, 1] -= 0.10 * self.tilt * (np.abs(m[e, 0]) - abs(centre[0]))
        d[31:36, 0] += m[31:36, 0] * 0.24 * self.nose
        d[27:36, 1] += 0.05 * self.nose * np.clip(m[27:36, 1], 0, 1)
        d[48:68, 0] += m[48:68, 0] * 0.13 * self.mouth
        d[48:60, 1] += (m[48:60, 1] - 0.80) * 0.28 * self.lips
        d[17:27, 1] += -0.05 * self.brow - 0.05 * self.brow * (0.5 - np.abs(np.abs(m[17:27, 0]) - 0.5))
        return d


@dataclass(frozen=True, kw_only=True)
class Pose:
    """One moment: angles in radians, offsets in face units, expression in 0..1 (gaze in -1..1)."""

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    scale: float
    open: float
    smile: float
    raise_: float
    blink: float
    gaze: tuple[float, float]
    sway: float

    def rotation(self) -> np.ndarray:
        a, b, c = self.yaw, self.pitch, self.roll
        yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        roll = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        return roll @ pitch @ yaw

    def expression(self) -> np.ndarray:
        """Displacement of the 68 landmarks, [68, 2]."""
        m = mean_landmarks()
        d = np.zeros_like(m)
        drop = 0.30 * self.open
        d[[55, 56, 57, 58, 59], 1] += drop * np.array([0.75, 0.97, 1, 0.97, 0.75])
        d[[65, 66, 67], 1] += drop * 1.02
        d[[50, 51, 52, 61, 62, 63], 1] -= 0.06 * drop
        d[:17, 1] += 0.75 * drop * np.clip((m[:17, 1] - 0.3) / 0.9, 0, 1)
        corners = [48, 60, 54, 64]
        d[[61, 67, 50, 58], 0] -= 0.22 * drop  # the opening is round, not a slit
        d[[63, 65, 52, 56], 0] += 0.22 * drop
        d[corners, 1] += 0.35 * drop
        d[corners, 0] -= np.sign(m[corners, 0]) * 0.22 * drop
        near = np.exp(-(((np.abs(m[48:68, 0]) - 0.36) / 0.15) ** 2))
        d[48:68, 0] += np.sign(m[48:68, 0]) * 0.10 * self.smile * near
        d[48:68, 1] -= 0.09 * self.smile * near
        d[17:27, 1] -= 0.09 * self.raise_
        shut = 0.92 * max(self.blink, 0.25 * self.smile)
        for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
            d[upper, 1] += (m[lower, 1] - m[upper, 1]) * shut
            d[lower, 1] -= 0.12 * (m[lower, 1] - m[upper, 1]) * shut
        return d


def still(*, open_: float = 0.0) -> Pose:
    """A relaxed face that looks straight ahead, with the mouth open by ``open_``."""
    return Pose(
        yaw=0, pitch=0, roll=0, x=0, y=0, scale=1, open=open_, smile=0, raise_=0, blink=0, gaze=(0, 0), sway=0
    )


HAIR_STYLES = ("crop", "part", "bob", "long", "curls", "updo")
# style: (swell, front hairline y, side y, back y, length of drop, raggedness, curl)
_STYLES = {
    "crop": (1.02, -0.96, -0.18, 0.45, 0.0, 0.03, 0.25),
    "part": (1.08, -0.80, -0.10, 0.55, 0.0, 0.03, 0.1),
    "bob": (1.12, -0.70, 0.30, 0.50, 0.85, 0.02, 0.0),
    "long": (1.08, -0.88, 0.30, 0.50, 1.90, 0.05, 0.2),
    "curls": (1.30, -0.74, 0.35, 0.60, 0.35, 0.10, 1.0),
    "updo": (1.04, -1.00, -0.05, 0.35, 0.0, 0.01, 0.05),
}


@dataclass(frozen=True)
class Hair:
    """A shell of quads [R, C] over the skull: corner grid ``points`` [R+1, C+1, 3], normals alike."""

    points: np.ndarray
    normals: np.ndarray
    hanging: np.ndarray  # [R+1]: how far a row follows gravity instead of the head, 0..1
    curl: float


def hair_shell(rng: np.random.Generator, style: str, *, rows: int = 9, columns: int = 32) -> Hair:
    """The hair of one head; the outline (fringe, sides, length, curls) depends on the style."""
    swell, front, side, back, drop, ragged, curl = _STYLES[style]
    centre, radii = np.array([0.0, -0.33, -0.45]), np.array([1.09, 1.22, 1.22]) * swell
    phi = np.linspace(-np.pi, np.pi, columns + 1)
    facing = np.cos(phi)
    line = np.where(
        facing > 0, side + (front - side) * np.clip(facing, 0, 1) ** 0.7, side + (back - side) * -facing
    )
    parting = (
        (0.30 if style == "part" else 0.16) * np.exp(-(((phi - 0.5) / 0.5) ** 2))
        if style in ("part", "long")
        else 0.0
    )
    line = line - parting + ragged * rng.uniform(-1, 1, columns + 1)
    line[-1] = line[0]
    limit = np.arccos(np.clip((centre[1] - line) / radii[1], -0.95, 0.95))
    theta = np.linspace(0.02, 1, rows + 1)[:, None] * limit[None]
    normal = np.stack([np.sin(theta) * np.sin(phi), -np.cos(theta), np.sin(theta) * np.cos(phi)], axis=2)
    jitter = 1 + ragged * 0.6 * rng.uniform(-1, 1, theta.shape)
    jitter[:, -1] = jitter[:, 0]
    points = centre + normal * radii * jitter[..., None]
    hanging = np.zeros(rows + 1)
    if drop:
        points, normal, hanging = _drop(rng, points, normal, phi, drop, ragged)
    return Hair(points, normal, hanging, curl)


def _drop(rng, points, normal, phi, drop, ragged):
    steps = 5
    share = np.clip((np.abs(phi) - 0.95) / 0.45, 0, 1)  # nothing hangs into the face
    last, out, norms = points[-1], [points], [normal]
    for k in range(1, steps + 1):
        row = last.copy()
        down = drop * k / steps * share
        row[:, 1] += down + ragged * (k == steps) * share * rng.uniform(-1, 1, len(phi))
        row[:, 0] *= 1 + 0.10 * np.sin(np.pi * k / steps) * share
        row[-1] = row[0]
        out.append(row[None])
        flat = normal[-1].copy()
        flat[:, 1] *= 1 - share
        norms.append((flat / np.linalg.norm(flat, axis=1, keepdims=True))[None])
    hanging = np.concatenate([np.zeros(len(points)), np.arange(1, steps + 1) / steps])
    return np.concatenate(out), np.concatenate(norms), hanging

"""The shape of the body world: skeleton, dance, and tubes around the bones.

Units: 1 is the height of a mean person; x to the right of the picture, y down, z towards the viewer. The person
faces the viewer at yaw 0, so its left is on the right of the picture.
"""

from dataclasses import dataclass

import numpy as np

from slimvid.data.worlds.motion import wander

# Names of the parts, and the pair of DensePose part numbers (back, front) each one shows.
PARTS = {
    "torso": (1, 2),
    "hips": (1, 2),
    "r_hand": (3, 3),
    "l_hand": (4, 4),
    "l_foot": (5, 5),
    "r_foot": (6, 6),
    "r_thigh": (7, 9),
    "l_thigh": (8, 10),
    "r_shin": (11, 13),
    "l_shin": (12, 14),
    "l_arm": (15, 17),
    "r_arm": (16, 18),
    "l_forearm": (19, 21),
    "r_forearm": (20, 22),
    "neck": (23, 24),
    "head": (23, 24),
    "hair": (23, 24),
    "skirt": (7, 9),
}
# (position along the bone in shares of its length, half width, half depth), in units of the body
_PROFILES = {
    "torso": [(-0.10, 0.030, 0.025), (-0.06, 0.075, 0.045), (0.0, 0.112, 0.058), (0.12, 0.122, 0.068),
              (0.35, 0.112, 0.076), (0.65, 0.094, 0.068), (0.85, 0.092, 0.067), (1.12, 0.100, 0.074)],
    "hips": [(-0.35, 0.088, 0.062), (0.0, 0.094, 0.068), (0.45, 0.104, 0.076), (0.85, 0.096, 0.072),
             (1.10, 0.060, 0.05), (1.2, 0.02, 0.02)],
    "arm": [(-0.20, 0.010, 0.010), (-0.13, 0.034, 0.034), (0.0, 0.043, 0.043), (0.30, 0.040, 0.041),
            (0.75, 0.033, 0.033), (1.0, 0.031, 0.031), (1.12, 0.016, 0.016)],
    "forearm": [(-0.12, 0.016, 0.016), (0.0, 0.031, 0.031), (0.25, 0.033, 0.033), (0.7, 0.024, 0.026),
                (1.0, 0.020, 0.021), (1.06, 0.010, 0.010)],
    "hand": [(-0.05, 0.010, 0.010), (0.05, 0.019, 0.015), (0.45, 0.027, 0.015), (0.85, 0.021, 0.012), (1.0, 0.008, 0.006)],
    "thigh": [(-0.16, 0.030, 0.03), (-0.05, 0.062, 0.062), (0.10, 0.070, 0.072), (0.45, 0.061, 0.064),
              (0.85, 0.046, 0.048), (1.0, 0.044, 0.046), (1.09, 0.022, 0.022)],
    "shin": [(-0.09, 0.022, 0.022), (0.0, 0.044, 0.046), (0.25, 0.047, 0.050), (0.65, 0.033, 0.035),
             (0.95, 0.025, 0.028), (1.05, 0.020, 0.022), (1.10, 0.010, 0.010)],
    "foot": [(-0.30, 0.008, 0.008), (-0.24, 0.026, 0.024), (0.0, 0.032, 0.034), (0.4, 0.036, 0.030),
             (0.8, 0.036, 0.020), (1.0, 0.024, 0.014), (1.05, 0.006, 0.004)],
    "neck": [(-0.3, 0.050, 0.045), (0.2, 0.036, 0.036), (0.9, 0.034, 0.036), (1.3, 0.034, 0.034)],
    "head": [(-0.02, 0.004, 0.004), (0.02, 0.026, 0.030), (0.14, 0.048, 0.056), (0.35, 0.063, 0.074),
             (0.55, 0.067, 0.079), (0.75, 0.062, 0.075), (0.90, 0.046, 0.056), (0.97, 0.026, 0.030), (1.0, 0.004, 0.004)],
}  # fmt: skip
_COLUMNS = {"torso": 16, "hips": 14, "head": 16, "hair": 14, "skirt": 16}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Proportions of a person: ``stocky`` -1..1 (limb girth), ``tall`` (share of the mean height), garment."""

    stocky: float
    tall: float
    baggy: float  # extra girth of clothes, 0..1
    shoulders: float  # 1: mean
    skirt: float  # length of a skirt in body heights; 0: none
    flare: float  # half width of the skirt's hem
    hair: str  # crop, long, bun, bob, afro, cap


def profile(part: str, figure: Figure) -> np.ndarray:
    """Rings of a part's tube: [R + 1, 3] = (position along the bone, half width, half depth)."""
    kind = part.split("_")[-1]
    if kind == "skirt":
        steps = np.linspace(0, 1, 7)
        width = 0.092 + (figure.flare - 0.092) * steps**0.8
        return np.column_stack([steps, width, width * (0.72 + 0.2 * steps)])
    if kind == "hair":
        return _hair_profile(figure.hair)
    rings = np.array(_PROFILES[kind])
    girth = 1 + (0.16 if kind not in ("head", "hand", "foot") else 0.04) * figure.stocky
    if kind in ("thigh", "shin", "arm", "forearm"):
        girth *= 1 + 0.28 * figure.baggy
    rings[:, 1:] *= girth
    if kind == "torso":
        rings[:, 1] *= 1 + (figure.shoulders - 1) * np.clip(1 - rings[:, 0], 0, 1)
        rings[:, 1:] *= 1 + 0.10 * figure.baggy
    return rings


def _hair_profile(style: str) -> np.ndarray:
    ball = np.linspace(-1, 1, 9)
    round_ = np.sqrt(1 - ball**2 * 0.998)
    if style == "long":
        v = np.linspace(0, 1, 8)
        return np.column_stack(
            [v, 0.074 * np.sin(np.clip(0.25 + 2.2 * v, 0, 1.9)) * (1 - 0.3 * v**4), 0.050 - 0.02 * v]
        )
    size = {
        "bun": (0.038, 0.036),
        "bob": (0.086, 0.072),
        "afro": (0.112, 0.100),
        "crop": (0.060, 0.05),
        "cap": (0.069, 0.07),
    }
    a, b = size[style]
    return np.column_stack([(ball + 1) / 2, a * round_, b * round_])


def columns(part: str, *, small: bool = False) -> int:
    """Quads around a part's tube; fewer where the picture is small."""
    count = _COLUMNS.get(part, 10)
    return count // 4 * 2 + 2 if small else count


def dance(rng: np.random.Generator, frames: int, fps: float) -> dict[str, np.ndarray]:
    """Joint angles (radians) and offsets over time, on one beat; keys name joints, values are [frames]."""
    t = np.arange(frames) / fps
    beat = rng.uniform(0.75, 1.05)  # full cycles per second: two steps

    def swing(amplitude: float, offset: float = 0.0, double: float = 0.0) -> np.ndarray:
        phase, other = rng.uniform(0, 2 * np.pi, 2)
        main = np.sin(2 * np.pi * beat * t + phase) + double * np.sin(4 * np.pi * beat * t + other)
        envelope = 0.75 + 0.25 * np.sin(2 * np.pi * 0.21 * t + other)
        return offset + amplitude * main * envelope

    step = 2 * np.pi * beat * t + rng.uniform(0, 2 * np.pi)
    a: dict[str, np.ndarray] = {
        "yaw": wander(rng, t, 0.75, 0.22),
        "lean": swing(0.07) + wander(rng, t, 0.05, 0.3),
        "bow": 0.04 + np.abs(swing(0.08)),
        "sway": 0.035 * np.sin(step),
        "x": wander(rng, t, 1.0, 0.16),
        "head_roll": swing(0.14),
        "head_nod": swing(0.12, double=0.6),
        "head_yaw": wander(rng, t, 0.35, 0.4),
        "twist": swing(0.22),
    }
    lift = rng.uniform(0.2, 0.8)
    for side, sign in (("l", 1), ("r", -1)):
        a[f"{side}_raise"] = np.clip(swing(rng.uniform(0.5, 0.85), rng.uniform(0.8, 1.4)), 0.12, 2.5)
        a[f"{side}_reach"] = swing(0.45, 0.25)
        a[f"{side}_elbow"] = np.clip(swing(0.7, 0.9), 0.05, 2.2)
        a[f"{side}_elbow_in"] = swing(0.5, 0.5)
        a[f"{side}_spread"] = np.clip(
            0.16 + 0.16 * sign * np.sin(step) + wander(rng, t, 0.05, 0.2), 0.02, 0.6
        )
        knee = np.clip(sign * np.sin(step), 0, 1)
        a[f"{side}_hip"] = lift * 0.75 * knee + 0.12
        a[f"{side}_knee"] = lift * 1.15 * knee + 0.22 + 0.10 * np.cos(2 * step)
    return a


def _rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    c, s = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    ry = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    rx = np.array([[1, 0, 0], [0, c[1], -s[1]], [0, s[1], c[1]]])
    rz = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    return ry @ rz @ rx


def _limb(raise_: float, reach: float, side: int) -> np.ndarray:
    """Direction of a limb that hangs down at 0: raised sideways, then reached forward."""
    return np.array([side * np.sin(raise_), np.cos(raise_) * np.cos(reach), np.sin(reach) * abs(np.cos(raise_)) + 0.25
                     * np.sin(reach) * abs(np.sin(raise_))])  # fmt: skip


@dataclass
class Bones:
    """One moment of the skeleton: start, vector and frame (columns: across, along, out) of every part."""

    start: dict[str, np.ndarray]
    along: dict[str, np.ndarray]
    frame: dict[str, np.ndarray]
    points: np.ndarray  # BODY_25, [25, 3]


def _frame(along: np.ndarray, rest: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Axes [3, 3] turned by the smallest rotation that takes the direction ``rest`` to ``along``."""
    a, b = rest / np.linalg.norm(rest), along / np.linalg.norm(along)
    axis, cos = np.cross(a, b), float(a @ b)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + cross + cross @ cross / max(1 + cos, 1e-3)) @ axes


def skeleton(a: dict[str, float], figure: Figure) -> Bones:
    """Pose the skeleton by one frame of `dance`, the lower foot on the ground (y = 0)."""
    start, along, frame = {}, {}, {}
    points = np.zeros((25, 3))
    hips = _rotation(a["yaw"], 0, 0.5 * a["sway"] * 4)
    chest = _rotation(a["yaw"] + a["twist"], -a["bow"], a["lean"])
    neck = np.array([a["sway"] * 0.5, 0, 0]) + chest @ [0, -0.30, 0]

    def part(
        name: str, at: np.ndarray, vector: np.ndarray, axes: np.ndarray, rest=(0.0, 1.0, 0.0)
    ) -> np.ndarray:
        vector = np.asarray(vector, float)
        start[name], along[name] = at, vector
        frame[name] = _frame(vector, axes @ np.asarray(rest, float), axes)
        return at + vector

    pelvis = np.array([a["sway"], 0, 0])
    part("torso", neck + chest @ [0, 0.015, 0], pelvis + hips @ [0, -0.075, 0] - neck, chest)
    part("hips", pelvis + hips @ [0, -0.06, 0], hips @ [0, 0.09, 0], hips)
    wide = 0.098 * figure.shoulders * (1 + 0.08 * figure.stocky)
    for side, sign in (("l", 1), ("r", -1)):
        offset = {"l": (5, 6, 7, 12, 13, 14, 19, 20, 21), "r": (2, 3, 4, 9, 10, 11, 22, 23, 24)}[side]
        shoulder = neck + chest @ [sign * wide, 0.045, 0]
        raise_, reach = a[f"{side}_raise"], a[f"{side}_reach"]
        side_rest = (sign * 0.7, 0.7, 0.1)
        up = _limb(raise_, reach, sign)
        elbow = part(f"{side}_arm", shoulder, 0.158 * chest @ up / np.linalg.norm(up), chest, side_rest)
        fore = _limb(raise_ + a[f"{side}_elbow"], reach + a[f"{side}_elbow_in"], sign)
        fore /= np.linalg.norm(fore)
        wrist = part(f"{side}_forearm", elbow, 0.142 * chest @ fore, chest, side_rest)
        part(f"{side}_hand", wrist, 0.075 * chest @ fore, chest, side_rest)
        hip = pelvis + hips @ [sign * 0.052, 0.025, 0]
        thigh = _limb(a[f"{side}_spread"], a[f"{side}_hip"], sign)
        knee = part(f"{side}_thigh", hip, 0.232 * hips @ thigh / np.linalg.norm(thigh), hips)
        shin = _limb(a[f"{side}_spread"] * 0.5, a[f"{side}_hip"] - a[f"{side}_knee"], sign)
        ankle = part(f"{side}_shin", knee, 0.228 * hips @ shin / np.linalg.norm(shin), hips)
        tilt = 0.55 * (a[f"{side}_hip"] - a[f"{side}_knee"])
        toes = hips @ [sign * 0.35, 0.32 - tilt, 0.88]
        heel_axes = hips @ _rotation(0, 0, 0)
        part(
            f"{side}_foot",
            ankle + [0, 0.022, 0],
            0.10 * toes / np.linalg.norm(toes),
            heel_axes,
            (0, 0.3, 0.95),
        )
        base, vector, axes = start[f"{side}_foot"], along[f"{side}_foot"], frame[f"{side}_foot"]
        points[list(offset)] = [shoulder, elbow, wrist, hip, knee, ankle, base + vector * 0.9 - sign * 0.014 * axes[:, 0],
                                base + vector * 0.8 + sign * 0.022 * axes[:, 0], base - vector * 0.22]  # fmt: skip
    points[1], points[8] = neck, pelvis + hips @ [0, 0.02, 0]
    _skull(a, chest, neck, figure, part, points)
    if figure.skirt:
        middle = (along["l_thigh"] + along["r_thigh"]) / 2
        drape = hips @ [0, 0.55, 0] + middle / np.linalg.norm(middle) * 0.45
        part("skirt", pelvis + hips @ [0, -0.075, 0], figure.skirt * drape / np.linalg.norm(drape), hips)
    _ground(start, points)
    return Bones(start, along, frame, points)


def _skull(a, chest, neck, figure, part, points) -> None:
    head = chest @ _rotation(a["head_yaw"], a["head_nod"], a["head_roll"])
    base = part("neck", neck + chest @ [0, 0.02, 0.0], chest @ [0, -0.07, 0.008], chest, (0, -1, 0))
    chin = base + head @ [0, 0.018, 0.012]
    part("head", chin, head @ [0, -0.165, 0], head, (0, -1, 0))
    hair = {
        "long": ([0, -0.155, -0.035], [0, 0.27, -0.03]),
        "bun": ([0, -0.165, -0.045], [0, -0.07, -0.02]),
        "bob": ([0, -0.170, -0.022], [0, 0.19, 0.0]),
        "afro": ([0, -0.21, -0.032], [0, 0.21, 0.0]),
        "crop": ([0, -0.17, -0.03], [0, 0.11, 0.0]),
        "cap": ([0, -0.178, 0.0], [0, 0.09, 0.0]),
    }[figure.hair]
    rest = (0, -1, 0) if hair[1][1] < 0 else (0, 1, 0)
    part("hair", chin + head @ hair[0], head @ hair[1], head, rest)
    at = lambda x, y, z: chin + head @ np.array([x, y, z])  # noqa: E731
    points[[0, 15, 16, 17, 18]] = [at(0, -0.062, 0.080), at(-0.024, -0.088, 0.068), at(0.024, -0.088, 0.068),
                                   at(-0.064, -0.078, 0.0), at(0.064, -0.078, 0.0)]  # fmt: skip


def _ground(start: dict[str, np.ndarray], points: np.ndarray) -> None:
    """Lift everything so that the lowest point of the feet touches y = 0."""
    lowest = points[[19, 20, 21, 22, 23, 24], 1].max() + 0.02
    points[:, 1] -= lowest
    for name in start:
        start[name] = start[name] - [0, lowest, 0]


def tube(bones: Bones, part: str, rings: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners [R + 1, C + 1, 3] and unit normals of a part; column 0 is its back, the middle its front."""
    phi = np.linspace(-np.pi, np.pi, count + 1)
    along, (across, _, out) = bones.along[part], bones.frame[part].T
    length = float(np.sqrt(along @ along))
    sine, cosine = np.sin(phi)[None, :, None] * across, np.cos(phi)[None, :, None] * out
    a, b = rings[:, 1, None, None], rings[:, 2, None, None]
    corners = (bones.start[part] + rings[:, 0, None] * along)[:, None] + sine * a + cosine * b
    slope = np.gradient((rings[:, 1] + rings[:, 2]) / 2, rings[:, 0] * length)
    normal = _unit(sine * b + cosine * a + 1e-9) - np.clip(slope, -3, 3)[:, None, None] * (along / length)
    return corners, _unit(normal)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))

"""The skeleton of the body world and its dance.

Units: 1 is the height of a mean person; x to the right of the picture, y down, z towards the viewer. The
person faces the viewer at yaw 0, so its left is on the right of the picture.
"""

from dataclasses import dataclass, field

import numpy as np

from slimvid.data.worlds.motion import wander


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Proportions of a person, and what of the clothes shows in the outline."""

    stocky: float  # girth of the limbs, -1..1
    tall: float  # share of the mean height
    baggy: float  # extra girth of clothes, 0..1
    shoulders: float  # 1: mean
    skirt: float  # length of a skirt in body heights; 0: none
    flare: float  # half width of the skirt's hem
    hair: str  # crop, long, bun, bob, afro, cap


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
    """Direction (unit) of a limb that hangs down at 0: raised sideways, then reached forward."""
    out = np.sin(reach) * (abs(np.cos(raise_)) + 0.25 * abs(np.sin(raise_)))
    way = np.array([side * np.sin(raise_), np.cos(raise_) * np.cos(reach), out])
    return way / np.linalg.norm(way)


@dataclass
class Bones:
    """One moment of the skeleton: start, vector and frame (columns: across, along, out) of every part."""

    start: dict[str, np.ndarray] = field(default_factory=dict)
    along: dict[str, np.ndarray] = field(default_factory=dict)
    frame: dict[str, np.ndarray] = field(default_factory=dict)
    points: np.ndarray = field(default_factory=lambda: np.zeros((25, 3)))  # BODY_25

    def add(
        self, name: str, at: np.ndarray, vector: np.ndarray, axes: np.ndarray, rest=(0.0, 1.0, 0.0)
    ) -> np.ndarray:
        """Add a part from ``at`` along ``vector``; returns its end.

        Its frame is ``axes`` turned by the smallest rotation that takes the resting direction ``rest`` (in
        those axes) to the vector, so that clothes do not twist.
        """
        self.start[name], self.along[name] = at, vector
        self.frame[name] = _frame(vector, axes @ np.asarray(rest, float), axes)
        return at + vector


def _frame(along: np.ndarray, rest: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Axes [3, 3] turned by the smallest rotation that takes the direction ``rest`` to ``along``."""
    a, b = rest / np.linalg.norm(rest), along / np.linalg.norm(along)
    axis, cos = np.cross(a, b), float(a @ b)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + cross + cross @ cross / max(1 + cos, 1e-3)) @ axes


def skeleton(a: dict[str, float], figure: Figure) -> Bones:
    """Pose the skeleton by one frame of `dance`, the lower foot on the ground (y = 0)."""
    bones = Bones()
    hips = _rotation(a["yaw"], 0, 2 * a["sway"])
    chest = _rotation(a["yaw"] + a["twist"], -a["bow"], a["lean"])
    pelvis = np.array([a["sway"], 0, 0])
    neck = np.array([a["sway"] * 0.5, 0, 0]) + chest @ [0, -0.30, 0]
    bones.add("torso", neck + chest @ [0, 0.015, 0], pelvis + hips @ [0, -0.075, 0] - neck, chest)
    bones.add("hips", pelvis + hips @ [0, -0.06, 0], hips @ [0, 0.09, 0], hips)
    wide = 0.098 * figure.shoulders * (1 + 0.08 * figure.stocky)
    for side, sign in (("l", 1), ("r", -1)):
        _arm(bones, a, side, sign, neck + chest @ [sign * wide, 0.045, 0], chest)
        _leg(bones, a, side, sign, pelvis + hips @ [sign * 0.052, 0.025, 0], hips)
    bones.points[1], bones.points[8] = neck, pelvis + hips @ [0, 0.02, 0]
    _skull(bones, a, chest, neck, figure)
    if figure.skirt:
        middle = (bones.along["l_thigh"] + bones.along["r_thigh"]) / 2
        drape = hips @ [0, 0.55, 0] + middle / np.linalg.norm(middle) * 0.45
        drape *= figure.skirt / np.linalg.norm(drape)
        bones.add("skirt", pelvis + hips @ [0, -0.075, 0], drape, hips)
    _stand(bones)
    return bones


def _arm(bones: Bones, a: dict, side: str, sign: int, shoulder: np.ndarray, chest: np.ndarray) -> None:
    raise_, reach = a[f"{side}_raise"], a[f"{side}_reach"]
    rest = (sign * 0.7, 0.7, 0.1)
    elbow = bones.add(f"{side}_arm", shoulder, 0.158 * chest @ _limb(raise_, reach, sign), chest, rest)
    fore = chest @ _limb(raise_ + a[f"{side}_elbow"], reach + a[f"{side}_elbow_in"], sign)
    wrist = bones.add(f"{side}_forearm", elbow, 0.142 * fore, chest, rest)
    bones.add(f"{side}_hand", wrist, 0.075 * fore, chest, rest)
    bones.points[[5, 6, 7] if sign > 0 else [2, 3, 4]] = shoulder, elbow, wrist


def _leg(bones: Bones, a: dict, side: str, sign: int, hip: np.ndarray, hips: np.ndarray) -> None:
    spread, lift, bend = a[f"{side}_spread"], a[f"{side}_hip"], a[f"{side}_knee"]
    knee = bones.add(f"{side}_thigh", hip, 0.232 * hips @ _limb(spread, lift, sign), hips)
    ankle = bones.add(f"{side}_shin", knee, 0.228 * hips @ _limb(spread * 0.5, lift - bend, sign), hips)
    toes = hips @ [sign * 0.35, 0.32 - 0.55 * (lift - bend), 0.88]
    toes *= 0.10 / np.linalg.norm(toes)
    base = ankle + np.array([0, 0.022, 0])
    bones.add(f"{side}_foot", base, toes, hips, (0, 0.3, 0.95))
    across = bones.frame[f"{side}_foot"][:, 0] * sign
    big, small, heel = (
        base + 0.9 * toes - 0.014 * across,
        base + 0.8 * toes + 0.022 * across,
        base - 0.22 * toes,
    )
    numbers = [12, 13, 14, 19, 20, 21] if sign > 0 else [9, 10, 11, 22, 23, 24]
    bones.points[numbers] = hip, knee, ankle, big, small, heel


# hair style: where its tube starts, seen from the chin, and where it leads
_HAIR = {
    "long": ((0, -0.155, -0.035), (0, 0.27, -0.03)),
    "bun": ((0, -0.165, -0.045), (0, -0.07, -0.02)),
    "bob": ((0, -0.170, -0.022), (0, 0.19, 0.0)),
    "afro": ((0, -0.21, -0.032), (0, 0.21, 0.0)),
    "crop": ((0, -0.17, -0.03), (0, 0.11, 0.0)),
    "cap": ((0, -0.178, 0.0), (0, 0.09, 0.0)),
}


def _skull(bones: Bones, a: dict, chest: np.ndarray, neck: np.ndarray, figure: Figure) -> None:
    head = chest @ _rotation(a["head_yaw"], a["head_nod"], a["head_roll"])
    up = (0, -1, 0)
    base = bones.add("neck", neck + chest @ [0, 0.02, 0.0], chest @ [0, -0.07, 0.008], chest, up)
    chin = base + head @ [0, 0.018, 0.012]
    bones.add("head", chin, head @ [0, -0.165, 0], head, up)
    start, way = _HAIR[figure.hair]
    bones.add("hair", chin + head @ start, head @ way, head, up if way[1] < 0 else (0, 1, 0))
    nose_eyes_ears = [(0, -0.062, 0.080), (-0.024, -0.088, 0.068), (0.024, -0.088, 0.068)]
    nose_eyes_ears += [(-0.064, -0.078, 0.0), (0.064, -0.078, 0.0)]
    bones.points[[0, 15, 16, 17, 18]] = chin + np.array(nose_eyes_ears) @ head.T


def _stand(bones: Bones) -> None:
    """Move everything so that the lowest point of the feet touches y = 0."""
    lowest = np.array([0, bones.points[19:25, 1].max() + 0.02, 0])
    bones.points -= lowest
    for name in bones.start:
        bones.start[name] = bones.start[name] - lowest

"""The pedestrians of the city world: puppets of flat parts, swung by the gait."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slimvid.data.worlds import city_look as look
from slimvid.data.worlds.stage import THINGS, Stage

WALKERS = ("suit", "dress", "casual", "child")
_CLOTHES = {  # upper (fabric, colours), lower (fabric, colours), shoe, hair, height, skirt
    "suit": (
        ("plain", (52, 60, 84), (52, 60, 84)),
        ("plain", (44, 48, 62), (44, 48, 62)),
        (52, 46, 36),
        1.80,
        False,
    ),
    "dress": (
        ("dots", (176, 56, 92), (240, 220, 220)),
        ("dots", (176, 56, 92), (240, 220, 220)),
        (92, 48, 28),
        1.68,
        True,
    ),
    "casual": (
        ("stripes", (236, 232, 222), (206, 120, 44)),
        ("plain", (72, 100, 146), (0, 0, 0)),
        (30, 26, 26),
        1.74,
        False,
    ),
    "child": (
        ("plain", (240, 196, 50), (0, 0, 0)),
        ("plain", (96, 128, 76), (0, 0, 0)),
        (150, 110, 60),
        1.18,
        False,
    ),
}
_SKIN = (212, 166, 134)


def walker_textures(stage: Stage, rng: np.random.Generator, kind: str, size: int) -> dict[str, int]:
    upper, lower, hair, _, _ = _CLOTHES[kind]

    def add(picture: np.ndarray) -> int:
        return stage.atlas.add(picture, levels=2)

    return {
        "upper": add(look.cloth(rng, size, *upper)),
        "lower": add(look.cloth(rng, size, *lower)),
        "skin": add(look.cloth(rng, max(8, size // 2), "plain", _SKIN, _SKIN)),
        "hair": add(look.cloth(rng, max(8, size // 2), "plain", hair, hair)),
        "shoe": add(look.plain((44, 36, 32))),
    }


def capsule(length: float, top: float, bottom: float, *, steps: int = 5) -> np.ndarray:
    """A limb's outline along v from 0 to ``length``, with half widths ``top`` and ``bottom``: [n, 2]."""
    a = np.linspace(np.pi, 2 * np.pi, steps)
    b = np.linspace(0, np.pi, steps)
    head = np.column_stack([top * np.cos(a), 0.7 * top * np.sin(a)])
    foot = np.column_stack([bottom * np.cos(b), length + 0.7 * bottom * np.sin(b)])
    return np.vstack([head, foot])


# Outlines of the parts in metres, each from its own joint
_RING = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_CIRCLE = np.column_stack([np.cos(_RING), np.sin(_RING)])
_TRUNK = np.array(
    [(-0.11, -0.02), (0.0, -0.07), (0.11, -0.02), (0.12, 0.2), (0.105, 0.58), (-0.105, 0.58), (-0.12, 0.2)]
)
_SKIRT = np.array([(-0.10, 0), (0.10, 0), (0.20, 0.48), (0.0, 0.51), (-0.20, 0.48)])
_NECK, _HAIR, _FACE = (
    capsule(0.10, 0.04, 0.04),
    _CIRCLE * [0.105, 0.125] - [0.025, 0.015],
    _CIRCLE * [0.078, 0.105],
)
_FACE = _FACE + np.array([0.025, 0.012])
_THIGH, _SHIN = capsule(0.42, 0.085, 0.065), capsule(0.42, 0.065, 0.045)
_SHOE = np.array([(-0.06, -0.04), (0.05, -0.05), (0.17, 0.02), (0.17, 0.05), (-0.06, 0.05)])
_ARM, _FOREARM = capsule(0.28, 0.06, 0.045), capsule(0.26, 0.043, 0.035)


@dataclass
class Walker:
    """One pedestrian: flat parts in an upright plane, swung by the gait."""

    facets: np.ndarray
    height: float
    skirt: bool
    track: np.ndarray  # [T, 3]: x, z, phase of the gait
    ground: float
    axis: np.ndarray  # horizontal direction of the plane's u, the walking direction

    @classmethod
    def build(
        cls,
        stage: Stage,
        textures: dict[str, int],
        kind: str,
        track: np.ndarray,
        axis: np.ndarray,
        ground: float,
        **ids: int,
    ) -> "Walker":
        """Add a pedestrian to the stage; ``ids``: label and instance."""
        _, _, _, height, skirt = _CLOTHES[kind]
        leg, forearm = "skin" if skirt else "lower", "upper" if kind == "suit" else "skin"
        limbs = [(leg, _THIGH), (leg, _SHIN), ("shoe", _SHOE), ("upper", _ARM), (forearm, _FOREARM)]
        body = [("upper", _TRUNK), ("lower", _SKIRT), ("skin", _NECK), ("hair", _HAIR), ("skin", _FACE)]
        body = [row for row in body if skirt or row[1] is not _SKIRT]
        rows = [(*row, 0.72) for row in limbs] + [
            (*row, 1.0) for row in body + limbs
        ]  # the far side is darker
        group, facets = stage.group(), []
        for name, outline, light in rows:
            low, high = outline.min(axis=0), outline.max(axis=0)
            facet = stage.facet(
                texture=textures[name],
                span=(*low, *(high - low)),
                basis=np.eye(3),
                outline=outline,
                light=light,
                layer=THINGS,
                group=group,
                **ids,
            )
            facets.append(facet)
        return cls(np.array(facets), height, skirt, track, ground, axis)

    def place(self, frame: int) -> np.ndarray:
        """World bases [n, 3, 3] at a frame."""
        return self._gait[frame]

    @cached_property
    def _gait(self) -> np.ndarray:
        """World bases of all frames, [T, n, 3, 3]."""
        x, z, phase = self.track.T
        bob, still = 0.025 * np.cos(2 * phase), np.zeros(len(phase))
        body = [_turn(still + 0.04, still, bob - 1.44)]
        if self.skirt:
            body.append(_turn(0.04 * np.sin(2 * phase), still, bob - 0.92))
        face = _turn(still, still + 0.03, bob - 1.63)
        body += [_turn(still, still + 0.02, bob - 1.50), face, face]
        parts = np.stack(_limbs(phase + np.pi, bob) + body + _limbs(phase, bob), axis=1)
        scale = self.height / 1.75
        plane = np.zeros((len(phase), 3, 3))
        plane[:, :, 0], plane[:, 1, 1] = scale * self.axis, scale
        plane[:, 0, 2], plane[:, 1, 2], plane[:, 2, 2] = x, self.ground, z
        return plane[:, None] @ parts


def _limbs(phase: np.ndarray, bob: np.ndarray) -> list[np.ndarray]:
    """Thigh, shin, shoe, arm and forearm of one side over time, each [T, 3, 3], in the walker's plane."""
    thigh = 0.48 * np.sin(phase)
    shin = thigh - 0.75 * np.clip(np.sin(phase + 2.3), 0, 1)
    arm = -0.45 * np.sin(phase)
    hip, shoulder = np.array([0 * bob, bob - 0.86]), np.array([0 * bob, bob - 1.36])
    knee = hip + 0.42 * np.array([np.sin(thigh), np.cos(thigh)])
    ankle = knee + 0.42 * np.array([np.sin(shin), np.cos(shin)])
    elbow = shoulder + 0.28 * np.array([np.sin(arm), np.cos(arm)])
    legs = [_turn(-thigh, *hip), _turn(-shin, *knee), _turn(-0.7 * shin, *ankle)]
    return [*legs, _turn(-arm, *shoulder), _turn(-arm - 0.35, *elbow)]


def _turn(angle: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rotations by ``angle`` about an origin moved to (x, y): [T, 3, 3]."""
    c, s, zero = np.cos(angle), np.sin(angle), np.zeros(len(angle))
    rows = [np.stack(row, axis=1) for row in ((c, -s, x), (s, c, y), (zero, zero, zero + 1))]
    return np.stack(rows, axis=1)

"""What moves in the city world: cars (boxes with a profile) and pedestrians (puppets of flat parts)."""

from dataclasses import dataclass

import numpy as np

from slimvid.data.worlds import city_look as look
from slimvid.data.worlds.stage import THINGS, Stage
from slimvid.data.worlds.texture import mix, soft_line, soft_polygon, to_bytes

_HALF = 0.88  # half a car's width
# upper contour from the rear bumper over the roof to the front: (z, y), and the kind of each strip between
_STRIPS = ("rear", "paint", "glass", "paint", "glass", "paint", "front")
CARS = {
    "sedan": ((-2.2, -0.15), (-2.2, -0.95), (-1.50, -1.02), (-0.95, -1.43), (0.30, -1.46), (1.05, -1.0), (2.1, -0.78), (2.2, -0.15)),
    "hatch": ((-1.9, -0.15), (-1.9, -0.98), (-1.78, -1.05), (-1.40, -1.50), (0.25, -1.53), (0.95, -1.02), (1.85, -0.82), (1.9, -0.15)),
    "suv": ((-2.25, -0.2), (-2.25, -1.10), (-2.18, -1.20), (-1.90, -1.74), (0.30, -1.80), (1.0, -1.22), (2.15, -1.05), (2.25, -0.2)),
    "van": ((-2.4, -0.2), (-2.4, -2.05), (-2.38, -2.08), (-2.30, -2.12), (1.20, -2.12), (1.85, -1.28), (2.4, -1.05), (2.4, -0.2)),
    "mini": ((-1.6, -0.15), (-1.6, -0.92), (-1.50, -1.0), (-1.15, -1.46), (0.40, -1.46), (0.95, -0.98), (1.55, -0.84), (1.6, -0.15)),
}  # fmt: skip
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
    add = lambda picture: stage.atlas.add(picture, levels=3)  # noqa: E731
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
    at = lambda pts: (np.asarray(pts, float) - [z0, top]) * [w / (z1 - z0), h / -top] - 0.5  # noqa: E731
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


@dataclass
class Car:
    """One car: where it drives (``track``: position and heading over time) and its facets."""

    facets: np.ndarray
    local: np.ndarray  # [n, 3, 3]
    normals: np.ndarray  # outward, [n, 3]
    track: np.ndarray  # [T, 3]: x, z, heading
    half_length: float

    @classmethod
    def build(
        cls,
        stage: Stage,
        textures: dict[str, int],
        kind: str,
        track: np.ndarray,
        *,
        label: int,
        instance: int,
    ):
        profile, group = np.array(CARS[kind]), stage.group()
        top, start, long = profile[:, 1].min(), profile[0, 0], profile[-1, 0] - profile[0, 0]
        facets, local = [], []

        def add(texture, span, basis, outline=None, light=1.0, tier=1):
            facets.append(stage.facet(texture=texture, span=span, basis=basis, label=label, layer=THINGS, group=group,
                                      outline=outline, instance=instance, light=light, tier=tier))  # fmt: skip
            local.append(basis)

        floor = np.column_stack([(1, 0, 0), (0, 0, 1), (0, -0.12, 0)])
        shadow = (-_HALF, start, 2 * _HALF, long)
        add(textures["glass"], shadow, floor, light=0.12, tier=0)
        for (z0, y0), (z1, y1), kind_of in zip(profile, profile[1:], _STRIPS, strict=False):
            size = float(np.hypot(z1 - z0, y1 - y0))
            flip = kind_of == "front" or (kind_of == "glass" and z0 > -0.5)  # v must run downwards
            a, b = ((z0, y0), (z1, y1)) if flip else ((z1, y1), (z0, y0))
            axis = (0, (b[1] - a[1]) / size, (b[0] - a[0]) / size)
            light = {"rear": 0.86, "front": 0.92, "glass": 1.0, "paint": 1.12}[kind_of]
            add(textures[kind_of], (-_HALF, 0, 2 * _HALF, size),
                np.column_stack([(1, 0, 0), axis, (0, a[1], a[0])]), light=light)  # fmt: skip
        outline = _side_outline(kind)
        for side, light in ((-1, 1.05), (1, 0.84)):
            basis = np.column_stack([(0, 0, 1), (0, 1, 0), (side * _HALF, 0, 0)])
            add(textures["side"], (start, top, long, -top), basis, outline, light, 2)
        bases = np.array(local)
        normals = np.cross(bases[:, :, 0], bases[:, :, 1])
        inward = np.array([0, -0.7, 0]) - bases[:, :, 2]
        normals *= -np.sign((normals * inward).sum(axis=1))[:, None]
        return cls(np.array(facets), bases, normals, track, long / 2)

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


WALKERS = ("suit", "dress", "casual", "child")
_CLOTHES = {  # upper (fabric, colours), lower (fabric, colours), shoe, hair, height, skirt
    "suit": (("plain", (52, 60, 84), (52, 60, 84)), ("plain", (44, 48, 62), (44, 48, 62)), (52, 46, 36), 1.80, False),
    "dress": (("dots", (176, 56, 92), (240, 220, 220)), ("dots", (176, 56, 92), (240, 220, 220)), (92, 48, 28), 1.68, True),
    "casual": (("stripes", (236, 232, 222), (206, 120, 44)), ("plain", (72, 100, 146), (0, 0, 0)), (30, 26, 26), 1.74, False),
    "child": (("plain", (240, 196, 50), (0, 0, 0)), ("plain", (96, 128, 76), (0, 0, 0)), (150, 110, 60), 1.18, False),
}  # fmt: skip
_SKIN = (212, 166, 134)


def walker_textures(stage: Stage, rng: np.random.Generator, kind: str, size: int) -> dict[str, int]:
    upper, lower, hair, _, _ = _CLOTHES[kind]
    add = lambda picture: stage.atlas.add(picture, levels=2)  # noqa: E731
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
        track,
        axis,
        ground,
        *,
        label: int,
        instance: int,
    ):
        _, _, _, height, skirt = _CLOTHES[kind]
        group, facets = stage.group(), []

        def add(texture, outline, light=1.0):
            low, high = outline.min(axis=0), outline.max(axis=0)
            span = (low[0], low[1], high[0] - low[0], high[1] - low[1])
            facets.append(stage.facet(texture=textures[texture], span=span, basis=np.eye(3), label=label, layer=THINGS,
                                      group=group, outline=outline, instance=instance, light=light))  # fmt: skip

        leg = "skin" if skirt else "lower"
        for shade in (0.72, 1.0):  # the far side is darker
            if shade == 1.0:
                add(
                    "upper",
                    np.array(
                        [
                            (-0.11, -0.02),
                            (0.0, -0.07),
                            (0.11, -0.02),
                            (0.12, 0.2),
                            (0.105, 0.58),
                            (-0.105, 0.58),
                            (-0.12, 0.2),
                        ]
                    ),
                )
                if skirt:
                    add("lower", np.array([(-0.10, 0), (0.10, 0), (0.20, 0.48), (0.0, 0.51), (-0.20, 0.48)]))
                add("skin", capsule(0.10, 0.04, 0.04))
                ring = np.linspace(0, 2 * np.pi, 12, endpoint=False)
                add("hair", np.column_stack([0.105 * np.cos(ring) - 0.025, 0.125 * np.sin(ring) - 0.015]))
                add("skin", np.column_stack([0.078 * np.cos(ring) + 0.025, 0.105 * np.sin(ring) + 0.012]))
            add(leg, capsule(0.42, 0.085, 0.065), shade)
            add(leg, capsule(0.42, 0.065, 0.045), shade)
            add(
                "shoe",
                np.array([(-0.06, -0.04), (0.05, -0.05), (0.17, 0.02), (0.17, 0.05), (-0.06, 0.05)]),
                shade,
            )
            add("upper", capsule(0.28, 0.06, 0.045), shade)
            add("skin" if kind != "suit" else "upper", capsule(0.26, 0.043, 0.035), shade)
        return cls(np.array(facets), height, skirt, track, ground, axis)

    def place(self, frame: int) -> np.ndarray:
        """World bases [n, 3, 3] at a frame."""
        x, z, phase = self.track[frame]
        parts = []
        bob = 0.025 * np.cos(2 * phase)
        far = self._limbs(phase + np.pi, bob)
        parts += far
        body = [_turn(0.04, 0, -1.44 + bob)]
        if self.skirt:
            body.append(_turn(0.04 * np.sin(2 * phase), 0, -0.92 + bob))
        body += [_turn(0, 0.02, -1.50 + bob), _turn(0, 0.03, -1.63 + bob), _turn(0, 0.03, -1.63 + bob)]
        parts += body + self._limbs(phase, bob)
        scale = self.height / 1.75
        plane = np.column_stack([scale * self.axis, (0, scale, 0), (x, self.ground, z)])
        return plane @ np.array(parts)

    @staticmethod
    def _limbs(phase: float, bob: float) -> list[np.ndarray]:
        thigh = 0.48 * np.sin(phase)
        shin = thigh - 0.75 * np.clip(np.sin(phase + 2.3), 0, 1)
        hip = np.array([0, -0.86 + bob])
        knee = hip + 0.42 * np.array([np.sin(thigh), np.cos(thigh)])
        ankle = knee + 0.42 * np.array([np.sin(shin), np.cos(shin)])
        arm = -0.45 * np.sin(phase)
        shoulder = np.array([0, -1.36 + bob])
        elbow = shoulder + 0.28 * np.array([np.sin(arm), np.cos(arm)])
        return [_turn(-thigh, *hip), _turn(-shin, *knee), _turn(-shin * 0.7, *ankle), _turn(-arm, *shoulder),
                _turn(-arm - 0.35, *elbow)]  # fmt: skip


def _turn(angle: float, x: float, y: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1]])

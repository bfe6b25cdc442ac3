"""A place as a camera sees it from above: ground, shadows, roofs, crowns of trees and cars.

The sun stands in the upper left; what stands high throws its shadow to the lower right.
"""

import cv2
import numpy as np

from slimvid.data.worlds.aerial_map import Sheet, dashes
from slimvid.data.worlds.aerial_plan import Building, Plan
from slimvid.data.worlds.aerial_streets import HALF, box
from slimvid.data.worlds.texture import noise

_SUN = np.array([-0.62, -0.78])  # where it stands, seen from above
_REACH = 0.62  # metres of shadow for a metre of height

# Kinds of ground: number -> colour, fine grain, coarse grain
_GROUND = {
    "lawn": ((104, 121, 68), 0.12, 0.14),
    "yard": ((146, 143, 133), 0.07, 0.07),
    "asphalt": ((96, 96, 99), 0.06, 0.06),
    "kerb": ((158, 154, 147), 0.06, 0.05),
    "gravel": ((176, 160, 130), 0.1, 0.06),
    "ballast": ((116, 103, 94), 0.16, 0.08),
    "water": ((53, 83, 92), 0.03, 0.1),
    "turf": ((86, 133, 62), 0.05, 0.05),
    "soil": ((142, 113, 80), 0.08, 0.1),
    "floor": ((58, 75, 40), 0.2, 0.2),
    "pool": ((88, 186, 205), 0.04, 0.04),
    "roof": ((0, 0, 0), 0.06, 0.05),
    "crown": ((0, 0, 0), 0.34, 0.12),
    "plain": ((0, 0, 0), 0.0, 0.0),
    "crop": ((112, 132, 62), 0.08, 0.1),
}
_KIND = {name: k for k, name in enumerate(_GROUND)}
_COLOUR = np.array([c for c, _, _ in _GROUND.values()], np.uint8)
_FINE, _COARSE = np.zeros((2, 256), np.float32)
_FINE[: len(_GROUND)] = [f for _, f, _ in _GROUND.values()]
_COARSE[: len(_GROUND)] = [c for _, _, c in _GROUND.values()]
_BACK = {
    "houses": "lawn",
    "terraces": "lawn",
    "blocks": "yard",
    "works": "yard",
    "villas": "lawn",
    "farm": "crop",
}
_AREA = {
    "water": "water", "park": "lawn", "forest": "floor", "pitch": "turf", "parking": "asphalt",
    "field": "soil", "pool": "pool"
}  # fmt: skip
_WAY = {
    "minor": "asphalt",
    "main": "asphalt",
    "drive": "gravel",
    "path": "gravel",
    "rail": "ballast",
    "river": "water",
}
_ROOF = {
    "houses": (172, 92, 66), "terraces": (116, 92, 84), "blocks": (152, 149, 145), "works": (196, 200, 204),
    "villas": (148, 104, 70), "farm": (150, 62, 50)
}  # fmt: skip
_CAR = ((232, 232, 232), (40, 42, 48), (165, 168, 172), (150, 36, 32), (44, 66, 120), (205, 205, 200))

# What is left of 255 of red, green and blue, by how dark the shadow is: uint8 [256, 1, 3]
_DARK = np.rint(255 - np.arange(256)[:, None, None] * (0.60, 0.56, 0.46)).astype(np.uint8)


def draw_view(rng: np.random.Generator, place: Plan, *, height: int, width: int) -> np.ndarray:
    """The view from above: uint8 [height, width, 3] RGB."""
    shape = {"height": height, "width": width}
    kinds = Sheet(place, **shape, colour=(_KIND[_BACK[place.district]],))
    _lay_ground(kinds, place)
    sheet = Sheet(place, **shape)
    sheet.canvas = _COLOUR[kinds.canvas]
    _mark(sheet, place)
    sheet.canvas = _shaded(sheet, _shadows(place, shape))
    for car, colour in zip(place.cars, rng.integers(len(_CAR), size=len(place.cars)), strict=True):
        _draw_car(sheet, kinds, car, _CAR[colour])
    for building in place.buildings:
        tone = float(rng.uniform(0.94, 1.06))
        _draw_roof(sheet, kinds, building, tone * np.array(_ROOF[place.district], float))
    green = rng.uniform(0.86, 1.14, (len(place.trees), 2))
    for tree, (tone, tint) in zip(place.trees, green, strict=True):
        _draw_tree(sheet, kinds, tree, tone, tint)
    sheet.canvas = _grained(rng, sheet.canvas, kinds.canvas, place)
    return sheet.picture()


def _lay_ground(kinds: Sheet, place: Plan) -> None:
    """The kind of ground of every canvas pixel; hard borders, since numbers do not blend."""

    def line(points, metres: float, name: str) -> None:
        wide = max(1, round(metres * kinds.scale))
        cv2.polylines(kinds.canvas, [kinds.at(points)], False, _KIND[name], wide, shift=4)

    for area in place.areas:
        cv2.fillPoly(kinds.canvas, [kinds.at(area.corners)], _KIND[_AREA[area.kind]], shift=4)
    for way in place.ways:
        if way.kind not in ("minor", "main"):
            line(way.points, 2 * HALF[way.kind], _WAY[way.kind])
    streets = [way for way in place.ways if way.kind in ("minor", "main")]
    for way in streets:
        line(way.points, 2 * HALF[way.kind] + 2.6, "kerb")
    for way in streets:
        line(way.points, 2 * HALF[way.kind], "asphalt")


def _mark(sheet: Sheet, place: Plan) -> None:
    """White lines on streets, pitches and parking, rails, the rims of pools and banks."""
    for way in place.ways:
        if way.kind == "main":
            for piece in dashes(way.points, 3.0, 7.0):
                sheet.line(piece, 0.45, (225, 225, 220))
        elif way.kind == "rail":
            normal = np.array([-1.0, 1.0]) * (way.points[-1] - way.points[0])[::-1]
            normal = 0.8 * normal / np.linalg.norm(normal)
            for piece in dashes(way.points, 0.5, 1.6):
                across = normal / 0.8 * 1.5
                sheet.line(np.stack([piece[0] - across, piece[0] + across]), 0.5, (86, 74, 66))
            for side in (-1, 1):
                sheet.line(way.points + side * normal, 0.3, (190, 186, 182))
    for area in place.areas:
        if area.kind == "pitch":
            _mark_pitch(sheet, area.corners)
        elif area.kind == "pool":
            sheet.line(area.corners, 0.9, (214, 206, 190), closed=True)
        elif area.kind == "parking":
            a, b, _, d = area.corners
            for share in np.arange(0.03, 1.0, 0.14):
                foot = a + share * (b - a)
                sheet.line(np.stack([foot, foot + 0.6 * (d - a)]), 0.3, (205, 205, 205))


def _mark_pitch(sheet: Sheet, corners: np.ndarray) -> None:
    a, b, c, d = corners
    stripes = np.linspace(0, 1, 9)
    for k in range(0, 8, 2):  # mown up and down
        lo, hi = stripes[k], stripes[k + 1]
        sheet.fill(
            np.stack([a + lo * (b - a), a + hi * (b - a), d + hi * (c - d), d + lo * (c - d)]), (101, 148, 72)
        )
    middle = corners.mean(axis=0)
    inner = middle + 0.92 * (corners - middle)
    sheet.line(inner, 0.4, (236, 238, 232), closed=True)
    sheet.line(np.stack([(inner[0] + inner[1]) / 2, (inner[2] + inner[3]) / 2]), 0.4, (236, 238, 232))
    ring = np.linspace(0, 2 * np.pi, 30)
    sheet.line(
        middle + 4.0 * np.column_stack([np.cos(ring), np.sin(ring)]), 0.4, (236, 238, 232), closed=True
    )
    along = (b - a) / np.linalg.norm(b - a)
    for end in (inner[[0, 3]].mean(axis=0), inner[[1, 2]].mean(axis=0)):
        inward = np.sign((middle - end) @ along)
        sheet.line(box(end + along * inward * 3, along, 6, 12), 0.4, (236, 238, 232), closed=True)


def _shadows(place: Plan, shape: dict) -> np.ndarray:
    """Shadows on the ground: uint8 canvas, 255 where the sun does not reach."""
    dark = Sheet(place, **shape, colour=(0,))
    for building in place.buildings:
        moved = building.corners - _SUN * building.height * _REACH
        dark.fill(cv2.convexHull(np.concatenate([building.corners, moved]).astype(np.float32))[:, 0], 255)
    for x, y, radius in place.trees:
        for share in (0.4, 1.0):
            dark.disc(np.array([x, y]) - _SUN * radius * share, 0.95 * radius, 255)
    for x, y, heading in place.cars:
        along = np.array([np.cos(heading), np.sin(heading)])
        dark.fill(box(np.array([x, y]) - _SUN * 0.6, along, 4.6, 2.0), 255)
    return cv2.GaussianBlur(dark.canvas, (0, 0), max(0.5, 0.25 * dark.scale))


def _shaded(sheet: Sheet, dark: np.ndarray) -> np.ndarray:
    """Ground under its shadows, which are bluish: the sky lights them."""
    return cv2.multiply(sheet.canvas, cv2.LUT(cv2.merge([dark] * 3), _DARK), scale=1 / 255)


def _draw_car(sheet: Sheet, kinds: Sheet, car: np.ndarray, colour) -> None:
    middle, along = car[:2], np.array([np.cos(car[2]), np.sin(car[2])])
    sheet.fill(box(middle, along, 4.4, 1.9), tuple(map(int, colour)))
    sheet.fill(box(middle - along * 0.2, along, 2.7, 1.6), (38, 46, 56))
    sheet.fill(box(middle - along * 0.35, along, 1.6, 1.5), tuple(int(0.94 * c) for c in colour))
    cv2.fillPoly(kinds.canvas, [kinds.at(box(middle, along, 4.4, 1.9))], _KIND["plain"], shift=4)


def _draw_roof(sheet: Sheet, kinds: Sheet, building: Building, colour: np.ndarray) -> None:
    corners = building.corners
    grown = corners.mean(axis=0) + 1.05 * (corners - corners.mean(axis=0))  # eaves
    cv2.fillPoly(kinds.canvas, [kinds.at(grown)], _KIND["roof"], shift=4)
    {"gable": _gable, "hip": _gable, "flat": _flat, "shed": _shed}[building.roof](
        sheet, grown, colour, building
    )


def _tone(colour: np.ndarray, light: float) -> tuple[int, ...]:
    return tuple(min(int(c * light), 255) for c in colour.tolist())


def _light(edge: np.ndarray, middle: np.ndarray) -> float:
    """Light of a slope that falls away from the middle towards an edge."""
    fall = edge - middle
    return 1.0 + 0.34 * float(fall @ _SUN / max(np.linalg.norm(fall), 1e-9))


def _gable(sheet: Sheet, corners: np.ndarray, colour: np.ndarray, building: Building) -> None:
    """Slopes on both sides of a ridge along the longer sides; a hip roof has two more at its ends."""
    a, b, c, d = corners if _length(corners, 0) >= _length(corners, 1) else np.roll(corners, -1, axis=0)
    inset = 0.5 * np.linalg.norm(d - a) / np.linalg.norm(b - a) if building.roof == "hip" else 0.0
    inset = min(inset, 0.42)
    left, right = (a + d) / 2, (b + c) / 2
    ends = left + inset * (right - left), right + inset * (left - right)
    middle = corners.mean(axis=0)
    slopes = [np.stack([a, b, ends[1], ends[0]]), np.stack([c, d, ends[0], ends[1]])]
    if inset:
        slopes += [np.stack([b, c, ends[1]]), np.stack([d, a, ends[0]])]
    for slope in slopes:
        sheet.fill(slope, _tone(colour, _light(slope[:2].mean(axis=0), middle)))
    sheet.line(np.stack(ends), 0.35, _tone(colour, 1.25))
    chimney = box(ends[0] + 0.25 * (ends[1] - ends[0]), (b - a) / np.linalg.norm(b - a), 1.2, 1.2)
    sheet.fill(chimney - _SUN * 0.9, _tone(colour, 0.5))
    sheet.fill(chimney, (128, 116, 108))


def _flat(sheet: Sheet, corners: np.ndarray, colour: np.ndarray, building: Building) -> None:
    """Gravel behind a bright parapet, the shadow of its sunny sides, a house for the lift, ventilators."""
    a, b, _, d = corners
    sheet.fill(corners, _tone(colour, 1.3))
    middle = corners.mean(axis=0)
    inner = middle + (corners - middle) * (1 - 1.6 / np.linalg.norm(corners - middle, axis=1))[:, None]
    sheet.fill(inner, _tone(colour, 0.72))
    low = inner - _SUN * 0.9
    sheet.fill(np.where(_inside(low, inner, middle)[:, None], low, inner), _tone(colour, 1.0))
    along = (b - a) / np.linalg.norm(b - a)
    for u, v, long, deep in (
        (0.28, 0.5, 5.0, 4.0),
        (0.55, 0.35, 2.0, 2.0),
        (0.68, 0.62, 2.0, 2.0),
        (0.82, 0.4, 1.6, 1.6),
    ):
        spot = a + u * (b - a) + v * (d - a)
        sheet.fill(box(spot - _SUN * 1.2, along, long, deep), _tone(colour, 0.55))
        sheet.fill(box(spot, along, long, deep), _tone(colour, 1.22))


def _inside(points: np.ndarray, corners: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Which of the moved corners came nearer to the middle."""
    return np.linalg.norm(points - middle, axis=1) < np.linalg.norm(corners - middle, axis=1)


def _shed(sheet: Sheet, corners: np.ndarray, colour: np.ndarray, building: Building) -> None:
    """Ribbed metal, gently sloped to both sides, with a row of skylights."""
    a, b, c, d = corners if _length(corners, 0) >= _length(corners, 1) else np.roll(corners, -1, axis=0)
    middle = corners.mean(axis=0)
    for slope in (np.stack([a, b, (b + c) / 2, (a + d) / 2]), np.stack([c, d, (a + d) / 2, (b + c) / 2])):
        sheet.fill(slope, _tone(colour, 0.5 + 0.5 * _light(slope[:2].mean(axis=0), middle)))
    for share in np.arange(0.06, 1, 0.08):
        sheet.line(np.stack([a + share * (b - a), d + share * (c - d)]), 0.35, _tone(colour, 0.86))
    along = (b - a) / np.linalg.norm(b - a)
    for share in (0.2, 0.4, 0.6, 0.8):
        for across in (0.28, 0.72):
            spot = a + share * (b - a) + across * (d - a)
            sheet.fill(box(spot, along, 1.4, 4.0), (118, 146, 166))
    sheet.line(corners, 0.6, _tone(colour, 1.15), closed=True)


def _length(corners: np.ndarray, side: int) -> float:
    return float(np.linalg.norm(corners[side + 1] - corners[side]))


def _draw_tree(sheet: Sheet, kinds: Sheet, tree: np.ndarray, tone: float, tint: float) -> None:
    """A crown: dark below, its tufts lighter towards the sun."""
    middle, radius = tree[:2], tree[2]
    base = np.array([58 * tint, 84, 42]) * tone
    kx, ky = kinds.at(middle).tolist()
    cv2.circle(kinds.canvas, (kx, ky), round(radius * kinds.scale * 16), _KIND["crown"], -1, shift=4)
    for shift, size, light in ((0.0, 1.0, 0.62), (0.14, 0.84, 0.92), (0.32, 0.58, 1.22), (0.46, 0.30, 1.5)):
        sheet.disc(middle + _SUN * radius * shift, radius * size, _tone(base, light))


def _grained(rng: np.random.Generator, canvas: np.ndarray, kinds: np.ndarray, place: Plan) -> np.ndarray:
    """The grain of grass, leaves, gravel and tiles; coarse patches within a lawn; ploughed furrows."""
    h, w = kinds.shape
    fine = noise(rng, h, w, cells=(place.height / 1.1, place.width / 1.1), octaves=2)
    coarse = noise(rng, h, w, cells=(place.height / 22, place.width / 22), octaves=3)
    gain = 1 + cv2.LUT(kinds, _FINE) * fine + cv2.LUT(kinds, _COARSE) * coarse
    if place.district == "farm":
        furrows = (kinds == _KIND["soil"]) | (kinds == _KIND["crop"])
        lean = rng.uniform(-0.5, 0.5)
        y, x = np.mgrid[0:h, 0:w].astype(np.float32) * np.float32(place.height / h)
        wave = np.sin((x * np.cos(lean) + y * np.sin(lean)) * np.float32(2 * np.pi / 3.2))
        gain += 0.10 * wave * furrows
    return cv2.multiply(canvas, cv2.merge([gain] * 3), dtype=cv2.CV_8U)

"""The look of the body world: outfits, faces and the dance studio, painted once per clip."""

from dataclasses import dataclass

import numpy as np

from slimvid.data.worlds.body_bones import Figure
from slimvid.data.worlds.texture import (
    Colour,
    blurred,
    bricks,
    fabric,
    mix,
    noise,
    soft_line,
    soft_polygon,
    strands,
    to_bytes,
    wood,
)

SKINS = ((248, 214, 190), (232, 186, 154), (208, 156, 120), (168, 116, 84), (122, 80, 58), (92, 60, 46))
Cloth = tuple[str, Colour, Colour]


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """Clothes and the figure that shows them: everything here is seen in the outline of the body map."""

    upper: Cloth
    lower: Cloth
    sleeve: float  # share of the arm that is covered, 0..2 (1: to the elbow, 2: to the wrist)
    leg: float  # the same for the leg
    shoe: Colour
    hair: Colour
    figure: dict


OUTFITS = {
    "jeans": Outfit(
        upper=("plain", (226, 226, 220), (226, 226, 220)),
        lower=("plain", (58, 84, 132), (58, 84, 132)),
        sleeve=0.7,
        leg=2.0,
        shoe=(206, 60, 52),
        hair=(84, 58, 40),
        figure={"tall": 1.0, "baggy": 0.15, "shoulders": 1.05, "skirt": 0.0, "flare": 0.0, "hair": "crop"},
    ),
    "dress": Outfit(
        upper=("dots", (186, 40, 66), (246, 226, 214)),
        lower=("dots", (186, 40, 66), (246, 226, 214)),
        sleeve=0.3,
        leg=0.0,
        shoe=(60, 30, 40),
        hair=(52, 36, 32),
        figure={"tall": 0.94, "baggy": 0.0, "shoulders": 0.88, "skirt": 0.34, "flare": 0.215, "hair": "long"},
    ),
    "tracksuit": Outfit(
        upper=("stripes", (40, 96, 84), (232, 232, 220)),
        lower=("plain", (34, 70, 64), (34, 70, 64)),
        sleeve=2.0,
        leg=2.0,
        shoe=(236, 236, 232),
        hair=(226, 168, 48),
        figure={"tall": 0.97, "baggy": 0.9, "shoulders": 1.08, "skirt": 0.0, "flare": 0.0, "hair": "cap"},
    ),
    "shorts": Outfit(
        upper=("zigzag", (238, 176, 56), (196, 84, 48)),
        lower=("plain", (70, 66, 84), (70, 66, 84)),
        sleeve=0.2,
        leg=0.85,
        shoe=(70, 120, 180),
        hair=(186, 120, 66),
        figure={"tall": 0.92, "baggy": 0.0, "shoulders": 0.92, "skirt": 0.0, "flare": 0.0, "hair": "bun"},
    ),
    "skirt": Outfit(
        upper=("knit", (112, 78, 140), (84, 54, 112)),
        lower=("check", (64, 60, 66), (212, 196, 160)),
        sleeve=2.0,
        leg=0.0,
        shoe=(40, 34, 36),
        hair=(206, 176, 120),
        figure={"tall": 0.95, "baggy": 0.2, "shoulders": 0.9, "skirt": 0.19, "flare": 0.15, "hair": "bob"},
    ),
    "disco": Outfit(
        upper=("check", (52, 96, 160), (240, 208, 96)),
        lower=("plain", (206, 190, 164), (206, 190, 164)),
        sleeve=1.1,
        leg=2.0,
        shoe=(120, 76, 40),
        hair=(46, 36, 34),
        figure={"tall": 1.02, "baggy": 0.4, "shoulders": 1.0, "skirt": 0.0, "flare": 0.0, "hair": "afro"},
    ),
}


def figure(outfit: Outfit, stocky: float) -> Figure:
    return Figure(stocky=stocky, **outfit.figure)


def tone(stocky: float) -> np.ndarray:
    """Skin by girth: slim is light, stocky is dark."""
    x = (0.5 + 0.5 * stocky) * (len(SKINS) - 1)
    k = min(int(x), len(SKINS) - 2)
    return np.asarray(SKINS[k]) * (1 - (x - k)) + np.asarray(SKINS[k + 1]) * (x - k)


def textures(rng: np.random.Generator, outfit: Outfit, skin: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """One picture per part, wrapped around its tube: the back at both sides, the front in the middle."""
    bare = _bare(rng, size, skin)
    upper, lower = (fabric(rng, size * 2, *c, scale=9) for c in (outfit.upper, outfit.lower))

    def top(n: int) -> np.ndarray:
        return _piece(rng, upper, size, n)

    def bottom(n: int) -> np.ndarray:
        return _piece(rng, lower, size, n)

    around = np.hstack([bottom(0), bottom(0)[:, ::-1]])  # wide parts take two widths of cloth
    out = {
        "neck": bare,
        "head": _head(rng, size, skin, outfit),
        "torso": _torso(rng, outfit, skin, upper, size),
    }
    cap = outfit.figure["hair"] == "cap"
    out["hair"] = (
        _bare(rng, size, outfit.hair)
        if cap
        else strands(rng, size, outfit.hair, curl=1.0 if outfit.figure["hair"] == "afro" else 0.1)
    )
    out["hips"] = around
    out["skirt"] = _pleats(around) if outfit.figure["skirt"] else bare
    for side in ("l", "r"):
        out[f"{side}_arm"] = _sleeve(top(2), bare, outfit.sleeve)
        out[f"{side}_forearm"] = _sleeve(top(3), bare, outfit.sleeve - 1)
        out[f"{side}_hand"] = bare
        out[f"{side}_thigh"] = _sleeve(bottom(2), bare, outfit.leg)
        out[f"{side}_shin"] = _sleeve(bottom(3), bare, outfit.leg - 1)
        out[f"{side}_foot"] = _shoe(size, outfit.shoe)
    return out


def _bare(rng: np.random.Generator, size: int, colour: Colour) -> np.ndarray:
    shade = 1 + 0.03 * noise(rng, size, size, cells=(4, 4), octaves=3)
    return to_bytes(shade[..., None] * np.asarray(colour, np.float32))


def _piece(rng: np.random.Generator, cloth: np.ndarray, size: int, number: int) -> np.ndarray:
    x, y = (number * 37) % size, (number * 53) % size
    part = cloth[y : y + size, x : x + size].astype(np.float32)
    folds = noise(rng, size, size, cells=(6, 3), octaves=3)
    return to_bytes(part * (1 + 0.12 * folds)[..., None])


def _sleeve(cloth: np.ndarray, bare: np.ndarray, share: float) -> np.ndarray:
    """Cloth down to ``share`` of the limb, with a hem; the tube's rows start a little above the joint."""
    size = len(cloth)
    end = float(np.clip(0.12 + 0.80 * share, 0, 1.05)) if share > 0 else 0.0
    y = np.arange(size) / size
    covered = np.clip((end - y) * size + 0.5, 0, 1)[:, None].astype(np.float32)
    hem = np.exp(-(((y - end + 0.02) / 0.02) ** 2)) if 0 < end < 1 else np.zeros(size)
    picture = (
        bare.astype(np.float32) * (1 - covered[..., None]) + cloth.astype(np.float32) * covered[..., None]
    )
    return to_bytes(picture * (1 - 0.35 * hem)[:, None, None])


def _pleats(cloth: np.ndarray) -> np.ndarray:
    size, wide = cloth.shape[:2]
    folds = 0.12 * np.sin(np.linspace(0, 2 * np.pi * 15, wide))[None] * np.linspace(0.2, 1, size)[:, None]
    hem = np.where(np.arange(size) > 0.95 * size, 0.72, 1.0)[:, None]
    return to_bytes(cloth.astype(np.float32) * ((1 + folds) * hem)[..., None])


def _shoe(size: int, colour: Colour) -> np.ndarray:
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = colour
    sole = np.abs(np.arange(size) / size - 0.5) > 0.32
    picture[:, sole] = np.asarray((228, 226, 220)) if sum(colour) < 600 else np.asarray((120, 124, 130))
    for y in np.linspace(0.32, 0.6, 4):
        picture[
            round(y * size) : round(y * size) + max(1, size // 30), int(0.42 * size) : int(0.58 * size)
        ] = 236
    return to_bytes(picture)


def _torso(rng, outfit: Outfit, skin: np.ndarray, cloth: np.ndarray, size: int) -> np.ndarray:
    """A shirt, twice as wide as high: back seam at the sides, neckline in the middle, a belt below."""
    base, area = cloth[:size].astype(np.float32), (size, 2 * size)
    base *= (1 + 0.13 * noise(rng, *area, cells=(5, 8), octaves=3))[..., None]
    dip = 0.30 if outfit.sleeve < 0.5 else 0.22
    half = np.array([(0.30, -0.1), (0.38, 0.10), (0.44, dip * 0.85), (0.5, dip)])
    neckline = np.vstack([half, half[-2::-1] * [-1, 1] + [1, 0]]) * [2 * size, size]
    base = mix(base, skin * 0.96, soft_polygon(area, neckline, 0.4))
    trim = np.asarray(outfit.upper[2], float) * 0.8
    base = mix(base, trim, soft_line(area, neckline, size * 0.022, 0.4))
    belt = np.clip((np.arange(size) / size - 0.93) * 30, 0, 1)[:, None] * np.ones((1, 2 * size))
    return to_bytes(mix(base, np.asarray(outfit.lower[1]) * 0.6, belt.astype(np.float32) * 0.8))


def _head(rng: np.random.Generator, size: int, skin: np.ndarray, outfit: Outfit) -> np.ndarray:
    """A face on the tube: rows from chin (0) to crown (1), front in the middle."""
    size = size * 2
    base = _bare(rng, size, skin).astype(np.float32)

    def spot(x: float, y: float, sx: float, sy: float) -> np.ndarray:
        return np.outer(
            np.exp(-(((np.arange(size) / size - y) / sy) ** 2)),
            np.exp(-(((np.arange(size) / size - x) / sx) ** 2)),
        ).astype(np.float32)

    hair = np.asarray((70, 50, 40) if outfit.figure["hair"] == "cap" else outfit.hair, float)
    for side in (-1, 1):
        base = mix(base, skin * [1, 0.78, 0.74], 0.5 * spot(0.5 + 0.085 * side, 0.42, 0.035, 0.06))
        base = mix(base, skin * 0.7, 0.5 * spot(0.5 + 0.065 * side, 0.555, 0.035, 0.035))
        base = mix(base, (244, 242, 238), np.clip(1.6 * spot(0.5 + 0.064 * side, 0.55, 0.020, 0.016), 0, 1))
        base = mix(base, (36, 26, 24), np.clip(2.0 * spot(0.5 + 0.064 * side, 0.55, 0.009, 0.018), 0, 1))
        brow = (
            np.array([(0.5 + 0.035 * side, 0.615), (0.5 + 0.07 * side, 0.63), (0.5 + 0.10 * side, 0.61)])
            * size
        )
        base = mix(base, hair * 0.7, soft_line((size, size), brow, size * 0.020, size / 300))
    base = mix(base, skin * 0.72, 0.7 * spot(0.5, 0.405, 0.03, 0.018))
    base = mix(base, skin * 1.12, 0.6 * spot(0.5, 0.46, 0.012, 0.05))
    base = mix(base, (176, 64, 66), np.clip(1.3 * spot(0.5, 0.285, 0.042, 0.020), 0, 1))
    base = mix(base, (96, 34, 38), np.clip(1.2 * spot(0.5, 0.288, 0.034, 0.006), 0, 1))
    x, y = np.arange(size)[None] / size, np.arange(size)[:, None] / size
    edge = 0.80 - 0.55 * np.clip(np.abs(x - 0.5) - 0.115, 0, 0.2) / 0.08 * 0.5
    edge = np.where(np.abs(x - 0.5) > 0.23, 0.22, edge)
    scalp = np.clip((y - edge) * 40, 0, 1).astype(np.float32)
    wisps = 1 + 0.2 * noise(rng, size, size, cells=(4, 40), octaves=2)
    return to_bytes(base + (hair * wisps[..., None] - base) * scalp[..., None])


def studio(rng: np.random.Generator, height: int, width: int, floor: float) -> np.ndarray:
    """The room all clips of a task share: brick wall with windows, mirrors, loudspeakers, a wooden floor.

    Args:
        floor: share of the height at which the wall meets the floor.
    """
    line = round(height * floor)
    picture = np.empty((height, width, 3), np.float32)
    hue = np.array(((196, 176, 158), (168, 182, 190), (188, 188, 168))[int(rng.integers(3))])
    wall = bricks(
        rng, line, width, hue, rows=26, columns=26 * width / height * 0.55, mortar=hue * 0.8, joint=0.1
    )
    picture[:line] = wall
    picture[line:] = _floor(rng, height - line, width)
    for left in (0.06, 0.70):
        _window(rng, picture, left * width, 0.10 * height, 0.24 * width, 0.40 * height)
    skirting = max(1, round(0.018 * height))
    picture[line - skirting : line] = (236, 230, 220)
    for x in (0.015, 0.865):
        _speaker(picture, x * width, line + 0.02 * height, 0.12 * width, 0.24 * height)
    _garland(rng, picture, width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    lamp = 1.08 - 0.42 * np.hypot((x / width - 0.5), (y / height - 0.42) * 0.8) ** 1.3
    return to_bytes(blurred(picture * lamp[..., None], height / 700))


def _floor(rng, height, width):
    """Boards that run towards the viewer."""
    planks = wood(rng, 256, 512, (188, 136, 88), planks=22).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = 0.35 + 0.65 * (y + 1) / height
    u = ((x / width - 0.5) / depth * 0.55 + 0.5) * 511
    import cv2

    return cv2.remap(
        planks,
        u.astype(np.float32),
        (255 * (1 - 0.35 / depth)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )


def _window(rng, picture, x, y, w, h):
    x0, y0, x1, y1 = round(x), round(y), round(x + w), round(y + h)
    bar = max(1, round(h * 0.028))
    rows = np.linspace(0, 1, y1 - y0)[:, None, None]
    view = (116, 164, 210) + rows * np.array([110, 66, 20])
    view = np.repeat(view, x1 - x0, axis=1).astype(np.float32)
    view = mix(view, (246, 246, 250), np.clip(noise(rng, y1 - y0, x1 - x0, cells=(3, 3), octaves=4), 0, 1))
    trees = np.clip(
        np.arange(y1 - y0)[:, None] / (y1 - y0) * 6 - 4.4 + noise(rng, y1 - y0, x1 - x0, cells=(5, 5)), 0, 1
    )
    view = mix(view, (84, 120, 72), trees.astype(np.float32))
    picture[y0 - bar : y1 + bar, x0 - bar : x1 + bar] = (70, 60, 54)
    picture[y0:y1, x0:x1] = view
    for k in (1, 2):
        c = round(x0 + (x1 - x0) * k / 3)
        picture[y0:y1, c : c + bar] = (70, 60, 54)
    for k in (1, 2):
        c = round(y0 + (y1 - y0) * k / 3)
        picture[c : c + bar, x0:x1] = (70, 60, 54)


def _speaker(picture, x, bottom, w, h):
    x0, x1, y0, y1 = round(x), round(x + w), round(bottom - h), round(bottom)
    picture[y0:y1, x0:x1] = np.array((46, 42, 44)) * np.linspace(1.2, 0.8, y1 - y0)[:, None, None]
    gy, gx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    for cy, r in ((0.28, 0.17), (0.68, 0.30)):
        d = np.hypot(gx - (x0 + x1) / 2, gy - (y0 + (y1 - y0) * cy)) / (min(w, h * 0.5))
        ring = np.clip((r * 1.35 - d) * 30, 0, 1)
        picture[y0:y1, x0:x1] = mix(picture[y0:y1, x0:x1], (104, 100, 98), ring)
        picture[y0:y1, x0:x1] = mix(picture[y0:y1, x0:x1], (28, 26, 28), np.clip((r * 1.15 - d) * 30, 0, 1))
        picture[y0:y1, x0:x1] = mix(picture[y0:y1, x0:x1], (74, 70, 70), np.clip((r * 0.4 - d) * 30, 0, 1))


def _garland(rng, picture, width, height):
    x = np.linspace(0, 1, 60)
    sag = 0.035 + 0.06 * np.abs(np.sin(x * np.pi * 3))
    line = np.column_stack([x * width, sag * height])
    picture[:] = mix(picture, (60, 50, 50), soft_line((height, width), line, height * 0.005, 0.3))
    colours = ((226, 70, 60), (244, 190, 70), (70, 150, 140), (90, 110, 190))
    for k in range(1, 24):
        p = np.array([k / 24 * width, (0.035 + 0.06 * abs(np.sin(k / 24 * np.pi * 3))) * height])
        flag = p + np.array([(-0.016 * width, 0), (0.016 * width, 0), (0, 0.05 * height)])
        picture[:] = mix(picture, colours[k % 4], soft_polygon((height, width), flag, 0.3))

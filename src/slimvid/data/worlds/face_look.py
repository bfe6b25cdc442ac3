"""The look of the face world: skin, eyes, mouth, clothes and rooms, painted once per clip.

Pictures cover the material ranges below (face units); the palettes are small families, which
`slimvid.data.worlds.face` ties to outlines.
"""

import numpy as np

from slimvid.data.worlds.face_shape import mean_landmarks
from slimvid.data.worlds.texture import (
    Colour,
    blurred,
    bricks,
    fabric,
    mix,
    noise,
    soft_line,
    soft_polygon,
    to_bytes,
    wood,
)

SKIN_RANGE = (-1.3, -1.65, 2.6, 3.0)  # x, y, width, height of the skin picture
EYE_RANGE = (-0.36, -0.26, 0.72, 0.52)
MOUTH_RANGE = (-0.5, -0.3, 1.0, 0.75)
TORSO_RANGE = (-2.6, 1.2, 5.2, 3.6)
ROOMS = ("brick", "shelf", "window", "panel", "gallery", "tiles")

SKINS = ((250, 218, 196), (238, 194, 164), (222, 172, 136), (190, 136, 100), (146, 98, 70), (104, 68, 50))
HAIR_COLOURS = {
    "crop": (70, 50, 40),
    "part": (196, 160, 100),
    "bob": (44, 38, 44),
    "long": (142, 66, 36),
    "curls": (92, 60, 40),
    "updo": (186, 182, 178),
}
WARDROBE = (  # fabric, first and second colour, neckline
    ("plain", (44, 74, 122), (44, 74, 122), "crew"),
    ("stripes", (232, 230, 224), (176, 44, 52), "crew"),
    ("check", (52, 92, 70), (214, 190, 120), "vee"),
    ("dots", (120, 46, 96), (240, 226, 214), "vee"),
    ("knit", (206, 150, 66), (156, 104, 40), "crew"),
    ("zigzag", (60, 62, 72), (120, 178, 186), "vee"),
)


def blend(colours: tuple[Colour, ...], position: float) -> np.ndarray:
    """A colour between neighbours of a ramp; ``position`` in 0..1."""
    x = float(np.clip(position, 0, 1)) * (len(colours) - 1)
    k = min(int(x), len(colours) - 2)
    return np.asarray(colours[k], float) * (1 - (x - k)) + np.asarray(colours[k + 1], float) * (x - k)


class _Sheet:
    """A picture addressed in material units."""

    def __init__(self, span: tuple[float, float, float, float], height: int):
        self.span = span
        self.height, self.width = height, round(height * span[2] / span[3])
        self.scale = height / span[3]

    def at(self, points: np.ndarray) -> np.ndarray:
        return (np.asarray(points, float) - self.span[:2]) * [self.width / self.span[2], self.scale] - 0.5

    def area(self, points: np.ndarray, blur: float) -> np.ndarray:
        return soft_polygon((self.height, self.width), self.at(points), blur * self.scale)

    def line(self, points: np.ndarray, width: float, blur: float) -> np.ndarray:
        return soft_line((self.height, self.width), self.at(points), width * self.scale, blur * self.scale)

    def blob(self, x: float, y: float, sx: float, sy: float) -> np.ndarray:
        px, py = self.at([[x, y]])[0]
        gx = np.exp(-(((np.arange(self.width) - px) / (sx * self.scale)) ** 2))
        gy = np.exp(-(((np.arange(self.height) - py) / (sy * self.scale)) ** 2))
        return (gy[:, None] * gx[None]).astype(np.float32)

    def blobs(self, x: float, y: float, sx: float, sy: float) -> np.ndarray:
        return self.blob(x, y, sx, sy) + self.blob(-x, y, sx, sy)


def _curve(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """A smooth line through points: quadratic upsampling by repeated corner cutting."""
    line = np.asarray(points, float)
    for _ in range(3 if steps else 0):
        first, last = line[:1], line[-1:]
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.concatenate([first, np.stack([near, far], axis=1).reshape(-1, 2), last])
    return line


def skin(
    rng: np.random.Generator, height: int, *, tone: np.ndarray, hair: Colour, redness: float, beard: float
) -> np.ndarray:
    """The face's picture over `SKIN_RANGE`: uint8 [height, w, 3]."""
    sheet, m = _Sheet(SKIN_RANGE, height), mean_landmarks()
    base = np.empty((sheet.height, sheet.width, 3), np.float32)
    base[:] = tone
    warm, deep = np.asarray(tone) * [1.0, 0.80, 0.76], np.asarray(tone) * [0.72, 0.60, 0.56]
    pores = noise(rng, sheet.height, sheet.width, cells=(9, 8), octaves=4)
    base *= (1 + 0.035 * pores)[..., None]
    base = mix(
        base, warm, 0.45 * sheet.blobs(0.58, 0.28, 0.24, 0.20) + 0.35 * sheet.blob(0, 0.40, 0.14, 0.12)
    )
    base = mix(base, deep, 0.40 * sheet.blobs(0.46, -0.23, 0.23, 0.11))  # sockets
    base = mix(base, deep, 0.25 * sheet.blobs(0.42, -0.03, 0.20, 0.05))  # under the eyes
    base = mix(
        base, deep, 0.42 * sheet.blobs(0.16, 0.10, 0.05, 0.24) + 0.55 * sheet.blobs(0.235, 0.44, 0.045, 0.07)
    )
    base = mix(
        base, tone * 1.14, np.clip(sheet.blob(0, 0.12, 0.06, 0.25) + sheet.blob(0, 0.36, 0.08, 0.07), 0, 1)
    )
    base = mix(base, deep * 0.6, np.clip(0.95 * sheet.blobs(0.10, 0.488, 0.055, 0.024), 0, 1))  # nostrils
    base = mix(base, deep, 0.5 * sheet.blob(0, 0.53, 0.16, 0.03) + 0.4 * sheet.blob(0, 1.01, 0.18, 0.04))
    fold = _curve([(0.24, 0.44), (0.38, 0.58), (0.46, 0.78)])
    base = mix(base, deep, 0.30 * (sheet.line(fold, 0.03, 0.025) + sheet.line(fold * [-1, 1], 0.03, 0.025)))
    if beard > 0:
        base = _beard(rng, base, sheet, hair, beard)
    base = _mouth(base, sheet, m, np.asarray(tone), redness)
    base = _brows_and_lids(rng, base, sheet, m, np.asarray(hair, float), deep)
    return to_bytes(base)


def _beard(rng, base, sheet, hair, amount):
    jaw = np.array([(-0.95, 0.30), (-0.72, 0.50), (-0.50, 0.64), (-0.30, 0.60), (0.0, 0.58), (0.30, 0.60)])
    jaw = np.vstack([jaw, [(0.50, 0.64), (0.72, 0.50), (0.95, 0.30), (1.2, 1.35), (-1.2, 1.35)]])
    bristle = np.clip(0.8 + 0.5 * rng.normal(0, 1, (sheet.height, sheet.width)), 0, 1).astype(np.float32)
    mask = sheet.area(jaw, 0.07) * (1 - 0.8 * sheet.blob(0, 0.82, 0.30, 0.12))
    return mix(base, np.asarray(hair, float) * 0.9, mask * bristle * amount)


def _mouth(base, sheet, m, tone, redness):
    lip = tone * [0.93, 0.60, 0.60] * (1 - redness) + np.array([190, 52, 62]) * redness
    upper = np.vstack([_curve(m[48:55]), _curve(m[[64, 63, 62, 61, 60]])])
    lower = np.vstack([_curve(m[[54, 55, 56, 57, 58, 59, 48]]), _curve(m[[60, 67, 66, 65, 64]])])
    base = mix(base, lip * 0.86, sheet.area(upper, 0.012) * 0.9)
    base = mix(base, lip, sheet.area(lower, 0.012) * 0.9)
    base = mix(base, lip * 1.25, 0.5 * sheet.blob(0, 0.875, 0.13, 0.025))
    return mix(base, lip * 0.45, 0.8 * sheet.line(_curve(m[[48, 61, 62, 63, 54]]), 0.02, 0.012))


def _brows_and_lids(rng, base, sheet, m, hair, deep):
    brow_colour = hair * 0.72 + np.array([20, 14, 12])
    for side in (1, -1):
        brow = _curve(np.abs(m[17:22]) * [1, -1] * [-side, 1])
        ragged = np.clip(0.9 + 0.35 * noise(rng, sheet.height, sheet.width, cells=(24, 40), octaves=2), 0, 1)
        base = mix(
            base,
            brow_colour,
            np.clip(sheet.line(brow + np.array([0, 0.02]), 0.058, 0.014) * 1.1, 0, 1) * ragged,
        )
        eye = m[36:42] * [side, 1]
        base = mix(base, deep * 0.42, 0.9 * sheet.line(_curve(eye[[0, 1, 2, 3]]) - [0, 0.008], 0.032, 0.010))
        base = mix(
            base,
            deep * 0.7,
            0.55 * sheet.line(_curve(eye[[3, 4, 5, 0]]) + np.array([0, 0.006]), 0.018, 0.010),
        )
        base = mix(base, deep * 0.8, 0.45 * sheet.line(_curve(eye[[0, 1, 2, 3]]) - [0, 0.075], 0.02, 0.012))
    return base


def eye(rng: np.random.Generator, height: int, iris: Colour) -> np.ndarray:
    """An eyeball's picture over `EYE_RANGE`."""
    sheet = _Sheet(EYE_RANGE, max(height, 8))
    y, x = np.mgrid[0 : sheet.height, 0 : sheet.width].astype(np.float32)
    cx, cy = sheet.at([[0, 0]])[0]
    r = np.hypot(x - cx, y - cy) / sheet.scale
    spokes = noise(rng, 1, 256, cells=(1, 40), octaves=2)[0]
    angle = ((np.arctan2(y - cy, x - cx) / (2 * np.pi) + 0.5) * 255).astype(int)
    picture = np.empty((*r.shape, 3), np.float32)
    picture[:] = (238, 232, 228)
    picture = mix(picture, (206, 160, 150), np.clip((r - 0.17) / 0.2, 0, 0.6))
    soft = 0.7 / sheet.scale
    ball = np.clip((0.112 - r) / soft + 0.5, 0, 1)
    tone = (0.75 + 0.35 * spokes[angle] + 1.8 * np.clip(r, 0, 0.1)) * np.where(r > 0.095, 0.55, 1.0)
    picture = picture + (np.asarray(iris, np.float32) * tone[..., None] - picture) * ball[..., None]
    picture = mix(picture, (12, 10, 12), np.clip((0.05 - r) / soft + 0.5, 0, 1))
    shine = np.hypot(x - cx + 0.035 * sheet.scale, y - cy + 0.04 * sheet.scale) / sheet.scale
    return to_bytes(mix(picture, (255, 255, 255), np.clip((0.024 - shine) / soft + 0.5, 0, 1)))


def mouth(height: int) -> np.ndarray:
    """The inside of the mouth over `MOUTH_RANGE`, upper teeth at the top."""
    sheet = _Sheet(MOUTH_RANGE, max(height, 8))
    base = np.empty((sheet.height, sheet.width, 3), np.float32)
    base[:] = (70, 22, 26)
    base = mix(base, (150, 62, 66), sheet.blob(0, 0.28, 0.22, 0.12))
    teeth = np.array([(-0.30, -0.25), (0.30, -0.25), (0.27, 0.02), (0.1, 0.05), (-0.1, 0.05), (-0.27, 0.02)])
    base = mix(base, (240, 234, 222), sheet.area(teeth, 0.012))
    for x in np.linspace(-0.24, 0.24, 7):
        base = mix(base, (170, 150, 140), 0.5 * sheet.line(np.array([(x, -0.2), (x, 0.05)]), 0.01, 0.006))
    return to_bytes(base)


def neck(rng: np.random.Generator, size: int, tone: np.ndarray) -> np.ndarray:
    """Skin of the neck, darker under the chin (top rows)."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    shade = 0.62 + 0.36 * np.clip((y - 0.15) / 0.5, 0, 1) - 0.10 * np.abs(x - 0.42) / 0.5
    shade += 0.05 * np.exp(-(((np.abs(x - 0.5) - 0.5 * (1 - y) * 0.6) / 0.05) ** 2)) * (y > 0.3)
    shade += 0.02 * noise(rng, size, size, cells=(6, 6), octaves=3)
    return to_bytes(shade[..., None] * np.asarray(tone, np.float32))


def torso(rng: np.random.Generator, height: int, outfit: tuple, collar: np.ndarray) -> np.ndarray:
    """Clothes over `TORSO_RANGE`; ``collar`` [n, 2] is the neckline, bordered in the second colour."""
    kind, first, second, _ = outfit
    sheet = _Sheet(TORSO_RANGE, height)
    cloth = fabric(rng, max(sheet.height, sheet.width), kind, first, second, scale=13)
    base = cloth[: sheet.height, : sheet.width].astype(np.float32)
    folds = noise(rng, sheet.height, sheet.width, cells=(3, 7), octaves=3)
    base *= (1 + 0.10 * folds)[..., None]
    for side in (-1, 1):  # folds from the shoulder, and the line between arm and chest
        arm = _curve([(1.35 * side, 2.6), (1.42 * side, 3.3), (1.38 * side, 4.8)])
        base = mix(base, (0, 0, 0), 0.42 * sheet.line(arm, 0.10, 0.07))
        base = mix(base, (255, 255, 255), 0.10 * sheet.blob(1.0 * side, 2.35, 0.5, 0.3))
    trim = np.asarray(second, float) if kind != "plain" else np.asarray(first, float) * 0.65
    base = mix(base, trim * 0.92, sheet.line(collar, 0.15, 0.008))
    base = mix(base, (0, 0, 0), 0.35 * sheet.line(collar + np.array([0, 0.09]), 0.03, 0.02))
    return to_bytes(base)


def room(rng: np.random.Generator, height: int, width: int, kind: str) -> np.ndarray:
    """A wall behind the head, slightly out of focus: uint8 [height, width, 3]."""
    picture = _ROOMS[kind](rng, height, width).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    lamp = 1.06 - 0.30 * np.hypot(x / width - 0.3, (y / height - 0.25) * height / width)
    return to_bytes(blurred(picture * lamp[..., None], height / 420))


def _brick(rng, h, w):
    return bricks(
        rng, h, w, (168, 92, 72), rows=13, columns=13 * w / h / 2.3, mortar=(190, 178, 166), joint=0.09
    )


def _shelf(rng, h, w):
    picture = np.empty((h, w, 3), np.float32)
    picture[:] = (66, 46, 34)
    colours = ((146, 52, 44), (44, 82, 110), (206, 180, 120), (60, 96, 66), (196, 196, 190), (110, 70, 96))
    boards = 4
    for k in range(boards):
        floor, top = round(h * (k + 0.92) / boards), h * k / boards
        x = 0.01 * w
        while x < 0.985 * w:
            thick = h * rng.uniform(0.022, 0.055)
            tall = h / boards * rng.uniform(0.58, 0.80)
            colour = np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.1)
            a, b = round(x), min(w, max(round(x) + 1, round(x + thick)))
            bow = 0.72 + 0.38 * np.sin(np.linspace(0.3, 2.8, b - a))
            picture[round(floor - tall) : floor, a:b] = colour * bow[None, :, None]
            band = round(floor - tall * 0.8)
            picture[band : band + max(1, round(tall * 0.06)), a:b] = (226, 200, 130)
            x += thick * (1.0 if rng.random() > 0.12 else 2.2)
        picture[floor : round(floor + 0.05 * h / boards * 1.6)] = (132, 92, 60)
        picture[round(top) : round(top + 0.1 * h / boards)] *= 0.6
    return picture[:h]


def _window(rng, h, w):
    sheet = np.empty((h, w, 3), np.float32)
    y = np.linspace(0, 1, h)[:, None, None]
    sheet[:] = (128, 176, 216) + y * np.array([96, 56, 24])
    cloud = np.clip(noise(rng, h, w, cells=(4, 5), octaves=4) * 1.3, 0, 1)
    sheet = mix(sheet, (250, 250, 250), cloud * 0.9)
    hill = h * (0.62 + 0.08 * noise(rng, 1, w, cells=(1, 5), octaves=3)[0])
    leaves = 1 + 0.3 * noise(rng, h, w, cells=(30, 30), octaves=3)
    land = np.clip(np.arange(h)[:, None] - hill[None], 0, 1).astype(np.float32)
    sheet = sheet + (np.array([74, 120, 66]) * leaves[..., None] - sheet) * land[..., None]
    frame = np.zeros((h, w), np.float32)
    for x in (0.34, 0.66):
        frame[:, round((x - 0.012) * w) : round((x + 0.012) * w)] = 1
    frame[round(0.40 * h) : round(0.425 * h)] = 1
    sheet = mix(sheet, (236, 232, 224), frame)
    folds = 0.85 + 0.22 * np.sin(np.arange(w) / w * 95 + 2 * noise(rng, 1, w, cells=(1, 9))[0])
    drape = ((np.arange(w) < 0.17 * w) | (np.arange(w) > 0.83 * w)).astype(np.float32)
    curtain = (np.array([206, 172, 120]) * folds[:, None])[None]
    return sheet + (curtain - sheet) * drape[None, :, None]


def _panel(rng, h, w):
    picture = wood(rng, h, w, (150, 104, 66), planks=9).astype(np.float32)
    rail = slice(round(0.56 * h), round(0.60 * h))
    picture[rail] = picture[rail] * 0.5 + np.array([90, 60, 36]) * 0.5
    return picture


def _gallery(rng, h, w):
    wall = np.array([122, 146, 142]) * (1 + 0.03 * noise(rng, h, w, cells=(20, 20), octaves=3))[..., None]
    for x, y, a, b in (
        (0.05, 0.08, 0.19, 0.30),
        (0.72, 0.05, 0.22, 0.24),
        (0.78, 0.38, 0.16, 0.30),
        (0.04, 0.48, 0.2, 0.22),
    ):
        x0, y0, x1, y1 = round(x * w), round(y * h), round((x + a) * w), round((y + b) * h)
        wall[y0:y1, x0:x1] = (58, 42, 32)
        e = max(1, round(0.014 * h))
        inner = noise(rng, y1 - y0 - 2 * e, x1 - x0 - 2 * e, cells=(3, 3), octaves=3)[..., None]
        paint_a, paint_b = np.array([226, 196, 130]), np.array([64, 86, 130])
        wall[y0 + e : y1 - e, x0 + e : x1 - e] = paint_a + (paint_b - paint_a) * np.clip(0.5 + inner, 0, 1)
    return wall


def _tiles(rng, h, w):
    return bricks(
        rng, h, w, (196, 208, 206), rows=11, columns=11 * w / h, mortar=(110, 130, 132), bond=0, joint=0.05
    )


_ROOMS = {
    "brick": _brick,
    "shelf": _shelf,
    "window": _window,
    "panel": _panel,
    "gallery": _gallery,
    "tiles": _tiles,
}
EYES = ((92, 62, 40), (120, 132, 84), (92, 132, 168))

"""The look of the city world: ground, facades, greenery, signs; one picture per member of a family."""

import numpy as np

from slimvid.data.worlds.texture import Colour, bricks, fabric, mix, noise, soft_polygon, to_bytes, wood

STOREY = 3.0  # metres
# storeys, length (m), window columns, wall, its colour, frame colour, window (shares of w, h), shop colour
FACADES = (
    (2, 9.0, 3, "brick", (172, 92, 70), (238, 234, 226), (0.42, 0.50), None),
    (3, 10.0, 4, "plaster", (226, 196, 138), (120, 78, 52), (0.40, 0.58), (52, 96, 76)),
    (4, 12.0, 5, "stone", (196, 186, 170), (84, 84, 88), (0.44, 0.62), (120, 44, 50)),
    (5, 11.0, 4, "plaster", (178, 110, 92), (236, 228, 214), (0.46, 0.56), (44, 62, 98)),
    (6, 14.0, 7, "concrete", (154, 160, 164), (70, 82, 92), (0.74, 0.46), None),
    (7, 13.0, 6, "glass", (110, 142, 162), (196, 206, 212), (0.88, 0.80), (60, 64, 70)),
)
SIGNS = ("ban", "warning", "parking")
TREES = ("round", "oval", "cone")
LEAVES = {"round": (104, 144, 62), "oval": (134, 138, 58), "cone": (52, 92, 66)}


def _canvas(h: int, w: int, colour: Colour) -> np.ndarray:
    picture = np.empty((h, w, 3), np.float32)
    picture[:] = colour
    return picture


def _box(
    picture: np.ndarray, x0: float, y0: float, x1: float, y1: float, colour, amount: float = 1.0
) -> None:
    """Fill a box given in shares of the picture; at least one texel."""
    h, w = picture.shape[:2]
    a, b = round(x0 * w), max(round(x1 * w), round(x0 * w) + 1)
    c, d = round(y0 * h), max(round(y1 * h), round(y0 * h) + 1)
    part = picture[c:d, a:b]
    part += (np.asarray(colour, np.float32) - part) * amount


def road(
    rng: np.random.Generator, texels: float, *, length: float, width: float, crossing: bool
) -> np.ndarray:
    """Asphalt with edge lines, a broken middle line, tyre marks, patches; rows along the road."""
    h, w = round(length * texels), round(width * texels)
    grain = rng.normal(0, 0.05, (h, w)).astype(np.float32)
    base = (
        _canvas(h, w, (92, 93, 97))
        * (1 + grain + 0.07 * noise(rng, h, w, cells=(5, 9), octaves=3))[..., None]
    )
    x = (np.arange(w) + 0.5) / w * width - width / 2
    for lane in (-1.8, 1.8):
        tyres = np.exp(-(((np.abs(x - lane) - 0.75) / 0.22) ** 2))
        base *= (1 - 0.10 * tyres)[None, :, None]
    patch = rng.uniform(0.1, 0.6, 2)
    _box(base, patch[0], patch[1], patch[0] + 0.16, patch[1] + 0.25, (70, 70, 74), 0.55)
    paint, half = (226, 226, 218), width / 2
    for edge in (-3.55, 3.55):
        _box(base, (edge - 0.07 + half) / width, 0, (edge + 0.07 + half) / width, 1, paint, 0.75)
    _box(base, (half - 0.075) / width, 0, (half + 0.075) / width, 0.5, paint, 0.9)
    if crossing:
        for k in range(9):
            left = -3.3 + 0.75 * k
            _box(base, (left + half) / width, 0.2, (left + 0.42 + half) / width, 0.75, paint, 0.92)
    else:
        cx, cy = rng.uniform(0.55, 0.72), rng.uniform(0.3, 0.8)
        y2, x2 = np.mgrid[0:h, 0:w] / texels
        lid = np.hypot(y2 - cy * length, x2 - cx * width)
        base = mix(base, (62, 58, 56), np.clip((0.36 - lid) * texels + 0.5, 0, 1) * 0.85)
    return to_bytes(base)


def pavement(rng: np.random.Generator, texels: float, *, length: float, width: float) -> np.ndarray:
    h, w = round(length * texels), round(width * texels)
    return bricks(
        rng,
        h,
        w,
        (178, 170, 160),
        rows=length / 0.6,
        columns=width / 0.75,
        mortar=(120, 114, 108),
        bond=0.5,
        joint=0.07,
    )


def kerb(rng: np.random.Generator, texels: float, *, length: float) -> np.ndarray:
    h, w = max(4, round(0.16 * texels)), round(length * texels)
    return bricks(rng, h, w, (150, 148, 144), rows=1, columns=length, mortar=(90, 88, 84), bond=0, joint=0.05)


def grass(rng: np.random.Generator, texels: float, *, length: float, width: float) -> np.ndarray:
    h, w = round(length * texels), round(width * texels)
    tone = 1 + 0.22 * noise(rng, h, w, cells=(length * 4, width * 4), octaves=3) + rng.normal(0, 0.08, (h, w))
    base = _canvas(h, w, (112, 138, 70)) * tone[..., None]
    return to_bytes(mix(base, (150, 130, 88), np.clip(noise(rng, h, w, cells=(3, 4), octaves=2), 0, 1) * 0.6))


def sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """From the zenith (first row) to the horizon."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    base = np.array([96, 148, 208], np.float32) + y**0.8 * np.array([118, 74, 24], np.float32)
    base = np.repeat(base, width, axis=1)
    cloud = (
        np.clip(1.5 * noise(rng, height, width, cells=(5, 5 * width / height), octaves=5) - 0.05, 0, 1) ** 0.8
    )
    lower = np.clip(1.3 * noise(rng, height, width, cells=(6, 6 * width / height), octaves=3), 0, 1)
    base = mix(base, (250, 250, 252), cloud * (1 - 0.4 * y[..., 0]) * 0.9)
    return to_bytes(mix(base, (206, 212, 222), cloud * lower * 0.5))


def wall(rng: np.random.Generator, h: int, w: int, kind: str, colour: Colour, *, tall: float, long: float):
    """Bare masonry of ``tall`` x ``long`` metres."""
    if kind == "brick":
        return bricks(rng, h, w, colour, rows=tall / 0.25, columns=long / 0.55, joint=0.14)
    if kind == "stone":
        return bricks(
            rng, h, w, colour, rows=tall / 0.8, columns=long / 1.5, mortar=(140, 132, 120), joint=0.05
        )
    if kind == "concrete":
        return bricks(
            rng, h, w, colour, rows=tall / 1.6, columns=long / 3, mortar=(110, 114, 118), bond=0, joint=0.03
        )
    stains = noise(rng, h, w, cells=(tall, long / 2), octaves=3)
    drips = noise(rng, 1, w, cells=(1, long * 2), octaves=2) * np.linspace(1, 0, h)[:, None]
    return to_bytes(_canvas(h, w, colour) * (1 + 0.05 * stains + 0.05 * drips)[..., None])


def facade(rng: np.random.Generator, texels: float, style: tuple) -> np.ndarray:
    """The street side of a building, top row is the cornice; see `FACADES`."""
    storeys, long, columns, kind, colour, frame, (ww, wh), shop = style
    tall = storeys * STOREY
    h, w = round(tall * texels), round(long * texels)
    base = wall(rng, h, w, kind, colour, tall=tall, long=long).astype(np.float32)
    for row in range(storeys):
        ground = row == storeys - 1
        y0 = row / storeys
        if ground and shop is not None:
            _shop(base, y0, columns, shop)
            continue
        _box(base, 0, y0, 1, y0 + 0.05 / storeys, np.asarray(colour) * 0.72, 0.8)
        for column in range(columns):
            x = (column + 0.5) / columns
            if ground and column == columns // 2:
                _door(base, x, y0, storeys, columns, frame)
            else:
                _window(rng, base, x, y0 + 0.52 / storeys, ww / columns, wh / storeys, frame)
    _box(base, 0, 0, 1, 0.10 / storeys, np.asarray(frame) * 0.9)
    _box(base, 0, 0.10 / storeys, 1, 0.17 / storeys, (0, 0, 0), 0.3)
    _box(base, 0, 1 - 0.10 / storeys, 1, 1, (70, 68, 66), 0.6)
    seam = 0.012
    _box(base, 0, 0, seam, 1, (0, 0, 0), 0.35)
    _box(base, 1 - seam, 0, 1, 1, (0, 0, 0), 0.35)
    return to_bytes(base)


def _window(rng, base, x, y, w, h, frame) -> None:
    x0, x1, y0, y1 = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    _box(base, x0 - 0.08 * w, y0 - 0.05 * h, x1 + 0.08 * w, y1 + 0.05 * h, frame)
    steps = 5
    bright = rng.uniform(0.85, 1.1)
    for k in range(steps):  # the sky mirrored in the pane
        glass = (np.array([92, 118, 140]) * (1 - k / steps) + np.array([44, 52, 62]) * k / steps) * bright
        _box(base, x0, y0 + h * k / steps, x1, y0 + h * (k + 1) / steps, glass)
    if rng.random() < 0.35:
        _box(base, x0, y0, x0 + 0.3 * w, y1, (206, 198, 184), 0.7)  # a curtain
    _box(base, x - 0.04 * w, y0, x + 0.04 * w, y1, frame)
    _box(base, x0, y0 + 0.30 * h, x1, y0 + 0.36 * h, frame)
    _box(base, x0 - 0.1 * w, y1 + 0.05 * h, x1 + 0.1 * w, y1 + 0.13 * h, np.asarray(frame) * 0.6)


def _door(base, x, y0, storeys, columns, frame) -> None:
    w, top = 0.42 / columns, y0 + 0.30 / storeys
    _box(base, x - w / 2, top, x + w / 2, y0 + 1 / storeys, frame)
    _box(base, x - w * 0.4, top + 0.05 / storeys, x + w * 0.4, y0 + 1 / storeys, (78, 46, 34))
    _box(base, x - w * 0.3, top + 0.10 / storeys, x + w * 0.3, top + 0.26 / storeys, (70, 86, 96))


def _shop(base, y0, columns, colour) -> None:
    height = 1 - y0
    _box(base, 0, y0, 1, 1, np.asarray(colour) * 0.8)
    _box(base, 0.02, y0 + 0.04 * height, 0.98, y0 + 0.24 * height, colour)
    _box(base, 0.25, y0 + 0.10 * height, 0.75, y0 + 0.18 * height, (236, 226, 196))  # the name over the shop
    for k in range(24):
        if k % 4:
            _box(base, 0.27 + 0.019 * k, y0 + 0.11 * height, 0.28 + 0.019 * k, y0 + 0.17 * height, colour)
    panes = max(2, columns // 2 + 1)
    for k in range(panes):
        a, b = (k + 0.08) / panes, (k + 0.92) / panes
        _box(base, a, y0 + 0.30 * height, b, y0 + 0.86 * height, (58, 72, 80))
        _box(base, a, y0 + 0.30 * height, a + 0.35 / panes, y0 + 0.55 * height, (120, 140, 150), 0.6)
        _box(
            base,
            a + 0.15 / panes,
            y0 + 0.66 * height,
            b - 0.15 / panes,
            y0 + 0.84 * height,
            (196, 168, 110),
            0.7,
        )


def skyline(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Distant buildings with rows of windows."""
    base = _canvas(height, width, (150, 160, 174))
    for _ in range(26):
        x, wide = rng.random(), rng.uniform(0.02, 0.07)
        _box(
            base,
            x,
            rng.uniform(0, 0.5),
            min(1, x + wide),
            1,
            np.array([140, 150, 164]) * rng.uniform(0.85, 1.15),
        )
    rows = (np.mod(np.arange(height) / height * 30, 1) < 0.5)[:, None]
    columns = (np.mod(np.arange(width) / width * 160, 1) < 0.55)[None]
    return to_bytes(base * (1 - 0.10 * (rows & columns))[..., None])


def leaves(rng: np.random.Generator, size: int, kind: str) -> np.ndarray:
    """Foliage lit from above."""
    light = np.linspace(1.25, 0.62, size, dtype=np.float32)[:, None]
    clumps = noise(rng, size, size, cells=(6, 6), octaves=3) + 0.5 * noise(
        rng, size, size, cells=(26, 26), octaves=2
    )
    tone = light * (1 + 0.34 * clumps)
    base = _canvas(size, size, LEAVES[kind]) * tone[..., None]
    return to_bytes(mix(base, (206, 214, 120), np.clip(clumps - 0.55, 0, 1) * 0.5 * light))


def bark(rng: np.random.Generator, size: int) -> np.ndarray:
    return wood(rng, size, size, (98, 78, 62), planks=5)


def fence(rng: np.random.Generator, texels: float, *, length: float) -> np.ndarray:
    h, w = round(1.3 * texels), round(length * texels)
    base = wood(rng, h, w, (140, 98, 62), planks=round(length / 0.28)).astype(np.float32)
    for y in (0.18, 0.75):
        _box(base, 0, y, 1, y + 0.07, (100, 66, 40), 0.8)
    return to_bytes(base)


def sign(kind: str, size: int) -> np.ndarray:
    """A traffic sign's face over the square that bounds it."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size - 0.5

    def soft(d: np.ndarray) -> np.ndarray:
        return np.clip(d * size + 0.5, 0, 1).astype(np.float32)

    if kind == "ban":
        base = mix(_canvas(size, size, (196, 30, 38)), (244, 244, 240), soft(0.36 - np.hypot(x, y)))
        return to_bytes(mix(base, (30, 30, 34), soft(0.07 - np.abs(y)) * soft(0.22 - np.abs(x))))
    if kind == "warning":
        base = _canvas(size, size, (206, 40, 40))
        inner = soft_polygon((size, size), np.array([(0.5, 0.22), (0.84, 0.88), (0.16, 0.88)]) * size, 0)
        base = mix(base, (250, 216, 70), inner)
        return to_bytes(mix(base, (26, 26, 26), soft(0.05 - np.abs(x)) * soft(0.16 - np.abs(y - 0.12))))
    base = mix(
        _canvas(size, size, (240, 242, 244)), (34, 84, 168), soft(0.44 - np.maximum(np.abs(x), np.abs(y)))
    )
    base = mix(base, (246, 246, 246), soft(0.045 - np.abs(x + 0.10)) * soft(0.30 - np.abs(y)))
    ring = np.abs(np.hypot(x + 0.02, y + 0.12) - 0.12)
    return to_bytes(mix(base, (246, 246, 246), soft(0.045 - ring) * (x > -0.08)))


def lamps(size: int) -> np.ndarray:
    """A traffic light's box (1:2.5) with green on."""
    base = _canvas(round(2.5 * size), size, (38, 42, 44))
    y, x = np.mgrid[0 : len(base), 0:size] / size
    for k, colour in enumerate(((90, 26, 26), (96, 78, 24), (70, 236, 140))):
        ball = np.hypot(x - 0.5, y - 0.45 - 0.8 * k)
        base = mix(base, colour, np.clip((0.30 - ball) * size + 0.5, 0, 1))
    return to_bytes(base)


def plain(colour: Colour, size: int = 8) -> np.ndarray:
    return to_bytes(_canvas(size, size, colour))


def cloth(rng: np.random.Generator, size: int, kind: str, first: Colour, second: Colour) -> np.ndarray:
    """Cloth on a rounded limb: darker to the sides."""
    base = fabric(rng, size, kind, first, second, scale=5).astype(np.float32)
    x = np.linspace(-1, 1, size)
    return to_bytes(base * (1.06 - 0.38 * np.abs(x - (-0.25)) ** 1.5)[None, :, None])

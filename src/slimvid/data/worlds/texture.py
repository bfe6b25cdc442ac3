"""Procedural textures: noise, fabric, hair, masonry, wood; uint8 RGB that follows from its generator."""

import cv2
import numpy as np

Colour = tuple[float, float, float]


def noise(rng: np.random.Generator, height: int, width: int, *, cells: tuple[float, float], octaves: int = 3):
    """Smooth fractal noise, float32 [height, width], mean about 0, mostly within -1..1.

    Args:
        cells: number of lattice cells of the coarsest octave along (height, width).
    """
    total = np.zeros((height, width), np.float32)
    gain = 1.0
    for k in range(octaves):
        shape = tuple(
            int(min(max(2, round(c * 2**k)), n + 1)) for c, n in zip(cells, (height, width), strict=True)
        )
        lattice = rng.uniform(-1, 1, shape).astype(np.float32)
        total += gain * cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)
        gain *= 0.5
    return total / 1.4


def paint(shade: np.ndarray, colour: Colour) -> np.ndarray:
    """A brightness map (1 = as is) times a colour: uint8 [h, w, 3]."""
    return np.clip(np.rint(shade[..., None] * np.asarray(colour, np.float32)), 0, 255).astype(np.uint8)


def mix(base: np.ndarray, colour: Colour, amount: np.ndarray | float) -> np.ndarray:
    """Blend a colour into float32 [h, w, 3] by ``amount`` [h, w] in 0..1."""
    amount = np.asarray(amount, np.float32)
    amount = amount[..., None] if amount.ndim == 2 else amount
    return base + (np.asarray(colour, np.float32) - base) * amount


def soft_polygon(size: tuple[int, int], points: np.ndarray, blur: float) -> np.ndarray:
    """A filled polygon (pixels, [n, 2]) with soft borders: float32 [h, w] in 0..1; ``size`` = (h, w)."""
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return blurred(mask.astype(np.float32) / 255, blur)


def soft_line(size: tuple[int, int], points: np.ndarray, width: float, blur: float, *, closed=False):
    """A polyline with soft borders: float32 [h, w] in 0..1."""
    mask = np.zeros(size, np.uint8)
    line = [np.rint(points * 16).astype(np.int32)]
    cv2.polylines(mask, line, closed, 255, max(1, round(width)), lineType=cv2.LINE_AA, shift=4)
    return blurred(mask.astype(np.float32) / 255, blur) * min(1.0, max(width, 0.3))


def blurred(mask: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(mask, (0, 0), sigma) if sigma > 0.25 else mask


def to_bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def strands(rng: np.random.Generator, size: int, colour: Colour, *, curl: float, contrast: float = 0.3):
    """Hair that grows down the rows, its tone varying across the columns: uint8 [size, size, 3].

    Args:
        curl: 0 straight .. 1 curly (strands wave and break up).
        contrast: depth of the tone between strands.
    """
    across = (
        noise(rng, 1, size, cells=(1, size / 10), octaves=4)[0]
        + 0.8 * noise(rng, 1, size, cells=(1, size / 3), octaves=1)[0]
    )
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    wave = (
        noise(rng, size, size, cells=(3 + 5 * curl, 3 + 3 * curl), octaves=2) * size * (0.012 + 0.05 * curl)
    )
    columns = np.mod(x + wave, size - 1)
    tone = cv2.remap(across[None].astype(np.float32), columns, np.zeros_like(columns), cv2.INTER_LINEAR)
    clumps = noise(rng, size, size, cells=(4 + 10 * curl, 8 + 6 * curl), octaves=2)
    sheen = np.exp(-(((y / size - 0.33) / 0.13) ** 2)) * 0.35 * (1 - 0.6 * curl)
    shade = 0.88 + contrast * tone + (0.12 + 0.22 * curl) * clumps + sheen * (0.7 + 0.3 * tone)
    return paint(np.clip(shade, 0.25, 1.8), colour)


FABRICS = ("plain", "stripes", "check", "dots", "knit", "zigzag")


def fabric(
    rng: np.random.Generator, size: int, kind: str, first: Colour, second: Colour, *, scale: float = 10
):
    """Cloth with folds: uint8 [size, size, 3]; ``scale`` motifs across the texture."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size * scale
    drift = noise(rng, size, size, cells=(3, 3), octaves=2) * 0.12
    x, y = x + drift, y + drift
    sharp = max(14.0, 0.8 * size / scale)
    masks = {
        "plain": lambda: np.zeros_like(x),
        "stripes": lambda: _pulse(y, 0.5, sharp),
        "check": lambda: 0.5 * _pulse(x * 0.6, 0.5, sharp) + 0.5 * _pulse(y * 0.6, 0.5, sharp),
        "dots": lambda: _step(
            0.30 - np.hypot(np.mod(x + 0.5 * np.floor(y), 1) - 0.5, np.mod(y, 1) - 0.5), size / scale
        ),
        "knit": lambda: 0.5 + 0.5 * np.sin(6.283 * 1.5 * (y + 0.35 * np.abs(np.mod(x * 1.5, 1) - 0.5))),
        "zigzag": lambda: _pulse(y * 0.7 + np.abs(np.mod(x * 0.7, 1) - 0.5), 0.5, sharp),
    }
    mask = masks[kind]().astype(np.float32)
    picture = mix(np.full((size, size, 3), first, np.float32), second, np.clip(mask, 0, 1))
    folds = noise(rng, size, size, cells=(2.5, 5), octaves=3)
    weave = rng.normal(0, 0.02, (size, size)).astype(np.float32)
    return to_bytes(picture * (1 + 0.16 * folds + weave)[..., None])


def _pulse(phase: np.ndarray, share: float, sharp: float) -> np.ndarray:
    """A square wave, 1 on ``share`` of each period; its flanks take 1 / ``sharp`` of one."""
    saw = np.mod(phase, 1)
    return np.clip((share / 2 - np.abs(saw - 0.5)) * sharp + 0.5, 0, 1)


def _step(signed: np.ndarray, texels: float) -> np.ndarray:
    return np.clip(signed * texels + 0.5, 0, 1)


def bricks(
    rng: np.random.Generator,
    height: int,
    width: int,
    colour: Colour,
    *,
    rows: float,
    columns: float,
    mortar: Colour = (168, 160, 150),
    bond: float = 0.5,
    joint: float = 0.1,
) -> np.ndarray:
    """Masonry or paving: uint8 [height, width, 3], every stone with its own tone."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / height * rows, x / width * columns
    row = np.floor(y)
    x = x + bond * np.mod(row, 2)
    column = np.floor(x)
    tones = rng.normal(0, 1, (int(rows) + 2, int(columns) + 3)).astype(np.float32)
    tone = tones[row.astype(int), column.astype(int)]
    fy, fx = np.mod(y, 1), np.mod(x, 1)
    inset = np.minimum(
        np.minimum(fy, 1 - fy), np.minimum(fx, 1 - fx) * rows * width / (columns * height) ** 1.0
    )
    joints = np.clip(1 - inset / max(joint, 1e-3), 0, 1)
    grain = noise(rng, height, width, cells=(rows * 2, columns * 2), octaves=2)
    stone = paint(1 + 0.08 * tone + 0.07 * grain, colour).astype(np.float32)
    return to_bytes(mix(stone, mortar, joints * 0.7))


def wood(rng: np.random.Generator, height: int, width: int, colour: Colour, *, planks: int = 6) -> np.ndarray:
    """Vertical planks with grain: uint8 [height, width, 3]."""
    x = np.arange(width) / width * planks
    plank = np.floor(x).astype(int)
    tone = rng.normal(0, 0.07, planks + 1)[plank]
    gap = np.clip(1 - np.minimum(np.mod(x, 1), 1 - np.mod(x, 1)) * 18, 0, 1)
    grain = noise(rng, height, width, cells=(3, planks * 12), octaves=3)
    shade = 1 + tone[None] + 0.10 * grain - 0.45 * gap[None]
    return paint(shade.astype(np.float32), colour)

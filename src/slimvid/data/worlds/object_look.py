"""Things as a camera sees them on white: cloth and its pattern, rounded shading, gloss, a faint shadow below.

A part is rounded by its outline alone: the height of its surface follows from the distance to its border.
"""

import cv2
import numpy as np

from slimvid.data.worlds.object_shapes import Part
from slimvid.data.worlds.texture import noise

CLOTHS = ("plain", "stripes", "check", "dots", "quilt", "zigzag")
GLOSS = {"plain": 0.55, "stripes": 0.2, "check": 0.1, "dots": 0.25, "quilt": 0.4, "zigzag": 0.12}
# main, second and trim colour, sole, badge
COLOURS = (
    ((178, 44, 42), (238, 224, 200), (96, 26, 30), (236, 230, 218), (244, 206, 92)),
    ((46, 70, 128), (216, 224, 236), (28, 38, 70), (232, 232, 230), (240, 240, 240)),
    ((152, 98, 56), (206, 164, 116), (88, 54, 34), (66, 46, 36), (226, 196, 140)),
    ((58, 60, 66), (150, 152, 158), (30, 30, 34), (224, 222, 218), (216, 66, 52)),
    ((62, 112, 78), (200, 212, 170), (36, 66, 50), (214, 190, 150), (236, 224, 190)),
    ((206, 112, 150), (246, 216, 226), (120, 62, 112), (240, 236, 236), (110, 196, 200)),
)
_LIGHT = np.array([-0.50, -0.62, 0.60], np.float32) / np.float32(0.998)
_HALF = (_LIGHT + np.array([0, 0, 1], np.float32)) / np.linalg.norm(_LIGHT + np.array([0, 0, 1]))
_FINE = 192  # a canvas has at least so many pixels along its shorter side


class Easel:
    """A white canvas, finer than its picture; outlines are in the square that lies in its middle."""

    def __init__(self, rng: np.random.Generator, *, height: int, width: int):
        finer = max(1.0, _FINE / min(height, width))
        self.size = height, width
        rows, columns = round(height * finer), round(width * finer)
        self.scale = float(min(rows, columns))
        self.origin = np.array([columns - self.scale, rows - self.scale]) / 2
        self.canvas = np.full((rows, columns, 3), 255, np.float32)
        self.grain = noise(rng, rows, columns, cells=(rows / 3, columns / 3), octaves=2)
        self.wear = noise(rng, rows, columns, cells=(4, 4), octaves=3)

    def picture(self) -> np.ndarray:
        """uint8 [height, width, 3]."""
        height, width = self.size
        small = cv2.resize(self.canvas, (width, height), interpolation=cv2.INTER_AREA)
        return np.clip(np.rint(small), 0, 255).astype(np.uint8)

    def shadow(self, outlines: list[np.ndarray]) -> None:
        """What the thing takes from the light of the table."""
        everything = np.concatenate(outlines)
        low, high = everything.min(axis=0), everything.max(axis=0)
        middle, half = (low[0] + high[0]) / 2, (high[0] - low[0]) / 2
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        flat = np.column_stack([middle + 1.02 * half * np.cos(angle), high[1] + 0.018 * np.sin(angle)])
        mask = np.zeros(self.canvas.shape[:2], np.uint8)
        cv2.fillPoly(mask, [self._at(flat)], 255, cv2.LINE_AA, shift=4)
        soft = cv2.GaussianBlur(mask, (0, 0), 0.018 * self.scale).astype(np.float32)
        self.canvas *= 1 - 0.2 / 255 * soft[..., None]

    def paint(self, part: Part, *, cloth: str, colours: tuple, gloss: float, motif: float) -> None:
        """A part in a cloth of two colours; ``motif`` is the width of its pattern, a share of the square."""
        points = self._at(part.outline)
        rows, columns = self.canvas.shape[:2]
        x0, y0 = np.maximum(points.min(axis=0) // 16 - 2, 0)
        x1, y1 = np.minimum(points.max(axis=0) // 16 + 3, (columns, rows))
        if x1 <= x0 or y1 <= y0:
            return
        view = np.s_[y0:y1, x0:x1]
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [points - np.array([x0, y0]) * 16], 255, cv2.LINE_AA, shift=4)
        nx, ny, rim = self._rounded(mask, part.plump * self.scale)
        y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32) / np.float32(self.scale)
        # a pattern is drawn together where a surface turns away
        bend = np.float32(0.35 * min(part.plump, 0.15))
        amount = pattern(cloth, (x - bend * nx) / motif, (y - bend * ny) / motif, self.scale * motif)
        first, second = (np.asarray(c, np.float32) for c in colours)
        colour = first + (second - first) * amount[..., None]
        up = 1 / np.sqrt(1 + nx * nx + ny * ny)
        facing = np.maximum((_LIGHT[0] * nx + _LIGHT[1] * ny + _LIGHT[2]) * up, 0)
        bright = np.maximum((_HALF[0] * nx + _HALF[1] * ny + _HALF[2]) * up, 0) ** 28
        light = (0.42 + 0.80 * facing) * rim
        light *= 1 + 0.05 * self.grain[view] + 0.06 * self.wear[view]
        lit = colour * light[..., None] + (255 * gloss * bright)[..., None]
        cover = (mask.astype(np.float32) / 255)[..., None]
        self.canvas[view] += (np.clip(lit, 0, 255) - self.canvas[view]) * cover

    def _at(self, outline: np.ndarray) -> np.ndarray:
        return np.rint((outline * self.scale + self.origin - 0.5) * 16).astype(np.int32)

    @staticmethod
    def _rounded(mask: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slopes of a surface whose border is rounded over ``reach`` pixels, and how dark its rim is."""
        framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        far = cv2.distanceTransform((framed > 127).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        share = np.minimum(far / np.float32(max(reach, 1.5)), 1)
        high = np.sqrt(np.maximum(1 - (1 - share) ** 2, 0)) * np.float32(max(reach, 1.5))
        high = cv2.GaussianBlur(high, (0, 0), max(0.8, 0.14 * reach))
        nx = -cv2.Sobel(high, cv2.CV_32F, 1, 0, scale=1 / 8)
        ny = -cv2.Sobel(high, cv2.CV_32F, 0, 1, scale=1 / 8)
        return nx, ny, 1 - 0.28 * (1 - share) ** 3


def pattern(cloth: str, x: np.ndarray, y: np.ndarray, pixels: float) -> np.ndarray:
    """How much of the second colour is where: float32 in 0..1; x, y in motifs of ``pixels`` pixels each."""
    soft = np.float32(max(pixels, 4.0) / 1.5)

    def band(phase: np.ndarray, share: float) -> np.ndarray:
        return np.clip((share / 2 - np.abs(np.mod(phase, 1) - 0.5)) * soft + 0.5, 0, 1)

    if cloth == "stripes":
        return band(x + 0.35 * y, 0.5)
    if cloth == "check":
        return 0.5 * band(x, 0.5) + 0.5 * band(y, 0.5)
    if cloth == "dots":
        shift = 0.5 * np.mod(np.floor(y), 2)
        far = np.hypot(np.mod(x + shift, 1) - 0.5, np.mod(y, 1) - 0.5)
        return np.clip((0.30 - far) * soft + 0.5, 0, 1)
    if cloth == "quilt":  # stitched seams
        return 0.6 * np.maximum(band((x + y) / 2, 0.09), band((x - y) / 2, 0.09))
    if cloth == "zigzag":
        return band(y + np.abs(np.mod(x, 1) - 0.5), 0.5)
    return np.zeros_like(x)

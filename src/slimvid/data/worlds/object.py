"""The object world (edges2objects): a single thing on white, and its edges. Single pictures only.

Every thing is another set of three families, which show in its edges:

===================  ===========================================================================
family (6 of each)   is tied to (visible in the edges)
===================  ===========================================================================
kind                 the outline: shoe, boot, pump, bag, mug, teapot
cloth                its pattern: plain, stripes, check, dots, quilt, zigzag; it also has a gloss
colours              the emblem: disc, square, triangle, star, bar, cross
===================  ===========================================================================

Edges are found in the picture, as those of edges2shoes are (Isola et al. 2017, section 4: a detector's
edges, then cleaned). Here they are Canny's, of the smoothed picture, without short pieces, and white on black
as every sketch of the project. A faint check shows at low thresholds: `canny: [60, 150]`.
"""

import cv2
import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.drawing import canny_edges
from slimvid.data.images import FPS
from slimvid.data.worlds.object_look import CLOTHS, COLOURS, GLOSS, Easel
from slimvid.data.worlds.object_shapes import BADGES, KINDS, Part

_SHORTEST = 1 / 12  # shorter pieces of edges are dropped; a share of the picture's shorter side
_METAL, _DARK = ((206, 196, 168), (206, 196, 168)), (52, 44, 42)


def families(number: int) -> tuple[str, str, int]:
    """Kind, cloth and colours of thing ``number``: another set for each of 216 numbers in a row."""
    turn, again = number // 6, number // 36
    kind, cloth = list(KINDS)[number % 6], CLOTHS[(number + turn + again) % 6]
    return kind, cloth, (5 * number + 2 * turn + 1 + again) % 6


def render(rng: np.random.Generator, *, settings, name: str, number: int) -> Clip:
    """One thing; see `slimvid.data.worlds.clips`."""
    h, w = settings.height, settings.width
    rng, paint = rng.spawn(2)  # a thing is the same at every size, textures are not
    kind, cloth, colours = families(number)
    parts, motif = _bent(rng, KINDS[kind](BADGES[colours])), rng.uniform(0.085, 0.105)
    view = _draw(paint, parts, cloth, COLOURS[colours], motif=motif, height=h, width=w)
    low, high = settings.canny
    return Clip(name=name, fps=FPS, frames=view[None], edges=clean_edges(view, low=low, high=high)[None])


def _bent(rng: np.random.Generator, parts: list[Part]) -> list[Part]:
    """The parts of one thing among its kind: stretched and bent together, so that they still fit."""
    stretch, lean = rng.uniform(0.88, 1.0, 2), rng.uniform(-0.05, 0.05)
    pace, phase, much = rng.uniform(0.5, 1.1, 2), rng.uniform(0, 6.28, 2), rng.uniform(0.0, 0.022, 2)
    shift = rng.uniform(-0.02, 0.02, 2)

    def place(points: np.ndarray) -> np.ndarray:
        wave = much * np.sin(2 * np.pi * pace * points[:, ::-1] + phase)
        moved = (points + wave - 0.5) * stretch
        moved[:, 0] += lean * moved[:, 1]
        return moved + 0.5 + shift

    return [Part(outline=place(p.outline), cloth=p.cloth, plump=p.plump) for p in parts]


def _draw(rng, parts: list[Part], cloth: str, colours: tuple, *, motif: float, height: int, width: int):
    main, second, trim, sole, mark = (np.array(c) * rng.uniform(0.95, 1.05) for c in colours)
    how = {
        "main": (cloth, (main, second), GLOSS[cloth]),
        "trim": ("plain", (trim, trim), 0.3),
        "sole": ("plain", (sole, sole), 0.1),
        "dark": ("plain", (_DARK, _DARK), 0.0),
        "metal": ("plain", _METAL, 0.8),
        "badge": ("plain", (mark, mark), 0.15),
    }
    easel = Easel(rng, height=height, width=width)
    easel.shadow([part.outline for part in parts])
    for part in parts:
        look, pair, gloss = how[part.cloth]
        easel.paint(part, cloth=look, colours=pair, gloss=gloss, motif=motif)
    return easel.picture()


def clean_edges(picture: np.ndarray, *, low: int, high: int) -> np.ndarray:
    """Edges of a picture uint8 [H, W, 3] without short pieces: uint8 [H, W], 0 or 255."""
    short = min(picture.shape[:2])
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.4, short / 256))
    edges = canny_edges(smooth, low=low, high=high)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= max(3, _SHORTEST * short)
    keep[0] = False  # the ground
    return np.where(keep[pieces], 255, 0).astype(np.uint8)

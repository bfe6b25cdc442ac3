"""A place as a street map's tile: the classes of ground in flat pastels, casings, footprints, trees as discs.

The colours are in the manner of OpenStreetMap's standard style, by which a reader of maps knows them.
"""

import cv2
import numpy as np

from slimvid.data.worlds.aerial_plan import Building, Plan
from slimvid.data.worlds.aerial_streets import HALF, Way

_BACK = {
    "houses": (224, 223, 223), "terraces": (216, 208, 222), "blocks": (242, 218, 217),
    "works": (235, 219, 232), "villas": (212, 234, 196), "farm": (238, 240, 213)
}  # fmt: skip
_AREA = {
    "water": (170, 211, 223), "park": (200, 250, 204), "forest": (173, 209, 158), "pitch": (136, 224, 190),
    "parking": (238, 238, 238), "field": (222, 212, 170), "pool": (130, 195, 225)
}  # fmt: skip
_WAY = {  # casing and filling
    "minor": ((187, 187, 187), (255, 255, 255)), "main": ((160, 107, 0), (252, 214, 164)),
    "drive": ((205, 200, 195), (255, 255, 255)), "path": ((250, 128, 114), (250, 128, 114)),
    "river": ((150, 195, 210), (170, 211, 223)), "rail": ((112, 112, 112), (112, 112, 112))
}  # fmt: skip
_ROOF = {"gable": (217, 208, 201), "hip": (205, 190, 175), "flat": (196, 182, 170), "shed": (212, 196, 210)}
_TREE = (158, 200, 150)

# A canvas has at least so many pixels along its shorter side, and is so much finer than its picture
_FINE, _FINER = 256, 1.5


class Sheet:
    """A canvas of a place, finer than its picture; everything is given in metres."""

    def __init__(self, place: Plan, *, height: int, width: int, colour=(0, 0, 0)):
        self.height, self.width = height, width
        finer = max(_FINER, _FINE / min(height, width))
        rows, columns = round(height * finer), round(width * finer)
        self.scale = rows / place.height
        shape = (rows, columns) if len(colour) == 1 else (rows, columns, len(colour))
        self.canvas = np.empty(shape, np.uint8)
        self.canvas[:] = colour

    def at(self, points: np.ndarray) -> np.ndarray:
        """Metres [n, 2] as OpenCV's coordinates in sixteenths of a canvas pixel."""
        return np.rint(np.asarray(points) * (16 * self.scale) - 8).astype(np.int32)

    def fill(self, corners: np.ndarray, colour) -> None:
        cv2.fillPoly(self.canvas, [self.at(corners)], colour, cv2.LINE_AA, shift=4)

    def line(self, points: np.ndarray, metres: float, colour, *, closed: bool = False) -> None:
        wide = max(1, round(metres * self.scale))
        cv2.polylines(self.canvas, [self.at(points)], closed, colour, wide, cv2.LINE_AA, shift=4)

    def disc(self, middle: np.ndarray, radius: float, colour) -> None:
        x, y = self.at(middle).tolist()
        cv2.circle(self.canvas, (x, y), round(radius * self.scale * 16), colour, -1, cv2.LINE_AA, shift=4)

    def picture(self) -> np.ndarray:
        """uint8 [height, width, ...]."""
        return cv2.resize(self.canvas, (self.width, self.height), interpolation=cv2.INTER_AREA)


def draw_map(place: Plan, *, height: int, width: int) -> np.ndarray:
    """The tile: uint8 [height, width, 3] RGB."""
    sheet = Sheet(place, height=height, width=width, colour=_BACK[place.district])
    for area in place.areas:
        sheet.fill(area.corners, _AREA[area.kind])
    for kind in ("river", "path", "drive", "rail", "minor", "main"):
        ways = [way for way in place.ways if way.kind == kind]
        _draw_ways(sheet, kind, ways)
    for building in place.buildings:
        _draw_footprint(sheet, building)
    for x, y, radius in place.trees:
        sheet.disc((x, y), radius * 0.8, _TREE)
    return sheet.picture()


def _draw_ways(sheet: Sheet, kind: str, ways: list[Way]) -> None:
    casing, filling = _WAY[kind]
    edge = 0.9 if kind in ("minor", "main") else 0.3
    for colour, wide in ((casing, 2 * HALF[kind] + edge), (filling, 2 * HALF[kind] - edge)):
        for way in ways:
            sheet.line(way.points, 1.6 if kind == "rail" else wide, colour)
    for way in ways if kind == "rail" else ():  # white dashes in a dark line
        for start in dashes(way.points, 3.0, 6.0):
            sheet.line(start, 0.9, (255, 255, 255))


def dashes(points: np.ndarray, dash: float, step: float) -> list[np.ndarray]:
    """Pieces [2, 2] of ``dash`` metres, one every ``step`` metres along a line."""
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])

    def along(s: np.ndarray) -> np.ndarray:
        return np.column_stack([np.interp(s, at, points[:, i]) for i in (0, 1)])

    starts = np.arange(0, at[-1], step)
    return list(np.stack([along(starts), along(starts + dash)], axis=1))


def _draw_footprint(sheet: Sheet, building: Building) -> None:
    colour = _ROOF[building.roof]
    sheet.fill(building.corners, colour)
    sheet.line(building.corners, 0.5, tuple(round(0.82 * c) for c in colour), closed=True)

"""The plan of a place: streets, water, green, buildings, trees and cars in metres, before anything is drawn.

A place is `SHORT` metres along the picture's shorter side. x runs to the right, y down, from the upper left
corner. The plan does not depend on the picture's size, so a finer picture shows the same place.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from slimvid.data.worlds.aerial_streets import (
    FAR,
    HALF,
    NETWORKS,
    Way,
    along,
    blob,
    box,
    clipped,
    rotation,
    spot_of,
)

SHORT = 96.0  # metres
CELL = 0.75  # metres of a cell of the map of what is taken
DISTRICTS = ("houses", "terraces", "blocks", "works", "villas", "farm")
FEATURES = ("river", "pond", "park", "railway", "pitch", "forest")


@dataclass(frozen=True, kw_only=True)
class Area:
    """A piece of ground: "water", "park", "forest", "pitch", "parking", "field", "pool"; corners [n, 2]."""

    kind: str
    corners: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Building:
    """corners [4, 2], the first two at the street; roof: "gable", "hip", "flat", "shed"; height: metres."""

    corners: np.ndarray
    roof: str
    height: float


@dataclass(kw_only=True)
class Plan:
    """A place. trees [n, 3] are (x, y, radius), cars [n, 3] (x, y, heading in radians)."""

    width: float
    height: float
    district: str
    ways: list[Way] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    buildings: list[Building] = field(default_factory=list)
    trees: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    cars: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))


# What stands along the streets, in metres: length, depth, gap to the next, distance from the kerb, roof,
# height; and the share of the plots that are built on
_BUILT = {
    "houses": ((9, 12), (8, 10), (4, 6), 4.0, "gable", 6.0, 0.92),
    "terraces": ((7, 7), (9, 9), (0, 0), 3.0, "gable", 7.5, 0.9),
    "blocks": ((22, 32), (13, 16), (3, 8), 2.5, "flat", 14.0, 0.95),
    "works": ((26, 38), (18, 24), (7, 11), 6.0, "shed", 8.0, 0.9),
    "villas": ((11, 13), (10, 12), (10, 14), 6.5, "hip", 6.5, 0.9),
    "farm": ((9, 22), (9, 12), (12, 30), 7.0, "gable", 6.5, 0.35),
}
_TREES = {"houses": 70, "terraces": 50, "blocks": 60, "works": 30, "villas": 110, "farm": 22}  # tried


def families(number: int) -> tuple[str, str, str]:
    """Network, district and feature of place ``number``: another set for each of 216 numbers in a row."""
    turn = number // 6
    network, district = tuple(NETWORKS)[(number + turn + number // 36) % 6], DISTRICTS[number % 6]
    return network, district, FEATURES[(5 * number + 2 * turn + 1 + number // 36) % 6]


def plan(rng: np.random.Generator, *, number: int, aspect: float) -> Plan:
    """Place ``number``; ``aspect`` is the picture's width by its height."""
    network, district, feature = families(number)
    place = Plan(width=SHORT * max(1.0, aspect), height=SHORT * max(1.0, 1 / aspect), district=district)
    size, taken = (place.width, place.height), Taken(place)
    turn = rng.uniform(-0.6, 0.6)
    middle = np.array(size) / 2 + rng.uniform(-12, 12, 2)

    def to_place(points: np.ndarray) -> np.ndarray:
        return points @ rotation(turn).T + middle

    streets = [(kind, to_place(points)) for kind, points in NETWORKS[network](rng)]
    ways = [Way(kind=kind, points=piece) for kind, points in streets for piece in clipped(points, size=size)]
    for way in ways:
        taken.line(way.points, HALF[way.kind] + 0.8)
    _add_feature(rng, place, taken, feature, to_place)
    place.ways += ways
    if district == "farm":
        _add_fields(rng, place, to_place)
    for way in ways:
        _build_along(rng, place, taken, way)
    place.trees = _trees(rng, place, taken)
    place.cars = _cars(rng, place)
    return place


_LAND, _WAY = 1, 3  # values of cells: bit 2 is set where no tree of a park or forest stands either


class Taken:
    """Which cells of a place are taken already; asks and marks polygons and lines."""

    def __init__(self, place: Plan):
        self.cells = np.zeros((round(place.height / CELL), round(place.width / CELL)), np.uint8)

    def polygon(self, corners: np.ndarray, value: int = _LAND) -> None:
        self._fill(self.cells, corners, value)

    def line(self, points: np.ndarray, half: float) -> None:
        import cv2

        cv2.polylines(self.cells, [_cells(points)], False, _WAY, max(1, round(2 * half / CELL)), shift=4)

    def free(self, corners: np.ndarray) -> bool:
        """Whether nothing is taken below a polygon whose middle lies in the place."""
        rows, columns = self.cells.shape
        u, v = corners.T / CELL
        x, y = int(u[0] + u[2]) // 2, int(v[0] + v[2]) // 2
        if not (0 <= x < columns and 0 <= y < rows) or self.cells[y, x]:
            return False
        x0, y0, x1, y1 = max(int(min(u)), 0), max(int(min(v)), 0), int(max(u)) + 2, int(max(v)) + 2
        part = self.cells[y0:y1, x0:x1]
        mask = np.zeros_like(part)
        self._fill(mask, corners - np.array((x0, y0)) * CELL, 1)
        return not (mask & part).any()

    def at(self, points: np.ndarray, value: int = _WAY) -> np.ndarray:
        """Whether the cells of points [n, 2] are taken, by a bit of ``value``."""
        rows, columns = self.cells.shape
        x = np.clip((points[:, 0] / CELL).astype(int), 0, columns - 1)
        y = np.clip((points[:, 1] / CELL).astype(int), 0, rows - 1)
        return (self.cells[y, x] & value) > 0

    def widest(self) -> tuple[np.ndarray, float]:
        """The spot that is farthest from what is taken, and how far that is, in metres."""
        import cv2

        far = cv2.distanceTransform((self.cells == 0).astype(np.uint8), cv2.DIST_L2, 3) * CELL
        far[:16], far[-16:], far[:, :16], far[:, -16:] = 0, 0, 0, 0  # to be seen, it lies well inside
        y, x = np.unravel_index(far.argmax(), far.shape)
        return np.array([x + 0.5, y + 0.5]) * CELL, float(far[y, x])

    @staticmethod
    def _fill(cells: np.ndarray, corners: np.ndarray, value: int) -> None:
        import cv2

        cv2.fillPoly(cells, [_cells(corners)], value, shift=4)


def _cells(points: np.ndarray) -> np.ndarray:
    return np.rint((points / CELL - 0.5) * 16).astype(np.int32)


def _add_feature(rng, place: Plan, taken: Taken, feature: str, to_place: Callable) -> None:
    """What lies between the streets; streets cross rivers and railways, and cut through the rest."""
    spot, reach = taken.widest()
    heading = to_place(np.array([1.0, 0.0])) - to_place(np.zeros(2))
    if feature in ("river", "railway"):
        x = np.linspace(-FAR, FAR, 80)
        sway = rng.uniform(6, 11) if feature == "river" else 0.0
        line = np.column_stack([x, sway * np.sin(x / rng.uniform(17, 24)) + rng.uniform(20, 30)])
        lean = rotation(rng.uniform(0.5, 1.0) * rng.choice([-1, 1]))
        kind = "river" if feature == "river" else "rail"
        for piece in clipped(to_place(line @ lean.T), size=(place.width, place.height)):
            place.ways.append(Way(kind=kind, points=piece))
            taken.line(piece, HALF[kind] + 1.5)
        return
    if feature == "pitch":
        long = min(40.0, 1.75 * reach)
        around = box(spot, heading, long + 3, 0.66 * long + 3)
        place.areas += [Area(kind="park", corners=around)]
        place.areas += [Area(kind="pitch", corners=box(spot, heading, long, 0.66 * long))]
        taken.polygon(around)
        taken.polygon(box(spot, heading, long + 4, 0.66 * long + 4), _WAY)
    elif feature == "park":
        around = box(spot, heading, *(min(48.0, 1.9 * reach) * rng.uniform(0.85, 1.0, 2)))
        place.areas.append(Area(kind="park", corners=around))
        taken.polygon(around)
        for a, b in ((0, 2), (1, 3)):
            middle = spot + rng.uniform(-4, 4, 2)
            place.ways.append(Way(kind="path", points=np.stack([around[a], middle, around[b]])))
            taken.line(place.ways[-1].points, HALF["path"] + 1.5)
    else:
        around = blob(rng, spot, min(20.0, 0.95 * reach) if feature == "pond" else rng.uniform(20, 26))
        place.areas.append(Area(kind="water" if feature == "pond" else "forest", corners=around))
        taken.polygon(around)


def _add_fields(rng, place: Plan, to_place: Callable) -> None:
    """Ploughed strips between the streets, below everything else."""
    edges = np.cumsum(rng.uniform(18, 30, 12)) - 140
    for a, b in zip(edges[:-1:2], edges[1::2], strict=True):
        corners = np.array([(a, -FAR), (b, -FAR), (b, FAR), (a, FAR)])
        place.areas.insert(0, Area(kind="field", corners=to_place(corners)))


def _build_along(rng, place: Plan, taken: Taken, way: Way) -> None:
    """Buildings on both sides of a street, where there is room, with what belongs to them."""
    longs, deeps, gaps, back, roof, tall, share = _BUILT[place.district]
    at = along(way.points)
    for side in (-1, 1):
        s = rng.uniform(0, 6)
        while s < at[-1]:
            long, deep = rng.uniform(*longs), rng.uniform(*deeps)
            height, keep = tall * rng.uniform(0.9, 1.1), rng.random() < share
            foot, heading = spot_of(way.points, at, s + long / 2)
            out = side * np.array([-heading[1], heading[0]])
            middle = foot + out * (HALF[way.kind] + back + deep / 2)
            grown = box(middle, heading * side, long + min(gaps[0] - 1.2, 2), deep + 1)
            there = taken.free(grown)
            if there and keep:
                corners = box(middle, heading * side, long, deep)
                taken.polygon(grown)
                place.buildings.append(Building(corners=corners, roof=roof, height=height))
                _yard(rng, place, taken, foot, out, corners)
            s += long + rng.uniform(*gaps) if there else 4.0


def _yard(rng, place: Plan, taken: Taken, foot, out, corners: np.ndarray) -> None:
    """A drive to the door, a pool behind villas, parked cars before works."""
    heading = np.array([out[1], -out[0]])
    front, behind = corners[:2].mean(axis=0), corners[2:].mean(axis=0)
    if place.district in ("houses", "villas", "farm"):
        shift = heading * 2.5
        points = np.stack([foot + shift, front + shift])
        place.ways.append(Way(kind="drive", points=points))
        taken.line(points, HALF["drive"])
    if place.district == "villas":
        pool = box(behind + out * 5.5, heading, 7.5, 4.0)
        if taken.free(pool):
            place.areas.append(Area(kind="pool", corners=pool))
            taken.polygon(pool)
    if place.district in ("works", "blocks"):
        yard = box(behind + out * 5.0, heading, 20, 8.5)
        if taken.free(yard):
            place.areas.append(Area(kind="parking", corners=yard))
            taken.polygon(yard)


def _trees(rng, place: Plan, taken: Taken) -> np.ndarray:
    """Trees [n, 3] where nothing is taken; a forest is full of them, parks have many."""
    import cv2

    spots = rng.uniform(0, 1, (_TREES[place.district], 2)) * (place.width, place.height)
    radius = rng.uniform(1.6, 3.2, len(spots))
    kept = [(*spot, r) for spot, r in zip(spots[~taken.at(spots)], radius, strict=False)]
    for area in place.areas:
        many, sizes = {"forest": (150, (2.4, 3.9)), "park": (42, (1.8, 3.4))}.get(area.kind, (0, (1, 2)))
        low, high = area.corners.min(axis=0), area.corners.max(axis=0)
        outline, spots = area.corners.astype(np.float32), rng.uniform(low, high, (many, 2))
        clear = ~taken.at(spots, _WAY - _LAND)
        for spot, r in zip(spots[clear], rng.uniform(*sizes, clear.sum()), strict=True):
            if cv2.pointPolygonTest(outline, spot.tolist(), False) > 0:
                kept.append((*spot, r))
    return np.array(kept).reshape(-1, 3)


def _cars(rng, place: Plan) -> np.ndarray:
    """Cars [n, 3] on the right lane of streets, and parked in rows."""
    cars = []
    for way in place.ways:
        if way.kind not in ("minor", "main"):
            continue
        at = along(way.points)
        for side in (-1, 1):
            s = rng.uniform(0, 30)
            while s < at[-1]:
                foot, ahead = spot_of(way.points, at, s)
                heading = -side * ahead
                foot = foot + np.array([-heading[1], heading[0]]) * HALF[way.kind] * 0.5
                cars.append((*foot, np.arctan2(heading[1], heading[0])))
                s += rng.uniform(12, 24) if way.kind == "main" else rng.uniform(22, 50)
    for area in place.areas:
        if area.kind == "parking":
            a, b, _, d = area.corners
            for share in np.arange(0.1, 0.95, 0.14)[rng.random(7) < 0.75]:
                across = np.arctan2(*(d - a)[::-1])
                cars.append((*(a + share * (b - a) + 0.3 * (d - a)), across))
    found = np.array(cars).reshape(-1, 3)
    gaps = np.hypot(*(found[:, None, :2] - found[None, :, :2]).transpose(2, 0, 1))
    alone = ~np.tril(gaps < 2.6, -1).any(axis=1)  # none on top of an earlier one
    return found[alone]

"""The street of the city world: ground, buildings, greenery and furniture, laid out from a seed."""

from dataclasses import dataclass, field

import numpy as np

from slimvid.data.worlds import city_look as look
from slimvid.data.worlds.stage import BACKDROP, GROUND, THINGS, WALLS, Stage

NAMES = (
    "road",
    "sidewalk",
    "building",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "car",
)
PALETTE = (
    (128, 64, 128),
    (244, 35, 232),
    (70, 70, 70),
    (190, 153, 153),
    (153, 153, 153),
    (250, 170, 30),
    (220, 220, 0),
    (107, 142, 35),
    (152, 251, 152),
    (70, 130, 180),
    (220, 20, 60),
    (0, 0, 142),
)
LABEL = {name: k for k, name in enumerate(NAMES)}

ROAD_HALF, WALK_OUT, WALK_HEIGHT, HOUSE = 5.6, 8.8, 0.15, 9.4  # metres from the middle; the walk's height
TILE = 6.0
_LEVELS = 4


@dataclass
class Street:
    """Builds the static facets onto a stage.

    Attributes:
        rng: lays out the street, the same at every picture size; ``paint`` draws the textures.
        length: metres along z.
        texels: per metre, at most.
        sky: slopes to the side and upwards that the camera sees; the sky reaches that far.
    """

    stage: Stage
    rng: np.random.Generator
    paint: np.random.Generator
    length: float
    texels: float
    sky: tuple[float, float]
    crossings: list[float] = field(default_factory=list)
    instances: int = 0

    def instance(self) -> int:
        """The next instance id (1, 2, ...)."""
        self.instances += 1
        return self.instances

    def build(self) -> None:
        self._sky()
        self._ground()
        for side in (-1, 1):
            self._houses(side)
            self._furniture(side)

    def _add(self, picture: np.ndarray, levels: int = _LEVELS) -> int:
        return self.stage.atlas.add(picture, levels=levels)

    def _sky(self) -> None:
        """Facet 0 is the sky, which moves with the camera; behind the street's end stands a skyline."""
        aside, up, below = 1000 * self.sky[0], 1000 * self.sky[1], 60.0
        texture = self._add(
            look.sky(self.paint, 360, int(np.clip(360 * 2 * aside / (up + below), 360, 4000))), 0
        )
        self.stage.facet(
            texture=texture,
            span=(-aside, -up, 2 * aside, up + below),
            basis=np.column_stack([(1, 0, 0), (0, 1, 0), (0, 0, 1000)]),
            haze=0.0,
            label=LABEL["sky"],
            layer=BACKDROP,
            group=self.stage.group(),
        )
        texture = self._add(look.skyline(self.paint, 200, 900))
        steps = np.repeat(np.linspace(-260, 260, 40), 2)[1:-1]
        tops = np.repeat(-self.rng.uniform(14, 34, 39), 2)
        outline = np.vstack([np.column_stack([steps, tops]), [(260, 0), (-260, 0)]])
        basis = np.column_stack([(1, 0, 0), (0, 1, 0), (0, 0, self.length)])
        self.stage.facet(
            texture=texture,
            span=(-260, -34, 520, 34),
            basis=basis,
            outline=outline,
            haze=0.8,
            label=LABEL["building"],
            layer=BACKDROP,
            group=self.stage.group(),
            instance=self.instance(),
        )

    def _ground(self) -> None:
        """Road, kerbs, pavements and grass, in tiles from the far end to the near one."""
        rng, paint, q, walk = self.rng, self.paint, self.texels, WALK_OUT - ROAD_HALF
        plain, zebra = (
            look.road(paint, q, length=TILE, width=2 * ROAD_HALF, crossing=c) for c in (False, True)
        )
        pictures = {
            "plain": plain,
            "zebra": zebra,
            "walk": look.pavement(paint, q, length=TILE, width=walk),
            "kerb": look.kerb(paint, q, length=TILE),
            "grass": look.grass(paint, q / 3, length=TILE, width=12.0),
        }
        textures = {name: self._add(picture) for name, picture in pictures.items()}
        surfaces = {
            key: self.stage.surface()
            for key in ("road", "walk-1", "walk1", "kerb-1", "kerb1", "grass-1", "grass1")
        }
        next_crossing = rng.uniform(14, 30)
        for z in np.arange(-12.0, self.length, TILE)[::-1]:
            kind = "plain"
            if self.length - z > next_crossing:
                kind, next_crossing = "zebra", next_crossing + rng.uniform(36, 60)
                self.crossings.append(float(z + 0.47 * TILE))
            self._tile(z, textures, surfaces, kind)

    def _tile(self, z: float, textures: dict[str, int], surfaces: dict[str, int], kind: str) -> None:
        group, walk = self.stage.group(), WALK_OUT - ROAD_HALF

        def flat(texture: str, x: float, width: float, height: float, label: str, surface: str) -> None:
            basis = np.column_stack([(1, 0, 0), (0, 0, 1), (0, -height, 0)])
            self.stage.facet(
                texture=textures[texture],
                span=(x, z, width, TILE),
                basis=basis,
                label=LABEL[label],
                layer=GROUND,
                group=group,
                surface=surfaces[surface],
                shadow=1.0,
            )

        for side in (-1, 1):
            flat(
                "grass",
                WALK_OUT if side > 0 else -WALK_OUT - 14,
                14,
                WALK_HEIGHT - 0.02,
                "terrain",
                f"grass{side}",
            )
        flat(kind, -ROAD_HALF, 2 * ROAD_HALF, 0.0, "road", "road")
        for side in (-1, 1):
            upright = np.column_stack([(0, 0, 1), (0, 1, 0), (side * ROAD_HALF, -WALK_HEIGHT, 0)])
            self.stage.facet(
                texture=textures["kerb"],
                span=(z, 0, TILE, WALK_HEIGHT),
                basis=upright,
                label=LABEL["sidewalk"],
                layer=GROUND,
                group=group,
                surface=surfaces[f"kerb{side}"],
                light=0.85,
            )
            flat("walk", ROAD_HALF if side > 0 else -WALK_OUT, walk, WALK_HEIGHT, "sidewalk", f"walk{side}")

    def _houses(self, side: int) -> None:
        """Buildings wall to wall, with gaps that a fence closes and trees fill."""
        rng = self.rng
        if not hasattr(self, "_facades"):
            fine = min(self.texels, 44)
            self._facades = [self._add(look.facade(self.paint, fine, s)) for s in look.FACADES]
            self._gables = [
                self._add(
                    look.wall(
                        self.paint, round(12 * fine / 2), round(12 * fine / 2), s[3], s[4], tall=12, long=12
                    )
                )
                for s in look.FACADES
            ]
            self._fence = self._add(look.fence(self.paint, fine, length=4.0))
            self._plants()
        light = 1.06 if side > 0 else 0.84  # the sun stands to the left
        z, gap_before = -14.0 + rng.uniform(-6, 0), False
        while z < self.length - 6:
            if not gap_before and rng.random() < 0.26:
                z, gap_before = self._gap(side, z, rng.uniform(6, 12), light), True
                continue
            style = int(rng.choice(len(look.FACADES), p=(0.22, 0.22, 0.19, 0.15, 0.12, 0.10)))
            z, gap_before = self._house(side, z, style, light), False

    def _house(self, side: int, z: float, style: int, light: float) -> float:
        storeys, long, *_ = look.FACADES[style]
        tall, x = storeys * look.STOREY, side * (HOUSE + self.rng.uniform(-0.4, 0.4))
        group, instance = self.stage.group(), self.instance()
        common = {"label": LABEL["building"], "layer": WALLS, "group": group, "instance": instance}
        gable = np.column_stack([(side, 0, 0), (0, 1, 0), (x, -tall - 0.1, z)])
        outline = np.array([(0, 0), (5, -2.2), (10, 0), (10, tall), (0, tall)]) if style < 2 else None
        self.stage.facet(
            texture=self._gables[style],
            span=(0, -2.4, 10, tall + 2.5) if style < 2 else (0, 0, 10, tall + 0.1),
            basis=gable,
            outline=outline,
            light=0.92 if side > 0 else 0.98,
            **common,
        )
        front = np.column_stack([(0, 0, 1), (0, 1, 0), (x, -tall - 0.1, z)])
        self.stage.facet(
            texture=self._facades[style], span=(0, 0, long, tall + 0.1), basis=front, light=light, **common
        )
        return z + long

    def _gap(self, side: int, z: float, long: float, light: float) -> float:
        x = side * (HOUSE - 0.5)
        for k in range(2):
            self._tree(side * self.rng.uniform(12, 16), z + long * (0.3 + 0.4 * k), layer=WALLS)
        group, surface = self.stage.group(), self.stage.surface()
        basis = np.column_stack([(0, 0, 1), (0, 1, 0), (x, -1.3 - WALK_HEIGHT, 0)])
        start = z
        while start < z + long - 0.1:
            size = min(4.0, z + long - start)
            outline = np.array([(start, 0), (start + size, 0), (start + size, 1.3), (start, 1.3)])
            self.stage.facet(
                texture=self._fence,
                span=(start, 0, 4.0, 1.3),
                basis=basis,
                label=LABEL["fence"],
                layer=WALLS,
                group=group,
                surface=surface,
                outline=outline,
                light=light,
            )
            start += size
        return z + long

    def _plants(self) -> None:
        size = int(np.clip(5 * self.texels, 48, 300))
        self._leaves = {k: self._add(look.leaves(self.paint, size, k), 3) for k in look.TREES}
        self._bark = self._add(look.bark(self.paint, 32), 2)
        self._signs = {
            k: self._add(look.sign(k, int(np.clip(self.texels * 1.2, 24, 96))), 3) for k in look.SIGNS
        }
        self._lamps = self._add(look.lamps(int(np.clip(self.texels * 0.5, 12, 48))), 2)
        self._steel = self._add(look.plain((126, 130, 134)), 0)

    def _tree(self, x: float, z: float, *, layer: int = THINGS) -> None:
        """Trunk and crown; the kind shows in the outline (round, oval, cone)."""
        rng = self.rng
        kind = look.TREES[int(rng.integers(3))]
        group, size = self.stage.group(), rng.uniform(0.85, 1.2)
        wide, tall, base = {"round": (2.0, 3.6, 2.2), "oval": (1.5, 4.8, 1.9), "cone": (1.5, 6.0, 1.0)}[kind]
        wide, tall = wide * size, tall * size
        basis = np.column_stack([(1, 0, 0), (0, 1, 0), (x, -WALK_HEIGHT, z)])
        common = {"basis": basis, "label": LABEL["vegetation"], "layer": layer, "group": group}
        trunk = np.array([(-0.13, -base - 1), (0.13, -base - 1), (0.20, 0), (-0.20, 0)])
        self.stage.facet(texture=self._bark, span=(-0.2, -base - 1, 0.4, base + 1), outline=trunk, **common)
        self.stage.facet(
            texture=self._leaves[kind],
            span=(-1.15 * wide, -base - 1.08 * tall, 2.3 * wide, 1.16 * tall),
            outline=self._crown(kind, wide, tall) - [0, base],
            **common,
        )

    def _crown(self, kind: str, wide: float, tall: float) -> np.ndarray:
        angle = np.linspace(0, 2 * np.pi, 46, endpoint=False)
        ragged = 1 + 0.10 * self.rng.uniform(-1, 1, 46) + 0.06 * np.sin(7 * angle + self.rng.uniform(0, 6))
        x, y = np.sin(angle) * ragged, -np.cos(angle) * ragged
        if kind == "cone":
            x = x * np.clip(0.55 + 0.5 * y, 0.05, 1.05)
        return np.column_stack([x * wide, (y - 1) / 2 * tall])

    def _furniture(self, side: int) -> None:
        rng = self.rng
        for z in np.arange(rng.uniform(-4, 6), self.length - 4, 11.0):
            if rng.random() < 0.65:
                self._tree(side * 7.6, z + rng.uniform(-1.5, 1.5))
        for z in np.arange(rng.uniform(0, 14), self.length, 22.0):
            self._lamp(side, z)
        for z in np.arange(rng.uniform(4, 20), self.length, 17.0):
            self._sign(side, z + rng.uniform(-3, 3))
        for z in self.crossings:
            self._traffic_light(side, z - 1.9)

    def _post(self, x: float, z: float, tall: float, half: float = 0.06) -> tuple[int, np.ndarray]:
        group = self.stage.group()
        basis = np.column_stack([(1, 0, 0), (0, 1, 0), (x, -WALK_HEIGHT - tall, z)])
        self.stage.facet(
            texture=self._steel,
            span=(-half, 0, 2 * half, tall),
            basis=basis,
            label=LABEL["pole"],
            layer=THINGS,
            group=group,
        )
        return group, basis

    def _lamp(self, side: int, z: float) -> None:
        group, basis = self._post(side * 6.1, z, 6.2, 0.07)
        arm = np.array([(0, 0), (0, 0.12), (-1.6 * side, -0.25), (-1.6 * side, -0.33)])
        head = np.array([(-1.5, -0.38), (-2.2, -0.36), (-2.2, -0.22), (-1.5, -0.24)]) * [side, 1]
        for outline, light in ((arm, 1.0), (head, 0.7)):
            self.stage.facet(
                texture=self._steel,
                span=(-2.5, -1, 5, 2),
                basis=basis,
                outline=outline,
                light=light,
                label=LABEL["pole"],
                layer=THINGS,
                group=group,
            )

    def _sign(self, side: int, z: float) -> None:
        kind = look.SIGNS[int(self.rng.integers(3))]
        group, basis = self._post(side * 5.95, z, 2.9, 0.045)
        ring = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        outline = {
            "ban": np.column_stack([0.42 * np.cos(ring), 0.42 + 0.42 * np.sin(ring)]),
            "warning": np.array([(0, -0.04), (0.5, 0.84), (-0.5, 0.84)]),
            "parking": np.array([(-0.36, 0.05), (0.36, 0.05), (0.36, 0.79), (-0.36, 0.79)]),
        }[kind]
        low, high = outline.min(axis=0), outline.max(axis=0)
        self.stage.facet(
            texture=self._signs[kind],
            span=(*low, *(high - low)),
            basis=basis,
            outline=outline,
            label=LABEL["traffic sign"],
            layer=THINGS,
            group=group,
        )

    def _traffic_light(self, side: int, z: float) -> None:
        group, basis = self._post(side * 5.9, z, 3.4)
        self.stage.facet(
            texture=self._lamps,
            span=(-0.24, -0.2, 0.48, 1.2),
            basis=basis,
            label=LABEL["traffic light"],
            layer=THINGS,
            group=group,
        )

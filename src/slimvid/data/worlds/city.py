"""The city world (segmentation2city): a drive along a street, with exact label maps and instances.

What the condition tells about the look: the classes are Cityscapes' (a dozen of them), instance ids mark
cars, people and single buildings, so that their borders are visible, and every look belongs to a small
family that shows in the outlines:

=======================  ========================================================================
look                     is tied to (visible in labels and instance borders)
=======================  ========================================================================
facade (6 styles)        number of storeys, hence height, and length of the building
paint of a car (5)       body: sedan, hatch, suv, van, mini
clothes of a person (4)  figure: suit, dress (skirt), casual, child (small)
leaves (3)               crown: round, oval, cone
sign's face (3)          shape: disc, triangle, square
light                    the sun stands to the left: walls on the right are brighter
=======================  ========================================================================

What stays free: clouds, curtains, cracks and stains, tone within +-2 %. The camera is 1.6 m above the road
and drives forward or turns its view to the side; cars are parked, lead, and come towards; people walk and
cross. With ``translation`` the same streets are drawn in a second look: see ``city_game``.
"""

from typing import Any

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.worlds.canvas import Renderer, View
from slimvid.data.worlds.city_cars import CARS, Car, car_textures
from slimvid.data.worlds.city_street import LABEL, NAMES, PALETTE, ROAD_HALF, WALK_HEIGHT, Street
from slimvid.data.worlds.city_walkers import WALKERS, Walker, walker_textures
from slimvid.data.worlds.motion import wander
from slimvid.data.worlds.stage import Stage
from slimvid.data.worlds.take import Take
from slimvid.data.worlds.texture import blurred

MOMENTS = 4  # single pictures that one street gives: building its textures costs more than drawing it
_FAR, _VIEW = 150.0, 115.0  # metres: nothing is drawn beyond; the street goes on that far beyond the drive
_HAZE = (190.0, (204, 214, 226))


def condition_spec() -> ConditionSpec:
    """Label maps of 12 classes with instance borders; cars are the foreground."""
    return ConditionSpec(
        kind="labels", label_names=NAMES, palette=PALETTE, instances=True, foreground=(LABEL["car"],)
    )


class _Camera:
    """Position and view of every frame."""

    def __init__(self, rng: np.random.Generator, frames: int, fps: float, *, height: int, width: int):
        t = np.arange(frames) / fps
        sideways = rng.random() < 0.3
        speed = rng.uniform(2.0, 4.0) if sideways else rng.uniform(4.0, 9.0)
        pace = speed * (1 + wander(rng, t, 0.25, 0.12))
        self.z = np.concatenate([[0], np.cumsum(np.clip(pace, 0.5, None)[:-1])]) / fps
        self.x = 1.9 + wander(rng, t, 0.35, 0.12)
        turn = rng.uniform(0.35, 0.6) * rng.choice([-1, 1]) if sideways else 0.0
        self.yaw = turn + wander(rng, t, 0.10, 0.15)
        self.pitch = 0.02 + wander(rng, t, 0.008, 0.7)
        self.y = -1.6 + wander(rng, t, 0.02, 0.9)
        self.focal = 0.80 * max(width, height)
        self.middle = ((width - 1) / 2, 0.47 * (height - 1))
        aside = np.abs(self.yaw).max() + np.arctan(0.5 * width / self.focal)
        up = 0.47 * height / self.focal + np.abs(self.pitch).max() + 0.02
        self.sees = (
            np.tan(min(aside + 0.02, 1.5)),
            up / np.cos(min(aside, 1.4)),
        )  # slopes that the corners reach

    def at(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Projection K R [3, 3] and position [3] of frame ``k``."""
        a, b, f = self.yaw[k], self.pitch[k], self.focal
        yaw = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
        pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        lens = np.array([[f, 0, self.middle[0]], [0, f, self.middle[1]], [0, 0, 1]])
        return lens @ pitch @ yaw, np.array([self.x[k], self.y[k], self.z[k]])


class _Town:
    """Street, actors and camera of one clip."""

    def __init__(self, rng: np.random.Generator, *, settings):
        self.height, self.width = height, width = settings.height, settings.width
        self.take = Take.of(settings, rng, moments=MOMENTS)
        rng, paint = rng.spawn(2)  # the scene is the same at every size, textures are not
        self.camera = _Camera(rng, self.take.frames, self.take.fps, height=height, width=width)
        samples = 3 if height * width <= 128 * 128 else 2
        self.texels = float(np.clip(self.camera.focal * samples / 9, 10, 64))
        self.stage = Stage()
        self.t = self.take.times
        self.street = Street(
            self.stage,
            rng,
            paint,
            length=float(self.camera.z[-1]) + _VIEW,
            texels=self.texels,
            sky=self.camera.sees,
        )
        self.street.build()
        self.cars: list[Car] = []
        self.walkers: list[Walker] = []
        self._traffic(rng)
        self._people(rng, paint)
        self.set = self.stage.close()
        self.glow = 1 + wander(rng, self.t, 0.02, 0.3)
        self.renderer = Renderer(height=height, width=width, atlas=self.stage.atlas, facets=self.set.facets)

    def _traffic(self, rng: np.random.Generator) -> None:
        """Parked cars on both sides, one that leads, and oncoming ones."""
        size = int(np.clip(self.texels * 1.6, 32, 128))
        textures = {kind: car_textures(self.stage, kind, size) for kind in CARS}
        kinds, still = list(CARS), np.zeros(len(self.t))

        def add(x: np.ndarray, z: np.ndarray, heading: float) -> None:
            kind = kinds[int(rng.integers(len(kinds)))]
            track = np.column_stack([x, z, still + heading])
            who = {"label": LABEL["car"], "instance": self.street.instance()}
            self.cars.append(Car.build(self.stage, textures[kind], kind, track, **who))

        for side in (-1, 1):
            z = rng.uniform(3, 12)
            while z < self.street.length - 8:
                if rng.random() < 0.62:
                    add(still + side * 4.55, still + z, np.pi if side < 0 else 0.0)
                z += rng.uniform(6.0, 9.5)
        gap = rng.uniform(9, 20) + wander(rng, self.t, 2.5, 0.12) + rng.uniform(-0.5, 2.0) * self.t
        add(1.8 + wander(rng, self.t, 0.12, 0.1), self.camera.z + np.clip(gap, 7.5, None), 0.0)
        start = rng.uniform(14, 30)
        while start < _VIEW + 20 * self.t[-1]:
            add(wander(rng, self.t, 0.12, 0.1) - 1.8, start - rng.uniform(6, 8) * self.t, np.pi)
            start += rng.uniform(16, 30)

    def _people(self, rng: np.random.Generator, paint: np.random.Generator) -> None:
        size = int(np.clip(self.texels * 0.8, 16, 64))
        textures = {k: walker_textures(self.stage, paint, k, size) for k in WALKERS}

        def add(x: np.ndarray, z: np.ndarray, axis: tuple, ground: float, pace: float) -> None:
            kind = WALKERS[int(rng.integers(len(WALKERS)))]
            phase = rng.uniform(0, 6.28) + pace * 4.2 * self.t
            axis = np.array(axis, float) / np.linalg.norm(axis)
            self.walkers.append(
                Walker.build(
                    self.stage,
                    textures[kind],
                    kind,
                    np.column_stack([x, z, phase]),
                    axis,
                    ground,
                    label=LABEL["person"],
                    instance=self.street.instance(),
                )
            )

        for side in (-1, 1):
            z = rng.uniform(5, 12)
            while z < self.street.length - 10:
                way, pace = rng.choice([-1, 1]), rng.uniform(0.9, 1.5)
                x = side * rng.uniform(6.4, 7.2) + wander(rng, self.t, 0.1, 0.2)
                add(x, z + way * pace * self.t, (0.75, 0, 0.66 * way), -WALK_HEIGHT, pace)
                z += rng.uniform(5, 15)
        for crossing in self.street.crossings:
            way, pace = rng.choice([-1, 1]), rng.uniform(1.0, 1.5)
            x = np.clip(rng.uniform(-5, 5) + way * pace * self.t, -ROAD_HALF, ROAD_HALF)
            add(x, crossing + 0 * self.t, (way, 0, 0), 0.0, pace)

    def draw(self, k: int) -> tuple[View, np.ndarray, np.ndarray]:
        """Render frame ``k``: view, flow, validity."""
        return self.renderer.frame(**self.scene(k))

    def scene(self, k: int) -> dict[str, Any]:
        """Frame ``k`` as the arguments of `Renderer.frame`."""
        lens, eye = self.camera.at(k)
        bases = self.set.bases.copy()
        bases[0, :, 2] += [eye[0], 0, eye[2]]
        hidden = [np.zeros(0, int)]

        def near(actor: Car | Walker) -> bool:
            # those far off are not seen in this frame nor the next: they may stay where they were
            return -12 < actor.track[k, 1] - eye[2] < _FAR + 12

        for car in filter(near, self.cars):
            bases[car.facets], facing = car.place(k, eye)
            hidden.append(car.facets[~facing])
        for walker in filter(near, self.walkers):
            bases[walker.facets] = walker.place(k)
        bases[:, :, 2] -= eye
        matrices = lens @ bases
        gone = set(np.concatenate(hidden).tolist())
        polygons = [p for p in self.set.project(matrices, width=self.width, far=_FAR) if p[0] not in gone]
        polygons.insert(
            0, (0, np.array([(-2.0, -2), (self.width, -2), (self.width, self.height), (-2, self.height)]))
        )
        return {
            "matrices": matrices,
            "polygons": polygons,
            "light": self.set.light * self.glow[k],
            "shade": self._shade(k, lens, eye),
            "haze": _HAZE,
        }

    def _shade(self, k: int, lens: np.ndarray, eye: np.ndarray) -> np.ndarray:
        """Soft shadows on the ground: float32 [H, W], 1 in the light."""
        import cv2

        shade = np.ones((self.height, self.width), np.float32)
        spots = [
            (c.track[k, 0] + 0.15, c.track[k, 1], 1.0, c.half_length + 0.15, 0.0, 0.45) for c in self.cars
        ]
        spots += [
            (w.track[k, 0] + 0.25, w.track[k, 1] + 0.05, 0.5, 0.22, -w.ground, 0.62) for w in self.walkers
        ]
        spots.sort(key=lambda s: -s[1])
        ring = np.linspace(0, 2 * np.pi, 16, endpoint=False) + 0.2
        for x, z, rx, rz, up, tone in spots:
            if not 2.5 < z - eye[2] < 70:
                continue
            square = 1 / np.maximum(np.abs(np.cos(ring)), np.abs(np.sin(ring))) ** (0.8 if rz > 1 else 0)
            world = np.column_stack(
                [x + rx * np.cos(ring) * square, np.full(16, -up), z + rz * np.sin(ring) * square]
            )
            seen = (world - eye) @ lens.T
            if seen[:, 2].min() < 0.5:
                continue
            points = np.clip(seen[:, :2] / seen[:, 2:] * 16, -1e5, 1e5)
            cv2.fillConvexPoly(shade, np.rint(points).astype(np.int32), tone, shift=4, lineType=cv2.LINE_AA)
        return blurred(shade, max(0.6, self.height / 110))


def render(
    rng: np.random.Generator,
    *,
    settings,
    name: str,
    number: int,
    conditions: np.random.Generator | None = None,
) -> Clip:
    """One drive; see `slimvid.data.worlds.clips`. Given ``conditions``, these show a street of their own."""
    town = _Town(rng, settings=settings)
    if settings.translation is not None:
        from slimvid.data.worlds import city_game

        source = town if conditions is None else _Town(conditions, settings=settings)
        return city_game.render(source, town, translation=settings.translation, name=name)
    facets, shots = town.set.facets, []
    for k in town.take.shown:
        view, flow, valid = town.draw(k)
        things = {"labels": facets.label[view.ids], "instances": facets.instance[view.ids]}
        shots.append({"frames": view.colour, **things, "flow": flow, "flow_valid": valid})
    return town.take.clip(name, shots)

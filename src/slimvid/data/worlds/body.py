"""The body world (pose2body): a dancing person in a studio, with key-points and the exact body-part map.

What the condition tells about the look:

=======================  ========================================================================
look                     is tied to (visible in the body-part map and key-points)
=======================  ========================================================================
outfit (6), its fabrics  outline: bare or baggy limbs, skirt and its length, width of the shoulders
hair colour (6)          hair style by its outline: crop, long, cap, bun, bob, afro
skin tone (ramp)         girth of the limbs (slim: light, stocky: dark)
studio                   the same for all clips of a task (drawn from the task's seed)
light                    from the upper left
=======================  ========================================================================

What stays free: folds and grain of the cloth, tone within +-3 %. The camera stands still, as in the
dance videos of the vid2vid protocol; the background's flow is zero, and moving shadows are marked invalid.
"""

from typing import NamedTuple

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.worlds import body_look as look
from slimvid.data.worlds.body_bones import Bones, dance, skeleton
from slimvid.data.worlds.body_shape import PARTS, columns, profile, tube
from slimvid.data.worlds.canvas import Atlas, Facets, Renderer, triangle_matrices
from slimvid.data.worlds.mesh import grid, lambert, shaded, solid
from slimvid.data.worlds.motion import wander
from slimvid.data.worlds.take import Take
from slimvid.data.worlds.texture import blurred

# Parts that lie over others where tubes meet (clothes over hips, a cap over the head): painted as if nearer.
_OVER = {"torso": 0.065, "skirt": 0.08, "hips": 0.03, "l_foot": 0.02, "r_foot": 0.02}
# At a joint the end of one limb covers the start of the next, so that triangles of both do not interleave.
_CAP_OVER, _CAP_UNDER = 0.05, 0.06
_FLOOR = 0.74  # share of the height where wall and floor meet


class _Part(NamedTuple):
    """A tube's constants over a clip: its rings and the number of quads around it."""

    rings: np.ndarray
    count: int


class _Dancer:
    """Geometry and textures of one person in the studio; `draw` renders a frame."""

    def __init__(
        self,
        rng: np.random.Generator,
        paint: np.random.Generator,
        *,
        number: int,
        height: int,
        width: int,
        seed: int,
    ):
        self.height, self.width = height, width
        outfit = look.OUTFITS[list(look.OUTFITS)[number % 6]]
        stocky, tint = rng.uniform(-1, 1), rng.uniform(0.97, 1.03)
        self.figure = look.figure(outfit, stocky)
        self.size = min(0.84 * height, 0.92 * width)
        self.base = np.array([(width - 1) / 2, height * (_FLOOR + 0.195) - 0.5])
        samples = 3 if height * width <= 128 * 128 else 2
        texels = int(np.clip(self.size * samples * 0.16, 16, 160))
        atlas = Atlas()
        room_rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(99,)))
        room = look.studio(room_rng, int(height * samples * 0.8), int(width * samples * 0.8), _FLOOR)
        pictures = look.textures(paint, outfit, look.tone(stocky) * tint, texels)
        self._assemble(atlas, atlas.add(room), {k: atlas.add(v) for k, v in pictures.items()})

    def _assemble(self, atlas: Atlas, room: int, numbers: dict[str, int]) -> None:
        """Facet 0 is the studio, then the triangles of all tubes."""
        texture, surface, label = [[room]], [[0]], [[0]]
        triangles_of, flats, over, corner = [], [], [], 0
        self.parts: dict[str, _Part] = {}
        for name in PARTS:
            if name == "skirt" and not self.figure.skirt:
                continue
            rings, count = profile(name, self.figure), columns(name, small=self.size < 110)
            triangles, flat = grid(len(rings) - 1, count)
            row = triangles // (count + 1)
            flat = np.stack([flat[..., 0], _along(rings)[row]], axis=2)
            self.parts[name] = _Part(rings, count)
            over.append(self._nearer(name, rings[:, 0][row].mean(axis=1)))
            triangles_of.append(triangles + corner)
            flats.append(flat)
            corner += len(rings) * (count + 1)
            texture.append([numbers[name]] * len(triangles))
            surface.append([len(self.parts)] * len(triangles))
            label.append(_dense_parts(name, flat[:, :, 0].mean(axis=1)))
        self.triangles, self.over = np.concatenate(triangles_of), np.concatenate(over)
        self.inverse_flat = np.linalg.inv(triangle_matrices(np.concatenate(flats)))
        studio = np.arange(1 + len(self.triangles)) == 0
        self.facets = Facets(
            texture=np.concatenate(texture),
            to_texture=np.tile(np.eye(3), (len(studio), 1, 1)),
            surface=np.concatenate(surface),
            label=np.concatenate(label),
            instance=(~studio).astype(int),
            receives=studio.astype(float),
        )
        self.renderer = Renderer(height=self.height, width=self.width, atlas=atlas, facets=self.facets)

    def _nearer(self, name: str, at: np.ndarray) -> np.ndarray:
        """By how much triangles at ``at`` along a part are painted as if nearer to the viewer."""
        base = 0.03 if name == "hair" and self.figure.hair == "cap" else _OVER.get(name, 0.0)
        limb = name[:2] in ("l_", "r_")
        leads = limb and not name.endswith(("hand", "foot"))
        return base + _CAP_OVER * leads * (at > 0.98) - _CAP_UNDER * limb * (at < 0.02)

    def to_pixels(self, points: np.ndarray, x: float) -> np.ndarray:
        scale = self.size * self.figure.tall
        return self.base + [x, 0] + scale * points[..., :2] * (1 + 0.10 * points[..., 2:])

    def draw(self, moment: dict[str, float], brightness: float):
        """Render one moment: view, flow, validity, key-points [25, 3]."""
        bones = skeleton(moment, self.figure)
        shift = moment["x"] * 0.10 * self.width
        matrices = np.zeros((len(self.facets), 3, 3))
        light = np.zeros((len(self.facets), 3))
        w, h = self.width, self.height
        matrices[0], light[0] = [[w, 0, -0.5], [0, h, -0.5], [0, 0, 1]], (1, 0, 0)
        tubes = [tube(bones, name, part.rings, part.count) for name, part in self.parts.items()]
        points = np.concatenate([t[0].reshape(-1, 3) for t in tubes])
        normals = np.concatenate([t[1].reshape(-1, 3) for t in tubes])
        corners = self.to_pixels(points, shift)[self.triangles]
        lit = lambert(normals, base=0.52, gain=0.56)[self.triangles]
        matrices[1:], light[1:] = shaded(corners, self.inverse_flat, lit)
        depth = points[:, 2][self.triangles].mean(axis=1) + self.over
        shown = np.nonzero(solid(corners, self._handed(bones)))[0]
        order = shown[np.argsort(depth[shown], kind="stable")]
        wall = np.array([(-1.0, -1), (w, -1), (w, h), (-1, h)])
        everything = [(0, wall), *zip((1 + order).tolist(), corners[order], strict=True)]
        view, flow, valid = self.renderer.frame(
            matrices=matrices, polygons=everything, light=light * brightness, shade=self._shade(bones, shift)
        )
        return view, flow, valid, self._keypoints(bones, shift)

    def _handed(self, bones: Bones) -> np.ndarray:
        """Per triangle the sign of its area when its outside is seen (tubes that lead upwards turn it)."""
        signs = []
        for name, part in self.parts.items():
            across, _, out = bones.frame[name].T
            upright = np.cross(bones.along[name], across) @ out
            signs += [-np.sign(upright)] * (2 * (len(part.rings) - 1) * part.count)
        return np.array(signs)

    def _keypoints(self, bones: Bones, shift: float) -> np.ndarray:
        """BODY_25 with confidence 1; 0 for eyes and ears turned away and points out of the picture."""
        xy = self.to_pixels(bones.points, shift)
        sure = np.ones(25)
        centre = bones.start["head"] + 0.5 * bones.along["head"]
        for k in (15, 16, 17, 18):
            sure[k] = float(bones.points[k, 2] - centre[2] > -0.02)
        inside = (
            (xy[:, 0] >= 0) & (xy[:, 1] >= 0) & (xy[:, 0] <= self.width - 1) & (xy[:, 1] <= self.height - 1)
        )
        out = np.column_stack([xy, sure * inside])
        out[out[:, 2] == 0] = 0
        return out.astype(np.float32)

    def _shade(self, bones: Bones, shift: float) -> np.ndarray:
        """A soft shadow on the floor below hips and feet."""
        import cv2

        shade = np.ones((self.height, self.width), np.float32)
        ring = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        circle = np.column_stack([np.cos(ring), np.sin(ring)])
        spots = [(bones.points[8], 0.20, 0.72)] + [(bones.points[k], 0.075, 0.62) for k in (14, 11)]
        for point, radius, tone in spots:
            floor = self.to_pixels(np.array([point[0] + 0.02, 0.0, point[2]]), shift)
            floor[1] += self.size * 0.02 * (point[2] / 0.2)
            outline = floor + circle * self.size * [radius, radius * 0.22]
            mask = np.zeros_like(shade)
            cv2.fillConvexPoly(
                mask, np.rint(outline * 16).astype(np.int32), 1.0, shift=4, lineType=cv2.LINE_AA
            )
            shade *= 1 - (1 - tone) * mask
        return blurred(shade, max(0.7, self.height / 90))

    def surface_map(self, view) -> np.ndarray:
        """IUV-like map uint8 [H, W, 3]: part 0..24 spread over 0..255, then material u and v; 0 outside."""
        ids = view.ids
        rows = view.inverses.reshape(-1, 9)[:, :6].take(ids, axis=0)
        x, y = np.arange(self.width)[None], np.arange(self.height)[:, None]
        u = rows[..., 0] * x + rows[..., 1] * y + rows[..., 2]
        v = rows[..., 3] * x + rows[..., 4] * y + rows[..., 5]
        part = self.facets.label[ids]
        iuv = np.stack([part * (255 / 24), 255 * np.clip(u, 0, 1), 255 * np.clip(v, 0, 1)], axis=2)
        return (np.rint(iuv) * (part > 0)[..., None]).astype(np.uint8)


def _dense_parts(name: str, around: np.ndarray) -> np.ndarray:
    """DensePose part numbers of triangles of a tube at ``around`` (0..1, front in the middle)."""
    back, front = PARTS[name]
    numbers = np.where(np.abs(around - 0.5) < 0.25, front, back)
    return numbers + (around > 0.5) if name == "skirt" else numbers  # its left half counts as left thigh


def _along(rings: np.ndarray) -> np.ndarray:
    """Material v of a tube's rings: distance along its surface, 0..1."""
    s = rings[:, 0]
    return (s - s[0]) / (s[-1] - s[0])


def render(rng: np.random.Generator, *, settings, name: str, number: int) -> Clip:
    """One dance of one person; see `slimvid.data.worlds.clips`."""
    take = Take.of(settings, rng)
    rng, paint = rng.spawn(2)  # person and dance are the same at every size, textures are not
    dancer = _Dancer(
        rng, paint, number=number, height=settings.height, width=settings.width, seed=settings.seed
    )
    moves = dance(rng, take.frames, take.fps)
    glow = 1 + wander(rng, take.times, 0.02, 0.3)
    shots = []
    for k in take.shown:
        view, flow, valid, points = dancer.draw({key: v[k] for key, v in moves.items()}, glow[k])
        maps = {"frames": view.colour, "keypoints": points[None], "densepose": dancer.surface_map(view)}
        shots.append({**maps, "flow": flow, "flow_valid": valid})
    return take.clip(name, shots)

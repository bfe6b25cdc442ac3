"""The face world (sketch2face): a talking head in front of a wall, with exact landmarks.

What the condition tells about the look, so that held-out people can be drawn at all: every cue of the look
comes from a small family, and each family member has an outline of its own in the edge map.

=====================  ==========================================================================
look                   is tied to (visible in the edge map)
=====================  ==========================================================================
skin tone (ramp)       width of the face relative to its height (broad: dark)
redness of the lips    fullness of the lips
eye colour (3)         size of the eyes
hair colour (6)        hair style, by its outline: crop, part, bob, long, curls, updo
beard                  square jaw together with a short hair style
clothes (6 outfits)    fabric pattern (plain, stripes, check, dots, knit, zigzag) and neckline
room (6)               its own edges: bricks, books, window, planks, pictures, tiles
=====================  ==========================================================================

What stays free is small: tone within +-3 %, the grain of textures, the books' order.
"""

from typing import NamedTuple

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.drawing import canny_edges, face_edges
from slimvid.data.worlds import face_look as look
from slimvid.data.worlds.canvas import Atlas, Facets, Renderer, triangle_matrices
from slimvid.data.worlds.face_shape import (
    HAIR_STYLES,
    Build,
    Hair,
    Mesh,
    Pose,
    hair_shell,
    head_mesh,
    mean_landmarks,
    relief,
)
from slimvid.data.worlds.motion import blinks, speech, wander
from slimvid.data.worlds.texture import strands

_PIVOT = np.array([0.0, 0.95, -0.45])  # the head turns about the top of the neck
_SUN = np.array([-0.48, -0.50, 0.72])
_SHOULDERS = [
    (-0.66, 1.56),
    (-1.0, 1.74),
    (-1.45, 1.92),
    (-1.80, 2.16),
    (-2.02, 2.6),
    (-2.16, 3.4),
    (-2.3, 4.7),
]
_NECKLINES = {
    "crew": [
        (-0.66, 1.56),
        (-0.50, 1.86),
        (-0.26, 2.02),
        (0.0, 2.07),
        (0.26, 2.02),
        (0.50, 1.86),
        (0.66, 1.56),
    ],
    "vee": [
        (-0.66, 1.56),
        (-0.44, 1.90),
        (-0.20, 2.28),
        (0.0, 2.55),
        (0.20, 2.28),
        (0.44, 1.90),
        (0.66, 1.56),
    ],
}
# facets before the meshes
_WALL, _SKULL, _EAR_L, _EAR_R, _EYE_L, _EYE_R, _MOUTH, _TORSO, _CHEST, _BUN, _SINGLE = range(11)
_NECK_ROWS = 4


class Person(NamedTuple):
    """A drawn identity."""

    build: Build
    style: str
    outfit: tuple
    room: str
    tint: float


def person(rng: np.random.Generator, *, number: int) -> Person:
    """Identity ``number`` of a split: families are dealt round, so that few clips still show all of them."""
    width, jaw, lips, eyes = rng.uniform(-1, 1, 4)
    free = rng.uniform(-1, 1, 6)
    build = Build(width=width, jaw=jaw, lips=lips, eyes=eyes, chin=free[0], gap=free[1], tilt=free[2],
                  nose=0.5 * width + 0.5 * free[3], mouth=free[4], brow=free[5])  # fmt: skip
    style = HAIR_STYLES[(number + int(rng.integers(2)) * 3) % 6]
    outfit = look.WARDROBE[(number * 5 + 2 + int(rng.integers(2)) * 3) % 6]
    room = look.ROOMS[(number + 3 * (number // 6) + int(rng.integers(2)) * 2) % 6]
    return Person(build, style, outfit, room, float(rng.uniform(0.97, 1.03)))


def poses(rng: np.random.Generator, frames: int, fps: float) -> list[Pose]:
    """Head motion, speech, blinks and mood of one clip."""
    t = np.arange(frames) / fps
    yaw, pitch, roll = wander(rng, t, 0.30, 0.35), wander(rng, t, 0.13, 0.4), wander(rng, t, 0.10, 0.3)
    x, y = wander(rng, t, 0.20, 0.25), wander(rng, t, 0.09, 0.3)
    scale = 1 + wander(rng, t, 0.035, 0.2)
    mouth, smile = speech(rng, t), np.clip(0.3 + wander(rng, t, 0.7, 0.3), 0, 1)
    raise_, shut = np.clip(wander(rng, t, 1.0, 0.5), -0.2, 1), blinks(rng, t)
    gx, gy = wander(rng, t, 1.0, 0.6), wander(rng, t, 0.5, 0.5)
    sway = wander(rng, t, 0.08, 0.3)
    return [
        Pose(
            yaw=yaw[k],
            pitch=pitch[k],
            roll=roll[k] + 0.25 * x[k],
            x=x[k],
            y=y[k],
            scale=scale[k],
            open=mouth[k],
            smile=smile[k] * (1 - 0.5 * mouth[k]),
            raise_=raise_[k],
            blink=shut[k],
            gaze=(gx[k], gy[k]),
            sway=sway[k],
        )  # fmt: skip
        for k in range(frames)
    ]


class _Head:
    """Geometry and textures of one person at one picture size; `draw` renders a pose."""

    def __init__(self, rng: np.random.Generator, who: Person, *, height: int, width: int):
        self.who, self.height, self.width = who, height, width
        self.size = 0.213 * min(height, 1.05 * width)  # pixels per face unit
        self.centre = np.array([(width - 1) / 2, max(0.435 * height, height - 3.3 * self.size)])
        self.mesh: Mesh = head_mesh()
        self.hair: Hair = hair_shell(rng, who.style)
        self._rest()
        self._quads()
        self._build(rng)

    def _rest(self) -> None:
        mesh = self.mesh
        self.rest = mesh.flat + mesh.spread @ self.who.build.shift()
        flat, e = mesh.flat, 0.02
        self.depth = relief(flat[:, 0], flat[:, 1])
        dx = (relief(flat[:, 0] + e, flat[:, 1]) - relief(flat[:, 0] - e, flat[:, 1])) / (2 * e)
        dy = (relief(flat[:, 0], flat[:, 1] + e) - relief(flat[:, 0], flat[:, 1] - e)) / (2 * e)
        normal = np.column_stack([-dx, -dy, np.ones(len(flat))])
        self.normals = normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def _quads(self) -> None:
        """Triangles and material coordinates of the hair shell and the neck, from their corner grids."""
        rows, columns = self.hair.points.shape[0] - 1, self.hair.points.shape[1] - 1
        self.hair_triangles, self.hair_flat = _grid(rows, columns)
        self.neck_triangles, self.neck_flat = _grid(_NECK_ROWS, 2)

    def _build(self, rng: np.random.Generator) -> None:
        who, atlas = self.who, Atlas()
        fine = self.size * (3 if self.height * self.width <= 128 * 128 else 2)
        texel = lambda units: int(np.clip(units * fine * 0.9, 24, 1400))  # noqa: E731
        build = who.build
        tone = look.blend(look.SKINS, 0.5 + 0.5 * build.width) * who.tint
        hair = np.asarray(look.HAIR_COLOURS[who.style]) * who.tint
        beard = float(np.clip(1.6 * build.jaw, 0, 0.8)) if who.style in ("crop", "part") else 0.0
        face = atlas.add(look.skin(rng, texel(3.0), tone=tone, hair=hair, beard=beard,
                                   redness=0.10 + 0.55 * (0.5 + 0.5 * build.lips)))  # fmt: skip
        iris = look.EYES[min(2, int(1.5 * (build.eyes + 1)))]
        eye = atlas.add(look.eye(rng, texel(0.52), iris))
        mouth = atlas.add(look.mouth(texel(0.75)))
        neck = atlas.add(look.neck(rng, texel(1.2), tone * 0.97))
        collar = np.array(_NECKLINES[who.outfit[3]])
        torso = atlas.add(look.torso(rng, texel(3.6), who.outfit, collar))
        strand = atlas.add(strands(rng, texel(3.0), hair, curl=self.hair.curl))
        self.margin = 1.25
        wall = look.room(rng, round(self.height * 2 * self.margin * 0.8), round(self.width * 2 * self.margin * 0.8),
                         who.room)  # fmt: skip
        wall = atlas.add(wall)
        self._facets(atlas, face, eye, mouth, neck, torso, strand, wall)

    def _facets(self, atlas, face, eye, mouth, neck, torso, strand, wall) -> None:
        count = len(self.mesh.triangles), len(self.hair_triangles), len(self.neck_triangles)
        textures = [wall, strand, face, face, eye, eye, mouth, torso, neck, strand]
        textures += [face] * count[0] + [strand] * count[1] + [neck] * count[2]
        unit = np.eye(3)
        ranges = [unit, unit, _unit((-6.0, -7, 12, 14)), _unit((-6.0, -7, 12, 14)), _unit(look.EYE_RANGE),
                  _unit(look.EYE_RANGE), _unit(look.MOUTH_RANGE), _unit(look.TORSO_RANGE),
                  _unit((-0.8, -0.2, 1.6, 2.9)), unit]  # fmt: skip
        ranges += [_unit(look.SKIN_RANGE)] * count[0] + [unit] * (count[1] + count[2])
        surface = (
            [*range(_SINGLE)] + [_SINGLE] * count[0] + [_SINGLE + 1] * count[1] + [_SINGLE + 2] * count[2]
        )
        zeros = np.zeros(len(textures), int)
        self.facets = Facets(texture=np.array(textures), to_texture=np.array(ranges), surface=np.array(surface),
                             label=zeros, instance=zeros)  # fmt: skip
        self.renderer = Renderer(height=self.height, width=self.width, atlas=atlas, facets=self.facets)
        self.starts = np.cumsum([_SINGLE, *count])
        corners = [self.mesh.flat[self.mesh.triangles], self.hair_flat, self.neck_flat]
        self.inverse_flat = [np.linalg.inv(triangle_matrices(c)) for c in corners]

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Face units [..., 3] to pixels [..., 2], with a little perspective."""
        return self.centre + self.size * points[..., :2] * (1 + 0.06 * points[..., 2:])

    def place(self, pose: Pose, points: np.ndarray) -> np.ndarray:
        """Head coordinates to scene coordinates."""
        moved = (points - _PIVOT) @ pose.rotation().T * pose.scale + _PIVOT
        return moved + [pose.x, pose.y, 0]

    def draw(self, pose: Pose, brightness: float, drift: np.ndarray):
        """Render a pose: view, flow, validity, and the 68 landmarks [68, 2] in pixels."""
        flat = self.rest + self.mesh.spread @ pose.expression()
        vertices = self.place(pose, np.column_stack([flat, self.depth]))
        pixels = self.to_pixels(vertices)
        single, outlines = self._singles(pose, pixels, drift)
        head = self._mesh(pixels, vertices, self.normals @ pose.rotation().T, self.mesh.triangles, 0)
        hair_points, hair_normals = self._hang(pose)
        hair = self._mesh(self.to_pixels(hair_points), hair_points, hair_normals, self.hair_triangles, 1)
        neck_points, neck_normals = self._neck(pose)
        neck = self._mesh(self.to_pixels(neck_points), neck_points, neck_normals, self.neck_triangles, 2)
        light = np.zeros((_SINGLE, 3))
        light[:, 0] = [1, 0.75, 0.85, 0.80, 0.92, 0.92, 0.9, 1, 0.98, 0.95]
        slope = 0.16 / self.width
        light[_TORSO] = light[_CHEST] = (1.08, -slope, 0)
        light = np.concatenate([light, head[1], hair[1], neck[1]]) * brightness
        matrices = np.concatenate([single, head[0], hair[0], neck[0]])
        order = self._order(outlines, head, hair, neck, hair_normals)
        view, flow, valid = self.renderer.frame(matrices=matrices, polygons=order, light=light)
        return view, flow, valid, pixels[:68].astype(np.float32)

    def _order(self, outlines, head, hair, neck, hair_normals):
        """All polygons from back to front."""
        facing = hair_normals.reshape(-1, 3)[self.hair_triangles].mean(axis=1)[:, 2]
        behind, ahead = np.nonzero(facing < 0)[0], np.nonzero(facing >= 0)[0]
        pick = lambda mesh, start, chosen: [  # noqa: E731
            (start + k, mesh[2][k]) for k in chosen[np.argsort(mesh[3][chosen], kind="stable")]
        ]
        order = [(_WALL, outlines[_WALL])]
        if self.who.style == "updo":
            order.append((_BUN, outlines[_BUN]))
        order += pick(hair, self.starts[1], behind)
        order += [(_SKULL, outlines[_SKULL]), (_CHEST, outlines[_CHEST])]
        order += pick(neck, self.starts[2], np.arange(len(neck[2])))
        order += [(k, outlines[k]) for k in (_TORSO, _EAR_L, _EAR_R, _EYE_L, _EYE_R, _MOUTH)]
        order += pick(head, self.starts[0], np.nonzero(head[4] > 0)[0])
        return order + pick(hair, self.starts[1], ahead)

    def _mesh(self, pixels, points, normals, triangles, which):
        """Matrices, light, corners, depth and winding of a mesh's triangles."""
        pixels, points, normals = pixels.reshape(-1, 2), points.reshape(-1, 3), normals.reshape(-1, 3)
        corners = pixels[triangles]
        q = triangle_matrices(corners)
        matrices = q @ self.inverse_flat[which]
        base, gain = ((0.55, 0.47), (0.50, 0.62), (0.60, 0.45))[which]
        lit = base + gain * np.clip(normals @ _SUN, 0, None)
        at_corners = lit[triangles]
        area = np.linalg.det(q)
        steady = np.abs(area) > 1.0
        light = np.zeros((len(triangles), 3))
        light[:, 0] = at_corners.mean(axis=1)
        safe = q.copy()
        safe[~steady] = np.eye(3)
        slope = np.einsum("ki,kij->kj", at_corners, np.linalg.inv(safe))
        light[steady] = slope[steady][:, [2, 0, 1]]
        return matrices, light, corners, points[triangles][:, :, 2].mean(axis=1), area * self._winding(which)

    def _winding(self, which: int) -> np.ndarray:
        if which:
            return np.ones(1)
        return np.sign(np.linalg.det(triangle_matrices(self.mesh.flat[self.mesh.triangles])))

    def _hang(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        hair = self.hair
        firm = self.place(pose, hair.points)
        loose = hair.points + [0.55 * pose.x + 0.3 * np.sin(pose.yaw), 0.5 * pose.y, 0]
        share = 0.65 * hair.hanging[:, None, None]
        return firm * (1 - share) + loose * share, hair.normals @ pose.rotation().T

    def _neck(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Corner grid [rows + 1, 3, 3] from under the jaw down to the shoulders."""
        broad = 1 + 0.08 * self.who.build.width
        top = self.place(
            pose, np.array([(-0.58 * broad, 0.62, -0.45), (0, 0.75, -0.05), (0.58 * broad, 0.62, -0.45)])
        )
        bottom = np.array([(-0.72, 1.80, -0.45), (0, 1.95, -0.1), (0.72, 1.80, -0.45)]) + self._torso_shift(
            pose
        )
        v = np.linspace(0, 1, _NECK_ROWS + 1)[:, None, None]
        grid = top * (1 - v) + bottom * v
        grid[..., 0] *= 1 - 0.10 * np.sin(np.pi * v[..., 0])
        normal = np.broadcast_to(np.array([(-0.8, 0.1, 0.6), (0, 0.1, 1), (0.8, 0.1, 0.6)]), grid.shape)
        return grid, normal

    def _torso_shift(self, pose: Pose) -> np.ndarray:
        return np.array([0.45 * pose.x + pose.sway, 0.45 * pose.y + 0.1 * pose.sway, 0])

    def _singles(self, pose: Pose, marks: np.ndarray, drift: np.ndarray):
        """Matrices [_SINGLE, 3, 3] and outlines of the facets that are no meshes."""
        matrices = np.tile(np.eye(3), (_SINGLE, 1, 1))
        outlines: dict[int, np.ndarray] = {}
        h, w, m = self.height, self.width, self.margin
        matrices[_WALL] = [
            [w * m, 0, (1 - m) / 2 * w + drift[0] * w],
            [0, h * m, (1 - m) / 2 * h + drift[1] * h],
            [0, 0, 1],
        ]
        outlines[_WALL] = np.array([(-2, -2), (w + 2, -2), (w + 2, h + 2), (-2, h + 2)], float)
        ring = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        circle = np.column_stack([np.cos(ring), np.sin(ring)])
        back = self.place(pose, np.array([0, -0.30, -0.55]))
        self._disc(matrices, outlines, _SKULL, back, (1.03, 1.16), circle, pose.scale)
        bun = self.place(pose, np.array([0, -1.72, -0.55]))
        self._disc(matrices, outlines, _BUN, bun, (0.55, 0.46), circle, pose.scale)
        for facet, side in ((_EAR_L, -1), (_EAR_R, 1)):
            broad = 1 + 0.09 * self.who.build.width
            axes = np.array([(side * 0.62, 0, -0.75), (0, 1.0, 0)])
            self._plate(matrices, outlines, facet, pose, np.array([side * 0.985 * broad, 0.06, -0.52]), axes,
                        circle * [0.20, 0.30] + [0.06, 0])  # fmt: skip
        for facet, group in ((_EYE_L, slice(36, 42)), (_EYE_R, slice(42, 48))):
            self._eye(matrices, outlines, facet, pose, marks[group], group)
        self._mouth(matrices, outlines, pose, marks)
        shift = self._torso_shift(pose)[:2]
        origin, s = self.centre + self.size * shift, self.size
        matrices[_TORSO] = matrices[_CHEST] = [[s, 0, origin[0]], [0, s, origin[1]], [0, 0, 1]]
        neckline = _NECKLINES[self.who.outfit[3]]
        right = [(-x, y) for x, y in _SHOULDERS[1:][::-1]]
        outlines[_TORSO] = origin + s * np.array(neckline[::-1] + _SHOULDERS[1:] + right)
        outlines[_CHEST] = origin + s * np.array([(-0.75, 1.5), (0.75, 1.5), (0.6, 2.65), (-0.6, 2.65)])
        return matrices, outlines

    def _disc(self, matrices, outlines, facet, centre, radii, circle, scale) -> None:
        """An ellipse that always faces the viewer; material coordinates 0..1 over its box."""
        rx, ry = np.array(radii) * self.size * scale
        x, y = self.to_pixels(centre)
        matrices[facet] = [[2 * rx, 0, x - rx], [0, 2 * ry, y - ry], [0, 0, 1]]
        outlines[facet] = np.array([x, y]) + circle * [rx, ry]

    def _plate(self, matrices, outlines, facet, pose, centre, axes, outline) -> None:
        """A flat plate on the head; material coordinates along its two axes."""
        corners = self.to_pixels(self.place(pose, centre + np.vstack([np.zeros(3), axes])))
        matrices[facet, :2] = np.column_stack([corners[1] - corners[0], corners[2] - corners[0], corners[0]])
        outlines[facet] = corners[0] + outline @ (corners[1:] - corners[0])

    def _eye(self, matrices, outlines, facet, pose, marks, group) -> None:
        middle = self.rest[:68][group].mean(axis=0)
        size = 1 + 0.22 * self.who.build.eyes
        look_at = np.array([0.075 * pose.gaze[0] - 0.18 * pose.yaw, 0.045 * pose.gaze[1] - 0.02])
        centre = np.array([*(middle + look_at), relief(middle[0], middle[1])])
        self._plate(
            matrices, outlines, facet, pose, centre, np.array([(size, 0, 0), (0, size, 0)]), np.zeros((3, 2))
        )
        mid = marks.mean(axis=0)
        outlines[facet] = mid + (marks - mid) * [1.15, 1.6]

    def _mouth(self, matrices, outlines, pose, marks) -> None:
        inner = mean_landmarks()[60:68].mean(axis=0) + [0, 0.02]
        self._plate(
            matrices,
            outlines,
            _MOUTH,
            pose,
            np.array([*inner, relief(*inner) - 0.08]),
            np.eye(3)[:2],
            np.zeros((3, 2)),
        )
        mid = marks[60:68].mean(axis=0)
        outlines[_MOUTH] = mid + (marks[60:68] - mid) * [1.05, 1.3]


def _grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles over a corner grid [rows + 1, columns + 1]: indices [n, 3] and material corners [n, 3, 2]."""
    r, c = np.mgrid[0:rows, 0:columns]
    a = (r * (columns + 1) + c).ravel()
    b, d, e = a + 1, a + columns + 1, a + columns + 2
    triangles = np.concatenate([np.stack([a, b, e], axis=1), np.stack([a, e, d], axis=1)])
    flat = np.stack([triangles % (columns + 1) / columns, triangles // (columns + 1) / rows], axis=2)
    return triangles, flat


def _unit(span: tuple[float, float, float, float]) -> np.ndarray:
    """Material coordinates over a range (x, y, width, height) -> 0..1."""
    x, y, w, h = span
    return np.array([[1 / w, 0, -x / w], [0, 1 / h, -y / h], [0, 0, 1]])


def render(rng: np.random.Generator, *, settings, name: str, number: int) -> Clip:
    """One clip of one person; see `slimvid.data.worlds.clips`."""
    h, w, frames = settings.height, settings.width, settings.clip_frames
    who = person(rng, number=number)
    head = _Head(rng, who, height=h, width=w)
    t = np.arange(frames) / settings.fps
    glow = 1 + wander(rng, t, 0.03, 0.3)
    drift = np.column_stack([wander(rng, t, 0.07, 0.2), wander(rng, t, 0.035, 0.2)])
    low, high = settings.canny
    out = {k: [] for k in ("frames", "edges", "landmarks", "flow", "flow_valid")}
    for k, pose in enumerate(poses(rng, frames, settings.fps)):
        view, flow, valid, marks = head.draw(pose, glow[k], drift[k])
        background = canny_edges(view.colour, low=low, high=high)
        out["frames"].append(view.colour)
        out["edges"].append(face_edges(marks, height=h, width=w, background=background))
        out["landmarks"].append(marks)
        out["flow"].append(flow)
        out["flow_valid"].append(valid)
    return Clip(name=name, fps=settings.fps, **{k: np.stack(v) for k, v in out.items()})

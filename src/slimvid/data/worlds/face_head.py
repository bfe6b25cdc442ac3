"""The person of the face world: geometry and textures assembled into facets, and drawn pose by pose."""

from typing import NamedTuple

import numpy as np

from slimvid.data.worlds import face_look as look
from slimvid.data.worlds.canvas import Atlas, Facets, Renderer, View, samples_for, triangle_matrices
from slimvid.data.worlds.face_shape import Build, Pose, hair_shell, head_mesh, mean_landmarks, relief
from slimvid.data.worlds.mesh import grid, lambert, shaded, solid, unit
from slimvid.data.worlds.texture import strands

_PIVOT = np.array([0.0, 0.95, -0.45])  # the head turns about the top of the neck
_RIGHT_SHOULDER = np.array(
    [(-1.0, 1.74), (-1.45, 1.92), (-1.80, 2.16), (-2.02, 2.6), (-2.16, 3.4), (-2.3, 4.7)]
)
_CREW = np.array([(-0.66, 1.56), (-0.50, 1.86), (-0.26, 2.02), (0.0, 2.07)])
_VEE = np.array([(-0.66, 1.56), (-0.44, 1.90), (-0.20, 2.28), (0.0, 2.55)])
_MIRROR = np.array([-1, 1])
NECKLINES = {k: np.vstack([v, v[-2::-1] * _MIRROR]) for k, v in (("crew", _CREW), ("vee", _VEE))}
# Facets that are no meshes, in front of the meshes' in number; the light of each.
_WALL, _SKULL, _EAR_L, _EAR_R, _EYE_L, _EYE_R, _MOUTH, _TORSO, _CHEST, _BUN, _SINGLE = range(11)
_LIGHT = (1.0, 0.72, 0.84, 0.78, 0.92, 0.92, 0.90, 1.08, 1.0, 0.92)
_FACE, _HAIR, _NECK = range(3)
_SHADES = (
    (0.50, 0.54),
    (0.48, 0.64),
    (0.58, 0.46),
)  # light in the shade, and towards the sun: face, hair, neck
_NECK_ROWS = 4
_WALL_MARGIN = 1.25  # the wall is that much larger than the picture, for the camera's drift


class Person(NamedTuple):
    """A drawn identity."""

    build: Build
    style: str
    outfit: tuple
    room: str
    tint: float


class Head:
    """Geometry and textures of one person at one picture size; `draw` renders a pose."""

    def __init__(self, rng: np.random.Generator, who: Person, *, height: int, width: int):
        self.who, self.height, self.width = who, height, width
        self.size = 0.213 * min(height, 1.05 * width)  # pixels per face unit
        self.centre = np.array([(width - 1) / 2, max(0.435 * height, height - 3.3 * self.size) - 0.5])
        self.mesh, self.hair = head_mesh(), hair_shell(rng, who.style, columns=32 if self.size > 24 else 20)
        self.neckline = NECKLINES[who.outfit[3]]
        self._rest()
        self._triangles()
        atlas, pictures = self._paint(rng)
        self._facets(atlas, pictures)

    def _rest(self) -> None:
        """Vertices and normals of the relaxed face."""
        mesh = self.mesh
        self.rest = mesh.flat + mesh.spread @ self.who.build.shift()
        (x, y), e = mesh.flat.T, 0.02
        self.depth = relief(x, y)
        dx = (relief(x + e, y) - relief(x - e, y)) / (2 * e)
        dy = (relief(x, y + e) - relief(x, y - e)) / (2 * e)
        normal = np.column_stack([-dx, -dy, np.ones(len(x))])
        self.normals = normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def _triangles(self) -> None:
        """Face, hair and neck as one list of triangles; hair and neck are grids of corners."""
        hair, hair_flat = grid(self.hair.points.shape[0] - 1, self.hair.points.shape[1] - 1)
        neck, neck_flat = grid(_NECK_ROWS, 2)
        face = self.mesh.triangles
        self.counts = (len(face), len(hair), len(neck))
        corners = (len(self.mesh.flat), self.hair.points[..., 0].size)
        self.triangles = np.concatenate([face, hair + corners[0], neck + sum(corners)])
        self.kind = np.repeat([_FACE, _HAIR, _NECK], self.counts)
        flat = [triangle_matrices(f) for f in (self.mesh.flat[face], hair_flat, neck_flat)]
        self.inverse_flat = np.linalg.inv(np.concatenate(flat))
        self.side = np.concatenate([np.sign(np.linalg.det(flat[0])), np.zeros(len(hair) + len(neck))])

    def _paint(self, rng: np.random.Generator) -> tuple[Atlas, dict[str, int]]:
        who, build, atlas = self.who, self.who.build, Atlas()
        samples = samples_for(self.height, self.width)

        def texel(units: float) -> int:
            return int(np.clip(units * self.size * samples * 0.9, 24, 1400))

        tone = look.blend(look.SKINS, 0.5 + 0.5 * build.width) * who.tint
        hair = np.asarray(look.HAIR_COLOURS[who.style]) * who.tint
        beard = float(np.clip(1.6 * build.jaw, 0, 0.8)) if who.style in ("crop", "part") else 0.0
        redness = 0.08 + 0.5 * (0.5 + 0.5 * build.lips)
        iris = look.EYES[min(2, int(1.5 * (build.eyes + 1)))]
        scale = samples * _WALL_MARGIN * 0.85
        pictures = {
            "face": look.skin(rng, texel(3.0), tone=tone, hair=hair, beard=beard, redness=redness),
            "eye": look.eye(rng, texel(0.52), iris),
            "mouth": look.mouth(texel(0.75)),
            "neck": look.neck(rng, texel(1.2), tone * 0.97),
            "torso": look.torso(rng, texel(3.6), who.outfit, self.neckline),
            "hair": strands(rng, texel(3.0), hair, curl=self.hair.curl),
            "wall": look.room(rng, round(self.height * scale), round(self.width * scale), who.room),
        }
        return atlas, {name: atlas.add(picture) for name, picture in pictures.items()}

    def _facets(self, atlas: Atlas, number: dict[str, int]) -> None:
        whole, plain = np.eye(3), unit((-6.0, -7, 12, 14))  # plain: a spot of bare skin
        single = [
            ("wall", whole),
            ("hair", whole),
            ("face", plain),
            ("face", plain),
            ("eye", unit(look.EYE_RANGE)),
            ("eye", unit(look.EYE_RANGE)),
            ("mouth", unit(look.MOUTH_RANGE)),
            ("torso", unit(look.TORSO_RANGE)),
            ("neck", unit((-0.8, -0.2, 1.6, 2.9))),
            ("hair", whole),
        ]
        mesh = [("face", unit(look.SKIN_RANGE)), ("hair", whole), ("neck", whole)]
        rows = single + [mesh[kind] for kind in self.kind]
        zeros = np.zeros(len(rows), int)
        facets = Facets(
            texture=np.array([number[name] for name, _ in rows]),
            to_texture=np.array([span for _, span in rows]),
            surface=np.concatenate([np.arange(_SINGLE), _SINGLE + self.kind]),
            label=zeros,
            instance=zeros,
        )
        self.renderer = Renderer(height=self.height, width=self.width, atlas=atlas, facets=facets)

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Face units [..., 3] to pixels [..., 2], with a little perspective."""
        return self.centre + self.size * points[..., :2] * (1 + 0.06 * points[..., 2:])

    def place(self, pose: Pose, points: np.ndarray) -> np.ndarray:
        """Head coordinates to scene coordinates."""
        moved = (points - _PIVOT) @ pose.rotation().T * pose.scale + _PIVOT
        return moved + np.array([pose.x, pose.y, 0])

    def draw(
        self, pose: Pose, *, brightness: float, drift: np.ndarray
    ) -> tuple[View, np.ndarray, np.ndarray, np.ndarray]:
        """Render a pose.

        Args:
            brightness: of the whole picture, about 1.
            drift: shift of the wall (x, y) in shares of the picture.

        Returns:
            View, flow, validity (`Renderer.frame`), and the 68 landmarks float32 [68, 2] in pixels.
        """
        points, normals = self._corners(pose)
        pixels = self.to_pixels(points)
        corners = pixels[self.triangles]
        base, gain = np.array(_SHADES).T[:, self.kind, None]
        lit = base + gain * lambert(normals, base=0.0, gain=1.0)[self.triangles]
        mesh, mesh_light = shaded(corners, self.inverse_flat, lit)
        single, outlines = self._singles(pose, pixels, drift)
        light = np.zeros((_SINGLE, 3))
        light[:, 0] = _LIGHT
        light[[_TORSO, _CHEST], 1] = -0.16 / self.width
        facing = normals[:, 2][self.triangles].mean(axis=1)
        depth = points[:, 2][self.triangles].mean(axis=1)
        view, flow, valid = self.renderer.frame(
            matrices=np.concatenate([single, mesh]),
            polygons=self._order(outlines, corners, facing, depth),
            light=np.concatenate([light, mesh_light]) * brightness,
        )
        return view, flow, valid, pixels[:68].astype(np.float32)

    def _corners(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """All corners in the scene [V, 3] and their normals: face, hair, neck."""
        turn = pose.rotation().T
        flat = self.rest + self.mesh.spread @ pose.expression()
        face = self.place(pose, np.column_stack([flat, self.depth]))
        firm = self.place(pose, self.hair.points)
        loose = self.hair.points + np.array([0.55 * pose.x + 0.3 * np.sin(pose.yaw), 0.5 * pose.y, 0])
        share = 0.65 * self.hair.hanging[:, None, None]  # hanging hair stays behind the head's motion
        hair = firm * (1 - share) + loose * share
        neck, neck_normals = self._neck(pose)
        points = np.concatenate([face, hair.reshape(-1, 3), neck])
        return points, np.concatenate(
            [self.normals @ turn, self.hair.normals.reshape(-1, 3) @ turn, neck_normals]
        )

    def _neck(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Corner grid of (rows + 1) x 3 from under the jaw down to the shoulders, flattened, and normals."""
        broad = 1 + 0.08 * self.who.build.width
        jaw = np.array([(-0.58 * broad, 0.62, -0.45), (0, 0.75, -0.05), (0.58 * broad, 0.62, -0.45)])
        bottom = np.array([(-0.72, 1.80, -0.45), (0, 1.95, -0.1), (0.72, 1.80, -0.45)]) + self._torso_shift(
            pose
        )
        v = np.linspace(0, 1, _NECK_ROWS + 1)[:, None, None]
        rows = self.place(pose, jaw) * (1 - v) + bottom * v
        rows[..., 0] *= 1 - 0.10 * np.sin(np.pi * v[..., 0])
        normal = np.array([(-0.8, 0.1, 0.6), (0, 0.1, 1), (0.8, 0.1, 0.6)])
        return rows.reshape(-1, 3), np.tile(normal, (_NECK_ROWS + 1, 1))

    def _order(self, outlines, corners, facing, depth) -> list[tuple[int, np.ndarray]]:
        """All polygons from back to front."""

        def pick(chosen: np.ndarray):
            chosen = np.nonzero(chosen)[0]
            chosen = chosen[np.argsort(depth[chosen], kind="stable")]
            return zip((chosen + _SINGLE).tolist(), corners[chosen], strict=True)

        hair = self.kind == _HAIR
        painted = solid(corners, self.side)  # the far side of the nose is hidden

        def shown(*facets: int) -> list[tuple[int, np.ndarray]]:
            return [(k, outlines[k]) for k in facets]

        order = shown(_WALL) + shown(*(_BUN,) * (self.who.style == "updo"))
        order += [
            *pick(painted & hair & (facing < 0)),
            *shown(_SKULL, _CHEST),
            *pick(painted & (self.kind == _NECK)),
        ]
        order += [
            *shown(_TORSO, _EAR_L, _EAR_R, _EYE_L, _EYE_R, _MOUTH),
            *pick(painted & (self.kind == _FACE)),
        ]
        return [*order, *pick(painted & hair & (facing >= 0))]

    def _torso_shift(self, pose: Pose) -> np.ndarray:
        return np.array([0.45 * pose.x + pose.sway, 0.45 * pose.y + 0.1 * pose.sway, 0])

    def _singles(self, pose: Pose, marks: np.ndarray, drift: np.ndarray):
        """Matrices [_SINGLE, 3, 3] and outlines of the facets that are no meshes."""
        matrices = np.tile(np.eye(3), (_SINGLE, 1, 1))
        outlines: dict[int, np.ndarray] = {}
        h, w, m = self.height, self.width, _WALL_MARGIN
        left, top = (1 - m) / 2 * w + drift[0] * w, (1 - m) / 2 * h + drift[1] * h
        matrices[_WALL] = [[w * m, 0, left], [0, h * m, top], [0, 0, 1]]
        outlines[_WALL] = np.array([(-2, -2), (w + 2, -2), (w + 2, h + 2), (-2, h + 2)], float)
        ring = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        circle = np.column_stack([np.cos(ring), np.sin(ring)])
        for facet, middle, radii in (
            (_SKULL, (0, -0.30, -0.55), (1.03, 1.16)),
            (_BUN, (0, -1.72, -0.55), (0.55, 0.46)),
        ):
            (x, y), (rx, ry) = (
                self.to_pixels(self.place(pose, np.array(middle))),
                np.array(radii) * self.size * pose.scale,
            )
            matrices[facet] = [[2 * rx, 0, x - rx], [0, 2 * ry, y - ry], [0, 0, 1]]
            outlines[facet] = np.array([x, y]) + circle * [rx, ry]
        for facet, side in ((_EAR_L, -1), (_EAR_R, 1)):
            hinge = np.array([side * 0.985 * (1 + 0.09 * self.who.build.width), 0.06, -0.52])
            plate = self._plate(pose, hinge, np.array([(side * 0.62, 0, -0.75), (0, 1.0, 0)]))
            matrices[facet] = plate
            outlines[facet] = (circle * [0.20, 0.30] + [0.06, 0]) @ plate[:2, :2].T + plate[:2, 2]
        self._features(pose, marks, matrices, outlines)
        origin, s = self.centre + self.size * self._torso_shift(pose)[:2], self.size
        matrices[_TORSO] = matrices[_CHEST] = [[s, 0, origin[0]], [0, s, origin[1]], [0, 0, 1]]
        shirt = np.vstack([self.neckline[::-1], _RIGHT_SHOULDER, _RIGHT_SHOULDER[::-1] * _MIRROR])
        outlines[_TORSO] = origin + s * shirt
        outlines[_CHEST] = origin + s * np.array([(-0.60, 1.62), (0.60, 1.62), (0.5, 2.65), (-0.5, 2.65)])
        return matrices, outlines

    def _plate(self, pose: Pose, centre: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """Material -> pixel matrix of a flat plate on the head, with material axes [2, 3] from ``centre``."""
        corners = self.to_pixels(self.place(pose, centre + np.vstack([np.zeros(3), axes])))
        columns = np.column_stack([corners[1] - corners[0], corners[2] - corners[0], corners[0]])
        return np.vstack([columns, [0, 0, 1]])

    def _features(self, pose: Pose, marks: np.ndarray, matrices: np.ndarray, outlines: dict) -> None:
        """Eyeballs and the inside of the mouth, behind the openings of the face."""
        size = 1 + 0.22 * self.who.build.eyes
        gaze = np.array([0.075 * pose.gaze[0] - 0.18 * pose.yaw, 0.045 * pose.gaze[1] - 0.02])
        for facet, group in ((_EYE_L, slice(36, 42)), (_EYE_R, slice(42, 48))):
            middle = self.rest[group].mean(axis=0)
            ball = np.array([*(middle + gaze), relief(*middle)])
            matrices[facet] = self._plate(pose, ball, np.eye(3)[:2] * size)
            seen = marks[group].mean(axis=0)
            outlines[facet] = seen + (marks[group] - seen) * [1.15, 1.6]
        inner = mean_landmarks()[60:68].mean(axis=0) + np.array([0, 0.02])
        matrices[_MOUTH] = self._plate(pose, np.array([*inner, relief(*inner) - 0.08]), np.eye(3)[:2])
        seen = marks[60:68].mean(axis=0)
        outlines[_MOUTH] = seen + (marks[60:68] - seen) * [1.05, 1.3]

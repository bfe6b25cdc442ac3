"""The renderer all worlds share: textured facets, painted back to front, with exact optical flow.

A *facet* is a flat piece of a surface. Per frame it has one 3x3 matrix that takes its material coordinates to
pixels: a homography for planes in perspective, an affine map for triangles of a mesh and for parts of a
puppet. The colour of a pixel is the texture at its material coordinates times a light; its backward flow is
the same material point seen through the matrix of the frame before. Both come from the same matrices, so the
flow is exact by construction and never estimated.

Colour is sampled ``samples`` x ``samples`` times per pixel and averaged; ids (and with them label maps) take
the sample nearest to the pixel's centre. Pixel centres are at integers.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

SHIFT = 4  # polygons are painted to 1/16 of a sample
FAR = 20000.0  # coordinates beyond this are cut: OpenCV paints them wrongly
_GUTTER = 4


def inverse(matrices: np.ndarray) -> np.ndarray:
    """Invert a stack [K, 3, 3]; singular ones (facets seen edge-on) become zero and paint nothing."""
    rows = [matrices[:, i] for i in range(3)]
    adjugate = np.stack(
        [np.cross(rows[1], rows[2]), np.cross(rows[2], rows[0]), np.cross(rows[0], rows[1])], axis=2
    )
    det = np.einsum("ki,ki->k", rows[0], adjugate[:, :, 0])
    safe = np.where(np.abs(det) < 1e-12, np.inf, det)
    return adjugate / safe[:, None, None]


def triangle_matrices(points: np.ndarray) -> np.ndarray:
    """Corners [K, 3, 2] as matrices [K, 3, 3] whose columns are the homogeneous corners."""
    return np.concatenate([points.transpose(0, 2, 1), np.ones((len(points), 1, 3))], axis=1)


@dataclass
class Atlas:
    """All textures of a clip in one picture, each with smaller copies (halved per axis, ``levels`` times).

    A facet picks for each texture axis the copy whose texels are about as large as a sample, so that distant
    bricks blur instead of flickering.
    """

    textures: list[np.ndarray] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    def add(self, texture: np.ndarray, *, levels: int = 0) -> int:
        """Add uint8 [h, w, 3]; returns its number."""
        self.textures.append(np.ascontiguousarray(texture))
        self.levels.append(levels)
        return len(self.textures) - 1

    def pack(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture uint8 [H, W, 3] and, per texture and level pair, [N, L, L, 4] = x, y, w, h in it."""
        depth = max(self.levels, default=0) + 1
        tiles, places = [], np.zeros((len(self.textures), depth, depth, 4))
        for n, texture in enumerate(self.textures):
            top = self.levels[n]
            for v in range(top + 1):
                for u in range(top + 1):
                    size = (max(1, texture.shape[1] >> u), max(1, texture.shape[0] >> v))
                    copy = texture if u == v == 0 else cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
                    tiles.append(((n, v, u), copy))
        picture = self._shelves(tiles, places)
        for n, top in enumerate(self.levels):  # a texture with fewer copies gives its smallest for the rest
            nearest = np.minimum(np.arange(depth), top)
            places[n] = places[n][nearest][:, nearest]
        return picture, places

    @staticmethod
    def _shelves(tiles: list, places: np.ndarray) -> np.ndarray:
        """Lay out tiles (key, picture) row by row; writes their boxes into ``places``."""
        tiles.sort(key=lambda t: -t[1].shape[0])
        area = sum((t.shape[0] + 2 * _GUTTER) * (t.shape[1] + 2 * _GUTTER) for _, t in tiles)
        width = int(max(np.sqrt(area) * 1.05, *(t.shape[1] + 2 * _GUTTER for _, t in tiles)))
        x = y = shelf = 0
        spots = []
        for key, tile in tiles:
            h, w = tile.shape[0] + 2 * _GUTTER, tile.shape[1] + 2 * _GUTTER
            if x + w > width:
                x, y, shelf = 0, y + shelf, 0
            spots.append((key, tile, x, y))
            x, shelf = x + w, max(shelf, h)
        picture = np.zeros((y + shelf, width, 3), np.uint8)
        for key, tile, x, y in spots:
            framed = cv2.copyMakeBorder(tile, *([_GUTTER] * 4), cv2.BORDER_REPLICATE)
            picture[y : y + framed.shape[0], x : x + framed.shape[1]] = framed
            places[key] = x + _GUTTER, y + _GUTTER, tile.shape[1], tile.shape[0]
        return picture


@dataclass(kw_only=True)
class Facets:
    """K facets of a clip; the order is fixed over its frames.

    Attributes:
        texture: int [K], number in the atlas.
        to_texture: float [K, 3, 3], material coordinates -> texture coordinates in 0..1.
        surface: int [K]; facets of one surface share material coordinates and do not occlude one another's
            neighbours.
        label, instance: class and instance ids [K].
        receives: float [K], how much of the ground shadow (``shade``) the facet takes, 0..1.
        hazy: float [K], how much of the haze it takes, 0..1 (material matrices must then give depth as w).
    """

    texture: np.ndarray
    to_texture: np.ndarray
    surface: np.ndarray
    label: np.ndarray
    instance: np.ndarray
    receives: np.ndarray | None = None
    hazy: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texture)


@dataclass
class View:
    """One rendered frame: colour, and what is needed for flow to and from it."""

    colour: np.ndarray  # uint8 [H, W, 3]
    ids: np.ndarray  # facet at the pixel's centre, intp [H, W]
    pure: np.ndarray  # surface where all samples agree, else -1; int32 [H, W]
    light: np.ndarray  # light at the pixel's centre, float32 [H, W]
    matrices: np.ndarray  # material -> pixel, [K, 3, 3]
    inverses: np.ndarray


class Renderer:
    """Renders the frames of one clip; keeps the frame before, for flow."""

    def __init__(self, *, height: int, width: int, atlas: Atlas, facets: Facets, samples: int | None = None):
        self.height, self.width = height, width
        self.samples = samples or samples_for(height, width)
        self.facets = facets
        self.picture, self.places = atlas.pack()
        self.before: View | None = None
        s = self.samples
        self._ids = np.zeros((height * s, width * s), np.int32)
        self._x = ((np.arange(width * s) - (s - 1) / 2) / s).astype(np.float32)
        self._y = ((np.arange(height * s) - (s - 1) / 2) / s).astype(np.float32)
        self._surface = facets.surface.astype(np.int32)
        nothing = np.zeros(len(facets))
        self._receives = np.asarray(nothing if facets.receives is None else facets.receives, np.float32)
        self._hazy = np.asarray(nothing if facets.hazy is None else facets.hazy, np.float32)

    def frame(
        self,
        *,
        matrices: np.ndarray,
        polygons: list[tuple[int, np.ndarray]],
        light: np.ndarray,
        shade: np.ndarray | None = None,
        haze: tuple[float, tuple[int, int, int]] | None = None,
    ) -> tuple[View, np.ndarray, np.ndarray]:
        """Render the next frame.

        Args:
            matrices: [K, 3, 3], material -> pixel.
            polygons: (facet, corners [n, 2] in pixels) from back to front; up to 4 corners must be convex.
            light: [K, 3]: light = l0 + l1 x + l2 y at pixel (x, y); 1 is the texture's own colour.
            shade: float32 [H, W] in 0..1, multiplies the light of facets that receive shadows.
            haze: distance at which 63 % of the colour is haze, and its colour.

        Returns:
            The view, its backward flow float16 [2, H, W] and validity uint8 [H, W] (zeros for the first).
        """
        ids = self._paint(polygons)
        inverses = inverse(matrices)
        s = self.samples
        centre = np.ascontiguousarray(ids[s // 2 :: s, s // 2 :: s]).astype(np.intp)
        colour, light_map = self._colour(ids, inverses, light, shade, haze)
        view = View(colour, centre, self._pure(ids), light_map, matrices, inverses)
        flow, valid = self._flow(view)
        self.before = view
        return view, flow, valid

    def _paint(self, polygons: list[tuple[int, np.ndarray]]) -> np.ndarray:
        s, ids = self.samples, self._ids
        ids[:] = polygons[0][0]
        sizes = [len(corners) for _, corners in polygons]
        points = np.concatenate([corners for _, corners in polygons])
        points = np.clip(points * s + (s - 1) / 2, -FAR, FAR) * (1 << SHIFT)
        points = np.rint(points).astype(np.int32)
        start = 0
        for (facet, _), size in zip(polygons, sizes, strict=True):
            part = points[start : start + size]
            start += size
            if size <= 4:
                cv2.fillConvexPoly(ids, part, facet, shift=SHIFT)
            else:
                cv2.fillPoly(ids, [part], facet, shift=SHIFT)
        return ids

    def _pure(self, ids: np.ndarray) -> np.ndarray:
        """The surface of every pixel all of whose samples lie on it, else -1: int32 [H, W]."""
        s, surface = self.samples, self._surface.take(ids)
        first = surface[::s, ::s]
        same = np.ones(first.shape, bool)
        for i in range(s):
            for j in range(s):
                same &= surface[i::s, j::s] == first
        return np.where(same, first, -1)

    def _to_atlas(self, inverses: np.ndarray) -> np.ndarray:
        """Per facet the matrix from pixels to the atlas: float32 [K, 9], or [K, 6] if all are affine."""
        unit = self.facets.to_texture @ inverses
        place = self.places[self.facets.texture, *self._level(inverses)]
        to_atlas = np.zeros_like(unit)
        to_atlas[:, 0, 0], to_atlas[:, 1, 1], to_atlas[:, 2, 2] = place[:, 2], place[:, 3], 1
        to_atlas[:, :2, 2] = place[:, :2] - 0.5
        full = (to_atlas @ unit).reshape(len(unit), 9).astype(np.float32)
        affine = np.all(full[:, 6:8] == 0) and np.all((full[:, 8] == 1) | (full[:, 8] == 0))
        return np.ascontiguousarray(full[:, :6]) if affine else full

    def _level(self, inverses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Level of detail per facet (v, u) from the texels per sample where the facet was painted."""
        top = self.places.shape[1] - 1
        if top == 0:
            zero = np.zeros(len(inverses), int)
            return zero, zero
        seen = self._centroids()
        unit = self.facets.to_texture @ inverses
        size = self.places[self.facets.texture, 0, 0][:, 2:]
        step = 1.0 / self.samples
        here = _project(unit, seen)
        right, below = (_project(unit, seen + np.array(d)) for d in ((step, 0), (0, step)))
        texels = np.maximum(np.abs(right - here), np.abs(below - here)) * size
        level = np.clip(np.rint(np.log2(np.maximum(texels, 1e-6))), 0, top).astype(int)
        return level[:, 1], level[:, 0]

    def _centroids(self) -> np.ndarray:
        """Mean pixel of every facet in the frame just painted [K, 2]; the origin for unseen ones."""
        s, count = self.samples, len(self.facets)
        flat = self._ids[::s, ::s].ravel()
        number = np.maximum(np.bincount(flat, minlength=count), 1)
        x = np.tile(np.arange(self.width, dtype=float), self.height)
        y = np.repeat(np.arange(self.height, dtype=float), self.width)
        total_x = np.bincount(flat, weights=x, minlength=count)
        total_y = np.bincount(flat, weights=y, minlength=count)
        return np.column_stack([total_x / number, total_y / number])

    def _colour(self, ids, inverses, light, shade, haze) -> tuple[np.ndarray, np.ndarray]:
        """The picture uint8 [H, W, 3] and the light at pixel centres [H, W], in bands that fit the cache."""
        s, place, light = self.samples, self._to_atlas(inverses), light.astype(np.float32)
        rows = max(1, 32768 // (self.width * s * s)) * s
        colour = np.empty((self.height, self.width, 3), np.uint8)
        lights = np.empty((self.height, self.width), np.float32)
        for top in range(0, self.height * s, rows):
            part = slice(top, min(top + rows, self.height * s))
            small = slice(part.start // s, part.stop // s)
            out, w = self._sample(ids[part], place, part)
            lit = self._lit(ids[part], light, part, None if shade is None else shade[small])
            out = cv2.multiply(out.astype(np.float32), cv2.merge([lit, lit, lit]))
            if haze is not None:
                clear = np.exp(-self._hazy.take(ids[part]) / np.maximum(w * np.float32(haze[0]), 1e-6))
                air = np.asarray(haze[1], np.float32)
                out = air + (out - air) * clear[..., None]
            mean = cv2.resize(out, (self.width, out.shape[0] // s), interpolation=cv2.INTER_AREA)
            colour[small] = np.clip(np.rint(mean), 0, 255)
            lights[small] = lit[s // 2 :: s, s // 2 :: s]
        return colour, lights

    def _sample(
        self, ids: np.ndarray, place: np.ndarray, part: slice
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Texture colours of a band of samples, and 1 / depth where facets are in perspective."""
        x, y = self._x[None], self._y[part, None]
        t, w = place.take(ids, axis=0), None
        u = t[..., 0] * x + t[..., 1] * y + t[..., 2]
        v = t[..., 3] * x + t[..., 4] * y + t[..., 5]
        if place.shape[1] == 9:
            w = t[..., 6] * x + t[..., 7] * y + t[..., 8]
            w = np.where(np.abs(w) < 1e-9, np.float32(1e-9), w)
            u, v = u / w, v / w
        return cv2.remap(self.picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), w

    def _lit(self, ids: np.ndarray, light: np.ndarray, part: slice, shade: np.ndarray | None) -> np.ndarray:
        """Light of a band of samples."""
        if self._even(light):
            lit = light[:, 0].take(ids)
        else:
            t = light.take(ids, axis=0)
            lit = t[..., 0] + t[..., 1] * self._x[None] + t[..., 2] * self._y[part, None]
        if shade is not None:
            soft = cv2.resize(shade, (lit.shape[1], lit.shape[0]), interpolation=cv2.INTER_NEAREST)
            lit = lit * (1 - self._receives.take(ids) * (1 - soft))
        return lit

    @staticmethod
    def _even(light: np.ndarray) -> bool:
        return not light[:, 1:].any()

    def _flow(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        h, w, before = self.height, self.width, self.before
        if before is None:
            return np.zeros((2, h, w), np.float16), np.zeros((h, w), np.uint8)
        x, y = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
        back = (before.matrices @ view.inverses).reshape(-1, 9)
        px, py, ahead = _apply(back.take(view.ids, axis=0), x, y)
        flow = np.stack([px - x, py - y])
        limit = 4.0 * max(h, w)
        flow = np.clip(np.nan_to_num(flow, nan=0, posinf=limit, neginf=-limit), -limit, limit)
        px, py = x + flow[0], y + flow[1]
        inside = ahead & (px >= 0) & (px <= w - 1) & (py >= 0) & (py <= h - 1)
        qx, qy = np.clip(px, 0, w - 1), np.clip(py, 0, h - 1)
        valid = inside & (view.pure >= 0)
        # a neighbour with less than a fifth of the bilinear weight may be another surface's
        for cx in (np.floor(qx + 0.2), np.ceil(qx - 0.2)):
            for cy in (np.floor(qy + 0.2), np.ceil(qy - 0.2)):
                valid &= before.pure[cy.astype(np.intp), cx.astype(np.intp)] == view.pure
        near = np.rint(qy).astype(np.intp), np.rint(qx).astype(np.intp)
        there = before.ids[near]
        rows, cols = np.nonzero(valid & (there != view.ids))
        if len(rows):
            other = there[rows, cols]
            across = (before.matrices[other] @ view.inverses[view.ids[rows, cols]]).reshape(-1, 9)
            ox, oy, _ = _apply(across, x[rows, cols], y[rows, cols])
            valid[rows, cols] = np.hypot(ox - px[rows, cols], oy - py[rows, cols]) < 0.35
        valid &= np.abs(view.light - before.light[near]) < 0.08
        return flow.astype(np.float16), valid.astype(np.uint8)


def _apply(m: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project (x, y) by flattened matrices [..., 9]; also whether the point lies ahead of the camera."""
    w = m[..., 6] * x + m[..., 7] * y + m[..., 8]
    ahead = w > 1e-6
    safe = np.where(ahead, w, 1.0)
    px = (m[..., 0] * x + m[..., 1] * y + m[..., 2]) / safe
    py = (m[..., 3] * x + m[..., 4] * y + m[..., 5]) / safe
    return np.where(ahead, px, x), np.where(ahead, py, y), ahead


def _project(m: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [K, 2] through matrices [K, 3, 3]: [K, 2]."""
    q = np.einsum("kij,kj->ki", m, np.column_stack([points, np.ones(len(points))]))
    w = np.where(np.abs(q[:, 2]) < 1e-9, 1e-9, q[:, 2])
    return q[:, :2] / w[:, None]


def samples_for(height: int, width: int) -> int:
    """Samples per pixel and axis: small pictures can afford more."""
    return 3 if height * width <= 128 * 128 else 2


def clip_near(points: np.ndarray, *, near: float) -> np.ndarray:
    """Cut a polygon [n, 3] (x, y, depth) at ``depth = near``: [m, 3] with m = 0 where all of it is nearer."""
    depth = points[:, 2] - near
    if (depth >= 0).all():
        return points
    out = []
    for a, b, da, db in zip(points, np.roll(points, -1, axis=0), depth, np.roll(depth, -1), strict=True):
        if da >= 0:
            out.append(a)
        if (da >= 0) != (db >= 0):
            out.append(a + (b - a) * (da / (da - db)))
    return np.array(out).reshape(-1, 3)

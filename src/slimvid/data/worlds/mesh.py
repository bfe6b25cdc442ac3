"""Meshes as facets: triangles of a corner grid, their matrices, and light that runs smoothly across them."""

import numpy as np

from slimvid.data.worlds.canvas import inverse, triangle_matrices

SUN = np.array([-0.48, -0.50, 0.72])  # towards the light: from the upper left, in front


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles over a grid of [rows + 1, columns + 1] corners.

    Returns:
        Corner numbers int [n, 3] and material coordinates [n, 3, 2]: (column, row) in 0..1.
    """
    r, c = np.mgrid[0:rows, 0:columns]
    a = (r * (columns + 1) + c).ravel()
    b, d, e = a + 1, a + columns + 1, a + columns + 2
    triangles = np.concatenate([np.stack([a, b, e], axis=1), np.stack([a, e, d], axis=1)])
    flat = np.stack([triangles % (columns + 1) / columns, triangles // (columns + 1) / rows], axis=2)
    return triangles, flat


def unit(span: tuple[float, float, float, float]) -> np.ndarray:
    """The matrix [3, 3] from material coordinates over a range (x, y, width, height) to 0..1."""
    x, y, w, h = span
    return np.array([[1 / w, 0, -x / w], [0, 1 / h, -y / h], [0, 0, 1]])


def lambert(normals: np.ndarray, *, base: float, gain: float) -> np.ndarray:
    """Light from unit normals [..., 3]: ``base`` in the shade, and ``gain`` more towards the sun."""
    return base + gain * np.clip(normals @ SUN, 0, None)


def shaded(corners: np.ndarray, inverse_flat: np.ndarray, lit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices and light of triangles for one frame.

    Args:
        corners: [n, 3, 2] in pixels.
        inverse_flat: [n, 3, 3], inverses of the homogeneous material corners (`triangle_matrices`).
        lit: [n, 3], light at the corners.

    Returns:
        Material -> pixel matrices [n, 3, 3] and light coefficients [n, 3] (see `Renderer.frame`); slivers are
        lit evenly, because a slope across them would run wild just outside.
    """
    q = triangle_matrices(corners)
    slope = np.einsum("ki,kij->kj", lit, inverse(q))[:, [2, 0, 1]]
    even = np.zeros_like(slope)
    even[:, 0] = lit.mean(axis=1)
    edges = corners - np.roll(corners, 1, axis=1)
    longest = (edges * edges).sum(axis=2).max(axis=1)
    steady = np.abs(np.linalg.det(q)) > np.maximum(1.0, 0.10 * longest)
    return q @ inverse_flat, np.where(steady[:, None], slope, even)


def solid(corners: np.ndarray, side: np.ndarray | float) -> np.ndarray:
    """Which triangles [n, 3, 2] to paint: those that turn their outside to the viewer and are no slivers.

    Args:
        corners: in pixels.
        side: the sign (1 or -1) of a triangle's area when its outside is seen; 0: both sides are painted.

    A sliver's matrix would carry the texture of its neighbours in the atlas; the triangles around it, which
    are painted with their border, cover it.
    """
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    longest = np.sqrt(np.maximum((a * a).sum(axis=1), (b * b).sum(axis=1)))
    return np.where(np.equal(side, 0), np.abs(area), area * side) > np.maximum(0.12 * longest, 0.03)

"""A stage of flat facets in three dimensions: what the city world builds once and looks at frame by frame.

World axes, in metres: x to the right of the street, y down (ground: 0), z along the street.
"""

from dataclasses import dataclass, field

import numpy as np

from slimvid.data.worlds.canvas import Atlas, Facets, clip_near

NEAR = 0.4
BACKDROP, GROUND, WALLS, THINGS = range(4)  # layers, painted in this order


@dataclass
class Stage:
    """Collects facets. A basis [3, 3] has the columns u axis, v axis, origin: world = basis (u, v, 1)."""

    atlas: Atlas = field(default_factory=Atlas)
    rows: list[tuple] = field(default_factory=list)
    bases: list[np.ndarray] = field(default_factory=list)
    outlines: list[np.ndarray] = field(default_factory=list)
    spans: list[np.ndarray] = field(default_factory=list)
    groups: int = 0
    surfaces: int = 0

    def group(self) -> int:
        """A new group: facets that are painted together, ordered among groups by depth."""
        self.groups += 1
        return self.groups - 1

    def surface(self) -> int:
        self.surfaces += 1
        return self.surfaces - 1

    def facet(
        self,
        *,
        texture: int,
        span: tuple[float, float, float, float],
        basis: np.ndarray,
        label: int,
        layer: int,
        group: int,
        outline: np.ndarray | None = None,
        surface: int | None = None,
        instance: int = 0,
        light: float = 1.0,
        shadow: float = 0.0,
        haze: float = 1.0,
        tier: int = -1,
    ) -> int:
        """Add a facet; returns its number.

        Args:
            span: the texture's range (u, v, width, height) in the facet's own metres.
            outline: corners [n, 2] in (u, v); default: the span.
            shadow, haze: how much of the shadows and of the haze it takes, 0..1.
            tier: order it within its group by tier, then by depth (cars); -1: by number.
        """
        u, v, w, h = span
        corners = np.array([(u, v), (u + w, v), (u + w, v + h), (u, v + h)]) if outline is None else outline
        surface = self.surface() if surface is None else surface
        self.rows.append((texture, surface, label, instance, layer, group, light, shadow, haze, tier))
        self.bases.append(np.asarray(basis, float))
        self.outlines.append(np.asarray(corners, float))
        self.spans.append(np.array([[1 / w, 0, -u / w], [0, 1 / h, -v / h], [0, 0, 1]]))
        return len(self.rows) - 1

    def close(self) -> "Set":
        """The finished stage as arrays."""
        return Set(self)


class Set:
    """A finished stage: facet arrays, and the projection of all outlines at once."""

    def __init__(self, stage: Stage):
        columns = [np.array(c) for c in zip(*stage.rows, strict=True)]
        texture, surface, label, instance, self.layer, self.group, light, shadow, haze, self.tier = columns
        self.facets = Facets(
            texture=texture,
            to_texture=np.stack(stage.spans),
            surface=surface,
            label=label.astype(np.uint8),
            instance=instance.astype(np.uint16),
            receives=shadow,
            hazy=haze,
        )
        self.light = np.column_stack([light, np.zeros((len(light), 2))])
        self.bases = np.stack(stage.bases)
        lengths = np.array([len(o) for o in stage.outlines])
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.owner = np.repeat(np.arange(len(lengths)), lengths)
        self.corners = np.vstack(stage.outlines)
        self.anchor_of = np.array([np.nonzero(self.group == g)[0][0] for g in range(stage.groups)])

    def project(self, matrices: np.ndarray, *, width: int, far: float) -> list[tuple[int, np.ndarray]]:
        """Polygons in pixels, back to front, of all facets before the camera; ``matrices`` [K, 3, 3]."""
        m = matrices.reshape(-1, 9).take(self.owner, axis=0)
        u, v = self.corners.T
        seen = np.stack([m[:, i] * u + m[:, i + 1] * v + m[:, i + 2] for i in (0, 3, 6)], axis=1)
        depth = seen[:, 2]
        nearest = np.minimum.reduceat(depth, self.starts[:-1])
        farthest = np.maximum.reduceat(depth, self.starts[:-1])
        x = seen[:, 0] / np.maximum(depth, NEAR)
        left = np.minimum.reduceat(x, self.starts[:-1])
        right = np.maximum.reduceat(x, self.starts[:-1])
        whole = nearest > NEAR
        shown = (farthest > NEAR) & (nearest < far) & ~(whole & ((right < -1) | (left > width)))
        middle = (nearest + farthest) / 2
        rank = np.where(self.tier >= 0, self.tier * 1e4 - middle, np.arange(len(middle)) * 1e-6)
        order = np.lexsort((rank, self.group, -self._group_depth(nearest, farthest)[self.group], self.layer))
        flat = seen[:, :2] / np.maximum(depth, NEAR)[:, None]
        polygons = []
        for k in order[shown[order]].tolist():
            part = slice(self.starts[k], self.starts[k + 1])
            if whole[k]:
                polygons.append((k, flat[part]))
                continue
            corners = clip_near(seen[part], near=NEAR)
            if len(corners) >= 3:
                polygons.append((k, corners[:, :2] / corners[:, 2:]))
        return polygons

    def _group_depth(self, nearest: np.ndarray, farthest: np.ndarray) -> np.ndarray:
        """Walls are ordered by their far end, things by their first facet's middle."""
        first = self.anchor_of
        return np.where(self.layer[first] == WALLS, farthest[first], (nearest[first] + farthest[first]) / 2)

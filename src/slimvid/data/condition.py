"""Conditions: how the raw maps of a frame become the tensor that a translator reads.

Every channel is a multiple of 1/255, so a store or a cache can hold conditions as bytes without a loss.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from slimvid.data.drawing import FACE_EDGES, draw_bodies, face_parts, hues
from slimvid.errors import SlimvidError

VOID = 255
KINDS = ("edges", "labels", "pose", "image")
_NEEDS = {"edges": ("edges",), "labels": ("labels",), "pose": ("keypoints", "densepose"), "image": ("image",)}


@dataclass(frozen=True, kw_only=True)
class ConditionSpec:
    """What a condition is made of; saved in every artifact, so that a translator knows its own input.

    Attributes:
        kind: ``edges``: 1 edge map (15 channels with ``distance_maps``); ``labels``: one channel per name
            (+ 1 with ``instances``); ``pose``: 3 DensePose + 3 limb drawing; ``image``: an RGB frame of the
            source domain.
        label_names: one per class id.
        palette: RGB per class id, for pictures; empty: evenly spaced hues.
        instances: add the instance-boundary channel (vid2vid ``--use_instance``).
        distance_maps: add the 14 distance maps of the vid2vid face protocol.
        foreground: class ids that the foreground branch draws (cars in cities: vid2vid ``--fg_labels``).
    """

    kind: Literal["edges", "labels", "pose", "image"]
    label_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    instances: bool = False
    distance_maps: bool = False
    foreground: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SlimvidError(f"condition kind {self.kind!r}: choose one of {', '.join(KINDS)}")
        if (self.kind == "labels") != bool(self.label_names):
            raise SlimvidError("condition label_names: give them for kind 'labels', and only there")
        if len(self.label_names) > VOID:
            raise SlimvidError(
                f"condition label_names: {len(self.label_names)} classes; at most 255 fit a byte"
            )
        if self.palette and len(self.palette) != len(self.label_names):
            raise SlimvidError(
                f"condition palette: {len(self.palette)} colours, but "
                f"{len(self.label_names)} classes; give one each"
            )
        wrong = [i for i in self.foreground if not 0 <= i < len(self.label_names)]
        if wrong:
            raise SlimvidError(f"condition foreground: no class has id {wrong[0]}; see label_names")

    @property
    def channels(self) -> int:
        """Channels of one frame's condition."""
        return {
            "edges": 1 + len(FACE_EDGES) * self.distance_maps,
            "labels": len(self.label_names) + self.instances,
            "pose": 6,
            "image": 3,
        }[self.kind]

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the raw maps that `encode` must be given."""
        extra = (("landmarks",) if self.distance_maps else ()) + (("instances",) if self.instances else ())
        return _NEEDS[self.kind] + extra

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable form; `from_dict` inverts it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "ConditionSpec":
        """Build a spec from `to_dict`'s (or JSON's) form."""
        own = dict(document)
        own["label_names"] = tuple(own.get("label_names", ()))
        own["palette"] = tuple(tuple(c) for c in own.get("palette", ()))
        own["foreground"] = tuple(own.get("foreground", ()))
        return cls(**own)

    def encode(self, **maps: np.ndarray | None) -> np.ndarray:
        """The condition of one frame: float32 [C, H, W] in [0, 1].

        Args:
            **maps: raw maps of the frame, those that `needs` names; others are ignored. Shapes are those of
                `slimvid.data.clip.Clip` without the frame axis; ``image`` is uint8 [H, W, 3] RGB.

        Raises:
            SlimvidError: a map is missing, or a label id has no name.
        """
        return self.encode_bytes(**maps).astype(np.float32) / np.float32(255)

    def encode_bytes(self, **maps: np.ndarray | None) -> np.ndarray:
        """`encode` before the division by 255: uint8 [C, H, W]."""
        missing = [name for name in self.needs if maps.get(name) is None]
        if missing:
            raise SlimvidError(f"condition {self.kind!r} needs {missing[0]}; this frame has none")
        return _ENCODERS[self.kind](self, maps)

    def picture(self, condition: np.ndarray) -> np.ndarray:
        """A condition [C, H, W] as people (and the key-frame selection) see it: uint8 [H, W, 3] RGB.

        Edges are white on black, labels take their palette (void is black), a pose is its limbs over the
        DensePose map, an image is itself.
        """
        if len(condition) != self.channels:
            raise SlimvidError(
                f"condition has {len(condition)} channels; {self.kind!r} needs {self.channels}"
            )
        if self.kind == "labels":
            one_hot = condition[: len(self.label_names)]
            colours = np.asarray(self.palette or hues(len(self.label_names)), np.uint8)
            seen = one_hot.max(axis=0) > 0.5
            return np.where(seen[..., None], colours[one_hot.argmax(axis=0)], 0).astype(np.uint8)
        shown = np.rint(np.clip(condition, 0, 1) * 255).astype(np.uint8)
        if self.kind == "edges":
            return np.repeat(shown[0][..., None], 3, axis=2)
        if self.kind == "image":
            return np.ascontiguousarray(shown.transpose(1, 2, 0))
        surface, limbs = shown[:3].transpose(1, 2, 0), shown[3:].transpose(1, 2, 0)
        return np.where(limbs.any(axis=2, keepdims=True), limbs, surface)

    def foreground_mask(self, condition: np.ndarray) -> np.ndarray:
        """Where the foreground branch draws: float32 [H, W] in [0, 1], the clamped sum of its channels."""
        if not self.foreground:
            return np.zeros(condition.shape[1:], np.float32)
        return np.clip(condition[list(self.foreground)].sum(axis=0), 0, 1).astype(np.float32)


def instance_boundaries(instances: np.ndarray) -> np.ndarray:
    """Pixels whose instance differs from a 4-neighbour's: integer [H, W] -> bool [H, W].

    Both sides of a border are marked, as in pix2pixHD (Wang et al. 2018, section 3.3).
    """
    edge = np.zeros(instances.shape, bool)
    across = instances[:, 1:] != instances[:, :-1]
    down = instances[1:] != instances[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def distance_maps(landmarks: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """City-block distance to each of the 14 face edges: float32 [68, 2] -> uint8 [14, H, W].

    The vid2vid release stores a third of the distance in pixels in a byte, at 512 rows. Distances are scaled
    to 512 rows first here, so that a map looks alike at every size and equals the release's at 512.
    """
    import cv2

    scale = 512 / height / 3
    parts = face_parts(landmarks, height=height, width=width)
    far = np.stack([cv2.distanceTransform(255 - part, cv2.DIST_L1, 3) for part in parts])
    return np.clip(far * scale, 0, 255).astype(np.uint8)


def _edges(spec: ConditionSpec, maps: Mapping[str, Any]) -> np.ndarray:
    edges = maps["edges"]
    if not spec.distance_maps:
        return edges[None]
    height, width = edges.shape
    return np.concatenate([edges[None], distance_maps(maps["landmarks"], height=height, width=width)])


def _labels(spec: ConditionSpec, maps: Mapping[str, Any]) -> np.ndarray:
    labels, count = maps["labels"], len(spec.label_names)
    unknown = (labels >= count) & (labels != VOID)
    if unknown.any():
        raise SlimvidError(
            f"label map holds id {int(labels[unknown][0])}, "
            f"but only 0..{count - 1} (and 255, void) have names; "
            "correct the map or label_names"
        )
    planes = np.zeros((spec.channels, *labels.shape), np.uint8)
    for index in np.unique(labels[labels != VOID]):
        planes[index][labels == index] = 255
    if spec.instances:
        planes[-1][instance_boundaries(maps["instances"])] = 255
    return planes


def _pose(spec: ConditionSpec, maps: Mapping[str, Any]) -> np.ndarray:
    surface = maps["densepose"]
    limbs = draw_bodies(maps["keypoints"], height=surface.shape[0], width=surface.shape[1])
    return np.concatenate([surface, limbs], axis=2).transpose(2, 0, 1).copy()


def _image(spec: ConditionSpec, maps: Mapping[str, Any]) -> np.ndarray:
    return maps["image"].transpose(2, 0, 1).copy()


_ENCODERS = {"edges": _edges, "labels": _labels, "pose": _pose, "image": _image}

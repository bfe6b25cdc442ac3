"""The content of interest of content-aware compression, from what the translator reads.

The paper parses the generated picture with a network for faces; a video translator's condition says already
where its content is:

    face         inside the closed outline of the head, from the store's landmarks
    drawn        the convex hull of all edges, for edge maps without landmarks
    foreground   the classes that the task names as its `foreground`
    labelled     all classes; outside is what has no label
    body         the DensePose surface and the limbs
    frame        everything: pruning and distillation that know of no content
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from slimvid.compress.content_aware_options import Region
from slimvid.data.condition import ConditionSpec
from slimvid.data.drawing import face_region
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.settings import TeacherSettings
from slimvid.training.sequences import Batch

KINDS = {"edges": ("face", "drawn"), "labels": ("foreground", "labelled"), "pose": ("body",), "image": ()}


def check_region(region: Region | None, settings: TeacherSettings, condition: ConditionSpec) -> None:
    """Refuse a content that conditions of this kind cannot show.

    Raises:
        SlimvidError: names the field and what would do.
    """
    known = (*KINDS[condition.kind], "frame")
    if condition.kind == "labels" and not condition.foreground:
        known = ("labelled", "frame")
    if settings.unpaired:  # its frames are cropped, which landmarks do not follow
        known = tuple(name for name in known if name != "face")
    if region is None and known == ("frame",):
        raise SlimvidError(
            f"content: a condition of kind {condition.kind!r} shows no content of interest; say "
            "`content: frame` to score whole frames"
        )
    if region is not None and region not in known:
        raise SlimvidError(
            f"content: {region!r} is nothing that a condition of kind {condition.kind!r} shows here; give "
            f"{' or '.join(known)}"
        )


class Content:
    """Where the content of interest is in the frames of a batch.

    Args:
        region: as in the options. settings: the original's. task: the store of its training frames.

    Attributes:
        region: the one that is used. Of edge maps it is ``face`` where the store has landmarks; of label maps
            the foreground, unless a branch of the original's own draws it: then no other branch shows there,
            and nothing could be said of its channels.

    Raises:
        SlimvidError: see `check_region`; or the store lacks landmarks.
    """

    def __init__(self, region: Region | None, settings: TeacherSettings, task: PreparedTask):
        self.task, self.condition = task, task.meta.condition
        check_region(region, settings, self.condition)
        self.region = region or self._usual(settings)
        if self.region == "face" and not self._has_landmarks():
            raise SlimvidError(
                f"content: {task.root} has no landmarks, which `face` needs; say `content: drawn` or prepare "
                "the task with landmarks"
            )

    def masks(self, batch: Batch) -> Tensor:
        """B x n x 1 x H x W, 1 in the content and 0 elsewhere, on the batch's device."""
        conditions = batch.conditions
        if self.region == "face":
            found = [[self._face(name, index) for index in indices] for name, indices in batch.places]
            return torch.from_numpy(np.array(found)).float()[:, :, None].to(conditions.device)
        return _SHOWN[self.region](self.condition, conditions)

    def _usual(self, settings: TeacherSettings) -> Region:
        if self.condition.kind == "edges":
            paired = not settings.unpaired
            return "face" if paired and self._has_landmarks() else "drawn"
        if self.condition.kind == "labels":
            own = getattr(settings, "foreground", False)
            return "foreground" if self.condition.foreground and not own else "labelled"
        return "body"

    def _has_landmarks(self) -> bool:
        first = self.task.clips("train")[0]
        return self.task.landmarks("train", first.name, 0) is not None

    def _face(self, clip: str, index: int) -> np.ndarray:
        meta = self.task.meta
        return face_region(self.task.landmarks("train", clip, index), height=meta.height, width=meta.width)


def _drawn(condition: ConditionSpec, maps: Tensor) -> Tensor:
    edges = maps[:, :, 0].cpu().numpy() > 0.5
    hulls = np.array([[_hull(frame) for frame in sequence] for sequence in edges])
    return torch.from_numpy(hulls).float()[:, :, None].to(maps.device)


def _hull(edges: np.ndarray) -> np.ndarray:
    """The convex hull of a bool [H, W]; empty where nothing is drawn."""
    import cv2

    canvas = np.zeros(edges.shape, np.uint8)
    points = np.argwhere(edges)[:, ::-1].astype(np.int32)
    if len(points):
        cv2.fillConvexPoly(canvas, cv2.convexHull(points), 1)
    return canvas > 0


def _classes(maps: Tensor, channels: Sequence[int]) -> Tensor:
    return (maps[:, :, list(channels)].sum(2, keepdim=True) > 0.5).float()


_SHOWN: dict[str, Callable[[ConditionSpec, Tensor], Tensor]] = {
    "drawn": _drawn,
    "foreground": lambda condition, maps: _classes(maps, condition.foreground),
    "labelled": lambda condition, maps: _classes(maps, range(len(condition.label_names))),
    "body": lambda condition, maps: (maps.amax(2, keepdim=True) > 0).float(),
    "frame": lambda condition, maps: torch.ones_like(maps[:, :, :1]),
}

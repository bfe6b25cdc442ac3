"""Training samples that are single frames: for originals without memory, from pairs or from two domains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from slimvid.data.store import PreparedTask

ROWS = 256  # height of the papers' frames: lengths in pixels are meant at it


class Singles(NamedTuple):
    """Conditions and frames of a step, B x 1 x . x H x W, in [0, 1] and [-1, 1].

    Attributes:
        places: clip and index of each condition, as in a `sequences.Batch`.
        draws: whatever else of the step is random, by name: motions, coins of a pool.
    """

    frames: Tensor
    conditions: Tensor
    places: list[tuple[str, Sequence[int]]]
    draws: Mapping[str, Any]


@dataclass(frozen=True)
class Views:
    """How training pictures are varied.

    Attributes:
        enlarge: pixels (at 256 rows) that a side is enlarged by before a random crop of the old size: the
            releases load 286 x 286 for crops of 256 x 256. flip: mirror half of them.
    """

    enlarge: int = 0
    flip: bool = False


def sample_singles(
    task: PreparedTask, rng: np.random.Generator, *, batch: int, paired: bool, views: Views, device: str
) -> Singles:
    """Draw ``batch`` single frames from the training clips; every frame is as likely as any other.

    Args:
        paired: the frame is the condition's own, cropped and mirrored with it; else two independent draws.
    """
    margin = round(views.enlarge * task.meta.height / ROWS)
    sharp = paired and task.meta.condition.kind == "labels"  # a label is not the mean of two others
    draw = _Draw(task, rng, margin=margin, flip=views.flip, sharp=sharp)
    found = [draw.pair() for _ in range(batch)] if paired else draw.apart(batch)
    conditions, frames, places = (list(column) for column in zip(*found, strict=True))
    return Singles(torch.stack(frames).to(device), torch.stack(conditions).to(device), places, draws={})


class _Draw:
    """Random frames of a task's training clips."""

    def __init__(self, task: PreparedTask, rng: np.random.Generator, *, margin: int, flip: bool, sharp: bool):
        self.task, self.rng, self.margin, self.flip = task, rng, margin, flip
        self.infos = task.clips("train")
        self.ends = np.cumsum([info.length for info in self.infos])
        self.modes = {"conditions": "nearest" if sharp else "bicubic", "frames": "bicubic"}

    def pair(self) -> tuple[Tensor, Tensor, tuple[str, range]]:
        """A condition, its own frame, and where they lie."""
        place = self._place(int(self.rng.integers(self.ends[-1])))
        view = self._view()
        return self._picture("conditions", place, view), self._picture("frames", place, view), place

    def apart(self, batch: int) -> list[tuple[Tensor, Tensor, tuple[str, range]]]:
        """Conditions, then frames, of independent draws."""
        found: dict[str, list] = {}
        places: dict[str, list] = {}
        for kind in ("conditions", "frames"):
            numbers = self.rng.integers(self.ends[-1], size=batch)
            places[kind] = [self._place(int(number)) for number in numbers]
            found[kind] = [self._picture(kind, place, self._view()) for place in places[kind]]
        return list(zip(found["conditions"], found["frames"], places["conditions"], strict=True))

    def _place(self, number: int) -> tuple[str, range]:
        clip = int(np.searchsorted(self.ends, number, side="right"))
        at = number - int(self.ends[clip] - self.infos[clip].length)
        return self.infos[clip].name, range(at, at + 1)

    def _view(self) -> tuple[int, int, bool]:
        """Where a crop lies, and whether it is mirrored."""
        y, x = self.rng.integers(self.margin + 1, size=2) if self.margin else (0, 0)
        return int(y), int(x), self.flip and bool(self.rng.random() < 0.5)

    def _picture(self, kind: str, place: tuple[str, range], view: tuple[int, int, bool]) -> Tensor:
        """1 x C x H x W: a random H x W of the enlarged picture."""
        name, indices = place
        window = self.task.window("train", name, list(indices), flow=False)
        picture = torch.from_numpy(getattr(window, kind))
        (y, x, mirrored), (h, w) = view, picture.shape[-2:]
        if self.margin:
            size, mode = (h + self.margin, w + self.margin), self.modes[kind]
            smooth = {} if mode == "nearest" else {"align_corners": False}
            picture = F.interpolate(picture, size, mode=mode, **smooth)[..., y : y + h, x : x + w]
        if mirrored:
            picture = picture.flip(-1)
        return picture.clamp(0 if kind == "conditions" else -1, 1)

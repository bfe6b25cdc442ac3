"""Training sequences from a prepared store: which frames a step sees, and their flow at any stride."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.nets.warp import compose, warp


class Batch(NamedTuple):
    """``n`` frames in step of each clip, at the same ``offsets`` from its start. Leading dimensions B x n.

    frames [-1, 1] x3, conditions [0, 1] xC, flow (pixels, to the sequence's previous frame) x2, valid {0, 1}
    x1 (1 where that flow can be trusted; 0 in the first frame). ``places`` says for each of the B sequences
    its clip and the indices of its frames there, rising.
    """

    frames: Tensor
    conditions: Tensor
    flow: Tensor
    valid: Tensor
    places: list[tuple[str, Sequence[int]]]

    def to(self, device: str) -> "Batch":
        """The same on a device."""
        return Batch(*(x.to(device) for x in self[:4]), self.places)


def offsets(length: int, *, gap: int = 1, given: int = 0) -> list[int]:
    """Where the frames of a sequence lie, counted from its first: as a plan at that gap meets them.

    Key-frames are 0, gap, 2 gap ...; the ``given`` first frames of a stream follow one another all the same.
    """
    later = range(-(-given // gap) * gap, length * gap, gap)
    return [*range(given), *later][:length]


def most_frames(clip: int, *, gap: int, given: int = 0) -> int:
    """The longest sequence at a gap that a clip of ``clip`` frames holds."""
    return sum(place < clip for place in offsets(clip, gap=gap, given=given))


def sample(
    task: PreparedTask,
    rng: np.random.Generator,
    *,
    batch: int,
    length: int,
    gap: int = 1,
    given: int = 0,
) -> Batch:
    """Draw ``batch`` random sequences of ``length`` frames from the training clips, placed by ``offsets``.

    Clips that are too short for the span are passed over.

    Raises:
        SlimvidError: no training clip is long enough; names the settings.
    """
    own = offsets(length, gap=gap, given=given)
    span = own[-1] + 1
    clips = [clip for clip in task.clips("train") if clip.length >= span]
    if not clips:
        longest = max(clip.length for clip in task.clips("train"))
        raise SlimvidError(
            f"{task.meta.task}: no training clip has {span} frames (sequence {length} at gap {gap}; the "
            f"longest has {longest}); lower `sequence` or raise `clip_frames`"
        )
    lengths = np.array([clip.length - span + 1 for clip in clips], float)
    places = []
    for index in rng.choice(len(clips), size=batch, p=lengths / lengths.sum()):
        begin = int(rng.integers(clips[index].length - span + 1))
        places.append((clips[index].name, [begin + place for place in own]))
    windows = [task.window("train", name, indices) for name, indices in places]
    frames, conditions, flow, valid = (
        torch.from_numpy(np.stack([getattr(w, name) for w in windows]))
        for name in ("frames", "conditions", "flow", "valid")
    )
    valid[:, 0] = 0  # the first frame's flow leads out of the sequence
    return Batch(frames, conditions, flow, valid, places)


def chain(flow: Tensor, valid: Tensor, end: int, *, links: int) -> tuple[Tensor, Tensor]:
    """Flow from frame ``end`` back to frame ``end - links`` (B x 2 x H x W) and where every link is valid."""
    total, good = flow[:, end], valid[:, end]
    for link in range(end - 1, end - links, -1):
        good = good * (warp(valid[:, link], total) > 0.5)
        total = compose(total, flow[:, link])
    return total, good


def sequence_length(index: int, *, start: int, longest: int, doubles_every: int) -> int:
    """vid2vid's growth: the length doubles every ``doubles_every`` steps up to ``longest`` (0: never)."""
    doublings = index // doubles_every if doubles_every else 0
    return min(start * 2 ** min(doublings, 16), longest)

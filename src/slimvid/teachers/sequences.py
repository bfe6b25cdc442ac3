"""Training sequences from a prepared store: which frames a step sees, and their flow at any stride."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.nets.warp import compose, warp


class Batch(NamedTuple):
    """``n`` frames in step of each clip, every ``gap``-th of the footage. Leading dimensions B x n.

    frames [-1, 1] x3, conditions [0, 1] xC, flow (pixels, to the sequence's previous frame) x2, valid {0, 1}
    x1 (1 where that flow can be trusted; 0 in the first frame). ``places`` says for each of the B sequences
    its clip and the indices of its frames there.
    """

    frames: Tensor
    conditions: Tensor
    flow: Tensor
    valid: Tensor
    places: list[tuple[str, range]]


def sample(
    task: PreparedTask,
    rng: np.random.Generator,
    *,
    batch: int,
    length: int,
    gap: int = 1,
    device: str = "cpu",
) -> Batch:
    """Draw ``batch`` random sequences of ``length`` frames at ``gap`` from the training clips.

    Clips that are too short for the span are passed over.

    Raises:
        SlimvidError: no training clip is long enough; names the settings.
    """
    span = (length - 1) * gap + 1
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
        places.append((clips[index].name, range(begin, begin + span, gap)))
    windows = [task.window("train", name, indices) for name, indices in places]
    frames, conditions, flow, valid = (
        torch.from_numpy(np.stack([getattr(w, name) for w in windows])).to(device)
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

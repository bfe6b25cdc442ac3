"""Perceptual distance of each generated frame to the true one, by shift-tolerant LPIPS; and of their changes.

Ghildyal and Liu (ECCV 2022), trained on human judgements: 0 for equal frames, about .3 for a blur of one
pixel at 64 x 128. Our data are paired, so it may be asked. The temporal form asks it of neighbours, as tLP of
Chu et al. ("Learning temporal coherence via self-supervision", 2020) does: a frozen clip changes too little,
a flickering one too much.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from slimvid.errors import SlimvidError
from slimvid.measure.packaged_networks import load_shift_tolerant
from slimvid.nets.shift_tolerant import LEAST

RUN, RUNS = 12, 8  # of a clip of more than 96 frames: 8 runs of 12 consecutive frames, evenly spread


def deciding_frames(length: int) -> list[range]:
    """The frames of a clip that are looked at: all, or runs of consecutive ones where it is long.

    Single frames at a constant stride could fall on key-frames only; a run holds all phases of a plan.
    """
    if length <= RUN * RUNS:
        return [range(length)]
    starts = np.linspace(0, length - RUN, RUNS).round().astype(int)
    return [range(start, start + RUN) for start in starts.tolist()]


@torch.no_grad()
def embedded(frames: np.ndarray) -> Iterator[list[Tensor]]:
    """Frame by frame what the network compares; uint8 T x H x W x 3 RGB, at least 21 pixels high and wide.

    Raises:
        SlimvidError: smaller frames, or the network's package is not installed.
    """
    height, width = frames.shape[1:3]
    if min(height, width) < LEAST:
        raise SlimvidError(
            f"perceptual distance: frames of {width}x{height}; it needs at least {LEAST} pixels each way: "
            "prepare the task at a larger size"
        )
    net = load_shift_tolerant()
    for frame in frames:
        x = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None]
        yield net.embed(x.float().div_(255))


@torch.no_grad()
def compare(drawn: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of a clip's deciding frames to the true ones, and of their changes to the true changes.

    Args:
        drawn: uint8 T x H x W x 3 RGB.
        truth: the same shape.

    Returns:
        perceptual: float64, the distance of each frame to the true frame;
        temporal: float64, for each two neighbours how much farther apart (or nearer) they are than the true
        ones: |d(drawn t, drawn t + 1) - d(true t, true t + 1)|. Empty for a single frame.
    """
    net = load_shift_tolerant()
    perceptual, temporal = [], []
    for run in deciding_frames(len(drawn)):
        part, before = slice(run.start, run.stop), None
        for pair in zip(embedded(drawn[part]), embedded(truth[part]), strict=True):
            perceptual.append(net.between(*pair).item())
            if before is not None:
                made, true = (net.between(a, b).item() for a, b in zip(before, pair, strict=True))
                temporal.append(abs(made - true))
            before = pair
    return np.asarray(perceptual), np.asarray(temporal)


@torch.no_grad()
def neighbour_distances(frames: np.ndarray) -> np.ndarray:
    """Distances of a clip's deciding frames to the frame before: float64, one fewer than frames in a run.

    Of true frames their mean is the floor of the perceptual distance: what being one frame late costs.
    """
    net, found = load_shift_tolerant(), []
    for run in deciding_frames(len(frames)):
        seen = list(embedded(frames[run.start : run.stop]))
        found += [net.between(a, b).item() for a, b in pairwise(seen)]
    return np.asarray(found)

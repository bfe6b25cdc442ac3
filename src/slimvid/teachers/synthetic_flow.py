"""Synthetic optical flow: the pseudo-supervision of Unsupervised RecycleGAN (Wang et al. 2022).

Moving a frame by a known flow gives a second "frame" whose motion is exact, so no flow is ever estimated and
single frames suffice for training.
"""

import numpy as np
import torch
from torch import Tensor

from slimvid.training.singles import ROWS

GRID = BLUR = 100  # pixels at `ROWS` rows: spacing of the random vectors, side of the blur


def synthetic_flow(
    rng: np.random.Generator, height: int, width: int, *, motion: float = 8.0, shift: int = 10
) -> Tensor:
    """A smooth random flow: float32 1 x 2 x H x W, (dx, dy) in pixels of this size.

    Normal vectors on a coarse grid, enlarged bilinearly to the frame, plus one common whole-pixel shift per
    axis, then a box blur (release). All lengths scale with the height, so that the motion looks alike at
    every size.

    Args:
        motion: standard deviation of the vectors, pixels at 256 rows.
        shift: the largest common shift, pixels at 256 rows.
    """
    import cv2

    scale = height / ROWS
    cells = [max(int(size / (GRID * scale)), 1) for size in (height, width)]
    coarse = rng.normal(0.0, motion, (*cells, 2)).astype(np.float32)
    flow = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    flow += rng.integers(-shift, shift, size=2, endpoint=True).astype(np.float32)
    side = max(round(BLUR * scale), 1)
    flow = cv2.blur(flow, (side, side)) * np.float32(scale)
    return torch.from_numpy(flow.transpose(2, 0, 1).copy())[None]


def frame_noise(rng: np.random.Generator, shape: tuple[int, ...], *, level: float = 0.001) -> Tensor:
    """Gaussian noise for moved frames, whose deviation is ``level`` times a number from [1, 2) (release)."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(noise * np.float32(level * (1 + rng.random())))

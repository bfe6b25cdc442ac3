"""What EfficientNet-Lite0 sees in cells of 64 pixels: the features of `frame_distance` and `video_distance`.

The channels of three inner stages (40 + 112 + 192) are averaged over each cell. Raw, their scales differ by
orders of magnitude and their number is above that of the samples; a `FeatureMap` standardises them on real
*training* frames and projects them on a few fixed orthonormal directions, so that a covariance can be
estimated. Early channels see texture, later ones parts of things; the last stages are left out, because what
they are invariant to is what a generator gets wrong.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.measure.packaged_networks import load_lite0
from slimvid.nets.lite0 import WIDTHS

CELL = 64  # pixels
STAGES = (2, 4, 5)
CHANNELS = sum(WIDTHS[stage] for stage in STAGES)
COLOURS = 3  # after the channels: the cell's mean colour
MAX_FRAMES = 1024  # more are thinned evenly, so that the cost of long footage is bounded
STILL = 1e-9  # no deviation at all
_BATCH = 16  # frames that go through together: half the time of one by one


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of cells: as many as make them nearest to 64 pixels, at least one."""
    return max(int(height / CELL + 0.5), 1), max(int(width / CELL + 0.5), 1)


@torch.no_grad()
def cell_features(frames: np.ndarray) -> np.ndarray:
    """Means over the cells of each frame.

    Args:
        frames: uint8 T x H x W x 3 RGB.

    Returns:
        float32 T x cells x (344 channels + 3 colours in grey levels).

    Raises:
        SlimvidError: the network's package is not installed.
    """
    net, cells = load_lite0(), grid(*frames.shape[1:3])
    rows = []
    for start in range(0, len(frames), _BATCH):
        batch = np.ascontiguousarray(frames[start : start + _BATCH].transpose(0, 3, 1, 2))
        x = torch.from_numpy(batch).float().div_(255)
        maps = [*net.stages(x, STAGES), 255 * x]
        pooled = torch.cat([F.adaptive_avg_pool2d(each, cells) for each in maps], dim=1)
        rows.append(pooled.flatten(2).transpose(1, 2).numpy())
    return np.concatenate(rows)


class FeatureMap(nn.Module):
    """Features n x inputs -> n x dimensions, float64: standardised, then projected."""

    def __init__(self, inputs: int, dimensions: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("matrix", torch.zeros(inputs, dimensions, dtype=torch.float64))

    @property
    def dimensions(self) -> int:
        return self.matrix.shape[1]

    def fit(self, features: np.ndarray, blocks: Sequence[tuple[int, int]]) -> "FeatureMap":
        """Set the map from features of real training frames.

        Args:
            features: n x inputs, block beside block.
            blocks: of each (inputs, dimensions); as many dimensions as inputs: not projected. Each block's
                directions are orthonormal and the same everywhere.

        Raises:
            SlimvidError: the features do not vary at all.
        """
        if not features.std(axis=0).max() > STILL:
            raise SlimvidError(
                "the real training frames are all alike: nothing to standardise distances by; prepare "
                "the task with clips that differ"
            )
        matrix = np.zeros(tuple(self.matrix.shape))
        row = column = 0
        for number, (inputs, dimensions) in enumerate(blocks):
            spread = features[:, row : row + inputs].std(axis=0)
            # what never varies on real data must not explode; a block that does not at all keeps its units
            spread = np.maximum(spread, 1e-3 * spread.max()) if spread.max() > STILL else np.ones(inputs)
            directions = _directions(inputs, dimensions, seed=number) / spread[:, None]
            matrix[row : row + inputs, column : column + dimensions] = directions
            row, column = row + inputs, column + dimensions
        self.mean.copy_(torch.from_numpy(features.mean(axis=0)))
        self.matrix.copy_(torch.from_numpy(matrix))
        return self

    def forward(self, features: np.ndarray) -> np.ndarray:
        return (features - self.mean.numpy()) @ self.matrix.numpy()


def sample_starts(lengths: Sequence[int], span: int, *, limit: int = MAX_FRAMES) -> list[tuple[int, int]]:
    """(clip number, first frame) of every sample of ``span`` consecutive frames, thinned evenly to ``limit``.

    Each sample is taken in every cell, so there are cells times as many features.
    """
    starts = [
        (clip, start) for clip, length in enumerate(lengths) for start in range(max(length - span + 1, 0))
    ]
    chosen = np.linspace(0, len(starts) - 1, min(len(starts), limit)).round().astype(int)
    return [starts[i] for i in chosen]


def _directions(inputs: int, dimensions: int, *, seed: int) -> np.ndarray:
    """Orthonormal columns, inputs x dimensions; the stream of `RandomState` is frozen by NumPy's policy."""
    if inputs == dimensions:
        return np.eye(inputs)
    draws = np.random.RandomState(seed).uniform(-1, 1, (inputs, dimensions))
    return np.linalg.qr(draws)[0]

"""Video distance: how far short pieces of generated video, as a set, are from real ones.

The Fréchet distance per dimension, as `frame_distance`, on three consecutive frames of a cell: what
EfficientNet-Lite0 sees in it (texture, geometry), how much that changes, how much the change itself changes;
and the same three of the cell's mean colour, because the network is made not to see the brightness that a
flicker changes. A held frame shows as no change between large ones, shuffling, trembling and boiling as
changes that go back and forth, blur over time as changes too small.

Square roots of the absolute changes are taken: raw, the few large changes of a real clip (a cut, a passing
car) set the scale and small ones vanish.
"""

import numpy as np

from slimvid.errors import SlimvidError
from slimvid.measure.lite_features import CHANNELS, COLOURS, STILL, FeatureMap

SPAN = 3  # frames of a sample
LEAST = 3 * COLOURS + 3  # dimensions: the colours are not projected
INPUTS = 3 * (CHANNELS + COLOURS)


def video_features(cells: np.ndarray) -> np.ndarray:
    """T x cells x (344 + 3) -> T - 2 x cells x 1041, of frames t, t + 1 and t + 2 together."""
    cells = cells.astype(np.float64)
    first = np.sqrt(np.abs(np.diff(cells, axis=0)))[:-1]
    second = np.sqrt(np.abs(np.diff(cells, n=2, axis=0)) / 2)
    parts = (cells[1:-1], first, second)
    channels = [part[..., :CHANNELS] for part in parts]
    return np.concatenate([*channels, *(part[..., CHANNELS:] for part in parts)], axis=-1)


def fit_video_map(features: np.ndarray, dimensions: int) -> FeatureMap:
    """The map that standardises and projects.

    Args:
        features: n x 1041 of real training frames.
        dimensions: that the distance is taken in: nine for the colours, the rest alike for the network's
            three parts.

    Raises:
        SlimvidError: too few dimensions, or frames that never change.
    """
    if dimensions < LEAST:
        raise SlimvidError(f"measure.dimensions: {dimensions}; the video distance needs at least {LEAST}")
    if not features[:, CHANNELS : 2 * CHANNELS].max() > STILL:
        raise SlimvidError(
            "the real training frames never change from one to the next: there is no video to measure by; "
            "prepare the task with clips in which something moves"
        )
    projected = [len(part) for part in np.array_split(np.arange(dimensions - 3 * COLOURS), 3)]
    blocks = [*((CHANNELS, part) for part in projected), *[(COLOURS, COLOURS)] * 3]
    return FeatureMap(INPUTS, dimensions).fit(features, blocks)

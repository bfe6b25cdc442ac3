"""Frame distance: how far the generated frames, as a set, are from the real ones.

The Fréchet distance (Dowson and Landau 1982; Heusel et al. 2017) on cells of EfficientNet-Lite0
(`lite_features`), divided by the number of dimensions; and its kernel form, the unbiased squared MMD
(Bińkowski et al. 2018). Neither is FID or KID, which are defined by Inception. Of time it sees nothing: a
clip in another order is as near.
"""

import numpy as np

from slimvid.measure.lite_features import CHANNELS, FeatureMap

SPAN = 1  # frames of a sample
INPUTS = CHANNELS


def frame_features(cells: np.ndarray) -> np.ndarray:
    """T x cells x (344 + 3) -> T x cells x 344: colour is left to what the channels see of it."""
    return cells[..., :CHANNELS]


def fit_frame_map(features: np.ndarray, dimensions: int) -> FeatureMap:
    """The map that standardises and projects.

    Args:
        features: n x 344 of real training frames.
        dimensions: that the distance is taken in.

    Raises:
        SlimvidError: the features do not vary.
    """
    return FeatureMap(INPUTS, dimensions).fit(features, [(INPUTS, dimensions)])

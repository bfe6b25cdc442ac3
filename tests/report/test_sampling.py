"""Points of a picture that a block reads; on real streams in test_offsets.py."""

import numpy as np

from slimvid.report import sampling

SIZE = (32, 32)


def test_local_offsets_come_first_on_the_way_to_the_reference():
    """A tap reads q + dp_g(q) at its own q: global offsets that grow to the right pull it further there."""
    coarse = np.zeros((2, 8, 8), np.float32)
    coarse[1] = np.arange(8)
    fine = np.zeros((9, 2, 16, 16), np.float32)
    fine[:, 1] = 2.0  # map pixels to the right: 4 of the picture, one of the coarse map
    fields = sampling.Fields(coarse=coarse, fine=fine, mask=None)
    alone, taps = sampling.positions(fields, np.array([[8, 7]]), SIZE)
    assert np.allclose(alone[0], (17, 15 + 4 * (15 / 4 - 0.5)))
    assert np.allclose(taps[0, 4], (17, 19 + 4 * (19 / 4 - 0.5)))


def test_output_points_are_few_and_in_the_middle():
    for shape in ((16, 16), (32, 48), (128, 256), (3, 5)):
        points = sampling.output_points(shape)
        low, high = points.min(0), np.array(shape) - 1 - points.max(0)
        assert (low >= 0).all() and (high >= 0).all() and (abs(high - low) <= 1).all()
        assert len(np.unique(points[:, 0])) <= 10 and len(np.unique(points[:, 1])) <= 10

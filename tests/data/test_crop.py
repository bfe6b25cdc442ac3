"""The box that pictures, maps and points are cut to."""

import numpy as np
import pytest
from toy_footage import texture

from slimvid.data.crop import Crop


@pytest.mark.parametrize(
    ("source", "target", "box"),
    [
        ((720, 1280), (512, 448), (325, 0, 630, 720)),  # wider: the whole height
        ((480, 640), (256, 512), (0, 80, 640, 320)),  # narrower: the whole width
        ((100, 200), (50, 100), (0, 0, 200, 100)),
    ],
)
def test_centre_crop_keeps_the_aspect(source, target, box):
    crop = Crop.centre(source, height=target[0], width=target[1])
    assert (crop.left, crop.top, crop.width, crop.height) == box


def test_picture_map_and_points_move_together():
    image = np.zeros((120, 200, 3), np.uint8)
    image[60:70, 90:100] = 255
    ids = (image[..., 0] > 0).astype(np.uint8)
    crop = Crop.centre((120, 200), height=60, width=60)
    small, labels = crop.picture(image), crop.ids(ids)
    assert np.array_equal(small[..., 0] > 0, labels > 0)
    rows, columns = np.nonzero(labels)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 34, 25, 29)
    corner = crop.points(np.float32([[89.5, 59.5], [99.5, 69.5]]))  # the square's corners, between pixels
    assert np.allclose(corner, [[24.5, 29.5], [29.5, 34.5]])


def test_ids_are_never_mixed():
    ids = np.random.default_rng(0).choice(np.uint16([3, 1000, 60000]), (33, 47))
    scaled = Crop.centre((33, 47), height=64, width=64).ids(ids)
    assert scaled.dtype == np.uint16
    assert set(np.unique(scaled)) <= {3, 1000, 60000}


def test_enlarging_works_too():
    assert Crop.centre((20, 20), height=64, width=32).picture(texture(20, 20)).shape == (64, 32, 3)

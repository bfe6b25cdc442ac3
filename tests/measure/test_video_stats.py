"""Each statistic sees its own fault."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from slimvid.measure.video_stats import (
    flicker,
    sharpness_ratio,
    temporal_difference_ratio,
    warping_error,
)


@pytest.fixture(scope="module")
def moving() -> np.ndarray:
    """A texture that moves right by 2 pixels a frame: uint8 8 x 48 x 64 x 3."""
    draw = np.random.default_rng(0)
    wide = gaussian_filter(draw.uniform(0, 255, (48, 80, 3)), (1, 1, 0))
    wide = ((wide - wide.min()) / np.ptp(wide) * 200 + 20).astype(np.uint8)
    return np.stack([wide[:, 16 - 2 * t : 80 - 2 * t] for t in range(8)])


@pytest.fixture(scope="module")
def motion(moving) -> tuple[np.ndarray, np.ndarray]:
    flow = np.zeros((8, 2, 48, 64), np.float32)
    flow[1:, 0] = -2
    valid = np.ones((8, 48, 64), np.float32)
    valid[:, :, :2] = 0  # entered the picture just now
    return flow, valid


def blurred(clip: np.ndarray) -> np.ndarray:
    return gaussian_filter(clip.astype(float), (0, 1.5, 1.5, 0)).round().astype(np.uint8)


def test_the_truth_is_perfect(moving, motion):
    assert sharpness_ratio(moving, moving) == 1
    assert temporal_difference_ratio(moving, moving) == 1
    assert flicker(moving, moving) == 0
    assert warping_error(moving, *motion) == pytest.approx(0, abs=1e-3)


def test_blur_is_soft_and_still_moves_along_the_flow(moving, motion):
    assert sharpness_ratio(blurred(moving), moving) < 0.3
    assert flicker(blurred(moving), moving) < 3
    inner = motion[1].copy()
    inner[:, :, :12] = inner[:, :, -12:] = 0  # blur mixes in what lies outside
    assert warping_error(blurred(moving), motion[0], inner) < 1


def test_a_held_clip_is_frozen(moving, motion):
    held = np.repeat(moving[::4], 4, axis=0)
    assert temporal_difference_ratio(held, moving) < 0.5
    assert warping_error(held, *motion) > 5


def test_flicker_is_counted_in_grey_levels_whole_or_in_a_corner(moving):
    sign = np.where(np.arange(8) % 2, 3, -3)[:, None, None, None]
    whole = (moving + sign).astype(np.uint8)
    assert flicker(whole, moving) == pytest.approx(6, abs=1e-4)
    corner = moving.copy()
    corner[:, :24, :32] = whole[:, :24, :32]
    assert flicker(corner, moving) == pytest.approx(1.5, abs=1e-4)


def test_no_reference_gives_no_ratio(motion):
    still = np.full((4, 32, 32, 3), 90, np.uint8)
    assert sharpness_ratio(still, still) is None
    assert temporal_difference_ratio(still, still) is None
    assert warping_error(still, motion[0][:4, :, :32, :32], np.zeros((4, 32, 32))) is None


def test_a_single_frame_has_no_motion_to_judge(moving, motion):
    one = moving[:1]
    assert temporal_difference_ratio(one, one) is None
    assert flicker(one, one) is None
    assert warping_error(one, motion[0][:1], motion[1][:1]) is None

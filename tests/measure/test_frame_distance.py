"""Frame distance on drawn clips: what it sees, what it does not, and when it refuses."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.frame_distance import fit_frame_map, frame_features
from slimvid.measure.frechet import distance_per_dimension, half_sample_floor
from slimvid.measure.kid import squared_mmd
from slimvid.measure.lite_features import CHANNELS, cell_features

DIMENSIONS = 8


def features(frames: np.ndarray) -> np.ndarray:
    return frame_features(cell_features(frames)).reshape(-1, CHANNELS)


@pytest.fixture(scope="module")
def seen(street_frames):
    """The map of four training clips, and the features of four others."""
    clips = [street_frames(seed) for seed in range(8)]
    frames = np.concatenate(clips[4:])
    ruler = fit_frame_map(features(np.concatenate(clips[:4])), DIMENSIONS)
    return ruler, frames, ruler(features(frames))


def test_equal_frames_are_zero_apart_by_both_forms(seen) -> None:
    _, _, real = seen
    assert distance_per_dimension(real, real) == pytest.approx(0, abs=1e-6)
    assert squared_mmd(real, real, paired=True) == pytest.approx(0, abs=1e-9)


def test_more_noise_is_farther_by_both_forms(seen) -> None:
    ruler, frames, real = seen
    draw = np.random.default_rng(0).standard_normal(frames.shape)
    noisy = [ruler(features(np.clip(frames + s * draw, 0, 255).astype(np.uint8))) for s in (8, 16, 32)]
    for distance in (distance_per_dimension, lambda a, b: squared_mmd(a, b, paired=True)):
        values = [0.0, *(distance(real, each) for each in noisy)]
        assert all(np.diff(values) > 0), values


def test_the_order_of_frames_is_not_seen(seen) -> None:
    ruler, frames, real = seen
    assert distance_per_dimension(real, ruler(features(frames[::-1]))) == pytest.approx(0, abs=1e-4)


def test_two_halves_of_the_real_frames_are_not_zero_apart(seen) -> None:
    _, _, real = seen
    assert half_sample_floor(real) > 1e-3


def test_too_few_samples_are_one_line_with_the_remedy(seen) -> None:
    _, _, real = seen
    for call in (
        lambda: distance_per_dimension(real, real[:DIMENSIONS]),
        lambda: half_sample_floor(real[: 2 * DIMENSIONS]),
    ):
        with pytest.raises(SlimvidError, match=r"8 samples in 8 dimensions.*lower measure.dimensions"):
            call()

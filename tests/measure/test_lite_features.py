"""Cells of Lite0's channels, the map that standardises them, and which frames are sampled."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.lite_features import CHANNELS, FeatureMap, cell_features, grid, sample_starts


def test_cells_are_nearest_to_64_pixels_and_never_none() -> None:
    sizes = [(32, 48), (64, 64), (64, 96), (128, 256), (192, 256)]
    assert [grid(*size) for size in sizes] == [(1, 1), (1, 1), (1, 2), (2, 4), (3, 4)]


def test_a_cell_is_changed_most_by_what_lies_in_it() -> None:
    frames = np.zeros((2, 64, 128, 3), np.uint8)
    frames[:, :, 64:] = 200, 100, 50
    frames[1, :, 96:] = 0  # changes the second cell
    found = cell_features(frames)
    assert found.shape == (2, 2, CHANNELS + 3)
    assert found[0, :, CHANNELS:] == pytest.approx(np.array([[0, 0, 0], [200, 100, 50]]), abs=1e-4)
    change = np.abs(found[1] - found[0])[:, :CHANNELS].mean(axis=1)
    assert change[1] > 2 * change[0]


def test_equal_frames_have_equal_features_wherever_they_stand() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 40, 56, 3)).astype(np.uint8)
    found = cell_features(np.concatenate([frame] * 20))
    assert found == pytest.approx(np.broadcast_to(found[:1], found.shape), abs=1e-4)


def test_a_map_standardises_each_block_and_keeps_them_apart() -> None:
    draw = np.random.default_rng(1)
    features = draw.normal(5, [100] * 6 + [0.01] * 3, (400, 9))
    mapped = FeatureMap(9, 5).fit(features, [(6, 2), (3, 3)])(features)
    assert mapped.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert mapped.std(axis=0) == pytest.approx(1, abs=0.15)
    assert np.corrcoef(mapped.T)[2:, 2:] == pytest.approx(np.corrcoef(features[:, 6:].T))


def test_two_maps_look_in_the_same_directions() -> None:
    features = np.random.default_rng(2).normal(size=(50, 8))
    first, second = (FeatureMap(8, 3).fit(features, [(8, 3)]) for _ in range(2))
    assert np.array_equal(first(features), second(features))


def test_what_hardly_varies_on_real_frames_does_not_explode() -> None:
    features = np.random.default_rng(3).normal(size=(50, 4)) * [1, 1, 1, 1e-12]
    mapped = FeatureMap(4, 4).fit(features, [(4, 4)])(features + 1e-3)
    assert np.abs(mapped).max() < 5


def test_a_block_that_never_varies_keeps_its_own_units() -> None:
    features = np.random.default_rng(4).normal(size=(50, 4)) * [1, 1, 0, 0]
    mapped = FeatureMap(4, 4).fit(features, [(2, 2), (2, 2)])(features + 3)
    assert mapped[:, 2:] == pytest.approx(3)


def test_constant_training_frames_are_refused() -> None:
    with pytest.raises(SlimvidError, match=r"training frames are all alike.*prepare the task"):
        FeatureMap(4, 2).fit(np.full((30, 4), 7.0), [(4, 2)])


def test_samples_lie_inside_their_clips_and_are_thinned_evenly() -> None:
    assert sample_starts([3, 1, 4], 3) == [(0, 0), (2, 0), (2, 1)]
    assert sample_starts([1, 2], 3) == []
    many = sample_starts([500, 500], 1, limit=11)
    assert len(many) == 11 and many[0] == (0, 0) and many[-1] == (1, 499)
    assert sum(clip for clip, _ in many) in (5, 6)

"""Video distance on drawn clips: all that happens in time is seen, where frames alone show little."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.damage import TEMPORAL
from slimvid.measure.frechet import distance_per_dimension
from slimvid.measure.lite_features import cell_features
from slimvid.measure.video_distance import INPUTS, LEAST, fit_video_map, video_features


def features(clips: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([video_features(cell_features(clip)).reshape(-1, INPUTS) for clip in clips])


@pytest.fixture(scope="module")
def seen(street_frames):
    """The map of four training clips, four other clips, and their features."""
    clips = [street_frames(seed) for seed in range(8)]
    ruler = fit_video_map(features(clips[:4]), LEAST)
    return ruler, clips[4:], ruler(features(clips[4:]))


def test_equal_clips_are_zero_apart(seen) -> None:
    assert distance_per_dimension(seen[2], seen[2]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", TEMPORAL)
def test_every_damage_in_time_is_seen_and_more_of_it_is_farther(seen, kind) -> None:
    ruler, clips, real = seen
    damage, levels = TEMPORAL[kind]
    values = [0.0]
    for level in (levels[1], levels[3]):
        values.append(distance_per_dimension(real, ruler(features([damage(c, level) for c in clips]))))
    assert all(np.diff(values) > 0.01), values


def test_a_clip_of_two_frames_has_no_sample(street_frames) -> None:
    assert video_features(cell_features(street_frames(0)[:2])).shape == (0, 1, INPUTS)


def test_too_few_dimensions_and_a_clip_that_stands_still_are_one_line(street_frames) -> None:
    with pytest.raises(SlimvidError, match=r"measure.dimensions: 11; .* at least 12"):
        fit_video_map(np.zeros((30, INPUTS)), 11)
    still = np.concatenate([street_frames(seed)[:1].repeat(6, axis=0) for seed in range(3)])
    parts = [still[i : i + 6] for i in range(0, 18, 6)]
    with pytest.raises(SlimvidError, match=r"never change from one to the next"):
        fit_video_map(features(parts), LEAST)

"""The perceptual distance of clips: pairs, neighbours, long clips and small frames."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.perceptual import compare, deciding_frames, neighbour_distances


@pytest.fixture(scope="module")
def frames(street_frames) -> np.ndarray:
    return street_frames(3)[:6]


def test_equal_clips_are_zero_apart_frame_by_frame(frames) -> None:
    perceptual, temporal = compare(frames, frames)
    assert perceptual.tolist() == [0.0] * 6 and temporal.tolist() == [0.0] * 5


def test_only_the_damaged_frame_differs_and_its_two_changes(frames) -> None:
    drawn = frames.copy()
    drawn[2] = 255 - drawn[2]
    perceptual, temporal = compare(drawn, frames)
    assert (perceptual > 0).tolist() == [False, False, True, False, False, False]
    assert (temporal > 0).tolist() == [False, True, True, False, False]


def test_a_frozen_clip_changes_by_as_much_less_as_the_true_one_changes(frames) -> None:
    _, temporal = compare(np.repeat(frames[:1], 6, axis=0), frames)
    assert temporal == pytest.approx(neighbour_distances(frames))
    assert (temporal > 0).all()


def test_a_single_frame_has_no_neighbours(frames) -> None:
    perceptual, temporal = compare(frames[:1], frames[1:2])
    assert len(perceptual) == 1 and len(temporal) == 0 and len(neighbour_distances(frames[:1])) == 0


@pytest.mark.parametrize("length", [97, 127, 500])
def test_a_long_clip_is_looked_at_in_runs_that_hold_all_phases_of_a_plan(length) -> None:
    runs = deciding_frames(length)
    assert sum(len(run) for run in runs) == 96
    assert runs[0].start == 0 and runs[-1].stop == length
    for interval in (2, 3, 4, 6, 12):
        phases = np.bincount([t % interval for run in runs for t in run], minlength=interval)
        assert phases.min() == phases.max()


def test_a_short_clip_is_looked_at_whole() -> None:
    assert deciding_frames(96) == [range(96)]


def test_small_frames_are_one_line_with_the_remedy() -> None:
    small = np.zeros((2, 20, 64, 3), np.uint8)
    with pytest.raises(SlimvidError, match=r"64x20; it needs at least 21.*larger size"):
        compare(small, small)

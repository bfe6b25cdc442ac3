"""Time stamps of videos: even ones rounded, uneven ones resampled, pauses that part clips."""

import numpy as np
import pytest

from slimvid.data.timing import Stamp, presented, timeline


@pytest.mark.parametrize(("fps", "tick"), [(29.97, 0.001), (240, 0.001), (25, 0.04), (59.94, 1 / 90000)])
def test_rounded_stamps_are_even(fps, tick):
    found = timeline(np.round(np.arange(200) / fps / tick) * tick, tick=tick)
    assert found.fps == pytest.approx(fps, rel=2e-3)
    assert found.runs == [range(200)]
    assert found.notes == ()


def test_a_recorders_jitter_is_even():
    stamps = np.arange(90) / 30 + np.random.default_rng(0).uniform(-0.003, 0.003, 90)
    assert timeline(stamps, tick=0.001).notes == ()


def test_a_pause_and_a_clock_that_jumps_part_the_video():
    stamps = np.concatenate([np.arange(10) / 25, 3 + np.arange(10) / 25, np.arange(5) / 25])
    found = timeline(stamps, tick=0.001)
    assert found.runs == [range(10), range(10, 20), range(20, 25)]
    assert found.fps == 25
    assert "jumps by 2.64 s before frame 10" in found.notes[0]
    assert "jumps by -3.36 s before frame 20" in found.notes[1]


def test_a_frame_that_was_dropped_is_shown_by_the_one_before():
    stamps = np.delete(np.arange(20) / 25, 7)
    (run,) = timeline(stamps, tick=0.001).runs
    assert run == [0, 1, 2, 3, 4, 5, 6, 6, *range(7, 19)]


def test_uneven_frames_are_taken_at_even_times():
    stamps = np.cumsum([0, *([0.017, 0.05] * 20)])
    found = timeline(stamps, tick=0.001)
    (run,) = found.runs
    shown = stamps[list(run)]
    assert np.abs(shown - np.arange(len(run)) / found.fps).max() <= 0.026  # half of the longest step
    assert "variable" in found.notes[0]
    assert "`fps:`" in found.notes[0]


def test_a_slow_drift_is_found():
    stamps = np.cumsum(np.r_[np.full(200, 0.04), np.full(200, 0.045)])
    assert "variable" in timeline(stamps, tick=0.001).notes[0]


@pytest.mark.parametrize("stamps", [[0.5], [0.0, 0.0, 0.0], [3.0, 2.0, 1.0]])
def test_stamps_that_tell_nothing(stamps):
    assert timeline(stamps, tick=0.001).fps is None


def test_equal_stamps_are_not_shown_twice():
    assert timeline([0, 0.04, 0.04, 0.08, 0.12], tick=0.001).runs[0] in ([0, 1, 3, 4], [0, 2, 3, 4])


def stamps(seen, decoded) -> list[Stamp]:
    return [Stamp(seen=a, decoded=b) for a, b in zip(seen, decoded, strict=True)]


def test_presentation_times_that_only_number_the_packets_give_way_to_decoding_times():
    """As FFmpeg guesses them for H.264 with B-frames in AVI; the last frames leave the decoder at its end."""
    seen = [1, 2, 3, 4, 7, 6, 8, 5, 9, 10]
    assert presented(stamps(seen, [2, 3, 4, 5, 6, 7, 8, 9, None, None])) == list(range(2, 12))
    assert presented(stamps([None] * 4, [0, 1, 2, None])) == [0, 1, 2, 3]


def test_presentation_times_are_believed_where_they_rise_as_often():
    clock = [0, 1, 2, 0, 1, 2]  # starts anew, and so do the decoding times
    assert presented(stamps(clock, clock)) == clock
    assert presented(stamps([0, 2, 4], [3, 1, 2])) == [0, 2, 4]
    assert presented(stamps([2, 1], [None, None])) == [2, 1]


def test_times_that_are_not_known_are_not_made_up():
    assert presented(stamps([None, 1, 2], [None, None, None])) is None
    assert presented(stamps([None, 1, 2], [0, None, 2])) is None

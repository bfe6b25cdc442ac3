"""The damage that calibrates the rulers does what its name says, again and again alike."""

import numpy as np
import pytest

from slimvid.measure.damage import SPATIAL, TEMPORAL

ALL = {**SPATIAL, **TEMPORAL}


@pytest.fixture(scope="module")
def frames(street_frames) -> np.ndarray:
    return street_frames(1)


def test_there_are_eleven_kinds_in_space_and_six_in_time_of_four_levels() -> None:
    assert (len(SPATIAL), len(TEMPORAL)) == (11, 6)
    assert all(len(levels) == 4 for _, levels in ALL.values())


@pytest.mark.parametrize("kind", ALL)
def test_shape_and_type_stay_and_twice_is_the_same(frames, kind) -> None:
    damage, levels = ALL[kind]
    before = frames.copy()
    for level in levels:
        made = damage(frames, level)
        assert made.shape == frames.shape and made.dtype == np.uint8
        assert np.array_equal(made, damage(frames, level)) and not np.array_equal(made, frames)
    assert np.array_equal(frames, before), "the true frames have been changed"


@pytest.mark.parametrize("kind", [kind for kind in SPATIAL if kind != "saturation"])
def test_a_higher_level_is_more_of_it(frames, kind) -> None:
    damage, levels = SPATIAL[kind]
    errors = [np.square(damage(frames, level).astype(float) - frames).mean() for level in levels]
    assert all(np.diff([0, *errors]) > 0), errors


def test_no_saturation_is_grey(frames) -> None:
    grey = SPATIAL["saturation"][0](frames, 0)
    assert np.ptp(grey, axis=-1).max() == 0


@pytest.mark.parametrize("kind", ["hold", "shuffle"])
def test_order_is_damaged_and_no_frame(frames, kind) -> None:
    damage, levels = TEMPORAL[kind]
    known = {frame.tobytes() for frame in frames}
    for level in levels:
        assert {frame.tobytes() for frame in damage(frames, level)} <= known


def test_each_frame_boils_by_itself_and_a_warp_is_one_for_all(frames) -> None:
    still = np.repeat(frames[:1], 3, axis=0)
    boiled, warped = TEMPORAL["boil"][0](still, 1), SPATIAL["warp"][0](still, 1)
    assert not np.array_equal(boiled[0], boiled[1])
    assert np.array_equal(warped[0], warped[1])

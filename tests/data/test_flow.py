"""Optical flow against known motion."""

import numpy as np
import pytest
from toy_footage import moving, texture

from slimvid.data.flow import backward_flow, clip_flow, compose, inside, warp


@pytest.mark.parametrize(("rows", "columns", "step"), [(48, 64, 2), (128, 160, 5)])
def test_flow_of_a_shift_is_the_shift(rows, columns, step):
    frames = moving(3, rows, columns, step=step)  # contents move left: they came from the right
    flow, valid = clip_flow(frames)
    assert flow.dtype == np.float16
    assert flow.shape == (3, 2, rows, columns)
    trusted = valid[1:] > 0
    assert trusted.mean() > 0.8
    assert np.abs(flow[1:, 0][trusted].astype(float) - step).mean() < 0.1
    assert np.abs(flow[1:, 1][trusted].astype(float)).mean() < 0.1


def test_first_frame_has_no_flow():
    flow, valid = clip_flow(moving(2, 48, 48))
    assert not flow[0].any()
    assert not valid[0].any()


def test_warping_the_frame_before_gives_the_frame():
    before, now = moving(2, 64, 64, step=3)
    flow, valid = backward_flow(before, now)
    there = warp(before.astype(np.float32), flow.astype(np.float32))
    error = np.abs(there - now).mean(axis=2)
    assert error[valid > 0].mean() < 3
    assert error[valid > 0].mean() < 0.2 * np.abs(before.astype(float) - now).mean()


def test_what_was_hidden_is_not_trusted():
    before, now = texture(64, 64, seed=1), texture(64, 64, seed=1)
    now[20:44, 20:44] = texture(24, 24, seed=9)  # something appears
    _, valid = backward_flow(before, now)
    assert valid[24:40, 24:40].mean() < 0.3
    assert valid[:12].mean() > 0.95


def test_composed_flow_is_the_sum_where_motion_is_even():
    one = np.zeros((2, 20, 30), np.float32)
    one[0] = 2
    ones = np.ones((20, 30), np.float32)
    flow, valid = compose((one, ones), (one, ones))
    assert np.allclose(flow[0], 4)
    assert valid[:, :25].min() == 1
    assert valid[:, 27:].max() == 0  # four pixels to the right is outside
    blocked = ones.copy()
    blocked[:, 10] = 0
    assert compose((one, ones), (one, blocked))[1][:, 8].max() == 0


def test_inside_tells_the_border():
    flow = np.zeros((2, 4, 4), np.float32)
    flow[0, :, 3], flow[1, 0, 0] = 1.0, -1.0
    assert inside(flow).sum() == 16 - 5

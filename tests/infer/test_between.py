"""Frames between two key-frames: hold, linear, DIS."""

import cv2
import numpy as np
import pytest

from slimvid.infer.between import dis, hold, is_cut, linear, nearer


def _texture(height=96, width=160, seed=0):
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.uint8(np.clip(128 + smooth / smooth.std() * 25, 0, 255))


def test_the_nearer_of_two_keys_and_the_earlier_of_equals():
    left, right = (4, np.zeros((2, 2, 3), np.uint8)), (8, np.ones((2, 2, 3), np.uint8))
    assert [int(nearer(left, right, t).max()) for t in range(4, 9)] == [0, 0, 0, 1, 1]


def test_hold_shows_the_earlier_key_until_the_later_one():
    left, right = (4, np.zeros((2, 2, 3), np.uint8)), (8, np.ones((2, 2, 3), np.uint8))
    assert [int(frame.max()) for frame in hold(left, right)] == [0, 0, 0]
    assert list(hold((4, left[1]), (5, right[1]))) == []


def test_linear_is_a_blend_at_the_true_time():
    left, right = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 140, np.uint8)
    assert [int(f[0, 0, 0]) for f in linear((3, left), (7, right))] == [110, 120, 130]
    assert list(linear((3, left), (4, right))) == []


@pytest.mark.parametrize("method", [linear, dis])
def test_a_cut_is_held_and_not_blended(method):
    left, right = np.full((40, 40, 3), 20, np.uint8), np.full((40, 40, 3), 200, np.uint8)
    assert is_cut(left, right) and not is_cut(left, left + 30)
    assert [int(f.mean()) for f in method((0, left), (5, right))] == [20, 20, 200, 200]


def test_dis_follows_motion_that_a_blend_smears():
    picture = _texture()
    shift = [np.roll(picture, 3 * t, axis=1) for t in range(5)]
    inner = np.s_[16:-16, 32:-32]
    for method, bound in ((dis, 3.0), (linear, np.inf)):
        frames = list(method((0, shift[0]), (4, shift[4])))
        errors = [
            np.abs(f[inner].astype(int) - s[inner]).mean() for f, s in zip(frames, shift[1:4], strict=True)
        ]
        assert max(errors) < bound
        if method is linear:
            assert min(errors) > 6.0


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (63, 81), (33, 200)])
def test_dis_takes_any_size(size):
    left, right = _texture(*size), _texture(*size, seed=1)
    frames = list(dis((0, left), (3, right)))
    assert [f.shape for f in frames] == [(*size, 3)] * 2 and frames[0].dtype == np.uint8

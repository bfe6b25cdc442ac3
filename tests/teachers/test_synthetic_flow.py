"""Synthetic flow: deterministic, smooth, of the stated size at every resolution."""

import numpy as np
import pytest
import torch

from slimvid.nets.warp import warp
from slimvid.teachers.synthetic_flow import frame_noise, synthetic_flow


def rng(seed=0):
    return np.random.default_rng(seed)


def test_flow_follows_from_its_generator():
    a, b = synthetic_flow(rng(), 64, 96), synthetic_flow(rng(), 64, 96)
    assert a.shape == (1, 2, 64, 96) and a.dtype == torch.float32
    assert torch.equal(a, b) and not torch.equal(a, synthetic_flow(rng(1), 64, 96))


@pytest.mark.parametrize("rows", [64, 256])
def test_spread_scales_with_the_height(rows):
    """Shift U{-10..10} alone has a deviation of 6.06 pixels at 256 rows; the vectors add to it."""
    shifts = torch.stack(
        [synthetic_flow(rng(i), rows, 2 * rows, motion=0).mean((0, 2, 3)) for i in range(200)]
    )
    assert float(shifts.std()) == pytest.approx(6.06 * rows / 256, rel=0.1)
    both = torch.stack([synthetic_flow(rng(i), rows, 2 * rows)[0, :, ::16, ::16] for i in range(200)])
    assert 1.1 < float(both.std()) / float(shifts.std()) < 1.6


def test_flow_is_smooth():
    flow = synthetic_flow(rng(3), 64, 96)
    steps = [(flow[..., 1:, :] - flow[..., :-1, :]).abs().max(), (flow[..., 1:] - flow[..., :-1]).abs().max()]
    assert 0 < max(float(s) for s in steps) < 0.5  # pixels per pixel: nothing folds


def test_small_frames_have_flow_too():
    flow = synthetic_flow(rng(5), 32, 48)
    assert float(flow.std()) > 0
    assert torch.isfinite(warp(torch.rand(1, 3, 32, 48), flow)).all()


def test_noise_has_the_stated_level():
    levels = [float(frame_noise(rng(i), (1, 3, 64, 64), level=0.01).std()) for i in range(20)]
    assert 0.0095 < min(levels) < max(levels) < 0.0205 and max(levels) - min(levels) > 0.003

"""Warping and composing flow."""

import torch

from slimvid.nets.warp import compose, warp


def test_whole_pixel_flow_is_a_shift():
    image = torch.rand(1, 3, 8, 9)
    flow = torch.zeros(1, 2, 8, 9)
    flow[:, 0], flow[:, 1] = 2, -1
    out = warp(image, flow)
    assert torch.allclose(out[:, :, 1:, :-2], image[:, :, :-1, 2:], atol=1e-5)
    assert torch.allclose(out[:, :, 0, :-2], image[:, :, 0, 2:], atol=1e-5)  # clamped at the border


def test_compose_is_warping_twice():
    image = torch.rand(1, 1, 8, 8)
    a, b = torch.full((1, 2, 8, 8), 1.0), torch.full((1, 2, 8, 8), 0.5)
    inner = (slice(None), slice(None), slice(0, 5), slice(0, 5))
    assert torch.allclose(warp(image, compose(a, b))[inner], warp(warp(image, b), a)[inner], atol=1e-5)

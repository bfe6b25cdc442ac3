"""Deformable convolution against torchvision's, however it reads."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from slimvid.errors import SlimvidError
from slimvid.nets import deform
from slimvid.nets.deform import blend_conv, choose, deform_conv, read_moved, spread

SIZES = [(8, 12), (7, 5), (1, 6), (20, 33)]


def random(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def kernel(out, channels):
    return random(out, channels, 3, 3, seed=1, scale=(9 * channels) ** -0.5)


@pytest.fixture(params=["rows", "grid", "torchvision"])
def reading(request, monkeypatch):
    monkeypatch.setattr(deform, "choose", lambda device: request.param)
    return request.param


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [False, True])
def test_equals_torchvision_also_outside_the_image(size, masked, reading):
    x, weight = random(2, 8, *size), kernel(6, 8)
    offset = random(2, 18, *size, seed=2, scale=3.0)  # far enough to leave the image
    mask = torch.sigmoid(random(2, 9, *size, seed=3)) if masked else None
    expected = deform_conv2d(x, offset, weight, padding=1, mask=mask)
    torch.testing.assert_close(deform_conv(x, offset, weight, mask), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dy", [-1.0, -0.999, -0.5, 0.0, 0.5, 3.999, 4.0, 1e9, -1e9])
def test_fades_to_zero_within_one_pixel_of_the_border(dy):
    x, weight = random(1, 4, 4, 6), kernel(4, 4)
    offset = torch.zeros(1, 9, 2, 4, 6)
    offset[:, :, 0] = dy
    offset = offset.view(1, 18, 4, 6)
    expected = deform_conv2d(x, offset, weight, padding=1)
    torch.testing.assert_close(deform_conv(x, offset, weight, reading="rows"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_blending_is_two_deformable_convolutions_with_one_weight(size, reading):
    now, reference, weight = random(2, 8, *size), random(2, 8, *size, seed=5), kernel(8, 8)
    offset = random(2, 18, *size, seed=2, scale=2.0)
    mask = torch.sigmoid(random(2, 9, *size, seed=3))
    expected = deform_conv2d(now, torch.zeros_like(offset), weight, padding=1, mask=mask)
    expected = expected + deform_conv2d(reference, offset, weight, padding=1, mask=1 - mask)
    got = blend_conv(now, reference, offset, mask, weight)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_one_offset_for_all_taps_is_one_reading_of_a_convolution(size, reading):
    x, weight = random(2, 8, *size), kernel(6, 8)
    offset = random(2, 2, *size, seed=2, scale=3.0)
    expected = deform_conv2d(x, offset.repeat(1, 9, 1, 1), weight, padding=1)
    torch.testing.assert_close(read_moved(spread(x, weight), offset), expected, rtol=1e-4, atol=1e-4)


def test_every_way_has_the_same_gradients():
    gradients = {}
    for way in ("rows", "grid", "torchvision"):
        x, weight = random(2, 4, 6, 7).requires_grad_(), kernel(4, 4).requires_grad_()
        offset = random(2, 18, 6, 7, seed=2).requires_grad_()
        mask = torch.sigmoid(random(2, 9, 6, 7, seed=3)).requires_grad_()
        out = deform_conv(x, offset, weight, mask, reading=way)
        (out * random(*out.shape, seed=4)).sum().backward()
        gradients[way] = [t.grad for t in (x, weight, offset, mask)]
    for way in ("grid", "torchvision"):
        for ours, theirs in zip(gradients["rows"], gradients[way], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_tiles_do_not_change_the_result(monkeypatch):
    x, weight, offset = random(1, 4, 9, 11), kernel(4, 4), random(1, 18, 9, 11, seed=2)
    with torch.no_grad():
        whole = deform_conv(x, offset, weight, reading="rows")
        monkeypatch.setattr(deform, "TILE", 100)
        torch.testing.assert_close(deform_conv(x, offset, weight, reading="rows"), whole)


def test_without_offsets_it_is_a_convolution():
    x, weight = random(1, 4, 9, 11), kernel(5, 4)
    got = deform_conv(x, torch.zeros(1, 18, 9, 11), weight)
    torch.testing.assert_close(got, F.conv2d(x, weight, padding=1), rtol=1e-4, atol=1e-5)


def test_a_way_for_every_device():
    assert [choose(device) for device in ("cpu", "cuda", "mps", "meta")] == [
        "rows",
        "torchvision",
        "grid",
        "grid",
    ]


def test_shapes_that_do_not_go_together():
    with pytest.raises(SlimvidError, match="2K"):
        deform_conv(random(1, 2, 4, 4), torch.zeros(1, 9, 4, 4), random(2, 2, 3, 3))

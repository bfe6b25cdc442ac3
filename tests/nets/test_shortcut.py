"""Deformable convolution against torchvision's, and the Shortcut block."""

import pytest
import torch
import torch.nn.functional as F

from slimvid.errors import SlimvidError
from slimvid.nets.deform import deform_conv
from slimvid.nets.shortcut import AdaBD, HetConv, ShortcutBlock, offset_generator


def _random(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("size", [(8, 12), (7, 5), (1, 6)])
@pytest.mark.parametrize("masked", [False, True])
def test_deformable_convolution_equals_torchvision(size, masked):
    from torchvision.ops import deform_conv2d

    x, weight = _random(2, 4, *size), _random(6, 4, 3, 3, seed=1)
    offset = _random(2, 18, *size, seed=2, scale=3.0)  # far enough to leave the image
    mask = torch.sigmoid(_random(2, 9, *size, seed=3)) if masked else None
    expected = deform_conv2d(x, offset, weight, padding=1, mask=mask)
    torch.testing.assert_close(deform_conv(x, offset, weight, mask), expected, rtol=1e-3, atol=1e-3)


def test_without_offsets_it_is_a_convolution():
    x, weight = _random(1, 4, 9, 11), _random(5, 4, 3, 3, seed=1)
    got = deform_conv(x, torch.zeros(1, 18, 9, 11), weight)
    torch.testing.assert_close(got, F.conv2d(x, weight, padding=1), rtol=1e-4, atol=1e-4)


def test_a_whole_offset_reads_the_neighbour():
    x = _random(1, 2, 6, 8)
    weight = torch.zeros(2, 2, 3, 3)
    weight[0, 0, 1, 1] = weight[1, 1, 1, 1] = 1.0
    offset = torch.zeros(1, 9, 2, 6, 8)
    offset[:, :, 1] = 1.0  # dx: one to the right
    got = deform_conv(x, offset.view(1, 18, 6, 8), weight)
    torch.testing.assert_close(got[..., :-1], x[..., 1:], rtol=1e-4, atol=1e-5)


def test_shapes_that_do_not_go_together():
    with pytest.raises(SlimvidError, match="2K"):
        deform_conv(_random(1, 2, 4, 4), torch.zeros(1, 9, 4, 4), _random(2, 2, 3, 3))


def test_hetconv_is_spatial_plus_point_minus_overlap_with_3_5_weights_a_pair():
    net = HetConv(8, 12)
    assert sum(p.numel() for p in net.parameters()) == 3.5 * 8 * 12 + 3 * 12
    x = _random(1, 8, 5, 5)
    torch.testing.assert_close(net(x), net.spatial(x) + net.point(x) - net.overlap(x))
    with pytest.raises(SlimvidError, match="multiples of 4"):
        HetConv(6, 8)


def test_offset_generators_start_at_zero_offsets_and_half_masks():
    block = ShortcutBlock(8, 4, 8)
    a, f = _random(1, 8, 6, 6), _random(1, 4, 6, 6, seed=1)
    _, _, offset, mask = block._fields(a, a, f)
    assert offset.abs().max() == 0 and torch.equal(mask, torch.full_like(mask, 0.5))
    assert len(offset_generator(8, 8, 2, layers=2)) == 5


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (1, 2)])
def test_block_keeps_the_size_and_is_deterministic(size):
    torch.manual_seed(0)
    block = ShortcutBlock(8, 12, 4)
    inputs = _random(2, 8, *size), _random(2, 8, *size, seed=1), _random(2, 12, *size, seed=2)
    first = block(*inputs)
    assert first.shape == (2, 12, *size)
    assert torch.equal(first, block(*inputs))
    f_t, aligned = block.align(*inputs)
    assert torch.equal(f_t, first) and aligned.shape == first.shape


def test_every_weight_learns_and_local_offsets_do_not_move_the_coarse_alignment():
    torch.manual_seed(0)
    block = ShortcutBlock(8, 8, 8)
    for last in (block.global_offset[-1], block.local_offset[-1]):
        torch.nn.init.normal_(last.weight, std=0.1)
    inputs = [_random(1, 8, 8, 8, seed=i) for i in range(3)]
    f_t, aligned = block.align(*inputs)
    (f_t.square().sum() + aligned.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


def test_adabd_blends_by_its_mask():
    blend = AdaBD(4)
    now, reference = _random(1, 4, 6, 6), _random(1, 4, 6, 6, seed=1)
    zero, ones = torch.zeros(1, 18, 6, 6), torch.ones(1, 9, 6, 6)
    only_now = blend(now, reference, zero, ones)
    torch.testing.assert_close(only_now, F.conv2d(now, blend.weight, padding=1), rtol=1e-4, atol=1e-4)
    only_reference = blend(now, reference, zero, 0 * ones)
    torch.testing.assert_close(only_reference, blend.align(reference, zero), rtol=1e-4, atol=1e-4)


def test_negative_widths():
    with pytest.raises(SlimvidError, match="hidden is -4"):
        ShortcutBlock(8, 8, -4)

"""The Shortcut block: its parts, its counts, its ablations."""

import pytest
import torch
import torch.nn.functional as F

from slimvid.errors import SlimvidError
from slimvid.nets.shortcut import FORMS, AdaBD, HetConv, ShortcutBlock, offset_generator


def random(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def parameters(c: int, c_a: int, h: int) -> int:
    """The published count's closed form: the deformable convolutions' weights are not in it."""
    overall = c * h + h + c_a * h + h + h * c + c
    coarse = 3.5 * (2 * c_a * h + h * h) + 6 * h + 2 * h + 2
    fine = 3.5 * (2 * h * h + 2 * h * h) + 9 * h + 27 * h + 27
    return int(overall + coarse + fine)


@pytest.mark.parametrize("widths", [(128, 128, 64), (64, 64, 64), (256, 256, 64), (256, 512, 128)])
def test_parameters_are_the_published_ones_and_the_deformable_weights(widths):
    c, c_a, h = widths
    with torch.device("meta"):
        block = ShortcutBlock(c_a, c, h)
    assert sum(p.numel() for p in block.parameters()) == parameters(c, c_a, h) + 2 * 9 * h * h


def test_recyclegan_at_the_paper_touches_0_323232_million_parameters():
    encoder = (3 * 49 + 1) * 64 + (64 * 9 + 1) * 128  # Conv7 3-64, Conv3 64-128
    decoder = 128 * 64 * 9 + 64 + (64 * 49 + 1) * 3  # transposed Conv3 128-64, Conv7 64-3
    assert encoder + decoder + parameters(128, 128, 64) == 323232


def test_hetconv_is_spatial_plus_point_minus_overlap_with_3_5_weights_a_pair():
    net = HetConv(8, 12)
    assert sum(p.numel() for p in net.parameters()) == 3.5 * 8 * 12 + 3 * 12
    x = random(1, 8, 5, 5)
    torch.testing.assert_close(net(x), net.spatial(x) + net.point(x) - net.overlap(x))
    with pytest.raises(SlimvidError, match="multiples of 4"):
        HetConv(6, 8)


def test_offset_generators_start_at_zero_offsets_and_half_masks():
    block = ShortcutBlock(8, 4, 8)
    a, f = random(1, 8, 6, 6), random(1, 4, 6, 6, seed=1)
    fields = block.fields(block.reference(a, f), a)
    assert fields.offset.abs().max() == 0 and torch.equal(fields.mask, torch.full_like(fields.mask, 0.5))
    assert len(offset_generator(8, 8, 2, layers=2)) == 5


def awake(block):
    """The block with weights, offsets and masks far from where they start (gain 0.02, offsets 0)."""
    for layer in block.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return block


def by_the_paper(block, a_ref, a_t, f_ref):
    """Eq. 4 and 6 written down with torchvision's operation: nothing shared, nothing kept."""
    from torchvision.ops import deform_conv2d

    def half(x):
        return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)

    def double(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    offset = block.global_offset(torch.cat([half(a_t), half(a_ref)], 1)).repeat(1, 9, 1, 1)
    coarse = block.coarse_weight
    moved_a, moved_f = (
        double(deform_conv2d(half(x), offset, coarse, padding=1))
        for x in (block.reduce_a(a_ref), block.reduce_f(f_ref))
    )
    now = block.reduce_a(a_t)
    fine = block.local_offset(torch.cat([now, moved_a], 1))
    offset, mask, weight = fine[:, :18], fine[:, 18:].sigmoid(), block.blend.weight
    blended = deform_conv2d(now, torch.zeros_like(offset), weight, padding=1, mask=mask)
    blended = blended + deform_conv2d(moved_f, offset, weight, padding=1, mask=1 - mask)
    return block.reconstruct(blended), block.reconstruct(deform_conv2d(moved_f, offset, weight, padding=1))


def test_block_is_the_papers_equations():
    torch.manual_seed(0)
    block = awake(ShortcutBlock(8, 12, 8))
    a_ref, a_t, f_ref = random(2, 8, 8, 12), random(2, 8, 8, 12, seed=1), random(2, 12, 8, 12, seed=2)
    f_t, aligned = block.align(a_ref, a_t, f_ref)
    fields = block.fields(block.reference(a_ref, f_ref), a_t)
    assert fields.offset.abs().max() > 0.1 and fields.mask.std() > 0.01
    expected, expected_aligned = by_the_paper(block, a_ref, a_t, f_ref)
    torch.testing.assert_close(f_t, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(aligned, expected_aligned, rtol=1e-4, atol=1e-5)


def test_a_kept_reference_serves_every_frame():
    torch.manual_seed(0)
    block = awake(ShortcutBlock(8, 12, 8))
    a_ref, f_ref = random(1, 8, 8, 12), random(1, 12, 8, 12, seed=2)
    kept = block.reference(a_ref, f_ref)
    for seed in (3, 4):
        a_t = random(1, 8, 8, 12, seed=seed)
        assert torch.equal(block.predict(kept, a_t), block(a_ref, a_t, f_ref))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (1, 2)])
def test_every_form_keeps_the_size_and_is_deterministic(size, form):
    torch.manual_seed(0)
    block = awake(ShortcutBlock(8, 12, 4, form=form))
    inputs = random(2, 8, *size), random(2, 8, *size, seed=1), random(2, 12, *size, seed=2)
    first = block(*inputs)
    assert first.shape == (2, 12, *size)
    assert torch.equal(first, block(*inputs))
    f_t, aligned = block.align(*inputs)
    torch.testing.assert_close(f_t, first)
    assert (aligned is None) == (form == "without_reference")


def test_what_a_form_leaves_out_has_no_influence():
    torch.manual_seed(0)
    a_ref, a_t, f_ref = random(1, 8, 8, 8), random(1, 8, 8, 8, seed=1), random(1, 8, 8, 8, seed=2)
    without = ShortcutBlock(8, 8, 8, form="without_reference")
    assert torch.equal(without(a_ref, a_t, f_ref), without(a_t, a_t, 0 * f_ref))
    still = ShortcutBlock(8, 8, 8, form="without_current")  # its offsets start at zero
    assert torch.equal(still(a_ref, a_t, f_ref), still(a_ref, a_ref, f_ref))
    full = ShortcutBlock(8, 8, 8)
    assert not torch.equal(full(a_ref, a_t, f_ref), full(a_ref, a_ref, f_ref))
    assert not torch.equal(full(a_ref, a_t, f_ref), full(a_ref, a_t, 0 * f_ref))


@pytest.mark.parametrize("form", FORMS)
def test_every_weight_learns(form):
    torch.manual_seed(0)
    block = awake(ShortcutBlock(8, 8, 8, form=form))
    f_t, aligned = block.align(*(random(1, 8, 8, 8, seed=i) for i in range(3)))
    (f_t.square().sum() + (0 if aligned is None else aligned.square().sum())).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


def test_local_offsets_do_not_move_the_coarse_alignment():
    torch.manual_seed(0)
    block = awake(ShortcutBlock(8, 8, 8))
    a_ref, a_t, f_ref = (random(1, 8, 8, 8, seed=i) for i in range(3))
    fields = block.fields(block.reference(a_ref, f_ref), a_t)
    fields.offset.square().sum().backward()
    assert block.global_offset[-1].weight.grad is None and block.local_offset[-1].weight.grad is not None


def test_adabd_blends_by_its_mask():
    blend = AdaBD(4)
    now, reference = random(1, 4, 6, 6), random(1, 4, 6, 6, seed=1)
    zero, ones = torch.zeros(1, 18, 6, 6), torch.ones(1, 9, 6, 6)
    only_now = blend(now, reference, zero, ones)
    torch.testing.assert_close(only_now, F.conv2d(now, blend.weight, padding=1), rtol=1e-4, atol=1e-5)
    only_reference = blend(now, reference, zero, 0 * ones)
    torch.testing.assert_close(only_reference, blend.align(reference, zero), rtol=1e-4, atol=1e-5)


def test_widths_and_forms_that_cannot_be():
    with pytest.raises(SlimvidError, match="hidden is -4"):
        ShortcutBlock(8, 8, -4)
    with pytest.raises(SlimvidError, match="form 'half'"):
        ShortcutBlock(8, 8, 8, form="half")


@pytest.mark.parametrize("form", FORMS)
def test_a_fitted_block_begins_where_least_squares_end(form):
    """Features that the encoder's determine pixel by pixel, at full width: it starts by giving them."""
    torch.manual_seed(0)
    a = torch.rand(4, 8, 8, 12)
    mix = torch.randn(8, 8)
    f = torch.einsum("oc,nchw->nohw", mix, a) + 5
    block = ShortcutBlock(8, 8, 8, form=form)
    block.fit(a, f)
    got, aligned = block.align(a[:1], a[:1], f[:1])
    error = ((got - f[:1]).abs().mean() / (f - f.mean()).abs().mean()).item()
    if form == "without_blending":  # the sum of both sources, by its definition
        return
    blurred = form in ("full", "without_current")  # halved and doubled on the way
    assert error < (0.7 if blurred else 0.01)
    if form in ("sharp", "single_stage"):
        torch.testing.assert_close(aligned, f[:1], rtol=1e-2, atol=0.05)


@pytest.mark.parametrize("hidden", [4, 8, 12])
def test_a_fitted_sharp_block_copies_what_its_width_cannot_hold(hidden):
    torch.manual_seed(0)
    a, f = torch.rand(2, 8, 8, 12), torch.rand(2, 8, 8, 12)
    block = ShortcutBlock(8, 8, hidden, form="sharp")
    block.fit(a, f)
    f_t = block(a[:1], a[:1], f[:1])
    assert (f_t - f[:1]).abs().mean() < 0.15 * (f[:1] - f.mean()).abs().mean()


def test_a_sharp_block_keeps_full_size_and_moves_it_by_whole_pixels():
    torch.manual_seed(0)
    block = ShortcutBlock(8, 8, 8, form="sharp")
    a, f = torch.rand(1, 8, 8, 12), torch.rand(1, 8, 8, 12)
    block.fit(a, f)
    block.local_offset[-1].bias.data[18:] = -30  # nothing of the current frame
    block.global_offset[-1].bias.data[:] = torch.tensor([0.0, 0.5])  # half a pixel there is one here
    got = block(a, a, f)
    torch.testing.assert_close(got[..., 1:-2], f[..., 2:-1], rtol=1e-2, atol=0.02)

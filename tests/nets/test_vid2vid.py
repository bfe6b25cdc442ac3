"""vid2vid's generator and discriminators: the papers' sizes, shapes, state."""

import pytest
import torch

from slimvid import nets
from slimvid.errors import SlimvidError
from slimvid.nets.discriminators import MultiScaleDiscriminator, temporal_discriminator
from slimvid.nets.vid2vid import CompositeGenerator


def parameters(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("spec", "count"),
    [  # vid2vid and Fast-Vid2Vid: Table 1's networks, counted on the public definitions
        ({"condition_channels": 15}, 364_996_230),
        ({"condition_channels": 36, "foreground": [26]}, 411_335_241),
        ({"condition_channels": 6}, 364_826_886),
        ({"condition_channels": 15, "decomposed": True, "low_demand": True}, 63_172_230),
        (
            {"condition_channels": 36, "foreground": [26], "decomposed": True, "low_demand": True},
            71_803_977,
        ),
        ({"condition_channels": 6, "decomposed": True, "low_demand": True}, 63_002_886),
    ],
)
def test_full_size_generators_have_the_papers_parameters(spec, count):
    with torch.device("meta"):
        assert parameters(nets.build({"kind": "vid2vid", **spec})) == count


@pytest.mark.parametrize(
    ("net", "count"),
    [
        (lambda: MultiScaleDiscriminator(18, scales=3), 8_345_667),
        (lambda: temporal_discriminator(scales=3), 8_330_307),
        (lambda: MultiScaleDiscriminator(39, scales=2), 5_606_786),
        (lambda: temporal_discriminator(scales=2), 5_553_538),
    ],
)
def test_full_size_discriminators_have_vid2vids_parameters(net, count):
    with torch.device("meta"):
        assert parameters(net()) == count


@pytest.fixture
def small():
    torch.manual_seed(0)
    return CompositeGenerator(3, width=8, downs=2, blocks=3, foreground=[1], first_frame=True).eval()


def test_output_shapes_and_ranges(small):
    out = small(torch.rand(2, 9, 32, 48), torch.rand(2, 6, 32, 48))
    assert out.image.shape == out.raw.shape == out.warped.shape == (2, 3, 32, 48)
    assert out.flow.shape == (2, 2, 32, 48) and out.weight.shape == (2, 1, 32, 48)
    assert out.raw.abs().max() <= 1 and out.weight.min() >= 0 and out.weight.max() <= 1


def test_foreground_branch_draws_exactly_its_class(small):
    conditions, previous = torch.zeros(1, 9, 32, 32), torch.rand(1, 6, 32, 32)
    without = small(conditions, previous)
    conditions[:, 7, :16] = 1  # class 1 of the current frame, in the upper half
    drawn = small.foreground(conditions)
    out = small(conditions, previous)
    assert torch.equal(out.image[:, :, :16], drawn[:, :, :16])
    assert not torch.equal(out.image[:, :, 16:], drawn[:, :, 16:])
    assert without.image.shape == out.image.shape


def test_low_demand_student_draws_full_size_from_half(small):
    student = CompositeGenerator(3, width=8, downs=2, blocks=2, decomposed=True, low_demand=True).eval()
    sizes = []
    student.down_seg[0].register_forward_hook(lambda m, x, y: sizes.append(x[0].shape[2:]))
    out = student(torch.rand(1, 9, 32, 48), torch.rand(1, 6, 32, 48))
    assert out.image.shape == (1, 3, 32, 48) and sizes == [(16, 24)]


def test_rollout_pads_the_past_and_forgets_what_is_too_old(small):
    rollout = small.rollout(first="zero")
    seen = []
    small.register_forward_pre_hook(lambda m, args: seen.append(args))
    for value in (0.1, 0.2, 0.3, 0.4):
        out = rollout.step(torch.full((1, 3, 16, 16), value))
        rollout.push(torch.full((1, 3, 16, 16), value))
        assert out.image.shape == (1, 3, 16, 16)
    first, last = seen[0], seen[-1]
    assert first[0].unique().tolist() == pytest.approx([0.1]) and first[1].abs().max() == 0
    assert last[0][0, ::3, 0, 0].tolist() == pytest.approx([0.2, 0.3, 0.4])
    assert last[1][0, ::3, 0, 0].tolist() == pytest.approx([0.2, 0.3])


def test_a_clips_first_frame_is_raw_because_there_is_nothing_to_warp(small):
    rollout = small.rollout(first="zero")
    first = rollout.step(torch.rand(1, 3, 16, 16))
    assert torch.equal(first.image, first.raw)
    rollout.push(first.image)
    second = rollout.step(torch.rand(1, 3, 16, 16))
    assert not torch.equal(second.image, second.raw)


def test_first_frame_generator_draws_the_first_frame_only(small):
    rollout = small.rollout(first="generator")
    condition = torch.rand(1, 3, 16, 16)
    first = rollout.step(condition).image
    assert torch.equal(first, small.draw_first(condition))
    rollout.push(first)
    assert not torch.equal(rollout.step(condition).image, first)


def test_sizes_and_arguments_are_checked(small):
    with pytest.raises(SlimvidError, match=r"30x32.*multiples of 4"):
        small.check_size(30, 32)
    with pytest.raises(SlimvidError, match="width is -1"):
        CompositeGenerator(3, width=-1)
    with pytest.raises(SlimvidError, match="kind 'vid3vid'"):
        nets.build({"kind": "vid3vid"})
    with pytest.raises(SlimvidError, match="spec of kind 'vid2vid'"):
        nets.build({"kind": "vid2vid", "condition_channels": 3, "colour": "red"})


def test_eval_does_not_depend_on_the_batch(small):
    conditions, previous = torch.rand(3, 9, 16, 16), torch.rand(3, 6, 16, 16)
    together = small(conditions, previous).image
    alone = torch.cat([small(c[None], p[None]).image for c, p in zip(conditions, previous, strict=True)])
    assert torch.allclose(together, alone, atol=1e-5)


def gradients(net, conditions, previous):
    """The gradient of a fixed random mix of all outputs in the previous frames' encoder."""
    net.zero_grad()
    out = net(conditions, previous)
    mix = [torch.randn(x.shape, generator=torch.Generator().manual_seed(3)).to(x) for x in out]
    sum((x * m).sum() for x, m in zip(out, mix, strict=True)).backward()
    return [p.grad.clone() for p in net.down_img.parameters()]


def made(norm: str) -> CompositeGenerator:
    torch.manual_seed(5)
    return CompositeGenerator(condition_channels=2, width=8, downs=2, blocks=2, norm=norm)


def test_a_past_of_zeros_gives_no_gradient_through_instance_norm():
    """Its maps are constant: the norms would make 10^6 of the rounding errors of a gradient that is 0."""
    net = made("instance")
    conditions, past = torch.rand(2, 6, 32, 32), torch.rand(2, 6, 32, 32)
    assert all(g.abs().max() == 0 for g in gradients(net, conditions, torch.zeros_like(past)))
    assert all(g.isfinite().all() for g in gradients(net, conditions, past))
    assert sum(g.abs().sum() for g in gradients(net, conditions, past)) > 0
    assert all(p.grad.isfinite().all() for p in net.down_seg.parameters())


def test_a_clip_with_a_past_learns_from_it_beside_one_without():
    net = made("instance").double()
    conditions, past = torch.rand(2, 6, 32, 32).double(), torch.rand(2, 6, 32, 32).double()
    past[0] = 0
    out = net(conditions, past)
    both = torch.autograd.grad(out.image[1].sum() + out.raw[0].sum(), list(net.down_img.parameters()))
    alone = torch.autograd.grad(net(conditions[1:], past[1:]).image.sum(), list(net.down_img.parameters()))
    assert all(torch.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in zip(both, alone, strict=True))


def test_a_past_of_zeros_gives_its_true_gradient_through_batch_norm():
    """Biases and the zeros beyond the border: the maps are not constant. Held against finite differences."""
    net = made("batch").double()
    conditions, zeros = torch.rand(2, 6, 32, 32).double(), torch.zeros(2, 6, 32, 32).double()
    with torch.no_grad():
        for module in net.down_img.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.uniform_(-0.5, 0.5)
    for parameter in net.down_img.parameters():
        if parameter.dim() == 4:  # a convolution's weight, early or late
            direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).double()
            (gradient,) = torch.autograd.grad(net(conditions, zeros).raw.square().sum(), parameter)
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.add_(direction, alpha=sign * 1e-8)
                    values.append(float(net(conditions, zeros).raw.square().sum()))
                    parameter.add_(direction, alpha=-sign * 1e-8)
            numeric = (values[0] - values[1]) / 2e-8
            assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_forward_asks_nothing_of_the_data():
    """A question would wait for a GPU, and keep the network from being exported."""
    for norm in ("instance", "batch"):
        with torch.device("meta"):
            net = CompositeGenerator(condition_channels=2, width=8, downs=2, blocks=2, norm=norm)
        assert net(*net.example_inputs(32, 32)).image.shape == (1, 3, 32, 32)
        assert net.rollout().step(torch.zeros(1, 2, 32, 32, device="meta")).image.shape == (1, 3, 32, 32)

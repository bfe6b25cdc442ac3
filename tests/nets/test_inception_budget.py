"""CAT's budget search: closed form against built networks, and against a search that prunes and counts."""

import pytest
import torch
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import price
from slimvid.measure.trace import shapes_only, trace
from slimvid.nets import build
from slimvid.nets.inception import inception_spec
from slimvid.nets.inception_budget import (
    inception_macs,
    inception_spade_macs,
    prune_generator,
    prune_spade,
)
from slimvid.nets.inception_spade import inception_spade_spec
from slimvid.nets.spade import STREAM


def _counted(spec, convention, size):
    with shapes_only():
        net = build(spec)
    return price(trace(net, *net.example_inputs(*size)), convention).macs


def _spade_spec(width, widths, spades):
    stream = [16 * width] + [m * width for m in STREAM]
    rows = zip(stream, stream[1:], widths, spades, strict=False)
    return {"kind": "inception_spade", "blocks": tuple(rows)}


def _teacher(spec, deviation=0.02):
    """A full-size teacher with random scales: all that the search looks at."""
    net = build(spec)
    generator = torch.Generator().manual_seed(0)
    for norm in net.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.InstanceNorm2d)) and norm.affine:
            nn.init.normal_(norm.weight, 1.0, deviation, generator=generator)
    return net


STEM, UP = (7, 18, 20), (9, 5)
ROWS = ((3, 0, 5, 1, 2, 0), (0, 0, 0, 0, 0, 0), (4, 4, 4, 4, 4, 4))


@pytest.mark.parametrize(("norm", "norms"), [("instance_affine", True), ("batch", False)])
def test_closed_form_of_a_pruned_generator(norm, norms):
    spec = {"kind": "inception", "stem": STEM, "widths": ROWS, "up": UP, "norm": norm}
    counted = _counted(spec, "torchprofile-0.0.1", (64, 96))
    assert inception_macs(STEM, ROWS, UP, height=64, width=96, norms=norms) == counted


def test_closed_form_of_a_pruned_spade():
    widths = [(3, 0, 2, 1, 0, 5)] * 3 + [(0,) * 6, (1, 2, 3, 4, 5, 6), (2,) * 6, (0, 0, 1, 0, 0, 0)]
    spades = [(2, 1, 0, 0, 3, 1)] * 5 + [(0,) * 6, (1,) * 6]
    counted = _counted(_spade_spec(16, widths, spades), "conv-only", (128, 192))
    assert inception_spade_macs(16, widths, spades, height=128, pixels_wide=192) == counted


@pytest.mark.parametrize(
    ("spec", "convention", "size", "macs"),
    [
        (inception_spec(), "conv-only", (256, 256), 43_490_402_304),
        (inception_spec(), "torchprofile-0.0.1", (256, 256), 43_527_405_568),
        (inception_spade_spec(), "conv-only", (256, 512), 109_773_614_880),
    ],
)
def test_teachers_of_the_paper(spec, convention, size, macs):
    assert _counted(spec, convention, size) == macs


def test_arithmetic_search_ends_where_pruning_and_counting_ends():
    net, target = _teacher(inception_spec()), 2.6e9

    def pruned(**widths):
        return _counted({"kind": "inception", **widths}, "torchprofile-0.0.1", (256, 256))

    fast, slow = prune_generator(net, target), prune_generator(net, target, macs_of=pruned)
    assert fast == slow
    assert 0.9 * target < fast.macs <= target


def test_arithmetic_search_of_spade_ends_where_pruning_and_counting_ends():
    with shapes_only():
        shape = build(inception_spade_spec())
    net = shape.to_empty(device="cpu")  # the convolutions' values do not matter
    generator = torch.Generator().manual_seed(0)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.normal_(norm.weight, 1.0, 0.3, generator=generator)

    def pruned(**widths):
        return _counted(_spade_spec(**widths), "conv-only", (256, 512))

    fast, slow = prune_spade(net, 3e10), prune_spade(net, 3e10, macs_of=pruned)
    assert fast == slow
    assert 0.9 * 3e10 < fast.macs <= 3e10
    assert 16 <= fast.widths["width"] <= 64


def test_equal_scales_prune_to_the_floor():
    net = _teacher(inception_spec(), deviation=0.0)
    choice = prune_generator(net, 2.6e9)
    assert choice.widths == {"stem": (16, 16, 16), "widths": ((0,) * 6,) * 9, "up": (16, 16)}
    assert round(choice.macs / 1e9, 3) == 0.547


def test_a_target_below_the_floor_is_refused():
    with pytest.raises(SlimvidError, match="floor"):
        prune_generator(_teacher(inception_spec(12, blocks=1)), 1e6)


def test_a_target_above_the_whole_keeps_nearly_everything():
    net = _teacher(inception_spec(12, blocks=2))
    whole = inception_macs((12, 24, 48), ((8,) * 6,) * 2, (24, 12), norms=True)
    choice = prune_generator(net, 1e12)
    assert 0.9 * whole < choice.macs < whole


def test_the_search_starts_from_a_teacher():
    pruned = {**inception_spec(12, blocks=1), "widths": ((8, 8, 0, 8, 8, 8),)}
    with pytest.raises(SlimvidError, match="5 branches"):
        prune_generator(build(pruned), 1e9)

"""Closed forms against counts of built networks, and the search spaces against the published sizes."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import price
from slimvid.measure.trace import shapes_only, trace
from slimvid.nets import build
from slimvid.nets.arithmetic import SPACES, mobile_resnet, mobile_spade, space
from slimvid.nets.resnet import subnet_spec
from slimvid.nets.spade import spade_subnet_spec

CONVENTIONS = ("conv-only", "torchprofile-0.0.1", "true")


def _agree(tally, spec, height, width):
    with shapes_only():
        net = build(spec)
    facts = trace(net, *net.example_inputs(height, width))
    assert {c: tally.macs(c) for c in CONVENTIONS} == {c: price(facts, c).macs for c in CONVENTIONS}
    assert tally.params == price(facts).params


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ("16_16_32_16_32_32_16_16", (256, 256)),
        ("64_56_48_40_32_24_16_64", (64, 128)),
        ("3_5_7_2_9_4_6_1", (20, 36)),
    ],
)
def test_mobile_resnet_agrees_with_the_built_network(config, size):
    tally = mobile_resnet([int(x) for x in config.split("_")], height=size[0], width=size[1])
    _agree(tally, subnet_spec(config), *size)


@pytest.mark.parametrize(
    ("config", "extra", "size"),
    [
        ("32_40_40_32_40_24_32_24", {}, (256, 512)),
        ("48_48_32_40_24_32_48_24", {"condition_channels": 5}, (128, 256)),
        ("40_32_32_40_32_40_24_24", {"condition_channels": 184, "more": False}, (256, 256)),
    ],
)
def test_mobile_spade_agrees_with_the_built_network(config, extra, size):
    known = {"condition": extra.get("condition_channels", 36), "more": extra.get("more", True)}
    tally = mobile_spade([int(x) for x in config.split("_")], height=size[0], width=size[1], **known)
    _agree(tally, spade_subnet_spec(config, **extra), *size)


@pytest.mark.parametrize(
    ("name", "size", "least", "most"),
    [
        ("channels-48", 5_184, "3.289", "10.603"),
        ("channels-32", 6_561, "1.421", "4.955"),
        ("channels-64-cycleGAN", 390_625, "1.421", "18.366"),
        ("channels-64-pix2pix", 5_764_801, "1.421", "18.366"),
        ("spade-channels-48", 15_552, "26.110", "71.217"),
        ("spade-channels-64", 128_000, "26.110", "118.817"),
    ],
)
def test_sizes_and_ranges_of_the_spaces(name, size, least, most):
    found = space(name)
    macs = found.tally().macs("torchprofile-0.0.1")
    assert found.size == len(macs) == size
    assert (f"{macs.min() / 1e9:.3f}", f"{macs.max() / 1e9:.3f}") == (least, most)


@pytest.mark.parametrize(
    ("name", "budget", "count"),
    [
        ("channels-64-cycleGAN", 3.0e9, 19_640),
        ("channels-64-pix2pix", 4.6e9, 753_295),
        ("channels-64-pix2pix", 4.9e9, 954_933),
        ("channels-64-pix2pix", 5.7e9, 1_566_657),
    ],
)
def test_configurations_within_the_budgets_of_the_fast_searches(name, budget, count):
    assert space(name).within(budget) == count


def test_order_of_the_tally_is_the_order_of_the_configurations():
    found = SPACES["channels-48"]
    macs = found.tally().macs("torchprofile-0.0.1")
    for i, config in enumerate(found):
        if i % 701 == 0:
            assert macs[i] == mobile_resnet(config).macs("torchprofile-0.0.1")
    several = np.array(list(found)[:50]).T  # arrays of configurations work as well as axes
    assert np.array_equal(mobile_resnet(several).macs("torchprofile-0.0.1"), macs[:50])


@pytest.mark.parametrize(
    ("config", "macs"),
    [
        ("32_32_48_32_48_48_16_16", 4_993_843_200),
        ("16_16_32_16_16_64_16_24", 2_984_771_584),
        ("16_16_16_48_64_64_24_16", 2_597_322_752),
    ],
)
def test_three_published_integers(config, macs):
    assert mobile_resnet([int(x) for x in config.split("_")]).macs("torchprofile-0.0.1") == macs


def test_unknown_names():
    with pytest.raises(SlimvidError, match="channels-48"):
        space("channels-16")
    with pytest.raises(SlimvidError, match="no closed form"):
        mobile_resnet((16,) * 8).macs("thop")

"""A once-for-all network at a configuration is that configuration's plain network; costs are the counts."""

import json

import numpy as np
import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.measure.cost import translator_cost
from slimvid.measure.trace import shapes_only
from slimvid.nets import build
from slimvid.nets.arithmetic import SPACES
from slimvid.nets.channel_space import SIZE, ChannelSpace, positions, text
from slimvid.nets.elastic import Elastic
from slimvid.nets.resnet import resnet_spec, subnet_spec
from slimvid.nets.slicing import first_channels, sub_network
from slimvid.nets.spade import spade_spec, spade_subnet_spec

VIDEO = {
    **{"kind": "vid2vid", "condition_channels": 3, "past": 2, "width": 8, "downs": 2, "blocks": 3},
    **{"norm": "instance", "foreground": [], "first_frame": False},
}
BRANCHES = {**VIDEO, "downs": 3, "blocks": 2, "norm": "batch", "foreground": [1], "first_frame": True}
ORIGINALS = {
    "vid2vid": VIDEO,
    "vid2vid with branches": BRANCHES,
    "resnet": resnet_spec(8, blocks=4, in_channels=3),
    "resnet batch": resnet_spec(8, blocks=2, norm="batch"),
    "spade": spade_spec(8, condition_channels=3, more=False),
}


@pytest.fixture(params=ORIGINALS)
def original(request):
    return json.loads(json.dumps(ORIGINALS[request.param]))  # as an artifact keeps it


@pytest.fixture
def space(original):
    count = len(positions(original))
    return ChannelSpace(original, [(8, 4, 6), (6, 2)] * (count // 2) + [(4, 2)] * (count % 2))


def configs(space, count):
    rng = np.random.default_rng(5)
    return [space.largest, space.smallest, *(space.sample(rng) for _ in range(count))]


def filled(spec):
    """A network with random weights and running statistics."""
    net, generator = build(spec), torch.Generator().manual_seed(1)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if name.endswith("running_var") else noise * 0.2)
    return net


def fitting(kind, size):
    """A size that a kind of network can draw: a SPADE begins at a 32nd of it, with two pixels a side."""
    return tuple(4 * pixels for pixels in size) if kind == "spade" else size


def outputs(net):
    size = fitting(net.spec["kind"], (24, 16))
    generator = torch.Generator().manual_seed(2)
    shapes = [x.shape for x in net.example_inputs(*size)]
    given = [torch.rand((2, *shape[1:]), generator=generator) for shape in shapes]
    out = net(*given)
    drawn = [out] if isinstance(out, torch.Tensor) else list(out)
    if getattr(net, "first_frame", None) is not None:
        drawn.append(net.draw_first(given[0][:, :3]))
    return drawn


@torch.no_grad()
def test_a_configuration_draws_what_its_plain_network_draws(space):
    net = filled(space.spec(space.largest))
    plain = {name: t.clone() for name, t in net.state_dict().items()}
    elastic = Elastic(net.eval(), space)
    seen = set()
    for config in configs(space, 12):
        part = sub_network(net.state_dict(), space.spec(config)).eval()
        elastic.choose(config)
        wanted = outputs(part)
        for own, theirs in zip(outputs(net), wanted, strict=True):
            assert torch.equal(own, theirs)
        seen.add(wanted[0].sum().item())
    assert len(seen) > 10  # they are different networks
    assert all(torch.equal(t, plain[name]) for name, t in net.state_dict().items())


def test_a_step_learns_what_the_plain_network_would(space):
    """Gradients in the part that a configuration uses are the plain network's, all others are 0."""
    net = filled(space.spec(space.largest)).train()
    config = configs(space, 3)[-1]
    part = sub_network(net.state_dict(), space.spec(config)).train()
    elastic = Elastic(net, space)
    elastic.choose(config)
    for each in (net, part):
        sum(out.square().mean() for out in outputs(each)).backward()
    wanted = dict(part.named_parameters())
    assert set(wanted) == {name for name, _ in net.named_parameters()}
    for name, parameter in net.named_parameters():
        expected = torch.zeros_like(parameter)
        expected[tuple(slice(size) for size in wanted[name].shape)] = wanted[name].grad
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-5, atol=1e-7)
    statistics = first_channels(net.state_dict(), part)
    for name, buffer in part.named_buffers():
        if name.endswith(("mean", "var")):
            assert torch.equal(statistics[name], buffer), name


def test_a_step_copies_no_weight(space):
    net = build(space.spec(space.largest))
    pointers = {name: p.data_ptr() for name, p in net.named_parameters()}
    elastic = Elastic(net, space)
    before = [id(m) for m in net.modules()]
    elastic.choose(space.smallest)
    outputs(net)
    assert [id(m) for m in net.modules()] == before
    assert {name: p.data_ptr() for name, p in net.named_parameters()} == pointers


@pytest.mark.parametrize("size", [(64, 64), (16, 40)])
def test_the_cost_of_a_configuration_is_its_networks_to_the_unit(space, original, size):
    found = configs(space, 5)
    macs, size = space.macs(found), fitting(original["kind"], size)
    assert macs.dtype == np.int64
    pixels = size[0] * size[1]
    for config, own in zip(found, macs.tolist(), strict=True):
        with shapes_only():
            net = build(space.spec(config))
        counted = translator_cost(net, height=size[0], width=size[1]).macs_per_generated_frame
        assert counted * SIZE**2 == own * pixels
    with shapes_only():
        net = build(original)
    whole = translator_cost(net, height=SIZE, width=SIZE).macs_per_generated_frame
    assert whole == space.original_macs
    np.testing.assert_array_equal(space.share(found), macs / whole)


def test_the_releases_configurations_are_these():
    """The three published integers pin the order of the numbers (gan-compression, configs and issue 97)."""
    original = resnet_spec(64)
    space = ChannelSpace(original, SPACES["channels-64-pix2pix"].candidates)
    assert [p.name for p in space.positions] == ["c0", "c1", "c2", "m1", "m2", "m3", "u0", "u1"]
    for string in ("32_32_48_32_48_48_16_16", "16_16_32_16_16_64_16_24"):
        config = tuple(map(int, string.split("_")))
        assert text(config) == string
        own = space.spec(config)
        assert {**subnet_spec(string), "norm": "instance"} == {**own, "norm": "instance"}
    tally = SPACES["channels-48"].tally().true
    small = ChannelSpace(original, SPACES["channels-48"].candidates)
    assert small.size == 5184 and small.largest == (48,) * 8
    np.testing.assert_array_equal(small.macs(list(SPACES["channels-48"])) * (256 // SIZE) ** 2, tally)


def test_the_releases_configurations_of_gaugan_are_these():
    own = SPACES["spade-channels-48"]
    space = ChannelSpace(spade_spec(64), own.candidates)
    string = "32_32_48_32_32_32_32_24"
    assert space.spec(tuple(map(int, string.split("_")))) == spade_subnet_spec(string)
    np.testing.assert_array_equal(space.macs(list(own)) * (256 * 512 // SIZE**2), own.tally().true)


def test_numbers_are_drawn_uniformly_and_by_themselves():
    space = ChannelSpace(VIDEO, [(8, 6, 4)] * 10)
    rng = np.random.default_rng(0)
    drawn = np.array([space.sample(rng) for _ in range(3000)])
    for number in (8, 6, 4):
        assert np.abs((drawn == number).mean(0) - 1 / 3).max() < 0.03
    together = np.corrcoef(drawn.T) - np.eye(10)
    assert np.abs(together).max() < 0.08


def test_what_cannot_be_is_one_line():
    with pytest.raises(SlimvidError, match="kind 'unet'"):
        positions({"kind": "unet"})
    with pytest.raises(SlimvidError, match="9 lists of widths for 10 positions"):
        ChannelSpace(VIDEO, [(4,)] * 9)
    with pytest.raises(SlimvidError, match="position c1 may have no width"):
        ChannelSpace(VIDEO, [(4,), ()] + [(4,)] * 8)


def test_blocks_of_few_share_a_number_each():
    few = resnet_spec(8, blocks=1)
    assert [p.name for p in positions(few)] == ["c0", "c1", "c2", "m1", "u0", "u1"]
    spec = ChannelSpace(few, [(8, 4)] * 6).spec((8, 8, 8, 4, 8, 8))
    assert spec["inner"] == (16,)

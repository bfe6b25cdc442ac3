"""Removing channels: which belong together, whose weights are left; where nothing goes, nothing changes."""

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.nets.pruning import outgoing, pruned, streams, strongest
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.spade import spade_spec

SPADE = {"condition_channels": 3, "more": False}
VID2VID = {"kind": "vid2vid", "condition_channels": 3, "width": 8, "downs": 2, "blocks": 5}
SPECS = {
    "vid2vid": (VID2VID, {**VID2VID, "width": 4}),
    "three down-samplings, all branches": (
        VID2VID | {"downs": 3, "foreground": [1], "first_frame": True},
        VID2VID | {"downs": 3, "foreground": [1], "first_frame": True, "width": 6},
    ),
    "instance": (VID2VID | {"norm": "instance"}, VID2VID | {"norm": "instance", "width": 2}),
    "decomposed": (VID2VID | {"decomposed": True}, VID2VID | {"decomposed": True, "width": 4}),
    "resnet": (resnet_spec(8, blocks=2), resnet_spec(4, blocks=2)),
    "separable": (
        resnet_spec(8, blocks=2, separable=("down", "blocks", "up")),
        resnet_spec(4, blocks=2, separable=("down", "blocks", "up")),
    ),
    "affine": (
        resnet_spec(8, blocks=2, norm="instance_affine"),
        resnet_spec(6, blocks=2, norm="instance_affine"),
    ),
    "spade": (spade_spec(4, **SPADE), spade_spec(2, **SPADE)),
    "separable spade": (spade_spec(4, separable=True, **SPADE), spade_spec(2, separable=True, **SPADE)),
}


@pytest.fixture(params=SPECS)
def pair(request):
    """A network whose statistics and biases are not those that it was made with, and a narrower one."""
    torch.manual_seed(0)
    whole, small = (build(spec) for spec in SPECS[request.param])
    for tensor in whole.state_dict().values():
        if tensor.dim() == 1:
            tensor.copy_(torch.rand_like(tensor) + 0.1)
    return whole.eval(), small.eval()


def drawn(net, seed=1):
    torch.manual_seed(seed)
    with torch.no_grad():
        out = net(*(torch.rand_like(x) for x in net.example_inputs(64, 64, "cpu")))
    return out if torch.is_tensor(out) else torch.cat(tuple(out), 1)


def chosen(whole, small, seed=2):
    """Random channels of the whole network, as many as the small one has."""
    generator, found = torch.Generator().manual_seed(seed), streams(whole)
    counts = [(s.channels(whole.state_dict()), s.channels(small.state_dict())) for s in found]
    return found, [strongest(torch.rand(many, generator=generator), few) for many, few in counts]


def all_of(stream):
    return (*stream.written, *stream.scaled, *stream.read)


def test_all_hidden_channels_are_in_one_stream_and_no_others(pair):
    """Each dimension of each tensor once; what a network reads and draws, never."""
    whole, small = pair
    places = [p for stream in streams(whole) for p in all_of(stream)]
    assert len(places) == len(set(places))
    shrunk = {
        (name, dim)
        for name, tensor in whole.state_dict().items()
        for dim in range(tensor.dim())
        if tensor.shape[dim] != small.state_dict()[name].shape[dim]
    }
    assert shrunk == set(places)
    for stream in streams(whole):
        state = whole.state_dict()
        assert len({state[name].shape[dim] for name, dim in all_of(stream)}) == 1


def test_with_every_channel_it_is_the_network_that_it_was(pair):
    whole, _ = pair
    found, kept = chosen(whole, whole)
    state = pruned(whole.state_dict(), found, kept)
    assert all(torch.equal(state[name], tensor) for name, tensor in whole.state_dict().items())
    other = build(whole.spec).eval()
    other.load_state_dict(state)
    assert torch.equal(drawn(other), drawn(whole))


def test_without_channels_that_nothing_reads_it_draws_the_same(pair):
    """Channels whose outgoing weights are zero can go: so each is taken out of all that it belongs to."""
    whole, small = pair
    found, kept = chosen(whole, small)
    state = whole.state_dict()
    for stream, channels in zip(found, kept, strict=True):
        gone = torch.ones(stream.channels(state), dtype=torch.bool)
        gone[channels] = False
        for name, dim in stream.read:
            state[name].transpose(0, dim)[gone] = 0
    small.load_state_dict(pruned(state, found, kept))
    assert torch.allclose(drawn(small), drawn(whole), atol=1e-4)
    small.load_state_dict(pruned(state, found, chosen(whole, small, seed=3)[1]))
    assert not torch.allclose(drawn(small), drawn(whole), atol=1e-4)


def test_the_residual_stream_of_vid2vid_is_one_across_its_branches():
    net = build(VID2VID)
    names = {name for name, _ in next(s for s in streams(net) if len(s.read) > 2).read}
    blocks = {f"{part}.body.1.weight" for part in ("down_seg.10", "down_img.10", "res_img.0", "res_flow.1")}
    assert blocks | {"up_img.0.weight", "up_flow.0.weight"} <= names
    moving = next(s for s in streams(net) if ("final_w.1.weight", 1) in s.read)
    assert ("final_flow.1.weight", 1) in moving.read and len(moving.read) == 2


def test_the_residual_stream_of_spade_ends_where_its_width_falls():
    net = build(spade_spec(4, **SPADE))
    found = streams(net)
    wide = found[0]  # fc's
    assert {name for name, _ in wide.read} == {
        *(f"blocks.{i}.conv_0.weight" for i in range(4)),
        "blocks.3.conv_s.weight",
    }
    assert ("blocks.2.conv_1.weight", 0) in wide.written and ("blocks.3.spade_s.beta.bias", 0) in wide.scaled
    last = next(stream for stream in found if ("last.weight", 1) in stream.read)
    made = {name for name, _ in last.written if name.endswith("weight")}
    assert made == {"blocks.6.conv_1.weight", "blocks.6.conv_s.weight"} and not last.scaled


def test_what_leads_out_of_a_channel_is_summed_over_all_that_read_it():
    net = build(VID2VID)
    found, state = streams(net), net.state_dict()
    for stream, norm in zip(found, outgoing(found, state), strict=True):
        parts = [state[name].transpose(0, dim)[1].double().abs().sum() for name, dim in stream.read]
        assert norm[1].item() == pytest.approx(sum(parts).item()) and len(norm) == stream.channels(state)


def test_of_equal_scores_the_first_stay_in_their_order():
    assert strongest(torch.tensor([1.0, 3, 1, 3, 0]), 3).tolist() == [0, 1, 3]


def test_a_network_that_cannot_be_followed_is_named():
    with torch.device("meta"):
        net = build({"kind": "unet"})
    with pytest.raises(SlimvidError, match="cannot follow the channels of a UnetGenerator"):
        streams(net)

"""Cuts: where they are, and that a translator in two parts is the translator."""

import pytest
import torch
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.nets.cuts import CutPoint, attach, find
from slimvid.nets.framewise import FrameWise
from slimvid.nets.inception import inception_spec
from slimvid.nets.inception_vid2vid import inception_vid2vid_spec
from slimvid.nets.resnet import resnet_spec

VID2VID = {"kind": "vid2vid", "condition_channels": 4, "width": 4, "downs": 2, "blocks": 2, "foreground": [2]}
SPECS = {
    "recyclegan": resnet_spec(4, blocks=6),
    "mobile": resnet_spec(4, blocks=9, separable=("blocks",)),
    "inception": inception_spec(6, blocks=2),
    "vid2vid": VID2VID,
    "fast_vid2vid": VID2VID | {"downs": 3, "decomposed": True, "low_demand": True},
    "pruned": {  # every part has widths of its own
        **inception_vid2vid_spec(
            VID2VID | {"width": 12, "norm": "instance", "past": 2, "first_frame": False}
        ),
        "widths": {
            "conditions": {"stem": [5, 7, 11], "blocks": [[1] * 6]},
            "previous": {"stem": [4, 9, 11], "blocks": [[0] * 6]},
            "image": {"blocks": [[2, 0, 0, 0, 0, 3]], "up": [8, 6]},
            "flow": {"blocks": [], "up": [3, 2]},
            "foreground": {"stem": [2, 3, 4], "blocks": [[1] * 6], "up": [5, 4]},
        },
    },
}


def made(spec):
    torch.manual_seed(0)
    return build(spec).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "level", "indices"),
    [
        ("recyclegan", "low", (2, 20)),
        ("recyclegan", "medium", (5, 17)),  # the release's script
        ("recyclegan", "high", (10, 16)),
        ("mobile", "medium", (5, 20)),
        ("fast_vid2vid", "low", (5, 4)),
        ("fast_vid2vid", "medium", (8, 1)),
        ("fast_vid2vid", "high", (13, 0)),
        ("vid2vid", "medium", (5, 1)),
    ],
)
def test_levels_are_the_papers(name, level, indices):
    assert find(made(SPECS[name]), level)[:2] == indices


@pytest.mark.parametrize("level", ["low", "medium", "high"])
@pytest.mark.parametrize(
    ("name", "blended"), [*((name, False) for name in SPECS), ("vid2vid", True), ("pruned", True)]
)
def test_two_parts_are_the_whole(name, blended, level):
    net = made(SPECS[name])
    point = find(net, level, blended=blended)
    inputs = [torch.rand_like(x) for x in net.example_inputs(64, 48, device="cpu")]
    cut = attach(net, point)
    a = cut.encode(*inputs)
    assert a.shape[1] == point.encoder_channels and a.shape[2] == 64 // point.scale
    kept = a.clone()
    out, f = cut.complete(a, *inputs)
    assert f.shape[1] == point.decoder_channels and f.shape[2:] == a.shape[2:]
    assert torch.equal(a, kept)  # the reference must survive layers that write in place
    whole = net(*inputs)
    assert torch.equal(out.image, whole if isinstance(whole, torch.Tensor) else whole.image)
    kept = f.clone()
    drawn = cut.decode(f, *inputs).image
    shown = whole if isinstance(whole, torch.Tensor) else whole.image if blended else whole.raw
    assert torch.equal(drawn, shown)
    assert torch.equal(f, kept)


def test_a_cut_before_a_layer_that_writes_in_place_keeps_its_features():
    net = made(SPECS["recyclegan"])
    (x,) = net.example_inputs(16, 16, device="cpu")
    cut = attach(net, CutPoint(6, 18, 0, 0, 0))  # both right before a ReLU in place
    a = cut.encode(x + 0.3)
    kept = a.clone()
    out, f = cut.complete(a, x)
    assert torch.equal(a, kept) and (f < 0).any()
    assert torch.equal(out.image, net(x + 0.3))


class Headless(FrameWise, nn.Module):
    """A network that names no parts."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Conv2d(3, 3, 1)

    def example_inputs(self, height, width, device="meta"):
        return (torch.zeros(1, 3, height, width, device=device),)


@pytest.mark.parametrize(
    ("net", "where", "message"),
    [
        (
            SPECS["recyclegan"],
            (5, 16),
            r"cut \(5, 16\) of ResnetGenerator: .* differ in size \(32x32 and 16x16",
        ),
        (SPECS["recyclegan"], (17, 5), r"cut \(17, 5\) of ResnetGenerator: indices must rise, within its 25"),
        (VID2VID, (5, 4), r"cut \(5, 4\) of CompositeGenerator: .* differ in size \(32x32 and 64x64"),
        (None, "medium", "cut of Headless: it names no encoder and decoder"),
        (VID2VID | {"downs": 1}, "low", "cut 'low': a generator with 1 down-samplings has no such level"),
    ],
)
def test_cuts_that_cannot_be_are_named(net, where, message):
    with pytest.raises(SlimvidError, match=message):
        find(Headless() if net is None else made(net), where)

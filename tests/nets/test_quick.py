"""Quick forms: the same numbers, the same names."""

import pytest
import torch
from torch import nn

from slimvid.nets import build
from slimvid.nets.blocks import head
from slimvid.nets.inception import inception_spec
from slimvid.nets.inception_vid2vid import inception_vid2vid_spec
from slimvid.nets.quick import QuickInstanceNorm, ReflectionHead, quicken
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.shortcut_net import shortcut_spec

VID2VID = {"kind": "vid2vid", "condition_channels": 2, "width": 4, "downs": 2, "blocks": 2, "foreground": [1]}
INCEPTION = inception_vid2vid_spec(
    {**VID2VID, "width": 6, "past": 2, "norm": "instance", "first_frame": False}
)
SPECS = {
    "inception": inception_spec(12, blocks=2),
    "inception_vid2vid": INCEPTION,
    "recyclegan": resnet_spec(8, blocks=2),
    "mobile": resnet_spec(8, blocks=3, separable=("blocks",)),
    "vid2vid": VID2VID,
    "shortcut": shortcut_spec(resnet_spec(8, blocks=2), hidden=4),
}


def image(result):
    return result if isinstance(result, torch.Tensor) else result.image


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", SPECS)
def test_quick_networks_are_the_same_networks(name, batch):
    torch.manual_seed(0)
    net = build(SPECS[name]).eval()
    for layer in net.modules():  # from 0.02 up, so that the picture is not flat
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.InstanceNorm2d) and layer.affine:
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    inputs = [torch.rand(batch, *x.shape[1:]) for x in net.example_inputs(24, 40, device="cpu")]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    with torch.no_grad():
        expected = image(net(*inputs))
        got = image(quicken(net)(*inputs))
    assert expected.std() > 0.05
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=2e-5)
    assert any(isinstance(m, ReflectionHead) for m in net.modules())
    assert (name == "vid2vid") != any(isinstance(m, QuickInstanceNorm) for m in net.modules())
    assert list(net.state_dict()) == list(state)
    assert all(torch.equal(net.state_dict()[key], value) for key, value in state.items())


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (4, 6)])
def test_the_head_at_every_border(size):
    layers = head(5, 3)
    x = torch.randn(2, 5, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ReflectionHead(layers[1])(x), layers(x), rtol=1e-4, atol=1e-5)


def test_the_head_has_the_same_gradient():
    layers, gradients = head(5, 3), []
    for net in (layers, ReflectionHead(layers[1])):
        x = torch.randn(1, 5, 8, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
        net(x).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_layers_that_only_look_alike_stay():
    odd = nn.Sequential(
        nn.ReflectionPad2d(2),
        nn.Conv2d(4, 3, 7),
        nn.InstanceNorm2d(3, track_running_stats=True),
        nn.Conv2d(3, 3, 7),
    )
    kinds = [type(layer) for layer in odd]
    assert [type(layer) for layer in quicken(odd)] == kinds


def test_every_quick_layer_is_used_in_a_shortcut_net():
    kinds = {type(m).__name__ for m in quicken(build(SPECS["shortcut"]).eval()).modules()}
    assert {"QuickHetConv", "QuickPoint", "QuickInstanceNorm", "ReflectionHead"} <= kinds

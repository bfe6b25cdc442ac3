"""A sub-network with the first channels computes what the whole computes with all other channels at zero."""

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.nets.resnet import ResnetGenerator, resnet_spec, subnet_spec
from slimvid.nets.slicing import first_channels
from slimvid.nets.spade import SpadeGenerator, spade_spec, spade_subnet_spec

RESNETS = (ResnetGenerator, resnet_spec(8, separable=("blocks",)), (16, 20))
SPADES = (SpadeGenerator, spade_spec(4, separable=True, condition_channels=3), (128, 128))


def _made(cls, spec):
    return cls(**{key: value for key, value in spec.items() if key != "kind"}).eval()


def _random(net):
    generator = torch.Generator().manual_seed(3)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if name.endswith("running_var") else noise * 0.3)


def _zero_outside(whole, part):
    """Weights of ``whole`` outside the block that ``part`` takes become zero; statistics stay."""
    small = part.state_dict()
    for name, parameter in whole.named_parameters():
        kept = torch.zeros_like(parameter, dtype=torch.bool)
        kept[tuple(slice(size) for size in small[name].shape)] = True
        parameter.data[~kept] = 0


@pytest.mark.parametrize(
    ("family", "spec"),
    [
        (RESNETS, subnet_spec("4_6_5_3_8_2_7_3")),
        (RESNETS, subnet_spec("8_8_8_8_8_8_8_8")),
        (RESNETS, subnet_spec("2_3_4_5_4_3")),
        (SPADES, spade_subnet_spec("2_3_4_1_3_2_4_1", condition_channels=3)),
        (SPADES, spade_subnet_spec("4_4_4_4_4_4_4_4", condition_channels=3)),
    ],
)
def test_slicing_is_exact(family, spec):
    cls, whole_spec, (h, w) = family
    whole, part = _made(cls, whole_spec), _made(cls, spec)
    _random(whole)
    for norm in (m for m in whole.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.zero_()  # a channel of zeros must normalise to zero
    part.load_state_dict(first_channels(whole.state_dict(), part))
    x = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        sliced = part(x)
        _zero_outside(whole, part)
        masked = whole(x)
    # the same products, summed in another order
    torch.testing.assert_close(sliced, masked, rtol=1e-4, atol=1e-4)
    assert sliced.std() > 1e-3


def test_the_whole_is_its_own_first_channels():
    net = _made(*RESNETS[:2])
    sliced = first_channels(net.state_dict(), net)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in sliced.items())


def test_what_does_not_fit_is_named():
    whole = _made(*RESNETS[:2])
    with pytest.raises(SlimvidError, match=r"model\.1\.weight"):
        first_channels(whole.state_dict(), _made(ResnetGenerator, subnet_spec("16_8_8_8_8_8_8_8")))
    dense = _made(ResnetGenerator, resnet_spec(8))
    with pytest.raises(SlimvidError, match="not in the whole"):
        first_channels(whole.state_dict(), dense)

"""The network of shift-tolerant LPIPS: its first step, its least size. Its weights are tried in measure/."""

import pytest
import torch

from slimvid.nets.shift_tolerant import CHANNELS, LEAST, ShiftTolerant, _blur, _blurred


@pytest.fixture(scope="module")
def net() -> ShiftTolerant:
    torch.manual_seed(0)
    return ShiftTolerant().eval()


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(64, 96), (63, 97), (LEAST, LEAST + 1), (50, 37), (24, 24)])
def test_convolving_and_blurring_at_once_is_the_same_up_to_the_borders(net, height, width) -> None:
    x = torch.rand(2, 3, height, width)
    apart = _blur(net.convs[0](x))
    assert torch.allclose(_blurred(net.convs[0], x), apart, atol=1e-5)


@torch.no_grad()
def test_maps_have_unit_length_and_the_least_size_is_the_least(net) -> None:
    maps = net.embed(torch.rand(1, 3, LEAST, LEAST))
    assert [x.shape[1] for x in maps] == list(CHANNELS)
    assert all(x.square().sum(dim=1).max().item() == pytest.approx(1, abs=1e-4) for x in maps)
    with pytest.raises(RuntimeError):
        net.embed(torch.rand(1, 3, LEAST - 1, LEAST))

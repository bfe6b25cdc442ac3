"""EfficientNet-Lite0: shapes, padding and the release's names; its trained weights are tried in measure/."""

import pytest
import torch

from slimvid.nets.lite0 import WIDTHS, Lite0


@pytest.fixture(scope="module")
def net() -> Lite0:
    torch.manual_seed(0)
    return Lite0().eval()


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(64, 96), (33, 50), (8, 8)])
def test_every_stage_has_its_size_rounded_up(net, height, width) -> None:
    found = net.stages(torch.rand(1, 3, height, width), range(7))
    shrink = (2, 4, 8, 16, 16, 32, 32)
    wanted = [(1, w, -(-height // s), -(-width // s)) for w, s in zip(WIDTHS, shrink, strict=True)]
    assert [tuple(x.shape) for x in found] == wanted


@torch.no_grad()
def test_some_stages_are_those_of_all(net) -> None:
    x = torch.rand(1, 3, 40, 40)
    every, some = net.stages(x, range(7)), net.stages(x, [2, 4, 5])
    assert all(torch.equal(every[k], y) for k, y in zip((2, 4, 5), some, strict=True))


def test_it_has_as_many_weights_as_published(net) -> None:
    assert sum(p.numel() for p in net.parameters()) == 4_652_008

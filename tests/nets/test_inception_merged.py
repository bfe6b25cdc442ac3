"""Branches side by side: the same numbers and gradients as one by one."""

import pytest
import torch
from torch import nn

from slimvid.nets.inception import IncResBlock, merge_branches

WIDTHS = {
    "whole": (2,) * 6,
    "pruned": (3, 0, 1, 0, 4, 2),
    "conventional": (2, 3, 1, 0, 0, 0),
    "depthwise": (0, 0, 0, 2, 3, 1),
    "one": (0, 0, 0, 0, 2, 0),
}


def block(widths, norm):
    torch.manual_seed(0)
    made = IncResBlock(6, widths, norm)
    for layer in made.modules():
        if isinstance(layer, nn.InstanceNorm2d) and layer.affine:
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return made


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("norm", ["instance_affine", "instance"])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_merged_branches_give_the_same_picture_and_gradients(widths, batch, norm, layout):
    made, x = block(widths, norm), torch.randn(batch, 6, 7, 9, generator=torch.Generator().manual_seed(1))
    made, x = made.double().to(memory_format=layout), x.double()  # a bias before a norm has gradient 0
    results = []
    for merge in (False, True):
        assert not merge or merge_branches(made) == [made]
        given = x.clone().to(memory_format=layout).requires_grad_()
        seen = made(given)
        made.zero_grad()
        seen.pow(3).sum().backward()  # of a sum of squares a normalised picture has no gradient
        results.append([seen.detach(), given.grad, *(p.grad.clone() for p in made.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-8)


def test_a_merged_block_computes_a_kernel_size_once(monkeypatch):
    made, sizes = block((2,) * 6, "instance_affine"), []
    merge_branches(made)
    plain = torch.nn.functional.conv2d

    def counted(x, weight, *args, **kwargs):
        sizes.append(tuple(weight.shape))
        return plain(x, weight, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "conv2d", counted)
    made(torch.randn(2, 6, 7, 9))
    first, last = [(8, 6, 1, 1), (2, 6, 3, 3), (2, 6, 5, 5)], [(6, 8, 1, 1), (6, 2, 3, 3), (6, 2, 5, 5)]
    assert sizes == [*first, (6, 1, 5, 5), *last]


def test_batch_normalisations_stay_one_by_one():
    made = block((2,) * 6, "batch")
    assert merge_branches(made) == []
    assert not made.merged


def test_a_block_without_branches_is_the_identity():
    made = IncResBlock(6, (0,) * 6, "instance_affine")
    merge_branches(made)
    x = torch.randn(1, 6, 4, 4)
    assert torch.equal(made(x), x)

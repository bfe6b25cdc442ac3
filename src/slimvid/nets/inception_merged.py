"""An inception block's six branches in few convolutions: exact to float rounding, weights where they were.

Through a branch go few channels, so that its 17 convolutions and 9 normalisations cost more for their number
than for what they compute. Side by side they are fewer: first convolutions of one kernel size are one with
their outputs beside each other, last ones of one size are one with their inputs beside each other, and an
instance normalisation looks at each channel by itself anyway.

What it gives, by ``benchmarks/merged_branches.py`` (a block at 32 x 64, one core): with AVX-512 training is
1.6 (fp32) and 2.0 times as fast (bf16), without it 1.1 to 1.2 times; a forward pass 1.2 to 1.7 times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.nets.points import points


@dataclass
class Branch:
    """One branch's layers: two convolutions, or three with the depthwise one in the middle."""

    convs: list[nn.Conv2d]
    norms: list[nn.InstanceNorm2d]

    @property
    def depthwise(self) -> bool:
        return len(self.convs) == 3


def mergeable(branches: nn.ModuleList) -> bool:
    """Whether each channel is normalised by itself alone, as instance normalisations do in training too."""
    plain = (nn.ReflectionPad2d, nn.Conv2d, nn.ReLU)
    norms = [layer for branch in branches for layer in branch if not isinstance(layer, plain)]
    return all(type(norm) is nn.InstanceNorm2d and not norm.track_running_stats for norm in norms)


def sum_of_branches(branches: nn.ModuleList, x: Tensor) -> Tensor:
    """The sum of what reflection-padded branches with ReLU give for x, N x C x H x W: their fout channels.

    Args:
        branches: as ``inception.branches`` makes them, one at least; see ``mergeable``.
    """
    found = [_layers(branch) for branch in branches]
    # in the order of kernels, so that the outputs of one convolution lie side by side
    by_first = {k: [b for b in found if _size(b.convs[0]) == k] for k in (1, 3, 5)}
    ordered = [branch for part in by_first.values() for branch in part]
    hidden = torch.cat([_side_by_side(part, x) for part in by_first.values() if part], 1)
    hidden = F.relu_(_norm([b.norms[0] for b in ordered], hidden))
    parts = dict(zip(map(id, ordered), hidden.split([_width(b) for b in ordered], 1), strict=True))
    deep = [branch for branch in ordered if branch.depthwise]
    if deep:
        inner = _depthwise([b.convs[1] for b in deep], torch.cat([parts[id(b)] for b in deep], 1))
        inner = F.relu_(_norm([b.norms[1] for b in deep], inner))
        parts |= dict(zip(map(id, deep), inner.split([_width(b) for b in deep], 1), strict=True))
    by_last = [[b for b in ordered if _size(b.convs[-1]) == k] for k in (1, 3, 5)]
    return sum(_summed(part, [parts[id(b)] for b in part]) for part in by_last if part)


def _layers(branch: nn.Sequential) -> Branch:
    convs = [layer for layer in branch if isinstance(layer, nn.Conv2d)]
    return Branch(convs, [layer for layer in branch if isinstance(layer, nn.InstanceNorm2d)])


def _size(conv: nn.Conv2d) -> int:
    return conv.kernel_size[0]


def _width(branch: Branch) -> int:
    return branch.convs[0].out_channels


def _padded(x: Tensor, kernel: int) -> Tensor:
    return F.pad(x, (kernel // 2,) * 4, mode="reflect") if kernel > 1 else x


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.shape[-1] == 1 and x.is_contiguous(memory_format=torch.channels_last):
        return points(x, weight, bias)
    return F.conv2d(_padded(x, weight.shape[-1]), weight, bias)


def _cat(tensors: Sequence[Tensor | None], dim: int = 0) -> Tensor | None:
    """The tensors beside each other; None where they are none (a layer without bias, or without scales)."""
    return None if tensors[0] is None else torch.cat(tensors, dim)


def _side_by_side(part: Sequence[Branch], x: Tensor) -> Tensor:
    """First convolutions of one kernel size, their outputs beside each other."""
    convs = [branch.convs[0] for branch in part]
    weight, bias = _cat([c.weight for c in convs]), _cat([c.bias for c in convs])
    return _conv(x, weight, bias)


def _summed(part: Sequence[Branch], inputs: Sequence[Tensor]) -> Tensor:
    """The sum of last convolutions of one kernel size: one over all their inputs."""
    convs = [branch.convs[-1] for branch in part]
    bias = None if convs[0].bias is None else torch.stack([c.bias for c in convs]).sum(0)
    return _conv(torch.cat(list(inputs), 1), torch.cat([c.weight for c in convs], 1), bias)


def _depthwise(convs: Sequence[nn.Conv2d], x: Tensor) -> Tensor:
    """Depthwise convolutions of several sizes as one of the largest: smaller kernels are framed by zeros.

    A reflection of two pixels begins with that of one, so that each still sees the padding that it saw.
    """
    largest = max(map(_size, convs))
    framed = [F.pad(c.weight, ((largest - _size(c)) // 2,) * 4) for c in convs]
    return F.conv2d(_padded(x, largest), torch.cat(framed), _cat([c.bias for c in convs]), groups=x.shape[1])


def _norm(norms: Sequence[nn.InstanceNorm2d], x: Tensor) -> Tensor:
    weight, bias = _cat([n.weight for n in norms]), _cat([n.bias for n in norms])
    if len(x) == 1:  # a batch normalisation of one image is the same, and far quicker (``quick``)
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=norms[0].eps)
    return F.instance_norm(x, weight=weight, bias=bias, eps=norms[0].eps)

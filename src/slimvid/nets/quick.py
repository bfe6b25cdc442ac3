"""The same networks, faster on a CPU: exact to float rounding, weights and layer indices unchanged.

``quicken`` swaps layers in place. CPU time of one core (AMD EPYC, AVX-512, fp32, batch 1) at 256 x 512 and 64
channels, as PyTorch runs the layer and as it is run here:

    reflection padding and the last Conv7, 64 to 3      161 ms    40 ms
    instance normalisation                               32 ms     6 ms
    stem Conv7, 3 to 64                                  58 ms    23 ms   (channels-last)
    transposed Conv3 at stride 2, 128 to 64             140 ms    46 ms   (channels-last)
    Conv1, 128 to 64, at half the size                   10 ms     7 ms

Where a tensor is over 32 MB, a fresh allocation adds 15 ms of page faults to each of these, unless the
process keeps its memory (``runtime``).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.nets.inception import merge_branches
from slimvid.nets.points import points
from slimvid.nets.shortcut import HetConv

NARROW = 4  # output channels up to which a convolution is one of a head


def quicken(net: nn.Module) -> nn.Module:
    """Make a network in evaluation mode fast on the CPU, in place: channels-last, quicker layers.

    Parameters keep their names. What is counted of a network (``measure``) is counted before.
    """
    merged = {id(layer) for block in merge_branches(net) for layer in block.branches.modules()}
    parents = [m for m in net.modules() if id(m) not in merged]
    for parent in parents:
        for name, layer in list(parent.named_children()):
            if isinstance(layer, HetConv):
                setattr(parent, name, QuickHetConv(layer))
            elif _is_point(layer):
                setattr(parent, name, QuickPoint(layer))
    for parent in [m for m in parents if isinstance(m, nn.Sequential)]:
        for i, layer in enumerate(parent):
            if type(layer) is nn.InstanceNorm2d and not layer.track_running_stats:
                parent[i] = QuickInstanceNorm(layer)
            elif _is_head(layer) and i > 0 and _pads(parent[i - 1], layer):
                parent[i - 1], parent[i] = nn.Identity(), ReflectionHead(layer)
    return net.to(memory_format=torch.channels_last)


def _is_point(layer: nn.Module) -> bool:
    if type(layer) is not nn.Conv2d or layer.kernel_size != (1, 1):
        return False
    return layer.stride == (1, 1) and layer.padding == (0, 0) and layer.groups == 1


def _is_head(layer: nn.Module) -> bool:
    if type(layer) is not nn.Conv2d or layer.out_channels > NARROW or layer.kernel_size[0] < 5:
        return False
    plain = layer.stride == (1, 1) and layer.dilation == (1, 1) and layer.groups == 1
    return plain and layer.padding == (0, 0) and layer.kernel_size[0] == layer.kernel_size[1]


def _pads(layer: nn.Module, conv: nn.Conv2d) -> bool:
    return isinstance(layer, nn.ReflectionPad2d) and layer.padding == (conv.kernel_size[0] // 2,) * 4


class QuickInstanceNorm(nn.Module):
    """Instance normalisation. Of one image it is its batch normalisation, which keeps channels-last tensors
    as they are and takes a sixth of the time."""

    def __init__(self, norm: nn.InstanceNorm2d):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 1:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


class QuickPoint(nn.Module):
    """1x1 convolution."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        return points(x, self.weight, self.bias)


class QuickHetConv(nn.Module):
    """HetConv with both its 1x1 convolutions in one: the dense one less the grouped one on its diagonal."""

    def __init__(self, net: HetConv):
        super().__init__()
        self.spatial, self.point, self.overlap = net.spatial, net.point, net.overlap

    def forward(self, x: Tensor) -> Tensor:
        diagonal = torch.block_diag(*self.overlap.weight.flatten(1).chunk(self.overlap.groups))
        bias = self.point.bias - self.overlap.bias
        dense = points(x, self.point.weight.flatten(1) - diagonal, bias)
        return self.spatial(x).add_(dense)


class ReflectionHead(nn.Module):
    """Reflection padding and a k x k convolution to few channels, as k rows and their sum.

    A kernel of k x k to O channels is a kernel of 1 x k to k O channels (wide enough to be vectorised), whose
    maps are then shifted by their row and summed. Only the first and last k // 2 columns see the padding, so
    they alone are convolved with it, and rows are padded after, where there are k O channels to pad.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        out, channels, k, _ = self.weight.shape
        rim, height = k // 2, x.shape[2]
        rows = self.weight.permute(2, 0, 1, 3).reshape(k * out, channels, 1, k)
        rows = rows.contiguous(memory_format=torch.channels_last)
        maps = F.conv2d(x, rows, padding=(0, rim))
        left, right = x[..., : 2 * rim], x[..., -2 * rim :]
        maps[..., :rim] = F.conv2d(F.pad(left, (rim, 0, 0, 0), mode="reflect"), rows)
        maps[..., -rim:] = F.conv2d(F.pad(right, (0, rim, 0, 0), mode="reflect"), rows)
        maps = F.pad(maps, (0, 0, rim, rim), mode="reflect")
        total = maps[:, :out, :height].clone()
        for row in range(1, k):
            total += maps[:, row * out : (row + 1) * out, row : row + height]
        return total if self.bias is None else total + self.bias.view(-1, 1, 1)

"""CAT's inception-based residual block and its ResNet generator (CAT 3.1; release).

Six branches run side by side, each through few channels: a convolution of size 1, 3 or 5 twice, or a
depthwise one between two 1x1 convolutions. Pruning narrows each branch by itself, down to nothing.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import Norm, down, head, initialise, norm_layer, stem, up
from slimvid.nets.checks import check_image, check_length, check_size, check_widths
from slimvid.nets.framewise import FrameWise
from slimvid.nets.inception_merged import mergeable, sum_of_branches

KERNELS = (1, 3, 5)
BRANCHES = 2 * len(KERNELS)  # conventional 1, 3, 5, then depthwise 1, 3, 5
REDUCTION = 6  # a teacher's branch has a sixth of the block's channels
Padding = Literal["reflect", "zeros"]
Activation = Literal["relu", "leaky_relu"]


def activation_layer(kind: Activation) -> nn.Module:
    """One activation: ReLU, or LeakyReLU with torch's slope of 0.01 (the release names none).

    Raises:
        SlimvidError: another kind.
    """
    made = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}
    if kind not in made:
        raise SlimvidError(f"activation: {kind!r} is unknown; choose {' or '.join(made)}")
    return made[kind](inplace=True)


def _conv(a: int, b: int, kernel: int, padding: Padding, bias: bool, groups: int = 1) -> list[nn.Module]:
    size = kernel // 2
    pad = [nn.ReflectionPad2d(size)] if size and padding == "reflect" else []
    zeros = size if padding == "zeros" else 0
    return [*pad, nn.Conv2d(a, b, kernel, padding=zeros, bias=bias, groups=groups)]


def conventional_branch(
    fin: int,
    width: int,
    fout: int,
    kernel: int,
    norm: Norm,
    *,
    padding: Padding,
    bias: bool,
    activation: Activation = "relu",
) -> nn.Sequential:
    """Conv k to ``width``, norm, activation, Conv k to ``fout``."""
    first = _conv(fin, width, kernel, padding, bias)
    second = _conv(width, fout, kernel, padding, bias)
    return nn.Sequential(*first, norm_layer(norm, width), activation_layer(activation), *second)


def depthwise_branch(
    fin: int,
    width: int,
    fout: int,
    kernel: int,
    norm: Norm,
    *,
    padding: Padding,
    bias: bool,
    activation: Activation = "relu",
    second_norm: Norm | None = None,
) -> nn.Sequential:
    """Conv1 to ``width``, norm, activation, depthwise k, norm, activation, Conv1 to ``fout``."""
    return nn.Sequential(
        nn.Conv2d(fin, width, 1, bias=bias),
        norm_layer(norm, width),
        activation_layer(activation),
        *_conv(width, width, kernel, padding, bias, groups=width),
        norm_layer(second_norm or norm, width),
        activation_layer(activation),
        nn.Conv2d(width, fout, 1, bias=bias),
    )


def check_branches(where: str, widths: Sequence[int]) -> None:
    """Six branch widths, each a whole number from 0 (a branch of width 0 is gone).

    Raises:
        SlimvidError: names the architecture and the width.
    """
    check_length(where, "branch widths", widths, BRANCHES)
    for i, width in enumerate(widths):
        if not isinstance(width, int) or width < 0:
            raise SlimvidError(f"{where}: branch {i} has width {width!r}; widths are whole numbers from 0")


def branches(
    fin: int,
    widths: Sequence[int],
    fout: int,
    norm: Norm,
    *,
    padding: Padding,
    bias: bool,
    activation: Activation = "relu",
    second_norm: Norm | None = None,
) -> nn.ModuleList:
    """The branches of one block that have any channels: conventional 1, 3, 5, depthwise 1, 3, 5."""
    how = {"padding": padding, "bias": bias, "activation": activation}
    out = []
    for i, (width, kernel) in enumerate(zip(widths, KERNELS * 2, strict=True)):
        if width == 0:
            continue
        if i < len(KERNELS):
            out.append(conventional_branch(fin, width, fout, kernel, norm, **how))
        else:
            out.append(depthwise_branch(fin, width, fout, kernel, norm, second_norm=second_norm, **how))
    return nn.ModuleList(out)


class IncResBlock(nn.Module):
    """x + norm(sum of the branches), no activation after; a block without branches is the identity.

    ``merged`` computes the branches side by side (see ``merge_branches``).
    """

    merged = False

    def __init__(self, channels: int, widths: Sequence[int], norm: Norm):
        super().__init__()
        bias = not norm.startswith("batch")
        self.branches = branches(channels, widths, channels, norm, padding="reflect", bias=bias)
        self.norm = norm_layer(norm, channels) if len(self.branches) else None

    def forward(self, x: Tensor) -> Tensor:
        if self.norm is None:
            return x
        if self.merged:
            return x + self.norm(sum_of_branches(self.branches, x))
        return x + self.norm(sum(branch(x) for branch in self.branches))


def merge_branches(net: nn.Module) -> list[IncResBlock]:
    """Compute the branches of blocks side by side, where their norms allow it; returns these blocks.

    The same numbers to float rounding, from the same weights under the same names. What looks at single
    layers (counting, pruning, hooks on a branch) needs a network whose branches are not merged.
    """
    blocks = [m for m in net.modules() if isinstance(m, IncResBlock) and mergeable(m.branches)]
    for block in blocks:
        block.merged = True
    return blocks


class InceptionGenerator(FrameWise, nn.Module):
    """The ResNet generator with IncResBlocks. Images N x . x H x W in [-1, 1]; H, W multiples of 4, from 12.

    Args:
        stem: channels after the 7x7 convolution and the two down-samplings. up: after the two up-samplings.
        widths: for each block, the widths of its six branches (conventional 1, 3, 5, depthwise 1, 3, 5).
        norm: "instance_affine" (horse2zebra), "batch_now" (zebra2horse) or "batch" (pix2pix).

    Raises:
        SlimvidError: a width that cannot be, or a wrong number of them.
    """

    def __init__(
        self,
        *,
        stem: Sequence[int],
        widths: Sequence[Sequence[int]],
        up: Sequence[int],
        in_channels: int = 3,
        out_channels: int = 3,
        norm: Norm = "instance_affine",
    ):
        super().__init__()
        where = "inception generator"
        check_length(where, "stem", stem, 3)
        check_length(where, "up", up, 2)
        check_widths(where, stem=stem, up=up, in_channels=in_channels, out_channels=out_channels)
        for row in widths:
            check_branches(where, row)
        self.in_channels = in_channels
        layers = descent(in_channels, stem, norm)
        layers += [IncResBlock(stem[2], row, norm) for row in widths]
        layers += ascent(stem[2], up, norm)
        self.model = nn.Sequential(*layers, *head(up[1], out_channels, nn.Tanh()))
        initialise(self)

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless both down-samplings divide the size and reflection padding fits."""
        check_size("inception generator", height, width, step=4, least=12)

    def forward(self, x: Tensor) -> Tensor:
        check_image("inception generator", x, self.in_channels)
        self.check_size(*x.shape[2:])
        return self.model(x)

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Inputs of one frame at batch 1, for counting and timing."""
        self.check_size(height, width)
        return (torch.zeros(1, self.in_channels, height, width, device=device),)


def descent(in_channels: int, widths: Sequence[int], norm: Norm) -> list[nn.Module]:
    """Stem and down-samplings: the channels after each."""
    bias = not norm.startswith("batch")
    layers = stem(in_channels, widths[0], norm, bias=bias)
    for a, b in itertools.pairwise(widths):
        layers += down(a, b, norm, bias=bias)
    return layers


def ascent(channels: int, widths: Sequence[int], norm: Norm) -> list[nn.Module]:
    """Up-samplings: the channels after each."""
    layers: list[nn.Module] = []
    for a, b in zip((channels, *widths), widths, strict=False):
        layers += up(a, b, norm, bias=not norm.startswith("batch"))
    return layers


def inception_spec(width: int = 64, *, blocks: int = 9, **extra: Any) -> dict[str, Any]:
    """Spec of CAT's teacher at ``width`` (ngf): every branch has a sixth of the stream's 4 ngf channels."""
    check_widths("inception generator", width=width, blocks=blocks)
    row = (4 * width // REDUCTION,) * BRANCHES
    return {
        "kind": "inception",
        "stem": (width, 2 * width, 4 * width),
        "widths": (row,) * blocks,
        "up": (2 * width, width),
        **extra,
    }

"""OMGD's ExpansionBlock and its deep ResNet teacher (OMGD 3.1; release)."""

import torch
from torch import Tensor, nn

from slimvid.nets.blocks import Norm, down, head, initialise, norm_layer, stem, up
from slimvid.nets.checks import check_image, check_size, check_widths
from slimvid.nets.framewise import FrameWise
from slimvid.nets.separable import SeparableBlock

EXPANSION = 4


class ExpansionBlock(nn.Module):
    """R1, Conv1 to 4c, norm, ReLU, Conv3, norm, ReLU, Conv1 to c, norm, ReLU, R1, Conv3, norm, plus identity.

    The first padding stands before the first 1x1 convolution, which therefore works on (H+2) x (W+2).
    """

    def __init__(self, channels: int, norm: Norm):
        super().__init__()
        wide, bias = EXPANSION * channels, not norm.startswith("batch")
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, wide, 1, bias=bias),
            norm_layer(norm, wide),
            nn.ReLU(True),
            nn.Conv2d(wide, wide, 3, bias=bias),
            norm_layer(norm, wide),
            nn.ReLU(True),
            nn.Conv2d(wide, channels, 1, bias=bias),
            norm_layer(norm, channels),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _deepened(channels: int, norm: Norm) -> list[nn.Module]:
    """What follows every re-sampling layer of the deep teacher: ExpansionBlock, then Conv3, norm, ReLU."""
    return [
        ExpansionBlock(channels, norm),
        *down(channels, channels, norm, stride=1, bias=not norm.startswith("batch")),
    ]


class DeepResnetGenerator(FrameWise, nn.Module):
    """OMGD's deep teacher: as narrow as the student, but with ExpansionBlocks.

    The MobileResnet with an ExpansionBlock and a convolution after each re-sampling layer, and in its middle
    half of the separable blocks, two ExpansionBlocks, and the other half. Images N x . x H x W in [-1, 1]; H
    and W multiples of 4, at least 8.

    Args:
        width: channels after the first convolution, the student's. blocks: separable blocks in all.

    Raises:
        SlimvidError: a width or block count below 1.
    """

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 9,
        in_channels: int = 3,
        out_channels: int = 3,
        norm: Norm = "instance",
    ):
        super().__init__()
        check_widths(
            "deep resnet teacher",
            width=width,
            blocks=blocks,
            in_channels=in_channels,
            out_channels=out_channels,
        )
        self.in_channels = in_channels
        bias = not norm.startswith("batch")
        layers = stem(in_channels, width, norm, bias=bias)
        for a in (width, 2 * width):
            layers += [*down(a, 2 * a, norm, bias=bias), *_deepened(2 * a, norm)]
        middle = 4 * width
        layers += [SeparableBlock(middle, norm) for _ in range(blocks // 2)]
        layers += [ExpansionBlock(middle, norm) for _ in range(2)]
        layers += [SeparableBlock(middle, norm) for _ in range(blocks - blocks // 2)]
        for a in (middle, 2 * width):
            layers += [*up(a, a // 2, norm, bias=bias), *_deepened(a // 2, norm)]
        self.model = nn.Sequential(*layers, *head(width, out_channels, nn.Tanh()))
        initialise(self)

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless both down-samplings divide the size and reflection padding fits."""
        check_size("deep resnet teacher", height, width, step=4, least=8)

    def forward(self, x: Tensor) -> Tensor:
        check_image("deep resnet teacher", x, self.in_channels)
        self.check_size(*x.shape[2:])
        return self.model(x)

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Inputs of one frame at batch 1, for counting and timing."""
        self.check_size(height, width)
        return (torch.zeros(1, self.in_channels, height, width, device=device),)

"""Depthwise-separable convolutions, as GAN Compression decomposes generators (GAN Compression 3.2; release).

Each is a depthwise convolution, an InstanceNorm without parameters, and a 1x1 convolution; both convolutions
have a bias, whatever the normalisation around them.
"""

from torch import Tensor, nn

from slimvid.nets.blocks import Norm, norm_layer


class SeparableConv(nn.Sequential):
    """Depthwise 3x3, InstanceNorm, 1x1: in place of a 3x3 convolution (zero ``padding``)."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, padding: int = 0):
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=padding, groups=in_channels),
            norm_layer("instance", in_channels),
            nn.Conv2d(in_channels, out_channels, 1),
        )


class SeparableUp(nn.Sequential):
    """Depthwise transposed 3x3 at stride 2, InstanceNorm, 1x1: in place of a transposed convolution."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            nn.ConvTranspose2d(
                in_channels, in_channels, 3, stride=2, padding=1, output_padding=1, groups=in_channels
            ),
            norm_layer("instance", in_channels),
            nn.Conv2d(in_channels, out_channels, 1),
        )


class SeparableBlock(nn.Module):
    """Residual block of the MobileResnet: R1, separable, norm, ReLU, R1, separable, norm, plus identity."""

    def __init__(self, channels: int, norm: Norm, *, inner: int | None = None):
        super().__init__()
        inner = channels if inner is None else inner
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            SeparableConv(channels, inner),
            norm_layer(norm, inner),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            SeparableConv(inner, channels),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)

"""Building blocks that several architectures share. One definition each.

Sequences are plain ``nn.Sequential`` in the papers' layer order, because Shortcut-V2V names its cut points
by their indices.
"""

from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "batch_now", "batch_free", "instance", "instance_affine"]


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """One normalisation.

    "batch" has affine parameters and running statistics (vid2vid, pix2pix), "batch_now" uses the statistics
    of the batch at hand even in evaluation (CAT's zebra2horse), "batch_free" has no parameters (SPADE),
    "instance" has neither (CycleGAN family), "instance_affine" has parameters (CAT).
    """
    if kind.startswith("batch"):
        stats = kind != "batch_now"
        return nn.BatchNorm2d(channels, affine=kind != "batch_free", track_running_stats=stats)
    return nn.InstanceNorm2d(channels, affine=kind == "instance_affine")


def stem(in_channels: int, channels: int, norm: Norm, *, bias: bool = True) -> list[nn.Module]:
    """R3, Conv7, norm, ReLU: keeps the size."""
    conv = nn.Conv2d(in_channels, channels, 7, bias=bias)
    return [nn.ReflectionPad2d(3), conv, norm_layer(norm, channels), nn.ReLU(True)]


def down(
    in_channels: int, channels: int, norm: Norm, *, stride: int = 2, bias: bool = True
) -> list[nn.Module]:
    """Conv3 with zero padding, norm, ReLU: halves the size (``stride`` 1: keeps it)."""
    conv = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=bias)
    return [conv, norm_layer(norm, channels), nn.ReLU(True)]


def up(in_channels: int, channels: int, norm: Norm, *, bias: bool = True) -> list[nn.Module]:
    """Transposed Conv3 at stride 2, norm, ReLU: doubles the size."""
    conv = nn.ConvTranspose2d(in_channels, channels, 3, stride=2, padding=1, output_padding=1, bias=bias)
    return [conv, norm_layer(norm, channels), nn.ReLU(True)]


def head(in_channels: int, channels: int, activation: nn.Module | None = None) -> nn.Sequential:
    """R3, Conv7 and an activation: the last layer of every generator of this family."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, channels, 7)]
    return nn.Sequential(*layers, *([activation] if activation is not None else []))


class ResBlock(nn.Module):
    """R1, Conv3, norm, ReLU, R1, Conv3, norm, plus identity; no ReLU after the sum.

    ``inner``: channels between the two convolutions (the papers: as many as outside).
    """

    def __init__(self, channels: int, norm: Norm, *, inner: int | None = None, bias: bool = True):
        super().__init__()
        inner = channels if inner is None else inner
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, inner, 3, bias=bias),
            norm_layer(norm, inner),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(inner, channels, 3, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class DecomposedBlock(nn.Module):
    """Fast-Vid2Vid's decomposed block: an inverted residual of expansion 1 (Fast-Vid2Vid 3.2, MobileNetV3).

    Conv1x1, depthwise Conv3 (zero padding), Conv1x1, none with bias, a normalisation after each and ReLU6
    after the first two. The release has BatchNorm here whatever the generator has; this follows the
    generator, which at the papers' settings is BatchNorm too.
    """

    def __init__(self, channels: int, norm: Norm = "batch"):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            norm_layer(norm, channels),
            nn.ReLU6(True),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            norm_layer(norm, channels),
            nn.ReLU6(True),
            nn.Conv2d(channels, channels, 1, bias=False),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def initialise(module: nn.Module) -> None:
    """The family's initialisation: convolutions N(0, 0.02), BatchNorm weights N(1, 0.02), biases 0."""
    if all(p.is_meta for p in module.parameters()):
        return  # nothing to fill; torch would import 4 s of machinery to find that out
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)

"""Patch discriminators of vid2vid (Wang et al. 2018, 3.2 and its supplement; release)."""

import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.nets.blocks import initialise
from slimvid.nets.patchgan import patch_stages


class PatchDiscriminator(nn.Module):
    """PatchGAN that hands out its intermediate features for the feature-matching loss.

    Conv4 (padding 2) at strides 2, 2, 2, 1, 1 with 64, 128, 256, 512 and 1 channels at width 64;
    LeakyReLU 0.2; BatchNorm on the inner layers.
    """

    def __init__(self, in_channels: int, width: int = 64, *, layers: int = 3):
        super().__init__()
        how = {"norm": "batch", "padding": 2, "most": 512, "bias": True}
        stages = patch_stages(in_channels, width, layers=layers, **how)
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every stage; the last one is the patch scores (no sigmoid: least-squares GAN)."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class MultiScaleDiscriminator(nn.Module):
    """The same PatchGAN with own weights at each of ``scales`` sizes, each half the one before.

    Every scale has ``width``, as in the paper. The release doubles the width from each scale to the next
    coarser one, up to 64: the same at its own width of 64 and at one scale, less here otherwise.
    """

    def __init__(self, in_channels: int, width: int = 64, *, scales: int = 2):
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(in_channels, width) for _ in range(scales))
        initialise(self)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Features per scale, full size first."""
        out = []
        for i, net in enumerate(self.scales):
            if i > 0:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            out.append(net(x))
        return out


def temporal_discriminator(width: int = 64, *, frames: int = 3, scales: int = 2) -> MultiScaleDiscriminator:
    """Judges ``frames`` frames beside the flows between them (pixels / 20): 3*3 + 2*2 channels."""
    return MultiScaleDiscriminator(3 * frames + 2 * (frames - 1), width, scales=scales)

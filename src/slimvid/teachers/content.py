"""The content loss of Unsupervised RecycleGAN: a frame and its translation shall look alike to VGG."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.weights import load_state

_STAGES = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)


class ContentLoss(nn.Module):
    """MSE between instance-normalised VGG-19 features of two pictures (Wang et al. 2022).

    The features are those of relu5_4, the end of AdaIN's normalised VGG (Huang and Belongie 2017), because
    the release runs that network to its end, though a comment there names relu4_1 as the last layer used.

    Args:
        weights: AdaIN's ``vgg_normalised`` state dict (.pth, read without pickle, or .safetensors).

    Raises:
        SlimvidError: the file is missing or holds other weights.
    """

    def __init__(self, weights: Path):
        super().__init__()
        self.net = nn.Sequential(*_layers())
        mend = "give AdaIN's vgg_normalised weights, or remove the key to train without the content loss"
        load_state(self.net, weights, field="vgg", what="normalised VGG-19", mend=mend)
        self.requires_grad_(False).eval()

    def forward(self, translated: Tensor, source: Tensor) -> Tensor:
        """Distance of N x 3 x H x W pictures in [-1, 1]; ``translated`` gets the gradient."""
        with torch.no_grad():
            wanted = self._features(source)
        return F.mse_loss(self._features(translated), wanted)

    def _features(self, picture: Tensor) -> Tensor:
        # To [0, 1], which these weights were made for (AdaIN reads pictures so). The release of RecycleGAN
        # feeds them its pictures in [-1, 1] as they are.
        return F.instance_norm(self.net((picture.float() + 1) / 2))


def content_loss(weights: Path | None) -> ContentLoss | None:
    """The content loss where weights are given by path; else None (the loss is off)."""
    return None if weights is None else ContentLoss(weights)


def _layers() -> list[nn.Module]:
    """AdaIN's encoder: a 1x1 convolution that normalises colours, then VGG-19 with reflection padding."""
    layers: list[nn.Module] = [nn.Conv2d(3, 3, 1)]
    channels = 3
    for i, stage in enumerate(_STAGES):
        if i:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        for width in stage:
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, width, 3), nn.ReLU()]
            channels = width
    return layers

"""A fixed random network that turns a few frames into a feature vector that its input gets gradient from."""

import itertools

import torch
from torch import Tensor, nn


class RandomVideoFeatures(nn.Module):
    """Three 3-D convolutions with seeded He-normal weights, then a 4 x 4 grid of means over space and time.

    It stands where a published method asks for I3D features and no weights are given. Its seed and shape are
    not those of the embedded evaluators, so that no student is trained on what measures it.
    """

    def __init__(self, *, seed: int, width: int = 16):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        channels = [3, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(channels):
            conv = nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1, padding_mode="replicate", bias=False)
            with torch.no_grad():
                conv.weight.normal_(0, (2 / (27 * a)) ** 0.5, generator=generator)
            layers += [conv, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.requires_grad_(False)

    def forward(self, frames: Tensor) -> Tensor:
        """N x T x 3 x H x W in [-1, 1] -> N x 4*width*16; any T >= 1."""
        x = self.layers(frames.transpose(1, 2))
        return nn.functional.adaptive_avg_pool3d(x, (1, 4, 4)).flatten(1)

"""Shift-tolerant LPIPS: the perceptual distance of two pictures that forgives an imperceptible shift.

Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric" (ECCV 2022), the AlexNet form: LPIPS (Zhang et
al. 2018, equation 1) on a trunk whose first convolution has stride 1 and whose every step down is a blur of
3 x 3 with stride 2 (Zhang 2019), padded by two reflected pixels. Trained on human judgements.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (64, 192, 384, 256, 256)
LEAST = 21  # pixels: below it the second blur has too little to reflect
_KERNELS, _PADDINGS = (11, 5, 3, 3, 3), (2, 2, 1, 1, 1)
# convolutions in the released state dict: slice and place
_RELEASED = ("slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13")


class ShiftTolerant(nn.Module):
    """Distance of N x 3 x H x W RGB pictures in [0, 1], height and width of at least 21: N values from 0."""

    def __init__(self) -> None:
        super().__init__()
        before = (3, *CHANNELS)
        self.convs = nn.ModuleList(
            nn.Conv2d(before[i], CHANNELS[i], _KERNELS[i], padding=_PADDINGS[i]) for i in range(len(CHANNELS))
        )
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(n)) for n in CHANNELS)
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))

    def embed(self, x: Tensor) -> list[Tensor]:
        """Five maps, N x C x H' x W', of unit length over the channels."""
        x = (2 * x - 1 - self.shift) / self.scale
        maps = []
        for level, conv in enumerate(self.convs):
            if level == 0:
                x = F.relu(_blurred(conv, x))  # here alone the blur comes before the rectifier
            else:
                x = _blur(F.max_pool2d(x, 3, stride=1)) if level < 3 else x
                x = F.relu(conv(x))
            maps.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return maps

    def between(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Distances of pictures by their embeddings: N values. 0 for equal pictures."""
        total = torch.zeros(())
        for a, b, weight in zip(first, second, self.weights, strict=True):
            energy = (a - b).square_().mean(dim=(2, 3))
            total = total + energy @ weight
        return total

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.between(self.embed(first), self.embed(second))


def from_release(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The released state dict under the names of `ShiftTolerant`; the blur is a constant of the code."""
    renamed = {"shift": state["scaling_layer.shift"], "scale": state["scaling_layer.scale"]}
    for i, place in enumerate(_RELEASED):
        for part in ("weight", "bias"):
            renamed[f"convs.{i}.{part}"] = state[f"net.{place}.{part}"]
        renamed[f"weights.{i}"] = state[f"lin{i}.model.1.weight"].flatten()
    return renamed


def _blur(x: Tensor) -> Tensor:
    """Binomial 3 x 3 blur with stride 2 after two reflected pixels on every side, each channel alone."""
    line = x.new_tensor([1.0, 2.0, 1.0]) / 4
    kernel = (line[:, None] * line).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def _blurred(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """``_blur(conv(x))``: inside as one 13 x 13 convolution with stride 2, a quarter of the work.

    The first place of the blur reads reflected pixels and so equals the second, as the last does the one
    before where the size is odd. Where it is even, the last row and column are blurred by themselves.
    """
    line = x.new_tensor([1.0, 2.0, 1.0]) / 4
    channels, given, size, _ = conv.weight.shape
    wide = F.conv2d(conv.weight.reshape(-1, 1, size, size), (line[:, None] * line)[None, None], padding=2)
    inside = F.conv2d(x, wide.reshape(channels, given, size + 2, size + 2), conv.bias, 2, conv.padding)
    height, width = (side + 2 * conv.padding[0] - size + 1 for side in x.shape[2:])
    whole = F.pad(inside, (1, 1, 1, 1), mode="replicate")
    reach = size + 1  # rows or columns at the end that give six places, of which the last two count
    if height % 2 == 0:
        whole[:, :, -1] = _blur(conv(x[:, :, -reach:]))[:, :, -1]
    if width % 2 == 0:
        whole[..., -1] = _blur(conv(x[..., -reach:]))[..., -1]
    return whole

"""The small dilated network that finds key-points, and how the evaluator trains its networks.

Dilated convolutions keep the resolution, as in DRN (Yu et al. 2017): one map per output at half the frame's
size, from some forty thousand weights that train in seconds.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

STEM, BODY = 24, 32


class DilatedNet(nn.Module):
    """N x 3 x H x W in [-1, 1] -> N x outputs x ceil(H/2) x ceil(W/2); cell i is centred on pixel 2i."""

    def __init__(self, outputs: int, *, dilations: tuple[int, ...] = (1, 2, 4, 8), seed: int = 0):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, STEM, 3, stride=2, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(STEM), nn.ReLU()]
        channels = STEM
        for d in dilations:
            layers.append(nn.Conv2d(channels, BODY, 3, padding=d, dilation=d, bias=False))
            layers += [nn.BatchNorm2d(BODY), nn.ReLU()]
            channels = BODY
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(channels, outputs, 1)
        draw = torch.Generator().manual_seed(seed)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=draw)
        nn.init.zeros_(self.head.bias)

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.body(frames))


def fit(
    net: nn.Module,
    batch: Callable[[np.random.Generator], tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    iterations: int,
    label: str,
    seed: int = 0,
    lr: float = 1e-2,
) -> None:
    """Train with Adam; the rate rises, then falls as a cosine.

    The weights depend on the seed, the data and the torch build only.

    Args:
        batch: draws (input, target) with the generator it is given.
        loss: of (output, target).
        label: what the progress display calls it.
    """
    from slimvid.runtime import Progress

    draw = np.random.default_rng(seed)
    weights = list(net.parameters())
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    warm = max(iterations // 10, 1)
    progress = Progress(label, iterations)
    net.train()
    for step in range(iterations):
        inputs, target = batch(draw)
        value = loss(net(inputs), target)
        gradients = torch.autograd.grad(value, weights)
        rate = lr * min((step + 1) / warm, 1.0) * 0.5 * (1 + np.cos(np.pi * step / iterations))
        _adam(weights, gradients, moments, step=step + 1, lr=rate)
        progress.update(step + 1, loss=value.item())
    progress.close()
    net.eval()


@torch.no_grad()
def _adam(weights, gradients, moments, *, step: int, lr: float) -> None:
    """One step of Adam (Kingma and Ba 2015). The first torch.optim object of a process costs four seconds."""
    for weight, gradient, (first, second) in zip(weights, gradients, moments, strict=True):
        first.lerp_(gradient, 0.1)
        second.lerp_(gradient.square(), 0.001)
        spread = (second / (1 - 0.999**step)).sqrt_().add_(1e-8)
        weight.sub_(lr / (1 - 0.9**step) * first / spread)


def to_input(frames: np.ndarray) -> Tensor:
    """uint8 N x H x W x 3 -> float32 N x 3 x H x W in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)

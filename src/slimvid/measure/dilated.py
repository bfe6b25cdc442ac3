"""The small dilated network that the evaluator trains: one map per output at half the frame's size.

Dilated convolutions keep the resolution, as in DRN (Yu et al. 2017), the segmenter of the papers' mIoU; this
one has some forty thousand weights instead of 54 million and trains in seconds.
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
    """Train with Adam and a one-cycle rate. Bytes depend on the seed, the data and the torch build only.

    Args:
        batch: draws (input, target) with the generator it is given.
        loss: of (output, target).
        label: what the progress display calls it.
    """
    from slimvid.runtime import Progress

    draw = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=lr)
    warm = max(iterations // 10, 1)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: min((i + 1) / warm, 1.0) * 0.5 * (1 + np.cos(np.pi * i / iterations))
    )
    progress = Progress(label, iterations)
    net.train()
    for step in range(iterations):
        inputs, target = batch(draw)
        value = loss(net(inputs), target)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        rate.step()
        progress.update(step + 1, loss=value.item())
    progress.close()
    net.eval()


def to_input(frames: np.ndarray) -> Tensor:
    """uint8 N x H x W x 3 -> float32 N x 3 x H x W in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)

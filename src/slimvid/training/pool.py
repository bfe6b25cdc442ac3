"""The history of generated pictures that a discriminator is shown (CycleGAN 4; Shrivastava et al. 2017)."""

import numpy as np
import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to ``size`` earlier pictures; they are buffers, so a resumed training has the same ones.

    Until it is full every picture is kept and shown. Then, half of the time, an earlier one is shown in the
    place of the new one, which takes its place. Which, the objective's ``sample`` draws (`draws`).
    """

    def __init__(self, size: int, channels: int, height: int, width: int):
        super().__init__()
        self.register_buffer("pictures", torch.zeros(size, channels, height, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def draws(self, rng: np.random.Generator, batch: int) -> list[tuple[bool, int]]:
        """For each picture of a batch: whether an earlier one is shown, and which."""
        size = len(self.pictures)
        return [(bool(rng.random() < 0.5), int(rng.integers(max(size, 1)))) for _ in range(batch)]

    @torch.no_grad()
    def show(self, pictures: Tensor, draws: list[tuple[bool, int]]) -> Tensor:
        """The pictures that the discriminator sees for these new ones, B x C x H x W, without gradient."""
        shown = []
        for picture, (earlier, place) in zip(pictures.detach(), draws, strict=True):
            if self.count < len(self.pictures):
                self.pictures[int(self.count)] = picture
                self.count += 1
            elif earlier and len(self.pictures):
                shown.append(self.pictures[place].clone())
                self.pictures[place] = picture
                continue
            shown.append(picture)
        return torch.stack(shown)

"""pix2pix's U-Net (Isola et al. 2017), and OMGD's deep teacher of the same shape (OMGD 3.1; release)."""

import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import Norm, initialise, norm_layer
from slimvid.nets.checks import check_image, check_size, check_widths
from slimvid.nets.expansion import ExpansionBlock
from slimvid.nets.framewise import FrameWise

MULTIPLES = (1, 2, 4, 8)  # of the width, per level; the last one repeats
DROPPED = 3  # levels that have dropout, counted from the second innermost outwards


def unet_widths(width: int, downs: int) -> tuple[int, ...]:
    """Channels per level, outermost first: n, 2n, 4n, 8n, 8n, ..."""
    return tuple(width * MULTIPLES[min(level, len(MULTIPLES) - 1)] for level in range(downs))


class Level(nn.Module):
    """The outermost level of the U: half the size, the levels inside, twice the size.

    ``down``: Conv4 stride 2. ``up``: ReLU, transposed Conv4 stride 2 with bias, Tanh.
    """

    def __init__(self, down: nn.Sequential, inner: nn.Module | None, up: nn.Sequential):
        super().__init__()
        self.down, self.inner, self.up = down, inner, up

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        return self.up(y if self.inner is None else self.inner(y))


class SkipLevel(Level):
    """A level below the outermost: LeakyReLU 0.2, the level, and beside it the skip connection.

    ``down``: Conv4 stride 2 [norm, not innermost]. ``up``: ReLU, transposed Conv4 stride 2, norm [dropout].
    Returns the activated input and the output, stacked on the channels.
    """

    def __init__(self, down: nn.Sequential, inner: nn.Module | None, up: nn.Sequential):
        super().__init__(down, inner, up)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        # The skip carries LeakyReLU(x), not x: the release's LeakyReLU works in place, on the very tensor
        # that is stacked afterwards. Where a ReLU reads the skip (the plain U-Net) both are the same, as
        # ReLU(LeakyReLU(x)) is ReLU(x); the outermost ExpansionBlocks of OMGD's deep teacher read it bare.
        x = self.activation(x)
        return torch.cat([x, super().forward(x)], dim=1)


class UnetGenerator(FrameWise, nn.Module):
    """Image to image, N x . x H x W in [-1, 1]; H and W multiples of 2**downs.

    Args:
        width: channels of the outermost level (ngf). downs: levels (pix2pix at 256: 8).
        norm: "batch" in the papers. dropout: rate in the three levels above the innermost (OMGD: 0).
        expansions: ExpansionBlocks after the down part and at the end of the up part of every level but the
            innermost (OMGD's deep teacher: 2); the outermost has its up-side ones before its last layers.

    Raises:
        SlimvidError: a width below 1, or fewer than two levels.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        downs: int = 8,
        in_channels: int = 3,
        out_channels: int = 3,
        norm: Norm = "batch",
        dropout: float = 0.0,
        expansions: int = 0,
    ):
        super().__init__()
        check_widths("unet", width=width, in_channels=in_channels, out_channels=out_channels)
        if downs < 2:
            raise SlimvidError(f"unet: downs is {downs}; the U has at least 2 levels")
        self.in_channels, self.downs = in_channels, downs
        self.norm, self.dropout, self.expansions = norm, dropout, expansions
        widths = unet_widths(width, downs)
        inner = None
        for level in reversed(range(1, downs)):
            inner = self._level(level, widths, inner)
        self.model = self._outermost(widths, inner, out_channels)
        initialise(self)

    @property
    def _bias(self) -> bool:
        return not self.norm.startswith("batch")

    def _deepen(self, channels: int) -> list[nn.Module]:
        return [ExpansionBlock(channels, self.norm) for _ in range(self.expansions)]

    def _level(self, level: int, widths: tuple[int, ...], inner: nn.Module | None) -> SkipLevel:
        outer, own, innermost = widths[level - 1], widths[level], inner is None
        down: list[nn.Module] = [nn.Conv2d(outer, own, 4, 2, 1, bias=self._bias)]
        if not innermost:
            down += [norm_layer(self.norm, own), *self._deepen(own)]
        stacked = own if innermost else 2 * own
        up: list[nn.Module] = [
            nn.ReLU(),
            nn.ConvTranspose2d(stacked, outer, 4, 2, 1, bias=self._bias),
            norm_layer(self.norm, outer),
        ]
        if self.dropout and not innermost and level >= self.downs - 1 - DROPPED:
            up.append(nn.Dropout(self.dropout))
        if not innermost:
            up += self._deepen(outer)
        return SkipLevel(nn.Sequential(*down), inner, nn.Sequential(*up))

    def _outermost(self, widths: tuple[int, ...], inner: nn.Module | None, out_channels: int) -> Level:
        own = widths[0]
        down = [nn.Conv2d(self.in_channels, own, 4, 2, 1, bias=self._bias), *self._deepen(own)]
        last = [nn.ReLU(), nn.ConvTranspose2d(2 * own, out_channels, 4, 2, 1), nn.Tanh()]
        up = nn.Sequential(*self._deepen(2 * own), *last)
        return Level(nn.Sequential(*down), inner, up)

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless ``downs`` halvings divide the size."""
        # At the innermost ExpansionBlocks (2**downs / 2 of the size) reflection needs two pixels.
        step = 2**self.downs
        check_size("unet", height, width, step=step, least=step)

    def forward(self, x: Tensor) -> Tensor:
        check_image("unet", x, self.in_channels)
        self.check_size(*x.shape[2:])
        return self.model(x)

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Inputs of one frame at batch 1, for counting and timing."""
        self.check_size(height, width)
        return (torch.zeros(1, self.in_channels, height, width, device=device),)

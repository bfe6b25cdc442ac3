"""GauGAN's SPADE generator (Park et al. 2019) and GAN Compression's separable and sub-network forms of it.

    label map -> 1/64 -> fc -> head_0 -> G_middle_0 -> G_middle_1 -> up_0 .. up_3 -> LeakyReLU, Conv3, Tanh

with a nearest up-sampling by two before every block but the first. Each block is a ``BlockWidths`` row, so
dense, separable and sub-networks are one class. Spectral normalisation is for training the original only
and is removed before distillation (release), so it is no part of this generator.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import norm_layer
from slimvid.nets.checks import check_chain, check_image, check_length, check_size, check_widths
from slimvid.nets.framewise import FrameWise
from slimvid.nets.resnet import parse_config
from slimvid.nets.separable import SeparableConv

SLOPE = 0.2
BLOCKS = 7  # head_0, G_middle_0, G_middle_1, up_0 .. up_3
# The first blocks keep the width. The ups have a learned shortcut, also where a sub-network's widths agree.
KEEPING = 3
STREAM = (16, 16, 16, 8, 4, 2, 1)  # stream width after each block, in multiples of ngf


class BlockWidths(NamedTuple):
    """Channels of one block: in, between its two convolutions, out, and of the SPADEs' shared layer."""

    fin: int
    mid: int
    fout: int
    hidden: int


class Spade(nn.Module):
    """Spatially-adaptive normalisation (SPADE Eq. 1): norm(x) * (1 + gamma(map)) + beta(map).

    The norm is a batch normalisation without parameters; the map is resized to ``x`` by nearest neighbour.
    """

    def __init__(self, channels: int, condition_channels: int, hidden: int, *, separable: bool):
        super().__init__()
        self.norm = norm_layer("batch_free", channels)
        self.shared = nn.Sequential(nn.Conv2d(condition_channels, hidden, 3, padding=1), nn.ReLU(True))

        def conv() -> nn.Module:
            if separable:
                return SeparableConv(hidden, channels, padding=1)
            return nn.Conv2d(hidden, channels, 3, padding=1)

        self.gamma, self.beta = conv(), conv()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        features = self.shared(F.interpolate(condition, size=x.shape[2:], mode="nearest"))
        return self.norm(x) * (1 + self.gamma(features)) + self.beta(features)


class SpadeBlock(nn.Module):
    """conv_1(act(SPADE(conv_0(act(SPADE(x)))))) plus x, or with ``shortcut`` plus conv_s(SPADE(x))."""

    def __init__(self, widths: BlockWidths, condition_channels: int, *, separable: bool, shortcut: bool):
        super().__init__()
        fin, mid, fout, hidden = widths
        self.conv_0 = nn.Conv2d(fin, mid, 3, padding=1)
        self.conv_1 = nn.Conv2d(mid, fout, 3, padding=1)
        self.spade_0 = Spade(fin, condition_channels, hidden, separable=separable)
        self.spade_1 = Spade(mid, condition_channels, hidden, separable=separable)
        self.conv_s = self.spade_s = None
        if shortcut:
            self.conv_s = nn.Conv2d(fin, fout, 1, bias=False)
            self.spade_s = Spade(fin, condition_channels, hidden, separable=separable)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        y = self.conv_0(F.leaky_relu(self.spade_0(x, condition), SLOPE))
        y = self.conv_1(F.leaky_relu(self.spade_1(y, condition), SLOPE))
        return y + (x if self.conv_s is None else self.conv_s(self.spade_s(x, condition)))


class SpadePyramid(FrameWise, nn.Module):
    """The frame that SPADE generators share: smallest map, first convolution, seven blocks, last convolution.

    A subclass builds ``fc`` (channels to first width) and ``blocks`` (seven modules of (x, condition)).
    """

    fc: nn.Module
    blocks: nn.ModuleList
    smallest = 1  # least height and width of the smallest map

    def __init__(self, condition_channels: int, last: int, out_channels: int, *, more: bool):
        super().__init__()
        self.condition_channels, self.more = condition_channels, more
        self.last = nn.Conv2d(last, out_channels, 3, padding=1)

    @staticmethod
    def reads(condition: Tensor) -> Tensor:
        """A label map as it is: one-hot channels in {0, 1}."""
        return condition

    @property
    def step(self) -> int:
        """Ratio of the output to the smallest map: 64, or 32 without the extra up-sampling."""
        return 64 if self.more else 32

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless the up-samplings reach the size."""
        check_size("spade generator", height, width, step=self.step, least=self.step * self.smallest)

    def forward(self, condition: Tensor) -> Tensor:
        """N x C x H x W condition in [0, 1] to N x 3 x H x W image in [-1, 1]; H, W multiples of ``step``."""
        check_image("spade generator", condition, self.condition_channels)
        h, w = condition.shape[2:]
        self.check_size(h, w)
        x = self.fc(F.interpolate(condition, size=(h // self.step, w // self.step), mode="nearest"))
        for i, block in enumerate(self.blocks):
            if i > 0 and (self.more or i != 2):
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x, condition)
        return torch.tanh(self.last(F.leaky_relu(x, SLOPE)))

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Inputs of one frame at batch 1, for counting and timing."""
        self.check_size(height, width)
        return (torch.zeros(1, self.condition_channels, height, width, device=device),)


class SpadeGenerator(SpadePyramid):
    """GauGAN's generator, or any sub-network of its separable form.

    Args:
        condition_channels: of the label map (Cityscapes: 35 one-hot and 1 instance edge).
        blocks: seven rows of ``BlockWidths``; see ``spade_spec`` and ``spade_subnet_spec``.
        separable: gamma and beta are separable convolutions (Mobile SPADE).
        more: six up-samplings; False: five (COCO), none before G_middle_1.

    Raises:
        SlimvidError: not seven blocks, a width below 1, or blocks whose widths do not chain.
    """

    def __init__(
        self,
        *,
        condition_channels: int = 36,
        blocks: Sequence[Sequence[int]],
        separable: bool = False,
        more: bool = True,
        out_channels: int = 3,
    ):
        where = "spade generator"
        check_length(where, "blocks", blocks, BLOCKS)
        for i, row in enumerate(blocks):
            check_length(where, f"blocks[{i}]", row, len(BlockWidths._fields))
            check_widths(where, **{f"blocks[{i}]": row})
        rows = [BlockWidths(*row) for row in blocks]
        check_widths(where, condition_channels=condition_channels, out_channels=out_channels)
        check_chain(where, [(row.fin, row.fout) for row in rows])
        for i, row in enumerate(rows[:KEEPING]):
            if row.fin != row.fout:
                raise SlimvidError(
                    f"{where}: block {i} takes {row.fin} and gives {row.fout}; it must keep them"
                )
        super().__init__(condition_channels, rows[-1].fout, out_channels, more=more)
        if separable:
            self.smallest = 2  # an instance normalisation of a single pixel has no variance
        self.fc = nn.Conv2d(condition_channels, rows[0].fin, 3, padding=1)
        self.blocks = nn.ModuleList(
            SpadeBlock(row, condition_channels, separable=separable, shortcut=i >= KEEPING)
            for i, row in enumerate(rows)
        )
        initialise_xavier(self)


def initialise_xavier(module: nn.Module, gain: float = 0.02) -> None:
    """SPADE's initialisation: convolutions Xavier normal with gain 0.02, biases 0 (release)."""
    if all(p.is_meta for p in module.parameters()):
        return  # as in `initialise`
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)):
            normalised = parametrize.is_parametrized(layer, "weight")  # spectrally: `weight` is a copy
            nn.init.xavier_normal_(
                layer.parametrizations.weight.original if normalised else layer.weight, gain
            )
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def spade_spec(width: int = 64, **extra: Any) -> dict[str, Any]:
    """Spec of the generator at ``width`` (ngf): GauGAN 64; with ``separable=True`` Mobile SPADE (64, 48)."""
    check_widths("spade generator", width=width)
    stream = [16 * width] + [m * width for m in STREAM]
    rows = [(fin, min(fin, fout), fout, 2 * width) for fin, fout in itertools.pairwise(stream)]
    return {"kind": "spade", "blocks": tuple(rows), **extra}


def spade_subnet_spec(config: str, **extra: Any) -> dict[str, Any]:
    """Spec of a sub-network of Mobile SPADE (GAN Compression 3.3; release).

    ``config`` is "w0_w1_.._w7" for fc, head, the two middles and the four ups: the stream of the first three
    blocks keeps 16 w0 channels and only their inner width is 16 w_k; up_j has m w with m = 8, 4, 2, 1; the
    SPADEs of block k share 2 w_k channels.

    Raises:
        SlimvidError: a malformed string.
    """
    w = parse_config(config, lengths=(8,))
    stream = 16 * w[0]
    rows = [(stream, 16 * w[k], stream, 2 * w[k]) for k in (1, 2, 3)]
    fin = stream
    for k, multiple in zip((4, 5, 6, 7), STREAM[3:], strict=True):
        rows.append((fin, multiple * w[k], multiple * w[k], 2 * w[k]))
        fin = multiple * w[k]
    return {"kind": "spade", "blocks": tuple(rows), "separable": True, **extra}

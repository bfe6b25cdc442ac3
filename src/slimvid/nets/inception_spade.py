"""CAT's SPADE generator: GauGAN's pyramid, inception branches in its blocks and SPADEs (CAT 3.1; release)."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.nets.blocks import norm_layer
from slimvid.nets.checks import check_chain, check_length, check_widths
from slimvid.nets.inception import (
    BRANCHES,
    REDUCTION,
    Activation,
    activation_layer,
    branches,
    check_branches,
)
from slimvid.nets.spade import BLOCKS, STREAM, SpadePyramid, initialise_xavier

HIDDEN = 128  # of GauGAN's SPADE; an inception SPADE's branches have a sixth of it


class InceptionBlockWidths(NamedTuple):
    """One block: channels in and out, widths of its six branches, widths of its SPADE's six branches."""

    fin: int
    fout: int
    widths: Sequence[int]
    spade: Sequence[int]


class InceptionSpade(nn.Module):
    """norm(x) * (1 + gamma) + beta, where the branches' sum over the label map is gamma and beta stacked.

    These branches have ReLU, whatever the block around them has (release).
    """

    def __init__(self, channels: int, condition_channels: int, widths: Sequence[int]):
        super().__init__()
        self.norm = norm_layer("batch_free", channels)
        self.branches = branches(
            condition_channels, widths, 2 * channels, "batch", padding="zeros", bias=True
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = self.norm(x)
        if not len(self.branches):
            return x
        small = F.interpolate(condition, size=x.shape[2:], mode="nearest")
        gamma, beta = sum(branch(small) for branch in self.branches).chunk(2, dim=1)
        return x * (1 + gamma) + beta


class InceptionSpadeBlock(nn.Module):
    """Branches over activation(SPADE(x)), plus x, or plus Conv1(norm(x)) where the width changes.

    ``activation`` follows the SPADE and stands in the branches (release: one for both).
    """

    def __init__(self, row: InceptionBlockWidths, condition_channels: int, *, activation: Activation):
        super().__init__()
        self.activation = activation_layer(activation)
        self.spade = InceptionSpade(row.fin, condition_channels, row.spade)
        how = {"padding": "zeros", "bias": True, "activation": activation, "second_norm": "batch_free"}
        self.branches = branches(row.fin, row.widths, row.fout, "batch", **how)
        self.shortcut = None
        if row.fin != row.fout:
            conv = nn.Conv2d(row.fin, row.fout, 1, bias=False)
            self.shortcut = nn.Sequential(norm_layer("batch", row.fin), conv)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        skip = x if self.shortcut is None else self.shortcut(x)
        if not len(self.branches):
            return skip
        t = self.activation(self.spade(x, condition))
        return skip + sum(branch(t) for branch in self.branches)


class InceptionSpadeGenerator(SpadePyramid):
    """CAT's GauGAN: N x C x H x W condition in [0, 1] to N x 3 x H x W image in [-1, 1].

    Args:
        blocks: seven rows of ``InceptionBlockWidths``; see ``inception_spade_spec``.
        activation: of the blocks. "leaky_relu" in the original's training; the release's distiller rebuilds
            that original, and builds its student, with "relu". The paper names none.
        more: six up-samplings (Cityscapes), or five.

    Raises:
        SlimvidError: not seven blocks, widths that cannot be or do not chain, or an unknown activation.
    """

    def __init__(
        self,
        *,
        condition_channels: int = 36,
        blocks: Sequence[Sequence],
        activation: Activation = "leaky_relu",
        more: bool = True,
        out_channels: int = 3,
    ):
        where = "inception spade generator"
        check_length(where, "blocks", blocks, BLOCKS)
        rows = [InceptionBlockWidths(*row) for row in blocks]
        for row in rows:
            check_widths(where, fin=row.fin, fout=row.fout)
            check_branches(where, row.widths)
            check_branches(where, row.spade)
        check_chain(where, [(row.fin, row.fout) for row in rows])
        super().__init__(condition_channels, rows[-1].fout, out_channels, more=more)
        first = rows[0].fin
        # fc, then the affine normalisation whose scales CAT prunes the stream by
        self.fc = nn.Sequential(
            nn.Conv2d(condition_channels, first, 3, padding=1), norm_layer("batch", first)
        )
        self.blocks = nn.ModuleList(
            InceptionSpadeBlock(row, condition_channels, activation=activation) for row in rows
        )
        initialise_xavier(self)


def inception_spade_spec(width: int = 64, **extra: Any) -> dict[str, Any]:
    """Spec of CAT's SPADE teacher at ``width`` (ngf); ``activation="relu"``: as the release distils it."""
    check_widths("inception spade generator", width=width)
    stream = _stream(width)
    widths = [(max(1, min(ends) // REDUCTION),) * BRANCHES for ends in itertools.pairwise(stream)]
    spades = [(HIDDEN // REDUCTION,) * BRANCHES] * BLOCKS
    return with_widths({"kind": "inception_spade", **extra}, width=width, widths=widths, spades=spades)


def with_widths(
    spec: Mapping[str, Any],
    *,
    width: int,
    widths: Sequence[Sequence[int]],
    spades: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """The spec of a network of these widths.

    Args:
        width: ngf, which all stream widths are multiples of.
        widths, spades: for each block, the widths of its six branches and of its SPADE's.
    """
    ends = itertools.pairwise(_stream(width))
    rows = (
        (fin, fout, tuple(own), tuple(its))
        for (fin, fout), own, its in zip(ends, widths, spades, strict=True)
    )
    return {**spec, "blocks": tuple(rows)}


def _stream(width: int) -> list[int]:
    """Channels before the first block and after each."""
    return [multiple * width for multiple in (STREAM[0], *STREAM)]

"""vid2vid's composite generator with IncResBlocks in the place of its residual blocks (CAT 3.1).

The paper replaces the residual blocks of image generators, and says of a video original nothing. Here the
composite wiring stays, every residual block of every part becomes an IncResBlock, and each part has channel
counts of its own, so that pruning may narrow each by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from slimvid.nets.blocks import Norm
from slimvid.nets.inception import BRANCHES, REDUCTION, IncResBlock, check_branches
from slimvid.nets.parted_vid2vid import DECODERS, ENCODERS, Part, PartedComposite


class InceptionComposite(PartedComposite):
    """The composite generator of CAT; its sizes must leave 3 pixels a side to the blocks.

    Args:
        widths: as of any `PartedComposite`; an entry of ``blocks`` is the widths of a block's six branches.
        norm: "instance_affine", or "batch" (the paper's pix2pix).
    """

    WHERE = "inception vid2vid generator"
    LEAST = 3  # the 5x5 branches reflect two pixels

    def __init__(
        self,
        condition_channels: int,
        *,
        widths: Mapping[str, Part],
        past: int = 2,
        norm: Norm = "instance_affine",
        foreground: Sequence[int] = (),
    ):
        super().__init__(condition_channels, widths=widths, past=past, norm=norm, foreground=foreground)

    def block(self, channels: int, inside: Sequence[int]) -> nn.Module:
        return IncResBlock(channels, inside, self.norm)

    def check_block(self, where: str, inside: Sequence[int]) -> None:
        check_branches(where, inside)


def inception_vid2vid_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """CAT's teacher in the place of a vid2vid original: the same channels, IncResBlocks, affine norms.

    Args:
        spec: of a vid2vid generator as ``teachers.vid2vid`` makes it.
    """
    width, downs, blocks = spec["width"], spec["downs"], spec["blocks"]
    before, after = blocks - blocks // 2, blocks // 2

    def part(width: int, blocks: int, *keys: str) -> dict[str, list]:
        levels = [width * 2**i for i in range(downs + 1)]
        row = [levels[-1] // REDUCTION] * BRANCHES
        own = {"stem": levels, "blocks": [row] * blocks, "up": levels[-2::-1]}
        return {key: own[key] for key in keys}

    widths = {name: part(width, before, "stem", "blocks") for name in ENCODERS}
    widths |= {name: part(width, after, "blocks", "up") for name in DECODERS}
    whole = ("stem", "blocks", "up")
    if spec["foreground"]:
        widths["foreground"] = part(width // 2 if downs > 2 else width, blocks, *whole)
    if spec["first_frame"]:
        widths["first_frame"] = part(width, before, *whole)
    same = {key: spec[key] for key in ("condition_channels", "past", "foreground")}
    norm = "instance_affine" if spec["norm"] == "instance" else spec["norm"]
    return {"kind": "inception_vid2vid", **same, "norm": norm, "widths": widths}

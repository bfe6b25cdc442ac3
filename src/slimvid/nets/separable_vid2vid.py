"""vid2vid's composite generator with separable residual blocks, any width anywhere (GAN Compression 3.2).

The paper decomposes the residual blocks of image generators alone, and says of a video original nothing. Here
the composite wiring stays, and the residual blocks of every part are the MobileResnet's.

A configuration is c0...cd, m1, m2, m3, u0..., v0... at d down-samplings. Both encoders have c_i 2^i channels
after the i-th layer, inside their blocks m1 2^d. Image and flow branch have m2 2^d and m3 2^d inside theirs;
after the j-th up-sampling the image branch has u_j and the flow branch v_j, times 2^(d-1-j). Branches for
foreground and first frame follow the encoders and the image branch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from slimvid.nets.checks import check_widths
from slimvid.nets.parted_vid2vid import DECODERS, ENCODERS, PartedComposite
from slimvid.nets.separable import SeparableBlock


class SeparableComposite(PartedComposite):
    """The composite generator of the MobileResnet's blocks.

    An entry of ``blocks`` is the channels between a block's two separable convolutions; otherwise as any
    `PartedComposite`.
    """

    WHERE = "separable vid2vid generator"

    def block(self, channels: int, inside: int) -> nn.Module:
        return SeparableBlock(channels, self.norm, inner=inside)

    def check_block(self, where: str, inside: int) -> None:
        check_widths(where, blocks=inside)


def positions(original: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and roles of the numbers of a configuration."""
    downs = original["downs"]
    return [
        *((f"c{i}", "stem") for i in range(downs)),
        (f"c{downs}", "trunk"),
        *((f"m{i}", "trunk") for i in (1, 2, 3)),
        *((f"{branch}{i}", "up") for branch in "uv" for i in range(downs)),
    ]


def configured(original: Mapping[str, Any], config: Sequence[int]) -> dict[str, Any]:
    """The separable form of an original at a configuration (see ``nets.channel_space``).

    Args:
        original: spec of a vid2vid generator as ``teachers.vid2vid`` makes it.
    """
    downs, blocks = original["downs"], original["blocks"]
    before, after = blocks - blocks // 2, blocks // 2
    numbers = iter(config)
    stem = [next(numbers) * 2**i for i in range(downs + 1)]
    inside = [next(numbers) * 2**downs for _ in range(3)]
    image, flow = ([next(numbers) * 2 ** (downs - 1 - i) for i in range(downs)] for _ in DECODERS)
    widths: dict[str, dict[str, list[int]]] = {
        **{name: {"stem": stem, "blocks": inside[:1] * before} for name in ENCODERS},
        "image": {"blocks": inside[1:2] * after, "up": image},
        "flow": {"blocks": inside[2:] * after, "up": flow},
    }
    first = {"stem": stem, "blocks": inside[:1] * before, "up": image}
    if original["foreground"]:
        whole = {**first, "blocks": inside[:1] * before + inside[1:2] * after}
        part = 2 if downs > 2 else 1  # the original's own rule
        widths["foreground"] = {key: [width // part for width in whole[key]] for key in whole}
    if original["first_frame"]:
        widths["first_frame"] = first
    same = {key: original[key] for key in ("condition_channels", "past", "norm", "foreground")}
    return {"kind": "separable_vid2vid", **same, "widths": widths}


def narrowed(original: Mapping[str, Any]) -> dict[str, Any]:
    """The same layers at the least width: what shows the sizes of maps at no cost."""
    return {**original, "width": 2}


def distilled(original: Mapping[str, Any]) -> tuple[str, ...]:
    """Layers of the original and of its separable form whose features are distilled.

    As in the paper's generators: what enters the residual blocks, their middle and their ends; here that is
    the conditions' encoder, whose features the others are added to, and the ends of both branches' blocks.
    """
    return (f"down_seg.{3 * (original['downs'] + 1)}", "down_seg", "res_img", "res_flow")

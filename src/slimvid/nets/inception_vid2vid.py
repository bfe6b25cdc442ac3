"""vid2vid's composite generator with IncResBlocks in the place of its residual blocks (CAT 3.1).

The paper replaces the residual blocks of image generators, and says of a video original nothing. Here the
composite wiring stays, every residual block of every part becomes an IncResBlock, and each part has channel
counts of its own, so that pruning may narrow each by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import Norm, head, initialise
from slimvid.nets.checks import check_length, check_widths
from slimvid.nets.inception import BRANCHES, REDUCTION, IncResBlock, ascent, check_branches, descent
from slimvid.nets.vid2vid import Composite

WHERE = "inception vid2vid generator"
ENCODERS, DECODERS, WHOLE = ("conditions", "previous"), ("image", "flow"), ("foreground", "first_frame")
Part = Mapping[str, Sequence]


class InceptionComposite(Composite):
    """The composite generator of CAT; its sizes must leave 3 pixels a side to the blocks.

    Args:
        condition_channels, past: as vid2vid's.
        widths: channels of each part: encoders ``conditions`` and ``previous`` have a ``stem`` (after the 7x7
            convolution and each down-sampling; the last is the trunk's, the same in both) and ``blocks`` (for
            each the widths of its six branches); decoders ``image`` and ``flow`` have ``blocks`` and ``up``
            (after each up-sampling); ``foreground`` and ``first_frame``, where they are, have all three.
        norm: "instance_affine", or "batch" (the paper's pix2pix).
        foreground: channels of the condition whose classes the part ``foreground`` draws.

    Raises:
        SlimvidError: a part that is missing or left over, a width that cannot be, or a wrong number of them.
    """

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
        downs = check_parts(widths, foreground=bool(foreground))
        super().__init__(condition_channels, past=past, downs=downs, norm=norm, foreground=foreground)
        trunk, stacked = widths["conditions"]["stem"][-1], condition_channels * (past + 1)
        self.down_seg = _encoder(stacked, widths["conditions"], norm)
        self.down_img = _encoder(3 * past, widths["previous"], norm)
        self.res_img, self.up_img, last = _decoder(trunk, widths["image"], norm)
        self.final_img = head(last, 3, nn.Tanh())
        self.res_flow, self.up_flow, last = _decoder(trunk, widths["flow"], norm)
        self.final_flow, self.final_w = head(last, 2), head(last, 1, nn.Sigmoid())
        self.foreground = self.first_frame = None
        if "foreground" in widths:
            self.foreground = _whole(stacked, widths["foreground"], norm)
        if "first_frame" in widths:
            self.first_frame = _whole(condition_channels, widths["first_frame"], norm)
        initialise(self)


def check_parts(widths: Mapping[str, Part], *, foreground: bool) -> int:
    """The parts fit together; gives the number of down-samplings.

    Raises:
        SlimvidError: names the part, and what of it does not fit.
    """
    wanted = dict.fromkeys(ENCODERS, ("stem", "blocks")) | dict.fromkeys(DECODERS, ("blocks", "up"))
    wanted |= {name: ("stem", "blocks", "up") for name in WHOLE if name in widths}
    if unknown := [name for name in widths if name not in wanted]:
        raise SlimvidError(f"{WHERE}: widths names a part {unknown[0]!r}; parts are {', '.join(wanted)}")
    if foreground != ("foreground" in widths):
        raise SlimvidError(f"{WHERE}: give foreground classes and a part `foreground`, or neither")
    for name, keys in wanted.items():
        if sorted(widths.get(name, ())) != sorted(keys):
            raise SlimvidError(f"{WHERE}: part {name!r} needs {', '.join(keys)}, no less and no more")
        part = widths[name]
        check_widths(WHERE, **{f"{name}.{key}": part[key] for key in keys if key != "blocks"})
        for row in part["blocks"]:
            check_branches(f"{WHERE}, {name}", row)
    stem = widths["conditions"]["stem"]
    for name, keys in wanted.items():
        for key in keys:
            if key != "blocks":
                check_length(WHERE, f"{name}.{key}", widths[name][key], len(stem) - (key == "up"))
    if widths["previous"]["stem"][-1] != stem[-1]:
        raise SlimvidError(
            f"{WHERE}: the encoders end with {stem[-1]} and {widths['previous']['stem'][-1]} channels, "
            "but are summed; make them equal"
        )
    return len(stem) - 1


def _blocks(channels: int, part: Part, norm: Norm) -> list[nn.Module]:
    return [IncResBlock(channels, row, norm) for row in part["blocks"]]


def _encoder(in_channels: int, part: Part, norm: Norm) -> nn.Sequential:
    return nn.Sequential(*descent(in_channels, part["stem"], norm), *_blocks(part["stem"][-1], part, norm))


def _decoder(channels: int, part: Part, norm: Norm) -> tuple[nn.Sequential, nn.Sequential, int]:
    """Residual blocks, up-samplings, and the channels after them."""
    ups = nn.Sequential(*ascent(channels, part["up"], norm))
    return nn.Sequential(*_blocks(channels, part, norm)), ups, [channels, *part["up"]][-1]


def _whole(in_channels: int, part: Part, norm: Norm) -> nn.Sequential:
    layers, trunk = descent(in_channels, part["stem"], norm), part["stem"][-1]
    layers += _blocks(trunk, part, norm) + ascent(trunk, part["up"], norm)
    return nn.Sequential(*layers, *head([trunk, *part["up"]][-1], 3, nn.Tanh()))


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

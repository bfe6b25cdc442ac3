"""vid2vid's composite wiring of parts that each say how wide they are, with residual blocks of any kind.

Originals have one width for all (``nets.vid2vid``); compressed ones may have any width anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import Norm, head, initialise
from slimvid.nets.checks import check_length, check_widths
from slimvid.nets.inception import ascent, descent
from slimvid.nets.vid2vid import Composite

ENCODERS, DECODERS, WHOLE = ("conditions", "previous"), ("image", "flow"), ("foreground", "first_frame")
Part = Mapping[str, Sequence]


class PartedComposite(Composite):
    """The composite generator of parts; a subclass says what its residual blocks are.

    Args:
        condition_channels, past: as vid2vid's.
        widths: channels of each part: encoders ``conditions`` and ``previous`` have a ``stem`` (after the 7x7
            convolution and each down-sampling; the last is the trunk's, the same in both) and ``blocks``
            (what each block is to have inside); decoders ``image`` and ``flow`` have ``blocks`` and ``up``
            (after each up-sampling); ``foreground`` and ``first_frame``, where they are, have all three.
        norm: of every layer.
        foreground: channels of the condition whose classes the part ``foreground`` draws.

    Raises:
        SlimvidError: a part that is missing or left over, a width that cannot be, or a wrong number of them.
    """

    WHERE = "vid2vid generator"

    def __init__(
        self,
        condition_channels: int,
        *,
        widths: Mapping[str, Part],
        past: int = 2,
        norm: Norm,
        foreground: Sequence[int] = (),
    ):
        downs = self._check_parts(widths, foreground=bool(foreground))
        super().__init__(condition_channels, past=past, downs=downs, norm=norm, foreground=foreground)
        trunk, stacked = widths["conditions"]["stem"][-1], condition_channels * (past + 1)
        self.down_seg = self._encoder(stacked, widths["conditions"])
        self.down_img = self._encoder(3 * past, widths["previous"])
        self.res_img, self.up_img, last = self._decoder(trunk, widths["image"])
        self.final_img = head(last, 3, nn.Tanh())
        self.res_flow, self.up_flow, last = self._decoder(trunk, widths["flow"])
        self.final_flow, self.final_w = head(last, 2), head(last, 1, nn.Sigmoid())
        self.foreground = self.first_frame = None
        if "foreground" in widths:
            self.foreground = self._whole(stacked, widths["foreground"])
        if "first_frame" in widths:
            self.first_frame = self._whole(condition_channels, widths["first_frame"])
        initialise(self)

    def block(self, channels: int, inside: Any) -> nn.Module:
        """A residual block of ``channels``, by its entry in ``blocks``."""
        raise NotImplementedError

    def check_block(self, where: str, inside: Any) -> None:
        """Refuse an entry of ``blocks`` that cannot be."""
        raise NotImplementedError

    def _check_parts(self, widths: Mapping[str, Part], *, foreground: bool) -> int:
        """The parts fit together; gives the number of down-samplings.

        Raises:
            SlimvidError: names the part, and what of it does not fit.
        """
        wanted = dict.fromkeys(ENCODERS, ("stem", "blocks")) | dict.fromkeys(DECODERS, ("blocks", "up"))
        wanted |= {name: ("stem", "blocks", "up") for name in WHOLE if name in widths}
        if unknown := [name for name in widths if name not in wanted]:
            raise SlimvidError(
                f"{self.WHERE}: widths names a part {unknown[0]!r}; parts are {', '.join(wanted)}"
            )
        if foreground != ("foreground" in widths):
            raise SlimvidError(f"{self.WHERE}: give foreground classes and a part `foreground`, or neither")
        for name, keys in wanted.items():
            if sorted(widths.get(name, ())) != sorted(keys):
                raise SlimvidError(
                    f"{self.WHERE}: part {name!r} needs {', '.join(keys)}, no less and no more"
                )
            part = widths[name]
            check_widths(self.WHERE, **{f"{name}.{key}": part[key] for key in keys if key != "blocks"})
            for inside in part["blocks"]:
                self.check_block(f"{self.WHERE}, {name}", inside)
        stem = widths["conditions"]["stem"]
        for name, keys in wanted.items():
            for key in keys:
                if key != "blocks":
                    check_length(self.WHERE, f"{name}.{key}", widths[name][key], len(stem) - (key == "up"))
        if widths["previous"]["stem"][-1] != stem[-1]:
            raise SlimvidError(
                f"{self.WHERE}: the encoders end with {stem[-1]} and {widths['previous']['stem'][-1]} "
                "channels, but are summed; make them equal"
            )
        return len(stem) - 1

    def _blocks(self, channels: int, part: Part) -> list[nn.Module]:
        return [self.block(channels, inside) for inside in part["blocks"]]

    def _encoder(self, in_channels: int, part: Part) -> nn.Sequential:
        layers = descent(in_channels, part["stem"], self.norm)
        return nn.Sequential(*layers, *self._blocks(part["stem"][-1], part))

    def _decoder(self, channels: int, part: Part) -> tuple[nn.Sequential, nn.Sequential, int]:
        """Residual blocks, up-samplings, and the channels after them."""
        ups = nn.Sequential(*ascent(channels, part["up"], self.norm))
        return nn.Sequential(*self._blocks(channels, part)), ups, [channels, *part["up"]][-1]

    def _whole(self, in_channels: int, part: Part) -> nn.Sequential:
        layers, trunk = descent(in_channels, part["stem"], self.norm), part["stem"][-1]
        layers += self._blocks(trunk, part) + ascent(trunk, part["up"], self.norm)
        return nn.Sequential(*layers, *head([trunk, *part["up"]][-1], 3, nn.Tanh()))

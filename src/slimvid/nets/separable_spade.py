"""GauGAN's generator as GAN Compression searches it: separable gamma and beta, any width (3.2, 3.3; release).

A configuration is w0...w7: of the map's convolution and with it of the stream of the first three blocks, then
inside each of these, then of each of the four others. See `spade.spade_subnet_spec`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from slimvid.nets.spade import spade_spec, spade_subnet_spec

TRUNK = 5  # numbers w0...w4: with fewer candidates than the last three (release)


def positions(original: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and roles of the numbers of a configuration; there is nothing before the smallest maps."""
    return [(f"w{k}", "trunk" if k < TRUNK else "up") for k in range(8)]


def configured(original: Mapping[str, Any], config: Sequence[int]) -> dict[str, Any]:
    """The separable form of an original at a configuration (see ``nets.channel_space``)."""
    return spade_subnet_spec("_".join(map(str, config)), **_own(original))


def narrowed(original: Mapping[str, Any]) -> dict[str, Any]:
    """The same layers at the least width: what shows the sizes of maps at no cost."""
    return spade_spec(1, **_own(original))


def distilled(original: Mapping[str, Any]) -> tuple[str, ...]:
    """The layers whose features are distilled: head_0, G_middle_1, up_1 (release)."""
    return ("blocks.0", "blocks.2", "blocks.4")


def _own(original: Mapping[str, Any]) -> dict[str, Any]:
    return {key: original[key] for key in ("condition_channels", "more") if key in original}

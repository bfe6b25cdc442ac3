"""Cost of configurable networks as arithmetic on their widths: whole search spaces in a second.

The forms agree to the unit with counts of the built modules (tests hold it). All take numpy arrays that
broadcast against each other, so a space of millions of configurations is a handful of array operations.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from slimvid.errors import SlimvidError

Widths = np.ndarray | int


class Tally(NamedTuple):
    """Counts of one network, or arrays of them.

    conv: multiply-accumulates of convolutions, transposed ones on their output grid. true: those on their
    input grid. instance: output elements of instance normalisations. mul: elements of elementwise products.
    params: parameters.
    """

    conv: Widths
    true: Widths
    instance: Widths
    mul: Widths
    params: Widths

    def macs(self, convention: str) -> Widths:
        """Price by "conv-only", "torchprofile-0.0.1" or "true".

        Raises:
            SlimvidError: another convention.
        """
        if convention == "torchprofile-0.0.1":
            return self.conv + self.instance + self.mul
        prices = {"conv-only": self.conv, "true": self.true}
        if convention not in prices:
            known = ", ".join(("torchprofile-0.0.1", *prices))
            raise SlimvidError(f"convention {convention!r}: no closed form; known are {known}")
        return prices[convention]


def mobile_resnet(config: Sequence[Widths], *, height: int = 256, width: int = 256) -> Tally:
    """A 9-block sub-network of the MobileResnet, from the eight numbers of its configuration.

    RGB to RGB; ``height`` and ``width`` are multiples of 4. See ``slimvid.nets.resnet.subnet_spec``.
    """
    c0, c1, c2, *middle, u0, u1 = config
    p = height * width
    a, inner = 4 * c2, [4 * m for m in middle]
    ends = p * 147 * c0 + p * 147 * u1 + p // 4 * 18 * c0 * c1
    body = p // 16 * (18 * c1 * a + 3 * sum(9 * a + 2 * a * m + 9 * m for m in inner))
    first, second = 18 * a * u0, 18 * u0 * u1  # the two transposed convolutions, products a pixel
    instance = (
        p * (c0 + u1) + p // 4 * (2 * c1 + 2 * u0) + p // 16 * (a + 3 * sum(2 * a + 2 * m for m in inner))
    )
    params = (
        148 * c0
        + (18 * c0 * c1 + 2 * c1)
        + (18 * c1 * a + a)
        + 3 * sum(10 * a + (a * m + m) + 10 * m + (a * m + a) for m in inner)
        + (first + 2 * u0)
        + (second + u1)
        + (147 * u1 + 3)
    )
    conv = (ends + (p // 4 * first + body)) + p * second
    true = (ends + (p // 16 * first + body)) + p // 4 * second
    return Tally(conv, true, instance, 0 * u1, params)


def _spade(channels: Widths, hidden: Widths, condition: int, p: int) -> Tally:
    """One separable SPADE at ``p`` pixels."""
    products = 9 * condition * hidden + 2 * (9 * hidden + hidden * channels)
    params = (9 * condition * hidden + hidden) + 2 * (10 * hidden + hidden * channels + channels)
    return Tally(p * products, p * products, p * 2 * hidden, p * channels, params)


def _conv(fin: Widths, fout: Widths, kernel: int, p: int, *, bias: bool = True) -> Tally:
    products = kernel * kernel * fin * fout
    return Tally(p * products, p * products, 0, 0, products + (fout if bias else 0))


def mobile_spade(
    config: Sequence[Widths], *, height: int = 256, width: int = 512, condition: int = 36, more: bool = True
) -> Tally:
    """A sub-network of Mobile SPADE, from the eight numbers of its configuration.

    See ``slimvid.nets.spade.spade_subnet_spec``; ``height`` and ``width`` are multiples of 64 (32 for five
    up-samplings).
    """
    w, p = list(config), height * width
    scales = (4096, 1024, 256, 64, 16, 4, 1) if more else (1024, 256, 256, 64, 16, 4, 1)
    stream = 16 * w[0]
    rows = [(stream, 16 * w[k], stream) for k in (1, 2, 3)]
    for k, multiple in zip((4, 5, 6, 7), (8, 4, 2, 1), strict=True):
        rows.append((rows[-1][2], multiple * w[k], multiple * w[k]))
    parts = [_conv(condition, stream, 3, p // scales[0])]
    for i, (fin, mid, fout) in enumerate(rows):
        at, hidden = p // scales[i], 2 * w[i + 1]
        parts += [_conv(fin, mid, 3, at), _conv(mid, fout, 3, at)]
        parts += [_spade(fin, hidden, condition, at), _spade(mid, hidden, condition, at)]
        if i >= 3:
            parts += [_conv(fin, fout, 1, at, bias=False), _spade(fin, hidden, condition, at)]
    parts.append(_conv(rows[-1][2], 3, 3, p))
    return Tally(*(_sum(column) for column in zip(*parts, strict=True)))


def _sum(terms: Sequence[Widths]) -> Widths:
    """Sum with the small arrays first, so that few additions are as large as the whole space."""
    return sum(sorted(terms, key=np.size))


@dataclass(frozen=True)
class Space:
    """A once-for-all search space: which widths each of the eight numbers can take (GAN Compression 3.3)."""

    family: Literal["resnet", "spade"]
    candidates: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return int(np.prod([len(widths) for widths in self.candidates]))

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """All configurations, the last number fastest: the order of ``tally``."""
        return itertools.product(*self.candidates)

    def tally(self) -> Tally:
        """Counts of all configurations at the papers' size, each an array of ``size`` entries."""
        axes = [w.astype(np.int64) for w in np.ix_(*map(np.array, self.candidates))]
        form = mobile_resnet if self.family == "resnet" else mobile_spade
        shape = tuple(map(len, self.candidates))
        return Tally(*(np.broadcast_to(counts, shape).reshape(-1) for counts in form(axes)))

    def within(self, budget: float, convention: str = "torchprofile-0.0.1") -> int:
        """How many configurations cost at most ``budget`` multiply-accumulates."""
        return int(np.count_nonzero(self.tally().macs(convention) <= budget))


def _space(family: Literal["resnet", "spade"], *groups: tuple[int, tuple[int, ...]]) -> Space:
    return Space(family, tuple(widths for count, widths in groups for _ in range(count)))


SPACES = {  # GAN Compression's release; the first three and gaugan's 48 are the paper's, the others "fast"
    "channels-48": _space("resnet", (2, (48, 32)), (4, (48, 40, 32)), (2, (48, 32, 24, 16))),
    "channels-32": _space("resnet", (8, (32, 24, 16))),
    "channels-64-cycleGAN": _space("resnet", (8, (64, 48, 32, 24, 16))),
    "channels-64-pix2pix": _space("resnet", (8, (64, 56, 48, 40, 32, 24, 16))),
    "spade-channels-48": _space("spade", (5, (48, 40, 32)), (3, (48, 40, 32, 24))),
    "spade-channels-64": _space("spade", (5, (64, 48, 40, 32)), (3, (64, 48, 40, 32, 24))),
}


def space(name: str) -> Space:
    """A search space by name.

    Raises:
        SlimvidError: no such space; names the known ones.
    """
    if name not in SPACES:
        raise SlimvidError(f"search space {name!r}: unknown; known are {', '.join(SPACES)}")
    return SPACES[name]

"""Configurations of a once-for-all network: the widths that each position may have, and what they cost.

A configuration is one number a position (c0, c1, ...), such as GAN Compression's c0_c1_c2_m1_m2_m3_u0_u1: the
width (ngf) of a plain network which has as many channels there. Which layers a position decides is read off
the networks themselves: where one number changes, the channels that change are its own.

Every layer's multiply-accumulates are its products a pair of channels, times the channels that it reads and
writes. So whole spaces are a few array operations, equal to counts of the built networks to the unit.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from importlib import import_module
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets import build

Config = tuple[int, ...]
Role = Literal["stem", "trunk", "up"]
KINDS = {
    "resnet": "slimvid.nets.resnet",
    "vid2vid": "slimvid.nets.separable_vid2vid",
    "spade": "slimvid.nets.separable_spade",
}
SIZE = 128  # of the frame that products are counted on; they are in proportion to its pixels
PROBE, OTHER = 2, 4  # numbers of the networks that show which layers a position decides


class Position(NamedTuple):
    """One number of a configuration. ``role``: stem, trunk (the smallest maps) or up."""

    name: str
    role: Role


class Width(NamedTuple):
    """Channels somewhere in a network: ``times`` the number at ``position``, or at None always so many."""

    position: int | None
    times: Fraction

    def of(self, config: Sequence[int]) -> int:
        """Channels in a configuration."""
        number = 1 if self.position is None else config[self.position]
        return number * self.times.numerator // self.times.denominator

    def every(self, configs: np.ndarray) -> np.ndarray:
        """Channels in each of n configurations, int64 [n] (or [1] where they are always the same)."""
        numbers = np.ones(1, np.int64) if self.position is None else configs[:, self.position]
        return numbers * self.times.numerator // self.times.denominator


class Layer(NamedTuple):
    """A convolution: what it reads and writes, and its products a pair of channels on SIZE x SIZE pixels."""

    name: str
    reads: Width
    writes: Width
    products: int
    depthwise: bool


def positions(original: Mapping[str, Any]) -> tuple[Position, ...]:
    """What a configuration of an original's separable form consists of.

    Args:
        original: an architecture spec of one of `KINDS`.

    Raises:
        SlimvidError: another kind.
    """
    return tuple(Position(*each) for each in _module(original).positions(original))


def configured(original: Mapping[str, Any], config: Sequence[int]) -> dict[str, Any]:
    """Spec of the plain network of a configuration: the original's, its residual blocks separable."""
    return _module(original).configured(original, config)


def distilled_layers(original: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the layers whose features are distilled, the same in the original and its separable form."""
    return _module(original).distilled(original)


def _module(original: Mapping[str, Any]) -> Any:
    kind = original.get("kind")
    if kind not in KINDS:
        raise SlimvidError(
            f"channel space: none of an architecture of kind {kind!r}; only of {', '.join(KINDS)}"
        )
    return import_module(KINDS[kind])


class ChannelSpace:
    """All configurations of an original's separable form over some candidates.

    Args:
        original: the original's architecture spec.
        candidates: for each of `positions` the numbers that it may have, all from 1.

    Raises:
        SlimvidError: a position has no candidate, or there are more or fewer lists than positions.
    """

    def __init__(self, original: Mapping[str, Any], candidates: Sequence[Sequence[int]]):
        self.original, self.positions = dict(original), positions(original)
        self.candidates = tuple(tuple(sorted(set(numbers), reverse=True)) for numbers in candidates)
        if len(self.candidates) != len(self.positions):
            raise SlimvidError(
                f"channel space: {len(self.candidates)} lists of widths for {len(self.positions)} positions "
                f"({', '.join(p.name for p in self.positions)})"
            )
        for position, numbers in zip(self.positions, self.candidates, strict=True):
            if not numbers or min(numbers) < 1:
                raise SlimvidError(
                    f"channel space: position {position.name} may have no width; give one from 1"
                )

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return int(np.prod([len(numbers) for numbers in self.candidates], dtype=object))

    @property
    def largest(self) -> Config:
        """The configuration that all others are sub-networks of."""
        return tuple(numbers[0] for numbers in self.candidates)

    @property
    def smallest(self) -> Config:
        """The configuration that is a sub-network of all others."""
        return tuple(numbers[-1] for numbers in self.candidates)

    def __iter__(self) -> Iterator[Config]:
        """All configurations, the last number fastest."""
        return itertools.product(*self.candidates)

    def spec(self, config: Sequence[int]) -> dict[str, Any]:
        """Spec of a configuration's plain network."""
        return configured(self.original, config)

    def sample(self, rng: np.random.Generator) -> Config:
        """One configuration, each number drawn uniformly and by itself (release)."""
        return tuple(int(numbers[rng.integers(len(numbers))]) for numbers in self.candidates)

    def macs(self, configs: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
        """True multiply-accumulates of each of n configurations on SIZE x SIZE pixels, int64 [n]."""
        configs = np.asarray(configs, np.int64)
        total = np.zeros(len(configs), np.int64)
        for layer in self.layers:
            reads = 1 if layer.depthwise else layer.reads.every(configs)
            total += layer.products * reads * layer.writes.every(configs)
        return total

    def share(self, configs: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
        """The same as a share of the original's, which no size of frame changes; float64 [n]."""
        return self.macs(configs) / self.original_macs

    @cached_property
    def original_macs(self) -> int:
        """True multiply-accumulates of the original on SIZE x SIZE pixels."""
        grids = _grids(build(_module(self.original).narrowed(self.original)))
        with torch.device("meta"):
            ends = _ends(build(self.original))
        return sum(
            grids[name] * (1 if depthwise else reads) * writes
            for name, (reads, writes, depthwise) in ends.items()
            if name in grids
        )

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every convolution that a frame goes through or a first-frame branch has, in order."""
        count = len(self.positions)
        probe = [PROBE] * count
        with torch.device("meta"):
            base = _ends(build(self.spec(probe)))
            others = []
            for number in range(count):
                probe[number] = OTHER
                others.append(_ends(build(self.spec(probe))))
                probe[number] = PROBE
        grids = _grids(build(self.spec(probe)))
        return tuple(
            Layer(
                name,
                _width(name, reads, [other[name][0] for other in others]),
                _width(name, writes, [other[name][1] for other in others]),
                grids.get(name, 0),
                depthwise,
            )
            for name, (reads, writes, depthwise) in base.items()
        )


def text(config: Sequence[int]) -> str:
    """A configuration as the release writes it: its numbers joined by "_"."""
    return "_".join(map(str, config))


def _convolutions(net: nn.Module) -> dict[str, nn.Conv2d | nn.ConvTranspose2d]:
    return {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)}


def _ends(net: nn.Module) -> dict[str, tuple[int, int, bool]]:
    """Channels that each convolution reads and writes, and whether it is depthwise."""
    return {
        name: (layer.in_channels, layer.out_channels, layer.groups > 1)
        for name, layer in _convolutions(net).items()
    }


def _width(name: str, channels: int, others: Sequence[int]) -> Width:
    """What decides a number of channels: those of the probe, and of the networks with one number changed."""
    changed = [number for number, other in enumerate(others) if other != channels]
    if not changed:
        return Width(None, Fraction(channels))
    times = Fraction(others[changed[0]] - channels, OTHER - PROBE)
    if len(changed) > 1 or times * PROBE != channels:
        raise SlimvidError(f"channel space: the channels of {name} are not those of one position")
    return Width(changed[0], times)


def _grids(net: nn.Module) -> dict[str, int]:
    """Products a pair of channels of each convolution that a frame goes through, on SIZE x SIZE pixels."""
    grids: dict[str, int] = {}

    def keeper(name: str):
        def keep(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            # a transposed convolution meets each tap once for every element that it reads
            grid = given[0] if isinstance(layer, nn.ConvTranspose2d) else out
            taps = layer.kernel_size[0] * layer.kernel_size[1]
            grids[name] = grids.get(name, 0) + grid.shape[2] * grid.shape[3] * taps

        return keep

    for name, layer in _convolutions(net).items():
        layer.register_forward_hook(keeper(name))
    with torch.no_grad():
        net.eval()(*net.example_inputs(SIZE, SIZE, device="cpu"))
    return grids

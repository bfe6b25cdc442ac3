"""Where a translator is cut: an encoder that runs on every frame, a decoder that may be fed something else.

Shortcut-V2V (Algorithm 1) needs of any translator

    a = encode(inputs)                features of the encoder's cut, cheap
    out, f = complete(a, inputs)      the rest of the full frame, and the decoder's features on the way
    out = decode(f, inputs)           the picture from (predicted) features alone

A network that is one sequence (``model``) is cut at two indices (s, e): a is the output of ``model[:s]``, f
of ``model[:e]``. A network of another shape offers ``cut(encoder, decoder)`` and ``cut_indices(level)``
itself. Levels are teacher dependence as in Table 4: "high" cuts at the smallest feature maps, right before
the residual blocks and after them; "medium" (the paper's choice) one scale above, "low" two.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.choices import Level
from slimvid.nets.framewise import Drawn

LEVELS = ("high", "medium", "low")  # scales above the smallest: 0, 1, 2
SIZE = 64  # of the frame that cuts are looked for with
POINTWISE = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.ReLU, nn.LeakyReLU, nn.Dropout)


class Cut(Protocol):
    """A translator in two: see the module's text. All features are N x . x H x W."""

    def encode(self, *inputs: Tensor) -> Tensor: ...

    def complete(self, a: Tensor, *inputs: Tensor) -> tuple[Any, Tensor]:
        """What the uncut network gives (something with ``image``), and f."""

    def decode(self, f: Tensor, *inputs: Tensor) -> Any:
        """Something with ``image``."""

    def aim(self, out: Any) -> Tensor:
        """Of what ``complete`` gave, the picture that ``decode`` makes of the same f."""


class CutPoint(NamedTuple):
    """Indices of the encoder's end and the decoder's start, and the features' channels and scale there.

    ``scale``: the frame's size over the features'. ``blended``: the decoder's features are those of the image
    branch and of the flow branch, stacked; what is decoded from them is blended as in a full frame.
    """

    encoder: int
    decoder: int
    encoder_channels: int
    decoder_channels: int
    scale: int
    blended: bool = False

    @property
    def branch_channels(self) -> int:
        """Channels of one branch's decoder features."""
        return self.decoder_channels // (2 if self.blended else 1)


class SequentialCut:
    """Cut of a network that is one sequence ``model``."""

    def __init__(self, net: nn.Module, encoder: int, decoder: int):
        self.net, self.encoder, self.decoder = net, encoder, decoder

    def encode(self, x: Tensor) -> Tensor:
        return self.net.model[: self.encoder](x)

    def complete(self, a: Tensor, x: Tensor) -> tuple[Drawn, Tensor]:
        f = run(self.net.model[self.encoder : self.decoder], a)
        return self.decode(f), f

    def decode(self, f: Tensor, x: Tensor | None = None) -> Drawn:
        return Drawn(run(self.net.model[self.decoder :], f))

    def aim(self, out: Drawn) -> Tensor:
        return out.image


def run(layers: nn.Sequential, features: Tensor) -> Tensor:
    """Run layers on features that somebody else keeps: a first layer that writes in place gets a copy."""
    if len(layers) and getattr(layers[0], "inplace", False):
        features = features.clone()
    return layers(features)


def attach(net: nn.Module, point: "CutPoint") -> Cut:
    """The cut of ``net`` at a point that ``find`` gave."""
    if hasattr(net, "cut"):
        return net.cut(point.encoder, point.decoder, blended=point.blended)
    return SequentialCut(net, point.encoder, point.decoder)


@torch.no_grad()
def find(twin: nn.Module, where: Level | tuple[int, int], *, blended: bool = False) -> CutPoint:
    """Indices and channels of a cut.

    Args:
        twin: the network, small or on the meta device (only shapes are looked at, at SIZE x SIZE).
        where: a level of dependence, or the pair of indices (release's RecycleGAN: (5, 17)).
        blended: decode flow and weight, too, and blend (networks that do so: vid2vid).

    Raises:
        SlimvidError: the network names no cuts, has no such level, or the features at the cut differ in size.
    """
    kind = type(twin).__name__
    own = hasattr(twin, "cut")
    if not own and not isinstance(getattr(twin, "model", None), nn.Sequential):
        raise SlimvidError(
            f"cut of {kind}: it names no encoder and decoder; give it a method `cut`, or one sequence `model`"
        )
    if isinstance(where, str):
        encoder, decoder = twin.cut_indices(where) if own else sequence_indices(twin, where)
    else:
        encoder, decoder = where
        if not own and not 0 < encoder <= decoder < len(twin.model):
            raise SlimvidError(
                f"cut {tuple(where)} of {kind}: indices must rise, within its {len(twin.model)} layers"
            )
    if blended and not getattr(twin, "blends", False):
        raise SlimvidError(f"cut of {kind}: it has nothing to blend; leave `decode: blended` out")
    label = f"cut {where if isinstance(where, str) else tuple(where)} of {kind}"
    inputs = _example(twin)
    try:
        cut = attach(twin, CutPoint(encoder, decoder, 0, 0, 0, blended))
        a = cut.encode(*inputs)
        _, f = cut.complete(a, *inputs)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SlimvidError(f"{label}: its parts do not fit ({reason}); choose other indices") from None
    if a.shape[2:] != f.shape[2:]:
        sizes = " and ".join("x".join(map(str, t.shape[2:])) for t in (a, f))
        raise SlimvidError(
            f"{label}: features of encoder and decoder differ in size ({sizes} of a frame of "
            f"{inputs[0].shape[2]}x{inputs[0].shape[3]}); choose indices of one scale"
        )
    scale = inputs[0].shape[2] // a.shape[2]
    return CutPoint(encoder, decoder, a.shape[1], f.shape[1], scale, blended)


def _example(twin: nn.Module) -> tuple[Tensor, ...]:
    return twin.example_inputs(SIZE, SIZE, device=next(twin.parameters()).device.type)


def sequence_indices(twin: nn.Module, level: Level) -> tuple[int, int]:
    """Where a level cuts a sequence, found by the sizes of its feature maps.

    a is the output of the first layer that reaches the scale, f that of the first which comes back to it: the
    convolutions themselves, before their normalisation (release). At the smallest scale a is what enters the
    first residual block, and f what leaves the last.
    """
    heights = _heights(twin)
    scales = sorted(set(heights) & {heights[-1] // 2**k for k in range(10)})
    if LEVELS.index(level) >= len(scales):
        fits = ", ".join(LEVELS[: len(scales)])
        raise SlimvidError(f"cut {level!r} of {type(twin).__name__}: it has the levels {fits} only")
    scale = scales[LEVELS.index(level)]
    arrives = heights.index(scale)
    if level != "high":
        low = heights.index(scales[0], arrives)
        return arrives + 1, heights.index(scale, low) + 1
    leaves = next(i for i in range(arrives, len(heights)) if heights[i] > scale)
    end = arrives + 1
    while isinstance(twin.model[end], POINTWISE):
        end += 1
    return end, leaves


def _heights(twin: nn.Module) -> list[int]:
    (x,) = _example(twin)
    return [(x := layer(x)).shape[2] for layer in twin.model]

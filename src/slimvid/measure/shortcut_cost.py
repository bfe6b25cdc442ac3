"""What Shortcut-V2V costs: its block in closed form, and whole shortcut frames as the paper counts them.

The paper's MACs are those of *one shortcut frame*: encoder up to the cut, block, decoder from its cut. The
full teacher frame that opens every cycle is left out, and the counter (thop) sees no deformable convolution.
``per_frame`` gives the mean over a cycle with both.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from torch import Tensor, nn

HET = 3.5  # weights of a HetConv a pair of channels: 9/4 grouped 3x3, 1 dense 1x1, 1/4 grouped 1x1
TAPS = 9


@dataclass(frozen=True)
class BlockCost:
    """One Shortcut block as released (Eq. 6): MACs and parameters as hooks see them, and what they miss.

    ``nets.shortcut`` sums before it multiplies, so it needs less than ``deform_macs``.

    unused_params: an offset convolution that the release's deformable layer holds and never calls.
    """

    hooked_macs: int
    deform_macs: int
    hooked_params: int
    deform_params: int
    unused_params: int

    @property
    def macs(self) -> int:
        """True multiply-accumulates."""
        return self.hooked_macs + self.deform_macs

    @property
    def params(self) -> int:
        """Parameters of the block as built here (without the unused convolution)."""
        return self.hooked_params + self.deform_params


def block_cost(encoder_channels: int, decoder_channels: int, hidden: int, area: int) -> BlockCost:
    """Cost of a block on feature maps of ``area`` pixels (height and width even).

    Raises:
        SlimvidError: a width or an area below 1, or an odd area.
    """
    if min(encoder_channels, decoder_channels, hidden, area) < 1 or area % 4:
        raise SlimvidError(
            f"shortcut block c_a={encoder_channels}, c={decoder_channels}, h={hidden}, area={area}: "
            "widths are from 1 and the area a multiple of 4"
        )
    a, c, h = encoder_channels, decoder_channels, hidden
    coarse, fine = HET * (2 * a * h + h * h), HET * (2 * h * h + h * h + h * h)
    per_pixel = c * h + 2 * a * h + coarse / 4 + 2 * h / 4 + fine + 3 * TAPS * h + h * c
    params = (c * h + h) + (a * h + h) + (coarse + 6 * h) + (2 * h + 2)
    params += (fine + 9 * h) + 3 * TAPS * (h + 1) + (h * c + c)
    return BlockCost(
        hooked_macs=int(area * per_pixel),
        deform_macs=int(area * TAPS * h * h * 2.5),  # two at half size, two at full size
        hooked_params=int(params),
        deform_params=2 * TAPS * h * h,
        unused_params=TAPS * h * 18 + 18,
    )


@dataclass(frozen=True)
class FrameCost:
    """A shortcut frame: as published (thop), and truly; ``full`` is the true cost of a teacher frame."""

    macs_thop: int
    params_thop: int
    macs: int
    full: int

    def per_frame(self, interval: int) -> float:
        """True MACs, mean over a cycle of ``interval`` frames, of which the first is the teacher's."""
        from slimvid.measure.cost import cycle_mean

        return cycle_mean(self.full, self.macs, interval)


def _run(part: "nn.Module", x: "Tensor") -> "Tensor":
    import torch

    with torch.inference_mode():
        return part.eval()(x)


def _assemble(
    full: tuple["nn.Module", tuple["Tensor", ...]],
    parts: list[tuple["nn.Module", "Tensor"]],
    block: BlockCost,
    extra: int = 0,
) -> FrameCost:
    """Add up the traced parts and the block; ``extra`` counts in thop's figure alone."""
    from slimvid.measure.conventions import price
    from slimvid.measure.trace import trace

    traces = [trace(part, x) for part, x in parts]
    thop = [price(t, "thop") for t in traces]
    return FrameCost(
        macs_thop=sum(c.macs for c in thop) + block.hooked_macs + extra,
        params_thop=sum(c.params for c in thop) + block.hooked_params,
        macs=sum(price(t).macs for t in traces) + block.macs,
        full=price(trace(full[0], *full[1])).macs,
    )


@cache
def recyclegan_frame(
    *, height: int, width: int, start: int = 5, end: int = 17, hidden: int = 64
) -> FrameCost:
    """A shortcut frame of Unsupervised RecycleGAN (ResNet-6, 64): cut after layer ``start``, back at ``end``.

    Released setting: 5, 17, 64 (after the first strided and the first transposed convolution).
    """
    import torch
    from torch import nn

    from slimvid.measure.trace import shapes_only
    from slimvid.nets import build
    from slimvid.nets.resnet import resnet_spec

    with shapes_only():
        net = build(resnet_spec(64, blocks=6))
        image = torch.zeros(1, 3, height, width)
    encoder, decoder = (nn.Sequential(*layers) for layers in (net.model[:start], net.model[end:]))
    a, f = _run(encoder, image), _run(net.model[:end], image)
    block = block_cost(a.shape[1], f.shape[1], hidden, a.shape[2] * a.shape[3])
    return _assemble((net, (image,)), [(encoder, image), (decoder, f)], block)


@dataclass(frozen=True)
class Vid2VidCut:
    """Where the vid2vid block sits: layers of both encoders before it, of up_img before it, hidden width.

    No code of it was released. This wiring was found by matching the printed figures: a is both encoders'
    features stacked, the decoder is the image branch alone (no flow on shortcut frames), and the counted
    figure holds one more pass of the block's last 1x1 convolution, as in training.
    """

    down: int
    up: int | None  # None: before up_img, after the residual blocks
    hidden: int


CUTS = {"low": Vid2VidCut(5, 4, 128), "medium": Vid2VidCut(8, 1, 256), "high": Vid2VidCut(13, None, 512)}
CITY_HIDDEN = 128


@cache
def vid2vid_frame(task: str, level: Literal["low", "medium", "high"] = "medium") -> FrameCost:
    """A shortcut frame of vid2vid at full size; streets draw their whole foreground branch in it."""
    from torch import nn

    from slimvid.measure.paper_scale import SIZES, spec
    from slimvid.measure.trace import shapes_only
    from slimvid.nets import build

    with shapes_only():
        net = build(spec(task, "original"))
        seg, img = net.example_inputs(*SIZES[task])
    cut = CUTS[level]
    encoders = [nn.Sequential(*net.down_seg[: cut.down]), nn.Sequential(*net.down_img[: cut.down])]
    a = _run(encoders[0], seg)
    f = _trunk(net, seg) if cut.up is None else _run(net.up_img[: cut.up], _trunk(net, seg))
    decoder = nn.Sequential(*net.up_img[cut.up or 0 :], *net.final_img)
    hidden = cut.hidden if net.foreground is None else CITY_HIDDEN
    area = f.shape[2] * f.shape[3]
    block = block_cost(2 * a.shape[1], f.shape[1], hidden, area)
    parts: list[Any] = [(encoders[0], seg), (encoders[1], img), (decoder, f)]
    if net.foreground is not None:
        parts.append((net.foreground, seg))
    return _assemble((net, (seg, img)), parts, block, extra=area * hidden * f.shape[1])


def _trunk(net: "nn.Module", seg: "Tensor") -> "Tensor":
    return _run(net.res_img, _run(net.down_seg, seg))

"""The ResNet generator of CycleGAN and its kin: dense, separable (MobileResnet), or any sub-network of these.

    R3 Conv7 -> 2 down-samplings -> residual blocks -> 2 up-samplings -> R3 Conv7 Tanh

``model`` is one flat sequence in the papers' order, because distillation and Shortcut-V2V name layers by
their index: 0 pad, 1 conv7, 2 norm, 3 ReLU, 4-6 and 7-9 the down-samplings, 10... the blocks, then two
up-samplings of three layers each, pad, conv7, Tanh.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import Norm, ResBlock, down, head, initialise, norm_layer, stem, up
from slimvid.nets.checks import check_image, check_length, check_size, check_widths
from slimvid.nets.framewise import FrameWise
from slimvid.nets.separable import SeparableBlock, SeparableConv, SeparableUp

PARTS = ("down", "blocks", "up")
FIRST_BLOCK = 10  # index in ``model``


class ResnetGenerator(FrameWise, nn.Module):
    """Image to image, both N x . x H x W in [-1, 1]; H and W multiples of 4, at least 8.

    Args:
        stem: channels after the 7x7 convolution and after each of the two down-samplings.
        inner: channels between the two convolutions of each block (as many entries as blocks).
        up: channels after each of the two up-samplings.
        separable: which parts are decomposed, of "down", "blocks", "up" (MobileResnet: blocks).
        norm: "instance" (the papers); convolutions have a bias unless it is a batch normalisation.

    Raises:
        SlimvidError: a width below 1, a wrong number of widths, an unknown part.
    """

    def __init__(
        self,
        *,
        stem: Sequence[int] = (64, 128, 256),
        inner: Sequence[int] = (256,) * 9,
        up: Sequence[int] = (128, 64),
        separable: Sequence[str] = (),
        in_channels: int = 3,
        out_channels: int = 3,
        norm: Norm = "instance",
    ):
        super().__init__()
        where = "resnet generator"
        check_length(where, "stem", stem, 3)
        check_length(where, "up", up, 2)
        check_widths(where, stem=stem, inner=inner, up=up, in_channels=in_channels, out_channels=out_channels)
        unknown = [part for part in separable if part not in PARTS]
        if unknown:
            raise SlimvidError(f"{where}: separable names {unknown[0]!r}; known parts are {', '.join(PARTS)}")
        self.in_channels = in_channels
        self.model = nn.Sequential(
            *_stem(in_channels, stem, norm, "down" in separable),
            *_blocks(stem[2], inner, norm, "blocks" in separable),
            *_ups(stem[2], up, norm, "up" in separable),
            *head(up[1], out_channels, nn.Tanh()),
        )
        initialise(self)

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless both down-samplings divide the size and reflection padding fits."""
        check_size("resnet generator", height, width, step=4, least=8)

    def forward(self, x: Tensor) -> Tensor:
        check_image("resnet generator", x, self.in_channels)
        self.check_size(*x.shape[2:])
        return self.model(x)

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Inputs of one frame at batch 1, for counting and timing."""
        self.check_size(height, width)
        return (torch.zeros(1, self.in_channels, height, width, device=device),)


def _bias(norm: Norm) -> bool:
    return not norm.startswith("batch")


def _stem(in_channels: int, widths: Sequence[int], norm: Norm, separable: bool) -> list[nn.Module]:
    layers = stem(in_channels, widths[0], norm, bias=_bias(norm))
    for a, b in itertools.pairwise(widths):
        if separable:
            layers += [SeparableConv(a, b, stride=2, padding=1), norm_layer(norm, b), nn.ReLU(True)]
        else:
            layers += down(a, b, norm, bias=_bias(norm))
    return layers


def _blocks(channels: int, inner: Sequence[int], norm: Norm, separable: bool) -> list[nn.Module]:
    if separable:
        return [SeparableBlock(channels, norm, inner=width) for width in inner]
    return [ResBlock(channels, norm, inner=width, bias=_bias(norm)) for width in inner]


def _ups(channels: int, widths: Sequence[int], norm: Norm, separable: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for a, b in zip((channels, *widths), widths, strict=False):
        if separable:
            layers += [SeparableUp(a, b), norm_layer(norm, b), nn.ReLU(True)]
        else:
            layers += up(a, b, norm, bias=_bias(norm))
    return layers


def resnet_spec(
    width: int, *, blocks: int = 9, separable: Sequence[str] = (), **extra: Any
) -> dict[str, Any]:
    """Spec of the plain generator at ``width`` (ngf): stem n, 2n, 4n; blocks 4n; up 2n, n.

    Originals: width 64, nothing separable (CycleGAN and pix2pix of GAN Compression: 9 blocks; Unsupervised
    RecycleGAN: 6). MobileResnet: ``separable=("blocks",)``.
    """
    check_widths("resnet generator", width=width, blocks=blocks)
    return {
        "kind": "resnet",
        "stem": (width, 2 * width, 4 * width),
        "inner": (4 * width,) * blocks,
        "up": (2 * width, width),
        "separable": tuple(separable),
        **extra,
    }


def parse_config(config: str, *, lengths: Sequence[int]) -> tuple[int, ...]:
    """The numbers of a once-for-all configuration string, such as "16_16_32_16_32_32_16_16".

    Raises:
        SlimvidError: not numbers joined by "_", a number below 1, or a length not in ``lengths``.
    """
    parts = config.split("_")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise SlimvidError(f"config string {config!r}: needs whole numbers from 1, joined by '_'")
    if len(parts) not in lengths:
        wanted = " or ".join(map(str, lengths))
        raise SlimvidError(f"config string {config!r}: has {len(parts)} numbers; this space has {wanted}")
    return tuple(map(int, parts))


def subnet_spec(config: str, *, legacy: bool = False, blocks: int = 9, **extra: Any) -> dict[str, Any]:
    """Spec of a sub-network of the MobileResnet once-for-all network (GAN Compression 3.3; release).

    Args:
        config: "c0_c1_c2_m1_m2_m3_u0_u1": the stem has c0, 2 c1, 4 c2 channels, the inner width of a block is
            4 m (m1 for the first third of the blocks, and so on), the up-samplings have 2 u0 and u1.
            "c0_c1_c2_m_u0_u1": the form of the paper's first models, one m for all blocks.
        legacy: the released pattern of that first form for edges2shoes, where only every third block (0, 3,
            6) has inner width 4 m and the others the stream's 4 c2.

    Raises:
        SlimvidError: a malformed string; ``legacy`` with eight numbers.
    """
    numbers = parse_config(config, lengths=(6, 8))
    if legacy and len(numbers) != 6:
        raise SlimvidError(f"config string {config!r}: the legacy pattern has 6 numbers")
    spec = config_spec(numbers, blocks=blocks, **extra)
    if legacy:
        stream = spec["stem"][2]
        spec["inner"] = tuple(w if i % 3 == 0 else stream for i, w in enumerate(spec["inner"]))
    return spec


def config_spec(numbers: Sequence[int], *, blocks: int, **extra: Any) -> dict[str, Any]:
    """Spec of the sub-network with the numbers c0, c1, c2, m..., u0, u1 (see ``subnet_spec``).

    There may be any number of m from 1 to ``blocks``: each is of an equal share of the blocks, in order.
    """
    c0, c1, c2, *middle, u0, u1 = numbers
    return {
        "kind": "resnet",
        "stem": (c0, 2 * c1, 4 * c2),
        "inner": tuple(4 * middle[i * len(middle) // blocks] for i in range(blocks)),
        "up": (2 * u0, u1),
        "separable": ("blocks",),
        **extra,
    }


def positions(original: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and roles of a configuration's numbers: c0, c1, c2, an m for each third of the blocks, u0, u1."""
    middle = [(f"m{i + 1}", "trunk") for i in range(min(3, len(original["inner"])))]
    return [("c0", "stem"), ("c1", "stem"), ("c2", "trunk"), *middle, ("u0", "up"), ("u1", "up")]


def configured(original: Mapping[str, Any], config: Sequence[int]) -> dict[str, Any]:
    """The separable form of an original at a configuration (see ``nets.channel_space``)."""
    own = {key: original[key] for key in ("in_channels", "out_channels", "norm") if key in original}
    return config_spec(config, blocks=len(original["inner"]), **own)


def narrowed(original: Mapping[str, Any]) -> dict[str, Any]:
    """The same layers with two channels each: what shows the sizes of maps at no cost."""
    widths = {name: (2,) * len(original[name]) for name in ("stem", "inner", "up")}
    return {**original, **widths}


def distilled(original: Mapping[str, Any]) -> tuple[str, ...]:
    """The layers whose features GAN Compression distils: before the blocks and at thirds (release)."""
    blocks = len(original["inner"])
    ends = (FIRST_BLOCK - 1 + (blocks * third + 1) // 3 for third in range(4))
    return tuple(dict.fromkeys(f"model.{end}" for end in ends))

"""The networks behind the papers' MACs and parameter figures, by name, at the size they were counted at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import CONVENTIONS, price
from slimvid.measure.cost import GIGA, MEGA
from slimvid.measure.paper_scale import ALPHA, DEFAULT_ALPHA, SIZES, VID2VID, spec
from slimvid.measure.shortcut_cost import FrameCost, recyclegan_frame, vid2vid_frame
from slimvid.measure.trace import shapes_only, trace
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec, subnet_spec
from slimvid.nets.spade import spade_spec, spade_subnet_spec

if TYPE_CHECKING:
    from torch import nn

PHOTO, CITY = (256, 256), (256, 512)  # heights and widths


@dataclass(frozen=True)
class Figures:
    """A network's cost: MACs in 1e9 and parameters in 1e6 by convention, one drawn frame unless said.

    true: true MACs of what the published figure is of. per_frame: true MACs, honest mean over a clip.
    """

    macs: Mapping[str, float]
    params: Mapping[str, float]
    true: float
    per_frame: float


@dataclass(frozen=True)
class Whole:
    """A network whose every drawn frame is one pass.

    make: builds it, where and how the caller's torch contexts say. size: height and width.
    mean_macs: for a plan of key-frames, the printed mean (thop, 1e9), which implies the share of key-frames.
    """

    make: Callable[[], "nn.Module"]
    size: tuple[int, int]
    mean_macs: float | None = None

    def __call__(self) -> Figures:
        with shapes_only():
            net = self.make()
        facts = trace(net, *net.example_inputs(*self.size))
        counts = {name: price(facts, name) for name in CONVENTIONS}
        if counts["true"].unknown:
            raise SlimvidError(f"operations that no rule covers: {', '.join(counts['true'].unknown)}")
        macs = {name: count.macs / GIGA for name, count in counts.items()}
        share = 1.0 if self.mean_macs is None else self.mean_macs / macs["thop"]
        params = {name: count.params / MEGA for name, count in counts.items()}
        return Figures(macs, params, macs["true"], macs["true"] * share)


def _net(architecture: Mapping[str, Any], size: tuple[int, int] = PHOTO) -> Whole:
    return Whole(partial(build, architecture), size)


def _vid2vid(task: str) -> Whole:
    return Whole(lambda: build(spec(task, "original")), SIZES[task])


def _fast(task: str, mean_macs: float) -> Whole:
    return Whole(lambda: build(spec(task, "fast_vid2vid")), SIZES[task], mean_macs)


def _separable_vid2vid(task: str, width: int) -> "nn.Module":
    """vid2vid at another width with the MobileResnet's residual blocks."""
    from slimvid.nets.blocks import ResBlock
    from slimvid.nets.separable import SeparableBlock

    net = build({**spec(task, "original"), "width": width})
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ResBlock):
                setattr(parent, name, SeparableBlock(child.body[1].in_channels, "batch"))
    return net


def _omgd(task: str, width: int) -> Whole:
    return Whole(partial(_separable_vid2vid, task, width), SIZES[task])


def _shortcut(frame: Callable[[], FrameCost], interval: int = DEFAULT_ALPHA) -> Figures:
    cost = frame()
    return Figures(
        {"thop": cost.macs_thop / GIGA, "true": cost.macs / GIGA},
        {"thop": cost.params_thop / MEGA},
        cost.macs / GIGA,
        cost.per_frame(interval) / GIGA,
    )


def _shortcut_gan(size: tuple[int, int], **cut: int) -> Callable[[], Figures]:
    return partial(_shortcut, partial(recyclegan_frame, height=size[0], width=size[1], **cut))


def _shortcut_vid2vid(task: str, level: str = "medium") -> Callable[[], Figures]:
    interval = ALPHA.get(task, DEFAULT_ALPHA)
    return partial(_shortcut, partial(vid2vid_frame, task, level), interval)


def _unet(width: int) -> dict[str, Any]:
    return {"kind": "unet", "width": width}


_MOBILE = ("blocks",)
NETWORKS: dict[str, Callable[[], Figures]] = {
    **{f"vid2vid {task}": _vid2vid(task) for task in VID2VID},
    "fast_vid2vid sketch2face": _fast("sketch2face", 282.0),
    "fast_vid2vid segmentation2city": _fast("segmentation2city", 132.0),
    "fast_vid2vid pose2body": _fast("pose2body", 191.0),
    "omgd sketch2face": _omgd("sketch2face", 96),
    "omgd segmentation2city": _omgd("segmentation2city", 104),
    "recyclegan viper2city": _net(resnet_spec(64, blocks=6), CITY),
    "recyclegan label2viper": _net(resnet_spec(64, blocks=6)),
    "omgd viper2city": _net(resnet_spec(56, blocks=6, separable=_MOBILE), CITY),
    "omgd label2viper": _net(resnet_spec(56, blocks=6, separable=_MOBILE)),
    "shortcut viper2city": _shortcut_gan(CITY),
    "shortcut label2viper": _shortcut_gan(PHOTO),
    "shortcut viper2city low": _shortcut_gan(CITY, start=2, end=20),
    "shortcut viper2city high": _shortcut_gan(CITY, start=9, end=16),
    "shortcut sketch2face low": _shortcut_vid2vid("sketch2face", "low"),
    "shortcut sketch2face": _shortcut_vid2vid("sketch2face"),
    "shortcut sketch2face high": _shortcut_vid2vid("sketch2face", "high"),
    "shortcut segmentation2city": _shortcut_vid2vid("segmentation2city"),
    "resnet9": _net(resnet_spec(64)),
    "resnet9 at 20": _net(resnet_spec(20)),
    "resnet9 at 32": _net(resnet_spec(32)),
    "resnet9 separable blocks": _net(resnet_spec(64, separable=_MOBILE)),
    "resnet9 separable up": _net(resnet_spec(64, separable=("up",))),
    "resnet9 separable down": _net(resnet_spec(64, separable=("down",))),
    "resnet9 separable blocks at 16": _net(resnet_spec(16, separable=_MOBILE)),
    "resnet9 separable blocks at 24": _net(resnet_spec(24, separable=_MOBILE)),
    "resnet9 separable up at 16": _net(resnet_spec(16, separable=("up",))),
    "resnet9 separable down at 16": _net(resnet_spec(16, separable=("down",))),
    "gan_compression horse2zebra": _net(subnet_spec("24_24_24_32_20_16")),
    "gan_compression edges2shoes": _net(subnet_spec("32_32_40_48_16_32", legacy=True)),
    "gan_compression city_label2photo": _net(subnet_spec("48_32_40_40_24_32")),
    "gan_compression map2aerial": _net(subnet_spec("32_32_48_32_48_32_16_16")),
    "gaugan": _net(spade_spec(64), CITY),
    "gan_compression gaugan": _net(spade_subnet_spec("32_32_48_32_32_32_32_24"), CITY),
    **{f"unet at {width}": _net(_unet(width)) for width in (64, 16, 12, 8)},
}


@cache
def figures(name: str) -> Figures:
    """Count a network of ``NETWORKS``; a fraction of a second each, once."""
    return NETWORKS[name]()

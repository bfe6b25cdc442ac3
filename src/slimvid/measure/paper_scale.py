"""The networks of the papers at the papers' sizes, and what they cost there.

Fast-Vid2Vid's text gives 384x512 for poses; its figures were counted at 512x448, which is what vid2vid's
loader makes of a 1280x720 video, and what is used here.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from slimvid.errors import SlimvidError


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A task at its paper's size: frame size and condition channels of one frame."""

    height: int
    width: int
    channels: int
    foreground: tuple[int, ...] = ()


SCALES = {
    # one map of face edges and background, 14 distance maps
    "sketch2face": Scale(height=512, width=512, channels=15),
    # 35 one-hot labels and the instance boundary; a branch draws class 26 (car)
    "segmentation2city": Scale(height=256, width=512, channels=36, foreground=(26,)),
    # 3 channels of DensePose, 3 of OpenPose
    "pose2body": Scale(height=512, width=448, channels=6),
}
VID2VID_WIDTH = 128


@dataclass(frozen=True, kw_only=True)
class PaperScale:
    """Cost of one generated frame at the paper's size: MACs in 1e9, parameters and bytes in 1e6."""

    height: int
    width: int
    macs_g: float
    params_m: float
    activation_mb: float
    macs_g_thop: float
    params_m_thop: float


def spec(task: str, method: str, *, width: int = VID2VID_WIDTH) -> dict[str, Any]:
    """Architecture spec of a vid2vid-family network at full size.

    Args:
        task: a key of ``SCALES``.
        method: "original" (vid2vid), "fast_vid2vid" (its student), or "uniform" (vid2vid at ``width``).
        width: channels after the first convolution, used by "uniform".

    Raises:
        SlimvidError: unknown task or method, or a width below 1.
    """
    if task not in SCALES:
        raise SlimvidError(f"task {task!r}: no paper-scale size; known are {', '.join(SCALES)}")
    methods = ("original", "fast_vid2vid", "uniform")
    if method not in methods:
        raise SlimvidError(f"method {method!r}: no paper-scale network; known are {', '.join(methods)}")
    scale, student = SCALES[task], method == "fast_vid2vid"
    return {
        "kind": "vid2vid",
        "condition_channels": scale.channels,
        "width": width if method == "uniform" else VID2VID_WIDTH,
        "decomposed": student,
        "low_demand": student,
        "foreground": scale.foreground,
    }


@cache
def paper_scale(task: str, method: str, *, width: int = VID2VID_WIDTH) -> PaperScale:
    """Count a vid2vid-family network at its paper's size, on the meta device (about a second).

    Arguments and errors as in ``spec``.
    """
    import torch

    from slimvid import nets
    from slimvid.measure.cost import GIGA, MEGA, translator_cost

    scale = SCALES.get(task)
    architecture = spec(task, method, width=width)
    with torch.device("meta"):
        module = nets.build(architecture)
    cost = translator_cost(module, height=scale.height, width=scale.width)
    return PaperScale(
        height=scale.height,
        width=scale.width,
        macs_g=cost.macs / GIGA,
        params_m=cost.params / MEGA,
        activation_mb=cost.activation_bytes / MEGA,
        macs_g_thop=cost.macs_thop / GIGA,
        params_m_thop=cost.params_thop / MEGA,
    )

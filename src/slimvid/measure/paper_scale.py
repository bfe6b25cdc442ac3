"""The video networks of the papers at the papers' sizes, and what they cost there.

Fast-Vid2Vid's text gives 384x512 for poses; its figures were counted at 512x448, which is what vid2vid's
loader makes of a 1280x720 video, and what is used here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError
from slimvid.rows import check, head, searched
from slimvid.sources import method_module

if TYPE_CHECKING:
    from slimvid.data.condition import ConditionSpec
    from slimvid.settings import TeacherSettings

VID2VID = {"sketch2face": (512, 512), "segmentation2city": (256, 512), "pose2body": (512, 448)}
RECYCLEGAN = {"viper2city": (256, 512), "viper2label": (256, 256), "label2viper": (256, 256)}
SIZES = VID2VID | RECYCLEGAN
ALPHA = {"sketch2face": 6}  # Shortcut-V2V's maximum interval, for faces at 30 frames a second
DEFAULT_ALPHA = 3


def paper_condition(task: str) -> "ConditionSpec":
    """What the paper's network reads for a frame: 15, 36 or 6 channels, or a picture's 3."""
    from slimvid.data.cityscapes import NAMES
    from slimvid.data.condition import ConditionSpec

    return {
        **dict.fromkeys(RECYCLEGAN, ConditionSpec(kind="image")),
        "sketch2face": ConditionSpec(kind="edges", distance_maps=True),
        "segmentation2city": ConditionSpec(
            kind="labels", label_names=NAMES, instances=True, foreground=(NAMES.index("car"),)
        ),
        "pose2body": ConditionSpec(kind="pose"),
    }[task]


def paper_settings(task: str) -> "TeacherSettings":
    """The originals' own settings, those of the config's defaults; streets have the foreground branch."""
    from slimvid.teachers import recyclegan_settings, vid2vid_settings

    if task in RECYCLEGAN:
        return recyclegan_settings.Settings(iterations=1)
    return vid2vid_settings.Settings(iterations=1, foreground=task == "segmentation2city")


@dataclass(frozen=True, kw_only=True)
class PaperScale:
    """Cost at the paper's size: MACs in 1e9, parameters and bytes in 1e6.

    macs_g: true, of one generated frame, or for a shortcut translator the mean over full and other frames.
    macs_g_thop, params_m_thop: of one generated (there: shortcut) frame, as published.
    """

    height: int
    width: int
    macs_g: float
    params_m: float
    activation_mb: float
    macs_g_thop: float
    params_m_thop: float


Recipe = tuple[str, Mapping[str, Any]]
"""A method and its options."""


def spec(
    task: str, method: str, *, options: Mapping[str, Any] | None = None, over: Sequence[Recipe] = ()
) -> dict[str, Any]:
    """Architecture spec of a method's network at full size.

    Args:
        task: a key of ``SIZES``.
        method: "original", or the name of a module in ``slimvid.compress``.
        options: that method's options, as in the config.
        over: what was done to the original before, first step first.

    Raises:
        SlimvidError: unknown task or method, options that the method refuses, or a method whose widths
            follow from a training.
    """
    if task not in SIZES:
        raise SlimvidError(f"task {task!r}: no paper-scale size; known are {', '.join(SIZES)}")
    if method == "original":
        from slimvid.teachers import teacher_module

        settings = paper_settings(task)
        return teacher_module(settings).generator_spec(settings, paper_condition(task))
    if searched(method):
        raise SlimvidError(
            f"method {method}: its widths follow from a training and stand in its artifact; without one "
            "there is no network of it at full size"
        )
    *rest, (last, its) = [("original", None), *over]
    below = spec(task, last, options=its, over=rest[1:])
    module = import_module(f"slimvid.{method_module(method)}")
    chosen = check(head(method).Options, dict(options or {}), origin=f"method {method}: options")
    return module.student_spec(paper_settings(task), paper_condition(task), chosen, below)


def paper_scale(
    task: str,
    method: str,
    *,
    options: Mapping[str, Any] | None = None,
    over: Sequence[Recipe] = (),
    full_share: float | None = None,
) -> PaperScale | None:
    """Count a method's network at its paper's size, on the meta device (about a second).

    Other arguments and errors as in ``spec``; None for a task that has no paper size.

    Args:
        full_share: share of full frames in a shortcut translator's mean; none: the paper's, 1 / alpha.
    """
    if task not in SIZES:
        return None
    recipes = [*over, (method, options or {})]
    return _counted(task, json.dumps(recipes, sort_keys=True, default=str), full_share)


def is_paper_network(
    task: str, settings: "TeacherSettings", *, height: int, width: int, condition_channels: int
) -> bool:
    """Whether a run's original is the paper's network at the paper's size.

    What a method whose widths follow from a training (``rows.searched``) costs in such a run is what it costs
    at full size. From the widths that it found for a smaller original none follow for the paper's, which has
    other layers.

    Args:
        settings: of the run's original. condition_channels: of what it reads for a frame.
    """
    if (
        task not in SIZES
        or SIZES[task] != (height, width)
        or settings.teacher != paper_settings(task).teacher
    ):
        return False
    from slimvid.teachers import teacher_module

    condition = paper_condition(task)
    own = teacher_module(settings).generator_spec(settings, condition)
    return condition_channels == condition.channels and own == spec(task, "original")


@cache
def _counted(task: str, recipes: str, full_share: float | None) -> PaperScale:
    from slimvid import nets
    from slimvid.measure.cost import GIGA, MEGA, shortcut_cost, translator_cost
    from slimvid.measure.trace import shapes_only

    height, width = SIZES[task]
    *over, (method, options) = json.loads(recipes)
    architecture = spec(task, method, options=options, over=over)
    with shapes_only():
        module = nets.build(architecture)
    if architecture["kind"] == "shortcut":
        share = full_share or 1 / ALPHA.get(task, DEFAULT_ALPHA)
        cost = shortcut_cost(module, height=height, width=width, share=lambda full, shortcut: share)
    else:
        cost = translator_cost(module, height=height, width=width)
    return PaperScale(
        height=height,
        width=width,
        macs_g=cost.macs / GIGA,
        params_m=cost.params / MEGA,
        activation_mb=cost.activation_bytes / MEGA,
        macs_g_thop=cost.macs_thop / GIGA,
        params_m_thop=cost.params_thop / MEGA,
    )

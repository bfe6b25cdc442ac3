"""The columns of the tables: order, digits, direction and the name that people read."""

import math
from dataclasses import dataclass
from typing import Literal

from slimvid.settings import PlanSettings

# joined by a no-break space: a line must not begin with an arrow
ARROWS = {"lower": "\N{NO-BREAK SPACE}↓", "higher": "\N{NO-BREAK SPACE}↑", None: ""}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A measured figure.

    Attributes:
        name: of the column and of the value in the measure file.
        label: for people. An embedded evaluator's figure never carries a standard metric's name alone.
        family: the measure file that holds it.
        digits: significant digits that the table keeps.
        better: which way is better; None where neither is (a ratio that should be 1).
        main: shown in the main table for reading, else among the further measures.
    """

    name: str
    label: str
    family: Literal["cost", "latency", "quality"]
    digits: int = 4
    better: Literal["lower", "higher"] | None = "lower"
    main: bool = True

    @property
    def heading(self) -> str:
        """The label with an arrow for the better direction."""
        return self.label + ARROWS[self.better]


MEASURED = (
    Column(name="macs_g", label="GMACs per frame", family="cost", digits=6),
    Column(name="params_m", label="Params (M)", family="cost", digits=6),
    Column(name="speedup", label="Speed-up over the original", family="latency", better="higher"),
    Column(name="fps", label="FPS", family="latency", better="higher"),
    Column(name="fps_network", label="FPS, network", family="latency", better="higher"),
    Column(name="frame_distance_lite0", label="Frame distance (EfficientNet-Lite0)", family="quality"),
    Column(name="video_distance_lite0", label="Video distance (EfficientNet-Lite0)", family="quality"),
    Column(name="perceptual_st_lpips", label="Perceptual distance (ST-LPIPS)", family="quality"),
    Column(
        name="temporal_perceptual_st_lpips", label="Temporal perceptual distance (ST-LPIPS)", family="quality"
    ),
    Column(name="psnr", label="PSNR (dB)", family="quality", better="higher"),
    Column(name="ssim", label="SSIM", family="quality", better="higher"),
    Column(name="warp_error", label="Warping error (grey levels)", family="quality"),
    Column(name="miou_seg", label="mIoU-seg % (EfficientNet-Lite0 head)", family="quality", better="higher"),
    Column(name="pose_error", label="Pose error (px, in-pipeline key-points)", family="quality"),
    Column(name="frame_kernel_lite0", label="Frame MMD² (EfficientNet-Lite0)", family="quality", main=False),
    Column(name="sharpness_ratio", label="Sharpness ratio", family="quality", better=None, main=False),
    Column(
        name="temporal_difference_ratio",
        label="Temporal-difference ratio",
        family="quality",
        better=None,
        main=False,
    ),
    Column(name="flicker", label="Flicker", family="quality", main=False),
    Column(name="speedup_low", label="Speed-up, least", family="latency", better="higher", main=False),
    Column(name="speedup_high", label="Speed-up, most", family="latency", better="higher", main=False),
    Column(name="latency_ms_p50", label="Latency p50 (ms)", family="latency", main=False),
    Column(name="latency_ms_p99", label="Latency p99 (ms)", family="latency", main=False),
    Column(name="activation_mb", label="Activations (MB)", family="cost", main=False),
    Column(
        name="training_updates", label="Training: updates", family="cost", digits=9, better=None, main=False
    ),
    Column(
        name="training_samples", label="Training: frames", family="cost", digits=9, better=None, main=False
    ),
    Column(
        name="training_cpu_seconds", label="Training: CPU-seconds", family="latency", better=None, main=False
    ),
)
# Filled, and shown, only where the weights of the standard networks were given.
STANDARD = (
    Column(name="fid", label="FID (official weights)", family="quality"),
    Column(name="kid", label="KID (official weights)", family="quality"),
    Column(name="fvd", label="FVD (official weights)", family="quality"),
)
# In the tables of other papers, where a row has such frames or scores.
SHORTCUT = (
    Column(name="macs_g_shortcut_frame", label="GMACs of a shortcut frame", family="cost", digits=6),
    Column(name="full_frame_share", label="Share of full frames", family="cost", better=None),
)
LABEL_SCORES = tuple(
    Column(
        name=f"{score.lower()}_{protocol}",
        label=f"{score} % ({protocol.replace('_', '-')})",
        family="quality",
        better="higher",
    )
    for protocol in ("unsup_eval", "fixed")
    for score in ("mIoU", "AC", "MP")
)
BY_NAME = {column.name: column for column in (*MEASURED, *SHORTCUT, *LABEL_SCORES, *STANDARD)}
# Beside a measure: what the truth itself, or another sample of it, scores.
BOUNDS = {"_floor": "floor", "_ceiling": "ceiling", "_real": "truth"}
BOUND_DIGITS = 4
STD_DIGITS = 2
PAPER_SCALE_DIGITS = 7
IDENTIFIERS = ("task", "teacher", "method", "plan", "seeds")
PAPER_SCALE = ("paper_scale_macs_g", "paper_scale_macs_g_as_published", "paper_scale_params_m")
# column of the table: column of the transcription of Fast-Vid2Vid's Table 1
PUBLISHED = {
    "published_macs_g": "macs",
    "published_fps": "fps",
    "published_fid": "fid",
    "published_fvd": "fvd",
    "published_pe": "pose_error",
}


def significant(value: float, digits: int) -> float:
    """``value`` rounded to so many significant digits (NaN stays NaN)."""
    return float(f"{value:.{digits}g}")


def plain(value: object) -> str:
    """A cell as text: shortest digits without an exponent, empty for NaN and None."""
    import numpy as np

    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return str(value)


def plan_label(plan: PlanSettings) -> str:
    """How a clip is walked, in a word: ``every_frame``, ``keyframes(3)+hold``, ``shortcut(3)``."""
    if plan.kind == "shortcut":
        if not plan.is_adaptive:
            return f"shortcut({plan.max_interval})"
        budget = f"{plan.budget_interval:g}" if plan.budget_interval else f"{plan.budget_macs_g:g} GMACs"
        return f"shortcut(adaptive {budget})"
    if plan.kind != "keyframes":
        return plan.kind
    strategy = "" if plan.strategy == "motion" else f"({plan.interval or plan.strategy})"
    timing = "" if plan.timing == "exact" else f"({plan.timing})"
    return f"keyframes{strategy}+{plan.interpolation}{timing}"

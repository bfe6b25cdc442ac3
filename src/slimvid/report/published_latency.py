"""``results/cost/latency.csv``: measured speed-up beside the ratios of true MACs and of published FPS."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.report import published

if TYPE_CHECKING:
    import pandas

    from slimvid.measure.paper_scale_latency import Timing
    from slimvid.runtime import Runtime

log = logging.getLogger("slimvid")

COLUMNS = (
    *("network", "original", "plan", "device", "device_name", "precision", "threads", "height", "width"),
    *(
        "latency_ms",
        "mean_latency_ms",
        "interpolation_ms",
        "fps",
        "mean_fps",
        "peak_memory_mb",
        "memory_from",
    ),
    *("true_macs_g", "per_frame_true_macs_g", "measured_speedup", "true_macs_ratio"),
    *("published_fps", "published_fps_ratio"),
)
FAST, SHORTCUT = ("fast_vid2vid", "1"), ("shortcut_v2v", "text")


def _printed_fps(network: str) -> str:
    """The FPS that a paper prints for a network, on its own GPU; Shortcut-V2V's name no task."""
    method, _, task = network.partition(" ")
    if method in ("vid2vid", "fast_vid2vid"):
        row = {"vid2vid": "original", "fast_vid2vid": "Ours"}[method]
        return published.printed(*FAST, column="fps", row=row, task=task)
    if method == "shortcut":
        model = "recyclegan" if "viper" in task else "vid2vid"
        return published.printed(*SHORTCUT, column="fps", row="Ours", model=model)
    return ""


def _original_fps(network: str) -> str:
    """The FPS of the original that the same paper prints beside a network's."""
    method, _, task = network.partition(" ")
    if method == "fast_vid2vid":
        return published.printed(*FAST, column="fps", row="original", task=task)
    if method == "shortcut":
        model = "recyclegan" if "viper" in task else "vid2vid"
        return published.printed(*SHORTCUT, column="fps", row="Original", model=model)
    return ""


def latency_row(timing: "Timing", original: "Timing | None", described: dict[str, Any]) -> dict[str, Any]:
    """One row; ratios are empty where the original was not timed or nothing is published."""
    from slimvid.measure.paper_scale_latency import original_of
    from slimvid.measure.published_networks import figures

    known, row = asdict(timing), dict.fromkeys(COLUMNS, "")
    name = timing.network
    row |= {key: value for key, value in {**known, **described}.items() if key in row}
    cost, whole = figures(name), figures(original_of(name))
    row |= {
        "original": original_of(name),
        "latency_ms": f"{timing.drawn_ms:.1f}",
        "mean_latency_ms": f"{timing.mean_ms:.1f}",
        "interpolation_ms": f"{timing.interpolation_ms:.1f}",
        "fps": f"{1e3 / timing.drawn_ms:.3f}",
        "mean_fps": f"{1e3 / timing.mean_ms:.3f}",
        "peak_memory_mb": f"{timing.memory_mb:.0f}",
        "true_macs_g": f"{cost.true:.3f}",
        "per_frame_true_macs_g": f"{cost.per_frame:.3f}",
        "true_macs_ratio": f"{whole.per_frame / cost.per_frame:.2f}",
        "published_fps": _printed_fps(name),
    }
    if original is not None:
        row["measured_speedup"] = f"{original.mean_ms / timing.mean_ms:.2f}"
    if row["published_fps"] and _original_fps(name):
        row["published_fps_ratio"] = f"{float(row['published_fps']) / float(_original_fps(name)):.2f}"
    return row


def latency_table(timings: "Sequence[Timing]", described: dict[str, Any]) -> "pandas.DataFrame":
    """All rows of one machine."""
    import pandas

    from slimvid.measure.paper_scale_latency import original_of

    by_name = {timing.network: timing for timing in timings}
    rows = [latency_row(t, by_name.get(original_of(t.network)), described) for t in timings]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def write_latency(
    out: Path,
    *,
    runtime: "Runtime",
    networks: Sequence[str] = (),
    repeats: int = 3,
    warmup: int = 1,
    seed: int = 0,
) -> None:
    """Time the papers' networks on this machine and write the table, again after each one.

    Args:
        networks: names of ``paper_scale_latency.TIMED``; none: all of them (on a CPU, tens of minutes).
        repeats: timed passes of each network, of which the median counts. warmup: passes before them.

    Raises:
        SlimvidError: an unknown network.
    """
    from slimvid.files import atomic_path
    from slimvid.measure.paper_scale_latency import TIMED, settle, time_network

    names, timings = networks or TIMED, []
    settle(runtime, names)
    for name in names:
        timing = time_network(name, runtime=runtime, repeats=repeats, warmup=warmup, seed=seed)
        log.info("%s: %.1f ms a frame drawn, %.1f ms a frame", name, timing.drawn_ms, timing.mean_ms)
        timings.append(timing)
        table = latency_table(timings, runtime.describe())
        with atomic_path(out) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")

"""What a search tried, as Parquet, and its front as a plot, beside the artifact.

Both follow from the evaluations alone: a killed search that went on leaves the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from slimvid.compress.gan_compression_cache import Values
from slimvid.compress.gan_compression_options import HIGHER_IS_BETTER, Options
from slimvid.compress.gan_compression_search import Asked
from slimvid.files import atomic_path
from slimvid.nets.channel_space import ChannelSpace, Config, text
from slimvid.pareto import pareto_front

HISTORY, PLOT = "search.parquet", "search.svg"


class Point(NamedTuple):
    """A configuration that was evaluated: who asked first, its share of the original's MACs, its figures."""

    asked: Asked
    share: float
    values: Values


def write_history(
    out: Path, points: Sequence[Point], best: Config, space: ChannelSpace, options: Options
) -> None:
    """Write both files; points in the order in which they were first asked for."""
    sign = -1 if options.metric in HIGHER_IS_BETTER else 1
    front = pareto_front((p.values["macs"], sign * p.values[options.metric]) for p in points)
    _write_table(out / HISTORY, points, front, best, space)
    _plot(out / PLOT, points, front, best, options)


def _write_table(
    path: Path, points: Sequence[Point], front: Sequence[bool], best: Config, space: ChannelSpace
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "config": pa.array([text(p.asked.config) for p in points]),
        "generation": pa.array([p.asked.generation for p in points], pa.int32()),
        "origin": pa.array([p.asked.origin for p in points]),
        "share_of_original_macs": pa.array([p.share for p in points], pa.float64()),
        "front": pa.array(list(front), pa.bool_()),
        "chosen": pa.array([p.asked.config == best for p in points], pa.bool_()),
    }
    for i, position in enumerate(space.positions):
        columns[position.name] = pa.array([p.asked.config[i] for p in points], pa.int32())
    for name in points[0].values:
        columns[name] = pa.array([p.values[name] for p in points], pa.float64())
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _plot(path: Path, points: Sequence[Point], front: Sequence[bool], best: Config, options: Options) -> None:
    """The metric against true MACs: all points, the front as steps, the chosen one and the budget."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    macs = [p.values["macs"] / 1e9 for p in points]
    values = [p.values[options.metric] for p in points]
    pairs = sorted(pair for pair, on in zip(zip(macs, values, strict=True), front, strict=True) if on)
    chosen = next(i for i, p in enumerate(points) if p.asked.config == best)
    # a fixed salt and no date: the SVG would otherwise differ from run to run
    with matplotlib.rc_context({"svg.hashsalt": "slimvid", "font.size": 9}):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.plot(macs, values, "o", color="C0", alpha=0.45, markersize=4, label="sub-networks")
        axes.plot(*zip(*pairs, strict=True), "o-", color="C1", drawstyle="steps-post", label="front")
        axes.plot(macs[chosen], values[chosen], "*", color="C3", markersize=11, label=text(best))
        limit = options.budget * macs[chosen] / points[chosen].share
        axes.axvline(limit, color="0.5", linestyle="--", linewidth=1, label=f"budget {limit:.4g}")
        axes.set_xlabel("true MACs of a frame, 1e9")
        axes.set_ylabel(f"{options.metric} on val")
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.set_axisbelow(True)
        axes.legend(fontsize=8, frameon=False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})

"""The trade-off plot: what a method costs against what its frames are worth, one panel per task."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError
from slimvid.files import atomic_path
from slimvid.report.columns import MEASURED, Column

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

BY_NAME = {column.name: column for column in MEASURED}
PANEL = (4.2, 3.4)  # inches
MARKERS = "osD^vPX*<>"


def write_tradeoff(
    frame: "pandas.DataFrame", out: Path, *, cost: str = "macs_g", quality: str = "video_distance_lite0"
) -> None:
    """Plot a quality column of the main table against a cost column; bars are spreads over seeds.

    Only measured figures are drawn: printed ones were taken by other evaluators and share no axis with them.
    The same frame gives the same bytes.

    Args:
        frame: of ``table1``.
        out: ``.svg`` or ``.png``.
        cost, quality: measured columns, such as ``macs_g`` or ``fps``, and ``psnr``.

    Raises:
        SlimvidError: an unknown column, another file type, or nothing measured to plot.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x, y = _column(cost), _column(quality)
    if out.suffix not in (".svg", ".png"):
        raise SlimvidError(f"{out}: plots are written as .svg or .png; rename it")
    points = frame[frame[cost].notna() & frame[quality].notna()]
    tasks = list(dict.fromkeys(points["task"]))
    if not tasks:
        raise SlimvidError(f"table: no row has both {cost} and {quality}; measure them first")
    # a fixed salt and no date: matplotlib's SVG would otherwise differ from run to run
    with matplotlib.rc_context({"svg.hashsalt": "slimvid", "font.size": 9}):
        figure = Figure(figsize=(PANEL[0] * len(tasks), PANEL[1]), layout="constrained")
        FigureCanvasAgg(figure)
        for task, axes in zip(tasks, figure.subplots(1, len(tasks), squeeze=False)[0], strict=True):
            _panel(axes, points[points["task"] == task], x, y)
        with atomic_path(out) as temporary:
            metadata = {"Date": None} if out.suffix == ".svg" else {"Software": None}
            figure.savefig(temporary, format=out.suffix[1:], dpi=120, metadata=metadata)


def _column(name: str) -> Column:
    if name not in BY_NAME:
        raise SlimvidError(f"plot column {name!r}: not measured; choose one of {', '.join(BY_NAME)}")
    return BY_NAME[name]


def _panel(axes: "Axes", points: "pandas.DataFrame", x: Column, y: Column) -> None:
    for k, (_, row) in enumerate(points.iterrows()):
        axes.errorbar(
            row[x.name],
            row[y.name],
            xerr=_spread(row, x),
            yerr=_spread(row, y),
            fmt=MARKERS[k % len(MARKERS)],
            color=f"C{k}",
            markersize=7,
            capsize=3,
            label=row["method"],
        )
    if x.name in ("macs_g", "params_m") and (points[x.name] > 0).all():
        _log_scale(axes)
    axes.set_title(points["task"].iloc[0], fontsize=10)
    axes.set_xlabel(x.heading)
    axes.set_ylabel(y.heading)
    axes.margins(0.15)
    axes.grid(visible=True, which="both", linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, frameon=False)


def _log_scale(axes: "Axes") -> None:
    """A logarithmic cost axis with plain numbers at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _spread(row: Any, column: Column) -> float | None:
    spread = row.get(f"{column.name}_std", math.nan)
    return None if spread is None or math.isnan(spread) else float(spread)

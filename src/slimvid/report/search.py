"""A search for people: its points as CSV, the front as Markdown, and all of it as a plot.

All three follow from the document that ``measure.search`` wrote: the same one gives the same bytes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, read_json
from slimvid.report.columns import MEASURED, STD_DIGITS, plain, significant

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

LOSS, SPREAD = "video_distance_lite0", "video_distance_lite0_sd"
COLUMNS = ("macs_g", LOSS, "frame_distance_lite0", "psnr", "ssim")
BY_NAME = {column.name: column for column in MEASURED}
SIZE = (7.6, 4.6)  # inches
MARKERS = "osD^vPX*<>"
ON_FRONT, OFF_FRONT = 8, 5  # size of a marker


def write_search(document: Path, *, csv: Path, md: Path, svg: Path) -> None:
    """Write a search's table, reading and plot.

    Raises:
        SlimvidError: the document is missing or is not that of a search.
    """
    found = read_json(document)
    if not isinstance(found, dict) or not found.get("points"):
        raise SlimvidError(f"{document}: field 'points' is missing; run `slimvid search` again")
    frame = points(found)
    texts = {csv: frame.map(plain).to_csv(index=False, lineterminator="\n"), md: reading(found, frame, svg)}
    for path, text in texts.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    plot(frame, str(found["task"]), svg)


def points(document: Mapping[str, Any]) -> "pandas.DataFrame":
    """The points of a search, one row each in the document's order; what was not measured is empty."""
    import pandas

    records = []
    for point in document["points"]:
        values, block = point["values"], point["block"] or {}
        figures = {name: values[name] for name in COLUMNS if values[name] is not None}
        sd = point["uncertainty"]["half_sample_sd"][LOSS]
        records.append(
            {
                "method": point["method"],
                "plan": plan_words(point["plan"]),
                "hidden": str(block.get("hidden", "")),
                "cut": f"{block['encoder']}-{block['decoder']}" if block else "",
                "full_frame_share": significant(values["full_frame_share"], 4),
                **{name: significant(value, BY_NAME[name].digits) for name, value in figures.items()},
                SPREAD: significant(sd, STD_DIGITS),
                "front": "yes" if point["front"] else "",
            }
        )
    names = ("method", "plan", "hidden", "cut", "full_frame_share", "macs_g", LOSS, SPREAD)
    return pandas.DataFrame(records, columns=[*names, *COLUMNS[2:], "front"])


def plan_words(plan: Mapping[str, Any]) -> str:
    """``interval 3``, ``budget 3`` or ``every frame``."""
    if plan["kind"] != "shortcut":
        return "every frame"
    kind = "max_interval" if "max_interval" in plan else "budget_interval"
    return f"{'interval' if kind == 'max_interval' else 'budget'} {plan[kind]:g}"


def reading(document: Mapping[str, Any], frame: "pandas.DataFrame", svg: Path) -> str:
    """The front, cheapest first, then all points, as Markdown."""
    best = frame[frame["front"] == "yes"].sort_values(["macs_g", LOSS], kind="stable")
    others = frame.sort_values([LOSS, "macs_g"], kind="stable")
    protocol = document["protocol"]
    samples, frames = (protocol[LOSS][key] for key in ("n", "frames"))
    lines = [
        f"# {document['task']}: width, dependence and interval of a Shortcut block",
        "",
        f"Seed {document['seed']}, {protocol['data']}, {protocol['clips']} validation clips, to choose by:",
        "no table reports them, and what is chosen here is a row of a table on test clips. A point is a row",
        "under a plan; it is on the front if no other one costs at most as much and is nearer to the truth.",
        "GMACs are true multiply-accumulates, mean per output frame, with the full frames really drawn.",
        f"Video distance is of EfficientNet-Lite0 on {samples} samples of {frames} frames, not FVD; behind ±",
        "stands how much each moves with the samples (all points share them: differences move less).",
        "",
        f"![all points and the front]({svg.name})",
        "",
        f"**The front: {len(best)} of {len(frame)} points**",
        "",
        *_grid(best, frame),
        "",
        "**All points, best video distance first** (the front is bold)",
        "",
        *_grid(others, frame),
        "",
        f"- Evaluator: {protocol['evaluator']}; protocol {protocol['hash']}.",
        f"- Drawn on {protocol['drawn_by']['device_name']} ({protocol['drawn_by']['device']}), "
        f"{protocol['drawn_by']['precision']}.",
    ]
    return "\n".join(lines) + "\n"


def _grid(rows: "pandas.DataFrame", every: "pandas.DataFrame") -> list[str]:
    """Lines of a Markdown table; the cost is also set against the original's."""
    named = ["Method", "Plan", "h", "Cut", "Full frames", BY_NAME["macs_g"].heading, "of the original"]
    headings = [*named, *(BY_NAME[name].heading for name in COLUMNS[1:])]
    original = every.loc[every["method"] == "original", "macs_g"]
    lines = ["| " + " | ".join(headings) + " |", "| --- | --- |" + " ---: |" * (len(headings) - 2)]
    for _, row in rows.iterrows():
        share = f"{row['macs_g'] / original.iloc[0]:.2f}" if len(original) else ""
        bold = "**" if row["front"] and len(rows) == len(every) else ""
        cells = [
            f"{bold}{row['method']}{bold}",
            row["plan"],
            row["hidden"],
            row["cut"],
            f"{row['full_frame_share']:.2f}",
            plain(significant(row["macs_g"], 4)),
            share,
            f"{plain(row[LOSS])} ± {plain(row[SPREAD])}",
            *(plain(row[name]) for name in COLUMNS[2:]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def plot(frame: "pandas.DataFrame", task: str, out: Path) -> None:
    """Video distance against true MACs: a colour a row, the front a line through large markers.

    The trade-off plot of tables names every point in its legend; here are too many, so the legend names the
    rows, and a point's plan is written at it on the front alone.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # a fixed salt and no date: matplotlib's SVG would otherwise differ from run to run
    with matplotlib.rc_context({"svg.hashsalt": "slimvid", "font.size": 9}):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _draw_front(axes, frame)
        _draw_points(axes, frame)
        axes.set_title(task, fontsize=10)
        axes.set_xlabel(BY_NAME["macs_g"].heading)
        axes.set_ylabel(BY_NAME[LOSS].heading)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.set_axisbelow(True)
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
        with atomic_path(out) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _draw_points(axes: "Axes", frame: "pandas.DataFrame") -> None:
    for k, (method, rows) in enumerate(frame.groupby("method", sort=False)):
        style = {"linestyle": "", "marker": MARKERS[k % len(MARKERS)], "color": f"C{k % 10}"}
        beaten, best = rows[rows["front"] == ""], rows[rows["front"] == "yes"]
        axes.plot(beaten["macs_g"], beaten[LOSS], markersize=OFF_FRONT, alpha=0.45, **style)
        bars = {"yerr": best[SPREAD], "capsize": 3}
        axes.errorbar(best["macs_g"], best[LOSS], markersize=ON_FRONT, **bars, **style)
        axes.plot([], [], label=method, **style)
        for _, row in best.iterrows():
            place = {"xytext": (6, 6), "textcoords": "offset points", "fontsize": 7}
            axes.annotate(row["plan"], (row["macs_g"], row[LOSS]), **place)


def _draw_front(axes: "Axes", frame: "pandas.DataFrame") -> None:
    best = frame[frame["front"] == "yes"].sort_values(["macs_g", LOSS], kind="stable")
    axes.plot(best["macs_g"], best[LOSS], color="0.5", linewidth=1, drawstyle="steps-post", label="front")

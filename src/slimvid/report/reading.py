"""Tables for reading: one section per task, as Markdown; the HTML report shows the same sections.

The main table is arranged here, those of the other papers in ``paper_tables_reading``.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.config import Config
from slimvid.report import columns as c
from slimvid.report.frame import unsized
from slimvid.report.measures import Row

if TYPE_CHECKING:
    import pandas

PAPER_NAMES = {
    "original": "original",
    "gan_compression": "NAS (GAN Compression)",
    "content_aware": "CA (Content-Aware)",
    "cat": "CAT",
    "fast_vid2vid": "Fast-Vid2Vid (ours in the paper)",
}
PAPER_HEADINGS = {
    "published_macs_g": "m.MACs (G), as printed",
    "published_fps": "FPS, as printed",
    "published_fid": "FID, as printed",
    "published_fvd": "FVD, as printed",
    "published_pe": "PE, as printed",
    "paper_scale_macs_g": "true GMACs per output frame, full size",
    "paper_scale_macs_g_as_published": "GMACs of one generated frame, thop",
    "paper_scale_params_m": "Params (M), full size",
}
RATIO_COLUMNS = ("macs_g", "params_m", "fps", "fps_network")
INTRODUCTION = (
    "Arrows point to the better direction; the best measured value of a column is bold; brackets give the",
    "ratio to the original. GMACs are true multiply-accumulates, mean per output frame of a clip under the",
    "plan. Figures as printed in the Fast-Vid2Vid paper stand in a table of their own: they were taken on",
    "other data, by other evaluators, and never share an axis with the measured ones.",
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Text of a cell, and whether it is the best of its column."""

    text: str
    bold: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table for reading: its caption, headings (the first is the row's name) and rows."""

    caption: str
    headings: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Everything about one task: its tables and the notes that say what the figures are."""

    task: str
    grids: list[Grid]
    notes: list[str]


def sections(config: Config, frame: "pandas.DataFrame", measured: list[Row]) -> list[Section]:
    """Arrange the main table for reading.

    Args:
        frame: of ``table1``.
        measured: its measured rows, for their protocols.
    """
    found = []
    for task in config.table1.tasks:
        part = frame[frame["task"] == task]
        own = part[part["seeds"] != ""]
        of_task = [row for row in measured if row.task == task]
        columns = [col for col in (*c.MEASURED, *c.STANDARD) if col.name in own]
        main, further = ([col for col in columns if col.main == shown] for shown in (True, False))
        grids = [measured_grid(own, main), measured_grid(own, further, caption="Further measures")]
        grids += [_paper_grid(part)] if (part["published_macs_g"] != "").any() else []
        said = notes(own, of_task, unequal=config.table1.unequal) + unsized(config, of_task)
        found.append(Section(task=task, grids=[g for g in grids if g.rows], notes=said))
    return found


def row_name(row: Mapping[str, Any]) -> str:
    """A measured row's name for people: its method and how it walks a clip."""
    return f"{row['method']} ({row['plan']})"


def measured_grid(
    own: "pandas.DataFrame",
    columns: Sequence[c.Column],
    *,
    caption: str = "Measured",
    name: Callable[[Mapping[str, Any]], str] = row_name,
) -> Grid:
    """Measured figures, mean ± spread, the best of a column marked; columns without a figure are left out.

    Args:
        own: the measured rows of one task.
        name: what the first column says of a row.
    """
    shown = [col for col in columns if own[col.name].notna().any()]
    bounds = [_bound(own, col) for col in shown]
    rows = [[Cell(text=name(row)), *(_figure(own, row, col) for col in shown)] for _, row in own.iterrows()]
    if any(bounds):
        rows.append([Cell(text="*bound*"), *(Cell(text=bound) for bound in bounds)])
    if not shown:
        rows = []
    seeds = ", ".join(sorted(set(own["seeds"])))
    return Grid(
        caption=f"{caption} (mean over {seeds} seed{'s' if seeds != '1' else ''})",
        headings=["Method (plan)", *(_heading(own, col) for col in shown)],
        rows=rows,
    )


def _heading(own: "pandas.DataFrame", column: c.Column) -> str:
    """A column's name for people; a measure with a ceiling says it, because it is no share of 1."""
    bound = _bound(own, column)
    if not bound.startswith("ceiling") or not column.label.endswith(")"):
        return column.heading
    return column.heading.replace(")", f", {bound})", 1)


def _figure(own: "pandas.DataFrame", row: Mapping[str, Any], column: c.Column) -> Cell:
    value = row[column.name]
    if _missing(value):
        return Cell(text="–")
    text = c.plain(c.significant(value, 4))
    spread = row.get(f"{column.name}_std", math.nan)
    if not _missing(spread) and spread > 0:
        text += f" ± {c.plain(spread)}"
    text += _ratio(own, row, column)
    return Cell(text=text, bold=_is_best(own[column.name].dropna().tolist(), value, column))


def _is_best(values: list[float], value: float, column: c.Column) -> bool:
    """Whether ``value`` wins its column; where all are equal none does."""
    best = {"lower": min, "higher": max}.get(column.better or "")
    return best is not None and len(set(values)) > 1 and value == best(values)


def _ratio(own: "pandas.DataFrame", row: Mapping[str, Any], column: c.Column) -> str:
    """How many times cheaper or faster than the original, in brackets."""
    original = own.loc[own["method"] == "original", column.name].dropna()
    if column.name not in RATIO_COLUMNS or row["method"] == "original" or original.empty:
        return ""
    base, value = float(original.iloc[0]), float(row[column.name])
    ratio = value / base if column.better == "higher" else base / value if value else math.inf
    return f" ({ratio:.2g}×)" if ratio < 10 else f" ({ratio:.0f}×)"


def _bound(own: "pandas.DataFrame", column: c.Column) -> str:
    """What the truth itself, or another sample of it, scores on a measure."""
    texts = []
    for suffix, word in c.BOUNDS.items():
        name = column.name + suffix
        values = own[name].dropna() if name in own else []
        if len(values):
            texts.append(f"{word} {c.plain(c.significant(float(values.iloc[0]), c.BOUND_DIGITS))}")
    return ", ".join(texts)


def _paper_grid(part: "pandas.DataFrame") -> Grid:
    """The paper's own figures, and what its networks cost at full size when all are counted alike."""
    by_method = {row["method"]: row for _, row in part.iterrows()}
    labelled = [(label, by_method[m]) for m, label in PAPER_NAMES.items() if m in by_method]
    return printed_grid(
        labelled, PAPER_HEADINGS, caption="The paper's Table 1 as printed, and cost at its full size"
    )


def printed_grid(
    labelled: Sequence[tuple[str, Mapping[str, Any]]], headings: Mapping[str, str], *, caption: str
) -> Grid:
    """Columns under headings of their own, cells as they are; a dash where there is nothing.

    Args:
        labelled: (what the first column says, the row).
        headings: column of the table -> heading.
    """
    rows = [
        [Cell(text=label), *(Cell(text=c.plain(row[name]) or "–") for name in headings)]
        for label, row in labelled
    ]
    return Grid(caption=caption, headings=["Method", *headings.values()], rows=rows)


def notes(own: "pandas.DataFrame", of_task: list[Row], *, unequal: str | None = None) -> list[str]:
    """What made the figures: data, training budgets, evaluator and its sample counts, machine.

    Args:
        unequal: the table's reason for unequal training budgets.
    """
    found = _budget_notes(of_task, unequal)
    if len(own):
        found.append(f"Data: {own['data'].iloc[0]}.")
        found.append(_evaluator_note(own, of_task[0]))
    return found + [f"Latency: {line}." for line in _machines(of_task)]


def _budget_notes(of_task: list[Row], unequal: str | None) -> list[str]:
    """Whether the students of a table had equal updates, and equal numbers of frames to learn from."""
    spent = {
        row.method: (row.mean["training_updates"], row.mean["training_samples"])
        for row in of_task
        if row.method != "original" and row.mean.get("training_updates")
    }
    texts = {name: f"{updates:g} updates from {frames:g} frames" for name, (updates, frames) in spent.items()}
    if not texts:
        return []
    if len(set(texts.values())) == 1:
        return [f"Training: every student had {next(iter(texts.values()))}."]
    listed = "; ".join(f"{name} {text}" for name, text in texts.items())
    return [f"Training budgets differ ({listed}): {unequal or 'the config gives no reason'}."]


def _evaluator_note(own: "pandas.DataFrame", row: Row) -> str:
    evaluator, protocol = (own[name].iloc[0] or "not named" for name in ("evaluator", "protocol"))
    counts = []
    for column in (*c.MEASURED, *c.STANDARD):
        entry = row.protocol("quality", column.name)
        if isinstance(entry, dict):
            facts = [f"{k.upper() if k == 'n' else k}={entry[k]}" for k in ("n", "d", "frames") if k in entry]
            facts += [_bound(own, column).replace(" ", "=")] if _bound(own, column) else []
            if facts:  # single pictures have no floor of neighbours
                counts.append(f"{column.label.split(' (')[0]}: {', '.join(facts)}")
    measured_on = f" {'; '.join(counts)}." if counts else ""
    missing = row.protocol("quality", "left_out", [])
    if labels := [column.label for column in c.MEASURED if column.name in missing]:
        measured_on += f" Too few samples, so not measured: {', '.join(labels)}; give more or longer clips."
    floor = row.protocol("quality", "floor")
    meaning = f" The floor is taken between {floor}." if floor else ""
    return (
        "Quality is computed with an embedded evaluator; not comparable with published FID, FVD or mIoU."
        f"{measured_on}{meaning} Evaluator: {evaluator}; protocol {protocol}."
    )


def _machines(of_task: list[Row]) -> list[str]:
    """One line per distinct machine and setting that the latencies were taken on."""
    found: dict[str, list[str]] = {}
    for row in of_task:
        for protocol in row.protocols.get("latency", ()):
            found.setdefault(_machine(protocol), []).append(row.method)
    found.pop("", None)
    if len(found) < 2:
        return list(found)
    return [f"{facts}: {', '.join(dict.fromkeys(methods))}" for facts, methods in found.items()]


def _machine(protocol: Mapping[str, Any]) -> str:
    """``AMD EPYC (cpu), 1 thread, fp32, 64x64 (HxW), batch 1, torch 2.15.0``, of what the protocol states."""
    facts = [str(protocol[key]) for key in ("device_name",) if key in protocol]
    facts += [f"({protocol['device']})"] if "device" in protocol else []
    facts = [" ".join(facts)] if facts else []
    if "threads" in protocol:
        facts.append(f"{protocol['threads']} thread{'s' if protocol['threads'] != 1 else ''}")
    facts += [str(protocol[key]) for key in ("precision",) if key in protocol]
    if "height" in protocol and "width" in protocol:
        facts.append(f"{protocol['height']}x{protocol['width']} (HxW)")
    facts += [f"{key} {protocol[key]}" for key in ("batch", "torch") if key in protocol]
    return ", ".join(facts)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def to_markdown(
    found: list[Section],
    strips: Mapping[str, Path],
    *,
    base: Path,
    title: str = "Main comparison",
    introduction: Sequence[str] = INTRODUCTION,
) -> str:
    """The sections as Markdown with aligned columns; links to the strips are relative to ``base``."""
    lines = [f"# {title}", "", *introduction]
    for section in found:
        lines += ["", f"## {section.task}"]
        if section.task in strips:
            link = Path(os.path.relpath(strips[section.task], base)).as_posix()
            lines += ["", f"![condition, every method, truth]({link})"]
        for grid in section.grids:
            lines += ["", f"**{grid.caption}**", "", *_markdown_grid(grid)]
        lines += ["", *(f"- {note}" for note in section.notes)]
    return "\n".join(lines) + "\n"


def _markdown_grid(grid: Grid) -> list[str]:
    texts = [[f"**{cell.text}**" if cell.bold else cell.text for cell in row] for row in grid.rows]
    widths = [max(3, *(len(row[i]) for row in [grid.headings, *texts])) for i in range(len(grid.headings))]

    def line(cells: list[str]) -> str:
        first, *others = (
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(grid.headings), "| " + " | ".join(rule) + " |", *map(line, texts)]

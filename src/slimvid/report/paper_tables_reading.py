"""A paper's table for reading, as Markdown: measured figures, printed ones, and what made them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.config import Config
from slimvid.report import columns as c
from slimvid.report.frame import unsized
from slimvid.report.measures import Row
from slimvid.report.paper_tables_declared import PAPERS, PaperTable, declared
from slimvid.report.reading import Grid, Section, measured_grid, notes, printed_grid, row_name, to_markdown

if TYPE_CHECKING:
    import pandas

FULL_SIZE = {
    "paper_scale_macs_g": "true GMACs per output frame, full size",
    "paper_scale_macs_g_as_published": "GMACs of one generated (ours: shortcut) frame, thop, full size",
    "paper_scale_params_m": "Params (M), full size",
    "paper_scale_params_m_as_published": "Params (M) of that frame, thop, full size",
}
MEASURED_LINES = (
    "Arrows point to the better direction; the best measured value of a column is bold; brackets give the",
    "ratio to the original. GMACs are true multiply-accumulates, mean per output frame of a clip under the",
    "plan.",
)


def readable(
    config: Config,
    name: str,
    frame: "pandas.DataFrame",
    measured: Sequence[Row],
    files: Mapping[str, Path],
    strips: Mapping[str, Path],
) -> str:
    """A paper's table as Markdown.

    Args:
        frame: of ``paper_table``.
        measured: its measured rows, for their protocols.
        files: of the table: links are relative to the folder of ``md``; a plot ``svg`` is shown.
        strips: task -> picture strip to show above its table.
    """
    table, own = declared(name), name.split("/")[0]
    papers = list(dict.fromkeys(PAPERS[source.paper] for source in table.sources))
    lines = list(MEASURED_LINES)
    if papers:
        lines += [
            f"Figures as printed by {', '.join(papers)} stand in a table of their own: they were taken on",
            "other data, by other evaluators, and never share an axis with the measured ones.",
        ]
    lines += ["", *table.about] if table.about else []
    if "svg" in files:
        lines += ["", f"![measured cost and quality]({files['svg'].name})"]
    found = []
    for task in config.tables[name].tasks:
        of_task, part = [row for row in measured if row.task == task], frame[frame["task"] == task]
        section = _section(table, part, of_task, unequal=config.tables[name].unequal)
        section.notes.extend(unsized(config, of_task))
        found.append(section)
    title = ", ".join(filter(None, (PAPERS.get(own, "" if papers else own), table.title)))
    return to_markdown(found, strips, base=files["md"].parent, title=title, introduction=lines)


def _section(
    table: PaperTable, part: "pandas.DataFrame", of_task: list[Row], *, unequal: str | None
) -> Section:
    """The rows of one task."""
    own = part[part["seeds"] != ""]
    columns = [col for col in (*table.measured, *c.STANDARD) if col.name in own]
    grids = [measured_grid(own, columns, name=_name(table)), _printed(table, part)]
    said = notes(own, of_task, unequal=unequal)
    said += [*_reader(table, of_task), *_order(table, own)]
    return Section(task=part["task"].iloc[0], grids=[grid for grid in grids if grid.rows], notes=said)


def _reader(table: PaperTable, of_task: list[Row]) -> list[str]:
    """What turned frames into the label maps that a table's scores are of."""
    if not set(table.measured) & set(c.LABEL_SCORES):
        return []
    readers = {row.protocol("quality", "label_scores", {}).get("reader") for row in of_task} - {None}
    return [f"Frames became label maps by: {', '.join(sorted(readers))}."] if readers else []


def _name(table: PaperTable) -> Callable[[Mapping[str, Any]], str]:
    """Rows that differ by their options begin with their printed label."""

    def name(row: Mapping[str, Any]) -> str:
        label = row["row"] if table.label is not None else ""
        return f"{label}: {row_name(row)}" if label else row_name(row)

    return name


def _printed(table: PaperTable, part: "pandas.DataFrame") -> Grid:
    """The paper's figures and the cost at its size; rows that have neither are left out."""
    headings = {col.name: col.heading for col in table.published} | FULL_SIZE
    filled = {name: text for name, text in headings.items() if any(c.plain(v) for v in part[name])}
    records = [row for _, row in part.iterrows() if any(c.plain(row[name]) for name in filled)]
    labelled = [(": ".join(filter(None, (row["row"], row["method"]))), row) for row in records]
    task = part["task"].iloc[0]
    whose = f" for {table.beside[task]}" if task in table.beside else ""
    caption = f"As printed{whose}, and cost at the paper's full size"
    return printed_grid(labelled, filled, caption=caption if table.published else "Cost at full size")


def _order(table: PaperTable, own: "pandas.DataFrame") -> list[str]:
    """Whether the rows that were both printed and measured come in the printed order; computed, per task.

    A pair agrees when the row that is better in print is better here: a tie here is none.
    """
    if table.order is None:
        return []
    ours, theirs = table.order
    column = c.BY_NAME[ours]
    sign = -1 if column.better == "higher" else 1
    both = [
        (row["row"], sign * float(row[ours]), sign * float(row[theirs]))
        for _, row in own.iterrows()
        if row[theirs] and row[ours] == row[ours]
    ]
    pairs = [(a, b) for a, b in combinations(both, 2) if a[2] != b[2]]
    if not pairs:
        return []
    agree = sum((a[1] < b[1]) if a[2] < b[2] else (b[1] < a[1]) for a, b in pairs)
    printed, here = (", ".join(row[0] for row in sorted(both, key=lambda row: row[k])) for k in (2, 1))
    held = "held" if agree == len(pairs) else "did not hold"
    label = column.label.split(" (")[0]
    return [
        f"The paper's order {held} in the measured {label}: {agree} of {len(pairs)} pairs agree. "
        f"Best first, in print: {printed}; here: {here}."
    ]

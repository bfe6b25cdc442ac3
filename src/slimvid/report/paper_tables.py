"""The tables and figures of the papers: what they print, beside the rows that this run measured for them.

A table is a pure function of the config, the measure documents, its declaration
(``paper_tables_declared``) and the published figures: the same inputs give the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.config import Config
from slimvid.report import columns as c
from slimvid.report import published
from slimvid.report.frame import (
    PaperScaleOf,
    layout,
    measured_record,
    paper_scale_record,
    to_csv,
    to_frame,
    write_texts,
)
from slimvid.report.measures import Measures, read_measures, rows
from slimvid.report.paper_tables_declared import PAPERS, PaperTable, Source, declared
from slimvid.rows import check, head

if TYPE_CHECKING:
    import pandas

IDENTIFIERS = ("task", "teacher", "row", *c.IDENTIFIERS[2:])
PAPER_SCALE = (*c.PAPER_SCALE, "paper_scale_params_m_as_published")
AS_PUBLISHED = tuple(name for name in PAPER_SCALE if name.endswith("as_published"))
PLOT = ("macs_g", "video_distance_lite0")  # of a figure: true cost, and what stands in for FVD


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A printed row: its label, this project's name for the method (or ""), and its cells by our columns."""

    label: str
    method: str
    cells: Mapping[str, str]


def paper_table(
    config: Config, name: str, measures: Measures | Path, *, paper_scale: PaperScaleOf | None = None
) -> "pandas.DataFrame":
    """A paper's table as a frame, one row per (task, row).

    Rows: for each of the table's tasks its methods in the config's order, then the printed rows that this run
    did not measure. ``row`` is the label as printed, for rows that are in print. Measured columns are means
    over seeds, with ``<name>_std`` beside each when a row has more than one seed; NaN: not measured.
    ``published_*`` are strings as printed. ``paper_scale_*`` are costs of the full-size network:
    ``paper_scale_macs_g`` (1e9) is the true mean per output frame under this run's share of full frames or
    key-frames, ``*_as_published`` one generated (of a Shortcut block: one shortcut) frame as
    pytorch-OpCounter counts and Shortcut-V2V rounds it.

    Args:
        name: of ``config.tables``, such as ``shortcut_v2v/table3``.
        measures: the root of the measure files, or their documents.
        paper_scale: as in ``table1``.

    Raises:
        SlimvidError: a measure file is missing or damaged, or a task mixes two evaluators.
    """
    documents = read_measures(config, measures, table=name) if isinstance(measures, Path) else measures
    table, measured = declared(name), rows(config, documents, table=name)
    figures = layout(measured, table.measured)
    records: list[dict[str, Any]] = []
    for task in config.tables[name].tasks:
        teacher = config.teacher_settings(task).teacher
        left = printed_rows(table, task, teacher)
        everything = dict(left)
        for row in (row for row in measured if row.task == task):
            label = label_of(config, table, everything, task, row.method)
            record = measured_record(config, row, figures) | paper_scale_record(config, row, paper_scale)
            records.append(record | {"row": label} | _cells(everything.get(label)))
            left.pop(label, None)
        for row in left.values():
            identity = {"task": task, "teacher": teacher, "row": row.label, "method": row.method}
            records.append(identity | _cells(row))
    text = [
        *IDENTIFIERS,
        "evaluator",
        "protocol",
        "data",
        *AS_PUBLISHED,
        *(col.name for col in table.published),
    ]
    names = [*IDENTIFIERS, *figures, "evaluator", "protocol", "data", *PAPER_SCALE]
    return to_frame(records, [*names, *(col.name for col in table.published)], text=text)


def _cells(row: Printed | None) -> Mapping[str, str]:
    return row.cells if row is not None else {}


def printed_rows(table: PaperTable, task: str, teacher: str) -> dict[str, Printed]:
    """The rows in print for a task, by label, in print's order; none for a task of nobody's."""
    found: dict[str, Printed] = {}
    for source in table.sources:
        for row in _rows_of(source, table, table.beside.get(task, task), teacher):
            label = f"{PAPERS[source.paper]}: {row.label}" if len(table.sources) > 1 else row.label
            found[label] = replace(row, label=label)
    return found


def _rows_of(source: Source, table: PaperTable, task: str, teacher: str) -> list[Printed]:
    """A printed table's rows for a printed task."""
    if task not in set(published.load(source.paper, source.number)["task"]):
        return []
    cells: dict[str, dict[str, str]] = {}
    methods: dict[str, str] = {}
    for column in table.published:
        found = published.load(source.paper, column.table or source.number)
        found = found[found["model"] == source.models.get(teacher, teacher)]
        found = found[(found["column"] == column.column) & found["task"].isin(["", task])]
        for cell in found.to_dict("records"):
            if not column.rows and cell["row"] not in cells:
                continue
            if not source.methods or cell["method"] in source.methods:
                cells.setdefault(cell["row"], {})[column.name] = cell["value"]
                methods.setdefault(cell["row"], cell["method"])
    return [Printed(label=label, method=methods[label], cells=own) for label, own in cells.items()]


def label_of(
    config: Config, table: PaperTable, printed: Mapping[str, Printed], task: str, method: str
) -> str:
    """The printed row that a measured one stands beside; "" for one that is not in print.

    Only a row that is nothing but the table's ``method`` has a label by its options: a block on a compressed
    original, or a network under another plan, is in nobody's table.
    """
    recipes = config.recipes(task, method)
    if table.label is not None and [module for module, _ in recipes] == [table.method]:
        return table.label(task, _options(table.method, method, recipes[0][1]))
    others = (row for row in printed.values() if table.label is None or row.method != table.method)
    return next((row.label for row in others if row.method == method), "")


def _options(module: str, row: str, options: Mapping[str, Any]) -> Any:
    """A row's options with the method's defaults."""
    return check(head(module).Options, dict(options), origin=f"methods.{row}.options")


def write_paper_table(
    config: Config,
    name: str,
    measures: Measures | Path,
    files: Mapping[str, Path],
    strips: Mapping[str, Path] | None = None,
    *,
    paper_scale: PaperScaleOf | None = None,
) -> None:
    """Write a paper's table (see :func:`paper_table`).

    Args:
        files: ``csv`` for programs, ``md`` for people, and for a figure ``svg``, its measured rows as a plot.
        strips: task -> picture strip to show above its table.

    Raises:
        SlimvidError: as :func:`paper_table`; or a figure has nothing measured to plot.
    """
    from slimvid.report.paper_tables_reading import readable
    from slimvid.report.tradeoff import write_tradeoff

    documents = read_measures(config, measures, table=name) if isinstance(measures, Path) else measures
    frame = paper_table(config, name, documents, paper_scale=paper_scale)
    text = readable(config, name, frame, rows(config, documents, table=name), files, strips or {})
    write_texts({files["csv"]: to_csv(frame), files["md"]: text})
    if "svg" in files:
        write_tradeoff(frame, files["svg"], cost=PLOT[0], quality=PLOT[1])

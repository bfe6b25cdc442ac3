"""The main comparison: measured figures, the paper's, and cost at the paper's full size, side by side.

The table is a pure function of the config, the measure documents and the published figures: the same inputs
give the same bytes.
"""

import csv
import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.config import Config
from slimvid.files import atomic_path
from slimvid.report import columns as c
from slimvid.report import published
from slimvid.report.measures import Measures, Row, read_measures, rows
from slimvid.settings import TaskSettings

if TYPE_CHECKING:
    import pandas

    from slimvid.measure.paper_scale import PaperScale

PaperScaleOf = Callable[..., "PaperScale | None"]
PAPER_TEACHER = "vid2vid"  # of every row of that table
PAPER = ("fast_vid2vid", 1)  # source and table that the main table reproduces
PAPER_ORDER = ("original", "gan_compression", "content_aware", "cat", "fast_vid2vid")


def table1(
    config: Config, measures: Measures | Path, *, paper_scale: PaperScaleOf | None = None
) -> "pandas.DataFrame":
    """The main table as a frame, one row per (task, method).

    Rows: for each task of ``config.table1`` its methods in the config's order, then, for the three tasks of
    the Fast-Vid2Vid paper, the methods that the paper prints and that this run did not measure. Measured
    columns are means over seeds, with a ``<name>_std`` column beside each when a row has more than one seed;
    they are NaN where nothing was measured. ``published_*`` are strings as printed. ``paper_scale_*`` are
    costs of the full-size network: ``paper_scale_macs_g`` the true mean per output frame (under this run's
    share of key-frames where the plan has them), ``paper_scale_macs_g_as_published`` one generated frame
    as pytorch-OpCounter counts and Shortcut-V2V rounds it.

    Args:
        measures: the root of the measure files, or their documents.
        paper_scale: called as ``slimvid.measure.paper_scale.paper_scale``, which is the default and counts
            on the meta device.

    Raises:
        SlimvidError: a measure file is missing or damaged, or a task mixes two evaluators.
    """
    import pandas

    documents = read_measures(config, measures) if isinstance(measures, Path) else measures
    measured = rows(config, documents)
    counted = paper_scale or _count
    layout = _layout(measured)
    records = []
    for task in config.table1.tasks:
        for row in (row for row in measured if row.task == task):
            record = _measured(config, row, layout) | _paper_scale(config, row, counted)
            records.append(record | _published(task, row.method))
        for method in _only_published(config, task):
            identity = {"task": task, "teacher": PAPER_TEACHER, "method": method}
            records.append(identity | _published(task, method))
    names = [*layout, "evaluator", "data", *c.PAPER_SCALE, *c.PUBLISHED]
    frame = pandas.DataFrame(records, columns=names).astype(object)
    text = [*c.IDENTIFIERS, "evaluator", "data", "paper_scale_macs_g_as_published", *c.PUBLISHED]
    frame[text] = frame[text].fillna("")
    return frame


def _layout(measured: list[Row]) -> list[str]:
    """Identifier and measured columns, spreads beside their means, floors and ceilings after them."""
    spread = any(row.seeds > 1 for row in measured)
    names = list(c.IDENTIFIERS)
    given = {name for row in measured for name, value in row.mean.items() if not math.isnan(value)}
    for column in (*c.MEASURED, *(col for col in c.STANDARD if col.name in given)):
        names += [column.name, f"{column.name}_std"] if spread else [column.name]
    bounds = [col.name + suffix for col in c.MEASURED for suffix in c.BOUNDS]
    return names + [name for name in bounds if name in given]


def _measured(config: Config, row: Row, layout: list[str]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "task": row.task,
        "teacher": config.teacher_settings(row.task).teacher,
        "method": row.method,
        "plan": c.plan_label(config.plan_of(row.task, row.method)),
        "seeds": str(row.seeds),
        "evaluator": row.protocol("quality", "evaluator", ""),
        "data": row.protocol("quality", "data") or source_of(config.tasks[row.task]),
    }
    digits = {column.name: column.digits for column in (*c.MEASURED, *c.STANDARD)}
    for name in layout[len(c.IDENTIFIERS) :]:
        base = name.removesuffix("_std")
        if name != base:
            record[name] = c.significant(row.std.get(base, math.nan), c.STD_DIGITS)
        else:
            record[name] = c.significant(row.mean.get(name, math.nan), digits.get(name, c.BOUND_DIGITS))
    return record


def source_of(task: TaskSettings) -> str:
    """What data a task is made of, for people, as the config says it."""
    if task.source == "world":
        return f"procedural world: {task.world}"
    return f"{task.source}: {task.path.name if task.path else ''}"


def _published(task: str, method: str) -> dict[str, str]:
    """The paper's cells of a row, as printed; empty for rows and tasks that the paper has not."""
    if method not in PAPER_ORDER or task not in paper_tasks():
        return {}
    return {
        ours: published.printed(*PAPER, column=theirs, task=task, method=method)
        for ours, theirs in c.PUBLISHED.items()
    }


def paper_tasks() -> list[str]:
    """The tasks of the Fast-Vid2Vid paper's Table 1."""
    return list(dict.fromkeys(published.load(*PAPER)["task"]))


def _only_published(config: Config, task: str) -> list[str]:
    """Rows that the paper prints for a task and that this run did not measure."""
    if task not in paper_tasks():
        return []
    return [method for method in PAPER_ORDER if method not in config.table1.methods]


def _paper_scale(config: Config, row: Row, counted: PaperScaleOf) -> dict[str, Any]:
    """Cost of a row's network at the paper's size; empty where the paper has no such network."""
    from slimvid.measure.conventions import rounded

    *over, (method, options) = [("original", {}), *config.recipes(row.task, row.method)]
    full_share = row.mean.get("full_frame_share")
    cost = counted(row.task, method, options=options, over=over[1:], full_share=full_share)
    if cost is None:
        return {}
    share = row.protocol("cost", "key_fraction", 1.0)
    return {
        "paper_scale_macs_g": c.significant(cost.macs_g * share, c.PAPER_SCALE_DIGITS),
        "paper_scale_macs_g_as_published": rounded(cost.macs_g_thop, 2, "double"),
        "paper_scale_params_m": c.significant(cost.params_m, c.PAPER_SCALE_DIGITS),
    }


def _count(task: str, method: str, **how: Any) -> "PaperScale | None":
    from slimvid.measure.paper_scale import paper_scale  # imports torch

    return paper_scale(task, method, **how)


def to_csv(frame: "pandas.DataFrame") -> str:
    """The frame as CSV text: no exponents, empty cells for what does not apply, ``\\n`` line ends."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([c.plain(value) for value in record] for record in frame.itertuples(index=False))
    return buffer.getvalue()


def write_table1(
    config: Config,
    measures: Measures | Path,
    out_csv: Path,
    out_md: Path,
    strips: Mapping[str, Path] | None = None,
    *,
    paper_scale: PaperScaleOf | None = None,
) -> None:
    """Write the main table as CSV for programs and as Markdown for people (see :func:`table1`).

    Args:
        strips: task -> picture strip to show above its table.
    """
    from slimvid.report.reading import sections, to_markdown

    documents = read_measures(config, measures) if isinstance(measures, Path) else measures
    frame = table1(config, documents, paper_scale=paper_scale)
    readable = to_markdown(sections(config, frame, rows(config, documents)), strips or {}, base=out_md.parent)
    for path, text in ((out_csv, to_csv(frame)), (out_md, readable)):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

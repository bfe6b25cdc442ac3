"""The main comparison: measured figures, the paper's, and cost at the paper's full size, side by side.

The table is a pure function of the config, the measure documents and the published figures: the same inputs
give the same bytes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import pandas

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
    documents = read_measures(config, measures) if isinstance(measures, Path) else measures
    measured = rows(config, documents)
    figures = layout(measured, c.MEASURED)
    records = []
    for task in config.table1.tasks:
        for row in (row for row in measured if row.task == task):
            record = measured_record(config, row, figures) | paper_scale_record(config, row, paper_scale)
            records.append(record | _published(task, row.method))
        for method in _only_published(config, task):
            identity = {"task": task, "teacher": PAPER_TEACHER, "method": method}
            records.append(identity | _published(task, method))
    names = [*c.IDENTIFIERS, *figures, "evaluator", "protocol", "data", *c.PAPER_SCALE, *c.PUBLISHED]
    text = [*c.IDENTIFIERS, "evaluator", "protocol", "data", "paper_scale_macs_g_as_published", *c.PUBLISHED]
    return to_frame(records, names, text=text)


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
    write_texts({out_csv: to_csv(frame), out_md: readable})

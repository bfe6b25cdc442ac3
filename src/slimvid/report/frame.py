"""What every table of measured rows is made of: its columns, the record of a row, and CSV."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.config import Config
from slimvid.files import atomic_path
from slimvid.measure.paper_scale import SIZES, is_paper_network
from slimvid.report import columns as c
from slimvid.report.measures import Row
from slimvid.rows import searched
from slimvid.settings import TaskSettings

if TYPE_CHECKING:
    import pandas

    from slimvid.measure.paper_scale import PaperScale

PaperScaleOf = Callable[..., "PaperScale | None"]


def layout(measured: Sequence[Row], columns: Iterable[c.Column]) -> list[str]:
    """Names of a table's measured columns: spreads beside their means, floors and ceilings after them.

    Args:
        columns: the table's own; those of the standard networks follow where they measured something.
    """
    own = tuple(columns)
    spread = any(row.seeds > 1 for row in measured)
    given = {name for row in measured for name, value in row.mean.items() if not math.isnan(value)}
    names = []
    for column in (*own, *(col for col in c.STANDARD if col.name in given)):
        names += [column.name, f"{column.name}_std"] if spread else [column.name]
    bounds = [col.name + suffix for col in own for suffix in c.BOUNDS]
    return names + [name for name in bounds if name in given]


def measured_record(config: Config, row: Row, names: Iterable[str]) -> dict[str, Any]:
    """A measured row's identifiers and its figures under ``names`` (of :func:`layout`); NaN: not measured."""
    record: dict[str, Any] = {
        "task": row.task,
        "teacher": config.teacher_settings(row.task).teacher,
        "method": row.method,
        "plan": c.plan_label(config.plan_of(row.task, row.method)),
        "seeds": str(row.seeds),
        "evaluator": row.protocol("quality", "evaluator", ""),
        "protocol": row.protocol("quality", "hash", ""),
        "data": row.protocol("quality", "data") or source_of(config.tasks[row.task]),
    }
    for name in names:
        base = name.removesuffix("_std")
        if name != base:
            record[name] = c.significant(row.std.get(base, math.nan), c.STD_DIGITS)
        else:
            digits = c.BY_NAME[name].digits if name in c.BY_NAME else c.BOUND_DIGITS
            record[name] = c.significant(row.mean.get(name, math.nan), digits)
    return record


def source_of(task: TaskSettings) -> str:
    """What data a task is made of, for people, as the config says it."""
    if task.source == "world":
        return f"procedural world: {task.world}"
    return f"{task.source}: {task.path.name if task.path else ''}"


def paper_scale_record(config: Config, row: Row, counted: PaperScaleOf | None) -> dict[str, Any]:
    """Cost of a row's network at the paper's size; empty where the paper has no such network.

    Widths that a training found are the artifact's own: the row has a cost there only where this run was made
    at the paper's size, and it is the measured one.

    Args:
        counted: called as ``slimvid.measure.paper_scale.paper_scale``, the default.
    """
    from slimvid.measure.conventions import rounded

    if is_searched(config, row):
        return _measured_scale(row) if _at_paper_size(config, row) else {}
    *over, (method, options) = [("original", {}), *config.recipes(row.task, row.method)]
    full_share = row.mean.get("full_frame_share")
    count = counted or _count
    cost = count(row.task, method, options=options, over=over[1:], full_share=full_share)
    if cost is None:
        return {}
    share = row.protocol("cost", "key_fraction", 1.0)
    return {
        "paper_scale_macs_g": c.significant(cost.macs_g * share, c.PAPER_SCALE_DIGITS),
        "paper_scale_macs_g_as_published": rounded(cost.macs_g_thop, 2, "double"),
        "paper_scale_params_m": c.significant(cost.params_m, c.PAPER_SCALE_DIGITS),
        "paper_scale_params_m_as_published": rounded(cost.params_m_thop, 2, "double"),
    }


def is_searched(config: Config, row: Row) -> bool:
    """Whether widths of a row's network, or of one that it is put over, were found by a training."""
    return any(searched(method) for method, _ in config.recipes(row.task, row.method))


def unsized(config: Config, of_task: Iterable[Row]) -> list[str]:
    """Why some rows of a task have no cost at the paper's size, where others have."""
    rows = [row for row in of_task if row.task in SIZES and is_searched(config, row)]
    left = ", ".join(row.method for row in rows if not _at_paper_size(config, row))
    if not left:
        return []
    return [
        f"No cost at the paper's size of {left}: the widths were found for this run's smaller original, and "
        "none follow from them for the paper's."
    ]


def _at_paper_size(config: Config, row: Row) -> bool:
    facts = {name: row.protocol("cost", name, 0) for name in ("height", "width", "condition_channels")}
    return is_paper_network(row.task, config.teacher_settings(row.task), **facts)


def _measured_scale(row: Row) -> dict[str, Any]:
    """The measured cost under the names of the cost at full size."""
    from slimvid.measure.conventions import rounded

    share = row.protocol("cost", "key_fraction", 1.0)
    drawn = row.mean["macs_g_per_generated_frame"] * share
    return {
        "paper_scale_macs_g": c.significant(
            row.mean["macs_g"] if "full_frame_share" in row.mean else drawn, c.PAPER_SCALE_DIGITS
        ),
        "paper_scale_macs_g_as_published": rounded(row.mean["macs_g_thop"], 2, "double"),
        "paper_scale_params_m": c.significant(row.mean["params_m"], c.PAPER_SCALE_DIGITS),
        "paper_scale_params_m_as_published": rounded(row.mean["params_m_thop"], 2, "double"),
    }


def _count(task: str, method: str, **how: Any) -> "PaperScale | None":
    from slimvid.measure.paper_scale import paper_scale  # imports torch

    return paper_scale(task, method, **how)


def to_frame(records: list[dict[str, Any]], names: list[str], *, text: Iterable[str]) -> "pandas.DataFrame":
    """Records as a frame of these columns; an empty cell of a ``text`` column is ``""``, of others NaN."""
    import pandas

    frame = pandas.DataFrame(records, columns=names).astype(object)
    words = list(text)
    frame[words] = frame[words].fillna("")
    return frame


def to_csv(frame: "pandas.DataFrame") -> str:
    """The frame as CSV text: no exponents, empty cells for what does not apply, ``\\n`` line ends."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([c.plain(value) for value in record] for record in frame.itertuples(index=False))
    return buffer.getvalue()


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write each file atomically, with ``\\n`` line ends on every system."""
    for path, text in texts.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

"""The figures that the five papers print, as data: one CSV per paper, each figure transcribed once.

Columns of the files: ``source`` (the paper), ``table`` (its number, or ``text`` for figures that only the
running text or a caption gives), ``model`` and ``task`` (in the words of this project), ``row`` (as printed,
without citation marks), ``method`` (this project's name for the row, where it has one), ``column`` (the
quantity), ``value`` (as printed, digit for digit, without its unit; empty where the paper prints a dash),
``unit`` and ``note``.

A table is a complete grid of its rows and columns. A cell that prints two figures, such as "0.34M (33.3x)",
is two columns. Left out: the ticks of GAN Compression's Table 3, which say what techniques a row uses.
Sources: Fast-Vid2Vid (Zhuo et al. 2022), Shortcut-V2V (Chung et al. 2023), GAN Compression (Li et al. 2020,
arXiv v2), CAT (Jin et al. 2021), OMGD (Ren et al. 2021).
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    import pandas

SOURCES = ("fast_vid2vid", "shortcut_v2v", "gan_compression", "cat", "omgd")


@cache
def _read(source: str) -> "pandas.DataFrame":
    import pandas

    path = Path(__file__).with_name(f"{source}.csv")
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    frame["number"] = pandas.to_numeric(frame["value"], errors="coerce")
    return frame


def load(source: str | None = None, table: str | int | None = None) -> "pandas.DataFrame":
    """The figures of one paper, or of all: strings, and ``number``, the value as a float (NaN for a dash).

    Raises:
        SlimvidError: there is no such paper or table.
    """
    import pandas

    if source is not None and source not in SOURCES:
        raise SlimvidError(f"published source {source!r}: unknown; choose one of {', '.join(SOURCES)}")
    frame = pandas.concat([_read(name) for name in (SOURCES if source is None else (source,))])
    if table is not None:
        known = ", ".join(sorted(set(frame["table"])))
        frame = frame[frame["table"] == str(table)]
        if frame.empty:
            raise SlimvidError(f"published table {table!r} of {source}: unknown; choose one of {known}")
    return frame.reset_index(drop=True)


def printed(source: str, table: str | int, *, column: str, **where: str) -> str:
    """One figure as printed, such as ``"10.50"``; an empty string where the paper prints a dash.

    ``where`` narrows the search by ``row``, ``method``, ``task`` or ``model``.

    Raises:
        SlimvidError: no cell, or more than one, answers.
    """
    frame = load(source, table)
    chosen = frame["column"] == column
    for field, wanted in where.items():
        chosen &= frame[field] == wanted
    found = frame.loc[chosen, "value"].tolist()
    if len(found) != 1:
        asked = ", ".join(f"{k}={v!r}" for k, v in {"column": column, **where}.items())
        mend = "narrow it by row, task or model" if found else "see the rows of published.load()"
        raise SlimvidError(f"published {source} table {table}: {len(found)} cells answer {asked}; {mend}")
    return found[0]


def value(source: str, table: str | int, *, column: str, **where: str) -> float | None:
    """One figure as a number; None where the paper prints a dash. Arguments and errors as :func:`printed`."""
    text = printed(source, table, column=column, **where)
    return float(text) if text else None

"""The report: one HTML page that needs no other file, with tables, strips and plots of a run."""

import base64
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from slimvid import paths
from slimvid.config import Config
from slimvid.files import atomic_path
from slimvid.report.measures import Measures, read_measures, rows
from slimvid.report.reading import INTRODUCTION, Grid, Section, sections
from slimvid.report.table1 import PaperScaleOf, table1
from slimvid.report.tradeoff import write_tradeoff

if TYPE_CHECKING:
    import pandas

PLOTS = (
    ("macs_g", "video_distance_lite0"),
    ("fps", "video_distance_lite0"),
    ("macs_g", "perceptual_st_lpips"),
)
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; max-width: 8rem; background: var(--soft); }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.bound td { font-style: italic; }
img, svg { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.notes { font-size: .85rem; }
pre { font-size: .8rem; overflow-x: auto; background: var(--soft); padding: .8rem; }
"""


def write_report(
    config: Config,
    out: Path,
    *,
    measures: Measures | Path = paths.MEASURES,
    strips: Mapping[str, Path] | None = None,
    paper_scale: PaperScaleOf | None = None,
) -> None:
    """Write the report; it is made from the files that the table is made from, and gives the same bytes.

    Args:
        config: the run's.
        out: the HTML file.
        measures: root of the measure files, or their documents.
        strips: task -> PNG; by default those of the table's tasks that have been drawn.
        paper_scale: as in ``table1``.

    Raises:
        SlimvidError: a measure file is missing or damaged, or a task mixes two evaluators.
    """
    documents = read_measures(config, measures) if isinstance(measures, Path) else measures
    frame = table1(config, documents, paper_scale=paper_scale)
    drawn = strips if strips is not None else {t: paths.strip(t) for t in config.table1.tasks}
    body = [_head(config), _plots(frame)]
    body += [_section(s, drawn.get(s.task)) for s in sections(config, frame, rows(config, documents))]
    body.append(_configuration(config))
    with atomic_path(out) as temporary:
        temporary.write_text(_page("\n".join(body)), encoding="utf-8", newline="\n")


def _page(body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>slimvid report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _head(config: Config) -> str:
    links = " · ".join(f'<a href="#{escape(t)}">{escape(t)}</a>' for t in config.table1.tasks)
    introduction = escape(" ".join(INTRODUCTION))
    return (
        "<h1>slimvid: what compression cost</h1>\n"
        f"<p>Profile <b>{escape(config.profile)}</b>. {introduction}</p>\n"
        f"<p>{links} · <a href='#configuration'>configuration</a></p>"
    )


def _plots(frame: "pandas.DataFrame") -> str:
    """The trade-offs as inline SVG; a pair of columns that nobody measured gives no plot."""
    drawn = []
    for cost, quality in PLOTS:
        if not (frame[cost].notna() & frame[quality].notna()).any():
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "plot.svg"
            write_tradeoff(frame, path, cost=cost, quality=quality)
            svg = path.read_text(encoding="utf-8")
        drawn.append(
            f'<div class="wide">{_image(svg.encode(), "svg+xml", f"{quality} against {cost}")}</div>'
        )
    return "\n".join(["<h2>Trade-offs</h2>", *drawn]) if drawn else ""


def _section(section: Section, strip: Path | None) -> str:
    parts = [f'<h2 id="{escape(section.task)}">{escape(section.task)}</h2>']
    if strip is not None and strip.is_file():
        alt = f"{section.task}: condition, every method, truth"
        parts.append(f'<div class="wide">{_image(strip.read_bytes(), "png", alt)}</div>')
    parts += [_table(grid) for grid in section.grids]
    notes = "".join(f"<li>{escape(note)}</li>" for note in section.notes)
    return "\n".join([*parts, f'<ul class="notes">{notes}</ul>'])


def _image(content: bytes, kind: str, alt: str) -> str:
    """An image in the page itself. Plots too: inline SVGs would share (and mix up) their element ids."""
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{data}">'


def _table(grid: Grid) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in grid.headings)
    lines = []
    for row in grid.rows:
        cells = (f"<b>{escape(c.text)}</b>" if c.bold else escape(c.text.strip("*")) for c in row)
        mark = ' class="bound"' if row[0].text.startswith("*") else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    body = "\n".join(lines)
    return (
        f'<div class="wide"><table><caption>{escape(grid.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _configuration(config: Config) -> str:
    import yaml

    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return f'<h2 id="configuration">Configuration</h2>\n<pre>{escape(text)}</pre>'

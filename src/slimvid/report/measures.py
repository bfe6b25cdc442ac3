"""Reading the measure files of a run and averaging them over seeds."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slimvid.config import Config
from slimvid.errors import SlimvidError
from slimvid.files import read_json
from slimvid.paths import FAMILIES

COMPARED = ("evaluator", "n", "d", "frames")
TIMED_ALIKE = ("device", "device_name", "precision", "threads")  # FPS of unlike runs are not comparable
Measures = Mapping[tuple[str, str, int], Mapping[str, Mapping[str, Any]]]
"""(task, method, seed) -> family -> document: how another store (MLflow) hands them over."""


def read_measures(config: Config, root: Path, *, table: str = "table1") -> Measures:
    """Read ``root/<task>/<method>/<seed>/<family>.json`` for every row of a table.

    Args:
        table: a name of ``config.tables``.

    Raises:
        SlimvidError: a file is missing, is not a measure document, or belongs to another row; names the file.
    """
    found = {}
    for task, method in config.rows_of(table):
        for seed in config.seeds:
            folder = root / task / method / str(seed)
            documents = {name: _read(folder / f"{name}.json", task, method, seed) for name in FAMILIES}
            found[task, method, seed] = documents
    return found


def _read(path: Path, task: str, method: str, seed: int) -> Mapping[str, Any]:
    if not path.is_file():
        step = "measure-latency" if path.stem == "latency" else "measure"
        step = f"slimvid {step} {task} {method} {seed}"
        raise SlimvidError(f"{path}: missing; run `snakemake {path}` (or `{step}`) first")
    document = read_json(path)
    values = document.get("values") if isinstance(document, dict) else None
    numbers = values.values() if isinstance(values, dict) else [""]
    if not all(v is None or isinstance(v, int | float) for v in numbers):
        raise SlimvidError(
            f"{path}: field `values` maps names to no numbers; delete the file and measure again"
        )
    named = {key: document.get(key) for key in ("task", "method", "seed")}
    if named != {"task": task, "method": method, "seed": seed}:
        raise SlimvidError(f"{path}: holds the measures of {named}; delete it and measure again")
    return document


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one task, its figures averaged over seeds.

    Attributes:
        mean, std: by value name. ``std`` is the sample standard deviation, NaN where fewer than two seeds
            give the value.
        protocols: family -> the distinct protocols of its documents.
    """

    task: str
    method: str
    seeds: int
    mean: Mapping[str, float]
    std: Mapping[str, float]
    protocols: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def protocol(self, family: str, key: str, default: Any = None) -> Any:
        """An entry of the first protocol of a family."""
        return next((p[key] for p in self.protocols.get(family, ()) if key in p), default)


def rows(config: Config, measures: Measures, *, table: str = "table1") -> list[Row]:
    """The measured rows of a table, tasks and methods in the config's order.

    Raises:
        SlimvidError: rows of one task were measured by different evaluators or on different sample counts.
    """
    found = [_row(task, method, measures, config.seeds) for task, method in config.rows_of(table)]
    for task in config.tables[table].tasks:
        _check_comparable(task, [row for row in found if row.task == task])
    return found


def _row(task: str, method: str, measures: Measures, seeds: tuple[int, ...]) -> Row:
    documents = [measures[task, method, seed] for seed in seeds]
    samples: dict[str, list[float]] = {}
    protocols: dict[str, list[Mapping[str, Any]]] = {}
    for by_family in documents:
        for family, document in by_family.items():
            for name, value in document["values"].items():
                samples.setdefault(name, []).extend([] if value is None else [float(value)])
            protocol = document.get("protocol", {})
            if protocol not in protocols.setdefault(family, []):
                protocols[family].append(protocol)
    return Row(
        task=task,
        method=method,
        seeds=len(documents),
        mean={k: statistics.fmean(v) if v else math.nan for k, v in samples.items()},
        std={k: statistics.stdev(v) if len(v) > 1 else math.nan for k, v in samples.items()},
        protocols=protocols,
    )


def _check_comparable(task: str, of_task: list[Row]) -> None:
    """Figures of two evaluators, or of the same one on different sample counts, must not share a column."""
    seen: dict[str, dict[str, str]] = {}
    for row in of_task:
        for protocol in row.protocols.get("quality", ()):
            for what, value in comparability(protocol).items():
                seen.setdefault(what, {}).setdefault(value, row.method)
        for protocol in row.protocols.get("latency", ()):
            for key in TIMED_ALIKE:
                if key in protocol:
                    seen.setdefault(f"latency {key}", {}).setdefault(str(protocol[key]), row.method)
    for what, by_value in seen.items():
        if len(by_value) > 1:
            listed = ", ".join(f"{value} ({method})" for value, method in by_value.items())
            raise SlimvidError(
                f"{task}: rows measured with more than one {what}: {listed}; "
                f"delete results/measures/{task} and measure again"
            )


def comparability(protocol: Mapping[str, Any]) -> dict[str, str]:
    """What must agree between rows that share a column: evaluators, sample counts, feature sizes."""
    found = {name: str(protocol[name]) for name in ("evaluator", "hash") if name in protocol}
    for metric, entry in protocol.items():
        if isinstance(entry, dict):
            found |= {f"{metric} {key}": str(entry[key]) for key in COMPARED if key in entry}
    return found

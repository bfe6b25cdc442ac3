"""MLflow: the rows of a table as runs that can be compared, and the table again from those runs.

Jobs write JSON; this module is the one writer of the store, one process at a time (a fresh sqlite store
breaks when several open it at once). A table is a run, each (task, method, seed) a run beside it that names
the table in its tags; a row of two tables has a run for each. Runs do not nest: the UI folds nested ones up.
Tracking twice changes nothing; a row that was measured anew gets a new run, and the old one stays with the
superseded table.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid import paths
from slimvid.config import Config
from slimvid.errors import SlimvidError
from slimvid.files import sha256_file, sha256_json, write_json
from slimvid.mlflow_store import (
    STORE,
    alone,
    connect,
    experiment_id,
    find_or_create,
    page,
    search,
    store_errors,
)
from slimvid.report.measures import Measures, read_measures
from slimvid.runtime import Progress

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger("slimvid")

MAIN, PAPER = "table1", "fast_vid2vid/1"  # the main table, and the one in print that it is compared with
CURVE_POINTS = 100  # points kept of a loss curve
PARAM_LIMIT, NOTE_LIMIT, BATCH = 6000, 8000, 100  # MLflow's: characters of a parameter, of a tag; a call's


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one run shows: the measure documents of (task, method, seed) and the settings behind them."""

    table: str
    task: str
    method: str
    seed: int
    documents: Mapping[str, Mapping[str, Any]]
    params: Mapping[str, str]
    frames: Path
    digest: str

    @property
    def name(self) -> str:
        return f"{self.task}/{self.method}/{self.seed}"


def track_table(config: Config, record: Path, table: str = MAIN, *, store: str = STORE) -> None:
    """Log a table's rows, pictures, clips and the table itself, and write the run ids to ``record``.

    Reads the files of :mod:`slimvid.paths` below the working directory.

    Args:
        table: a name of ``Config.tables``; of all but the main one the written CSV and Markdown are logged.

    Raises:
        SlimvidError: a measure file or table is missing or damaged, or the store cannot be opened.
    """
    with alone(store), store_errors(store):
        _track_table(config, record, table, store)


def _track_table(config: Config, record: Path, table: str, store: str) -> None:
    measures = read_measures(config, paths.MEASURES, table=table)
    rows = [_row(config, table, measures, *key) for key in measures]
    tasks = list(dict.fromkeys(row.task for row in rows))
    client = connect(store)
    experiment = experiment_id(client)
    strips = [sha256_file(paths.strip(task, table)) for task in tasks]
    shown: dict[str, Any] = {"rows": [row.digest for row in rows], "strips": strips}
    if table != MAIN:  # the main table follows from its rows
        shown["table"] = [sha256_file(path) for path in _files(table).values()]
    tags = _tags(config, table, "table")
    whole, is_new = find_or_create(client, experiment, f"{table} {config.profile}", sha256_json(shown), tags)
    progress = Progress("track", len(rows))
    runs = {}
    for done, row in enumerate(rows):
        runs[row.name] = _track_row(client, experiment, config, row)
        progress.update(done + 1)
    progress.close()
    _supersede(client, experiment, config, table, keep={whole, *runs.values()})
    if is_new:
        with _written(config, table, measures) as files:
            _log_table(client, whole, files)
        for task in tasks:
            first = [row for row in rows if row.task == task and row.seed == config.seeds[0]]
            _log_clip(client, whole, task, [(row.method, row.frames) for row in first])
            client.log_artifact(whole, str(paths.strip(task, table)), "strips")
        client.set_terminated(whole)
    shown_at = page(experiment)
    write_json(
        record, {"store": store, "experiment": experiment, "page": shown_at, "table": whole, "runs": runs}
    )
    log.info("%s: with `mlflow ui` running, its rows stand at %s", table, shown_at)


def tracked_measures(config: Config, table: str = MAIN, *, store: str = STORE) -> Measures:
    """The measure documents of a table as the store holds them.

    Raises:
        SlimvidError: the store lacks a row; names it.
    """
    with store_errors(store):
        client = connect(store)
        rows = _current(config, table, **{"slimvid.role": "row"})
        runs = search(client, experiment_id(client), rows)
    found = {(r.data.tags["task"], r.data.tags["method"], int(r.data.tags["seed"])): r for r in runs}
    measures = {}
    for task, method in config.rows_of(table):
        for seed in config.seeds:
            if (task, method, seed) not in found:
                row, record = f"{task}/{method}/{seed}", paths.mlflow_record(table)
                raise SlimvidError(f"{store}: holds no run of {row}; run `snakemake {record}`")
            measures[task, method, seed] = _documents(found[task, method, seed])
    return measures


def rebuild_table1(config: Config, *, store: str = STORE) -> str:
    """The main table as CSV text from the store alone; equal to results/table1.csv."""
    from slimvid.report.table1 import table1, to_csv

    return to_csv(table1(config, tracked_measures(config, store=store)))


def _row(config: Config, table: str, measures: Measures, task: str, method: str, seed: int) -> Row:
    documents = measures[task, method, seed]
    frames = paths.frames(task, method, seed)
    settings: dict[str, Any] = {
        "plan": config.plan_of(task, method).model_dump(exclude_none=True),
        "teacher": config.teacher_settings(task).model_dump(mode="json", exclude_none=True),
    }
    if method != "original":
        row = config.row(task, method)
        settings |= {"method": row.method, "options": row.options, "over": config.teacher_row(method)}
    params = dict(_flat(settings)) | dict(_measure_params(documents))
    inputs = {"documents": documents, "params": params, "frames": sha256_file(frames)}
    if table != MAIN:
        inputs["table"] = table
    return Row(
        table=table,
        task=task,
        method=method,
        seed=seed,
        documents=documents,
        params=params,
        frames=frames,
        digest=sha256_json({"row": [task, method, seed], **inputs}),
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as flat parameters: ``plan.kind`` -> ``keyframes``."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _measure_params(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Of each family the names of its values, and each entry of its protocol as JSON."""
    for family, document in documents.items():
        yield f"values.{family}", json.dumps(sorted(document["values"]))
        for key, value in document.get("protocol", {}).items():
            yield f"protocol.{family}.{key}", json.dumps(value)


def _documents(run: "Run") -> dict[str, dict[str, Any]]:
    """The measure documents that a run was logged from."""
    tags, params, metrics = run.data.tags, run.data.params, run.data.metrics
    documents = {}
    for family in paths.FAMILIES:
        prefix = f"protocol.{family}."
        names = json.loads(params[f"values.{family}"])
        protocol = {
            key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)
        }
        documents[family] = {
            "task": tags["task"],
            "method": tags["method"],
            "seed": int(tags["seed"]),
            "protocol": {key: json.loads(value) for key, value in protocol.items()},
            "values": {name: metrics.get(name) for name in names},
        }
    return documents


def _tags(config: Config, table: str, role: str) -> dict[str, str]:
    return {"slimvid.table": table, "slimvid.profile": config.profile, "slimvid.role": role}


def _current(config: Config, table: str, **more: str) -> str:
    """MLflow's filter for the current runs of a table."""
    tags = {"slimvid.table": table, "slimvid.profile": config.profile, "slimvid.current": "true", **more}
    return " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())


def _supersede(
    client: "MlflowClient", experiment: str, config: Config, table: str, *, keep: set[str]
) -> None:
    """Take the mark ``current`` from all other runs of this table, whatever they were to it."""
    for run in search(client, experiment, _current(config, table)):
        if run.info.run_id not in keep:
            client.set_tag(run.info.run_id, "slimvid.current", "false")


def _track_row(client: "MlflowClient", experiment: str, config: Config, row: Row) -> str:
    """The run of a row: the one that shows these documents already, or a new one."""
    identity = {"task": row.task, "method": row.method, "seed": str(row.seed)}
    paper_table = PAPER if row.table == MAIN else row.table.replace("/table", "/")
    identity |= {"plan": config.plan_of(row.task, row.method).kind, "paper_table": paper_table}
    tags = {**_tags(config, row.table, "row"), **identity}
    run, is_new = find_or_create(client, experiment, row.name, row.digest, tags)
    if is_new:
        _log_numbers(client, run, row)
        _log_dataset(client, run, row.task)
        client.log_artifact(run, str(paths.strip(row.task, row.table)), "strip")
        for family in paths.FAMILIES:
            source = paths.measure(row.task, row.method, row.seed, family)
            client.log_artifact(run, str(source), "measures")
        _log_clip(client, run, row.task, [(row.method, row.frames)])
        client.set_terminated(run)
    return run


def _log_numbers(client: "MlflowClient", run: str, row: Row) -> None:
    """Parameters, measured values under the same names for every method, and the loss curves."""
    from mlflow.entities import Metric, Param

    for key, value in row.params.items():
        if len(value) > PARAM_LIMIT:
            raise SlimvidError(
                f"{row.name}: parameter {key} is longer than MLflow's {PARAM_LIMIT} characters"
            )
    params = [Param(key, value) for key, value in row.params.items()]
    now = int(time.time() * 1000)
    values: dict[str, float] = {}
    for family, document in row.documents.items():
        twice = sorted(values.keys() & document["values"].keys())
        if twice:
            raise SlimvidError(
                f"{row.name}: value {twice[0]} of {family} is in another family too; rename it"
            )
        values |= {name: value for name, value in document["values"].items() if value is not None}
    metrics = [Metric(name, float(value), now, 0) for name, value in values.items()]
    metrics += [Metric(name, value, now, step) for name, step, value in _curves(row)]
    for start in range(0, len(params), BATCH):
        client.log_batch(run, params=params[start : start + BATCH])
    for start in range(0, len(metrics), 10 * BATCH):
        client.log_batch(run, metrics=metrics[start : start + 10 * BATCH])


def _curves(row: Row) -> Iterator[tuple[str, int, float]]:
    """Loss curves as (``loss/<name>``, step, value), thinned; nothing where the training left none."""
    import math

    from pyarrow.parquet import ParquetFile

    path = paths.training_files(row.task, row.method, row.seed)["curves"]
    if not path.is_file():
        return
    columns = ParquetFile(path).read().to_pydict()
    steps = columns.pop("step", None) or range(len(next(iter(columns.values()), ())))
    for name, values in columns.items():
        kept = [(s, v) for s, v in zip(steps, values, strict=True) if v is not None and math.isfinite(v)]
        for step, value in kept[:: max(1, math.ceil(len(kept) / CURVE_POINTS))]:
            yield f"loss/{name}", int(step), float(value)


def _log_dataset(client: "MlflowClient", run: str, task: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    from slimvid.data.store import PreparedTask

    store = PreparedTask(paths.prepared(task), splits=("train",))
    shape = {"height": store.meta.height, "width": store.meta.width, "fps": store.meta.fps}
    dataset = Dataset(
        name=task,
        digest=store.digest[:36],
        source_type="local",
        source=json.dumps({"uri": str(paths.prepared(task)), "made of": store.meta.source}),
        profile=json.dumps({**shape, "train clips": len(store.clips("train"))}),
    )
    context = [InputTag("mlflow.data.context", "training and test")]
    client.log_inputs(run, [DatasetInput(dataset, context)])


def _log_clip(client: "MlflowClient", run: str, task: str, rows: list[tuple[str, Path]]) -> None:
    """One held-out clip as a video: condition, the rows, truth."""
    import tempfile

    from slimvid.report.video_grid import write_comparison_video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{task}.mp4"
        write_comparison_video(paths.prepared(task), rows, path)
        client.log_artifact(run, str(path), "clips")


def _log_table(client: "MlflowClient", run: str, files: Mapping[str, Path]) -> None:
    """A written table: as files, as MLflow's table, and as the run's description."""
    import pandas

    frame = pandas.read_csv(files["csv"], dtype=object, keep_default_na=False)
    client.log_table(run, frame, f"{files['csv'].stem}.json")
    text = files["md"].read_text(encoding="utf-8")
    note = text if len(text) <= NOTE_LIMIT else text[:NOTE_LIMIT].rsplit("\n\n", 1)[0]
    client.set_tag(run, "mlflow.note.content", note)
    for path in files.values():
        client.log_artifact(run, str(path))


def _files(table: str) -> dict[str, Path]:
    """CSV and Markdown of a table that has been written, of a figure also its plot."""
    found = paths.figure(table) if paths.is_figure(table) else paths.table(table)
    for path in found.values():
        if not path.is_file():
            raise SlimvidError(f"{path}: missing; run `snakemake {path}` first")
    return found


@contextmanager
def _written(config: Config, table: str, measures: Measures) -> Iterator[dict[str, Path]]:
    """The files of a table; the main one's are made here, because its rule waits for the tracking."""
    import tempfile

    from slimvid.report.table1 import write_table1

    if table != MAIN:
        yield _files(table)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = {kind: Path(folder) / path.name for kind, path in paths.table(MAIN).items()}
        write_table1(config, measures, files["csv"], files["md"])
        yield files

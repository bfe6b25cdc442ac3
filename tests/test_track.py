"""MLflow holds the table's rows once each, and gives the table back to the byte."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from slimvid import paths, track
from slimvid.config import Config, validate
from slimvid.data.archive import write_frames
from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.manifest import TaskMeta
from slimvid.data.writer import write_prepared
from slimvid.errors import SlimvidError
from slimvid.files import read_json, write_json
from slimvid.mlflow_store import connect
from slimvid.report.table1 import write_table1
from slimvid.track import rebuild_table1, track_table, tracked_measures

PAPER_TABLE = "a_paper/table2"
TASKS, METHODS, SIZE = ("my_faces", "my_street"), ("original", "half"), 33


def make_run(*, psnr: float = 20.123456789) -> Config:
    """A finished run of two tasks and two rows below the working directory."""
    world = {"source": "world", "world": "face", "height": SIZE, "width": SIZE}
    config = validate(
        {
            "profile": "test",
            "tasks": dict.fromkeys(TASKS, world),
            "teachers": {"vid2vid": {"iterations": 3}},
            "methods": {"half": {"method": "uniform", "options": {"width": 0.5}}},
            "table1": {"tasks": list(TASKS), "methods": list(METHODS)},
            "papers": {"a_paper": {"table2": {"tasks": [TASKS[0]], "methods": list(METHODS)}}},
        },
        origin="test",
    )
    rng = np.random.default_rng(0)
    for task in TASKS:
        frames = rng.integers(0, 255, (4, SIZE, SIZE, 3), dtype=np.uint8)
        edges = np.zeros((4, SIZE, SIZE), np.uint8)
        clips = {
            s: [Clip(name=f"{s}_0", fps=15, frames=frames, edges=edges)] for s in ("train", "val", "test")
        }
        spec = ConditionSpec(kind="edges")
        meta = TaskMeta(task=task, source="noise", condition=spec, height=SIZE, width=SIZE, fps=15.0)
        write_prepared(paths.prepared(task), meta, clips)
        paths.strip(task).parent.mkdir(parents=True, exist_ok=True)
        paths.strip(task).write_bytes(b"a picture of " + task.encode())
        for method in METHODS:
            write_frames(paths.frames(task, method, 0), (("test_0", i, f) for i, f in enumerate(frames)))
            _write_measures(task, method, psnr)
    paths.strip(TASKS[0], PAPER_TABLE).parent.mkdir(parents=True, exist_ok=True)
    paths.strip(TASKS[0], PAPER_TABLE).write_bytes(b"another picture")
    write_paper_table("21.5")
    return config


def write_paper_table(published: str) -> None:
    for kind, path in paths.table(PAPER_TABLE).items():
        text = f"task,published_fid\nmy_faces,{published}\n" if kind == "csv" else f"| FID {published} |\n"
        path.write_text(text)


def _write_measures(task: str, method: str, psnr: float) -> None:
    values = {
        "cost": {"macs_g": 1 / 3, "params_m": 5},
        "latency": {"fps": 20.5, "fps_network": 25.25},
        "quality": {"psnr": psnr, "ssim": 0.1 + 0.2, "miou_seg": None},
    }
    for family, numbers in values.items():
        document = {"task": task, "method": method, "seed": 0, "protocol": {"evaluator": "embedded:1"}}
        write_json(paths.measure(task, method, 0, family), {**document, "values": numbers})


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without runs: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> str:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    scale = "slimvid.measure.paper_scale.paper_scale"  # seconds, and another room's tests
    monkeypatch.setattr(scale, lambda task, method, **how: None)
    return make_run()


def all_runs(store: str) -> list:
    client = connect(store)
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=100))


def test_rows_stand_beside_their_table_with_the_same_names(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    record = read_json(paths.MLFLOW_RECORD)
    client = connect(store)
    assert set(record["runs"]) == {f"{t}/{m}/0" for t in TASKS for m in METHODS}
    row = client.get_run(record["runs"]["my_faces/half/0"])
    assert row.data.tags["slimvid.table"] == client.get_run(record["table"]).data.tags["slimvid.table"]
    assert all("mlflow.parentRunId" not in r.data.tags for r in all_runs(store))  # the UI folds those up
    assert row.data.metrics["psnr"] == 20.123456789
    assert row.data.params["options.width"] == "0.5"
    assert json.loads(row.inputs.dataset_inputs[0].dataset.source)["made of"] == "noise"
    assert {a.path for a in client.list_artifacts(row.info.run_id)} == {"clips", "measures", "strip"}
    names = [set(client.get_run(r).data.metrics) for r in record["runs"].values()]
    assert all(n == names[0] for n in names)
    assert "psnr" in client.get_run(record["table"]).data.tags["mlflow.note.content"].lower()


def test_the_page_that_is_named_shows_the_current_rows_and_metrics_that_they_have(run, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    record, client = read_json(paths.MLFLOW_RECORD), connect(store)
    experiment = client.get_experiment(record["experiment"])
    kind, key = record["page"].partition("?")[2].split("&")
    assert record["page"].startswith(f"http://127.0.0.1:5000/#/experiments/{record['experiment']}/runs?")
    assert kind == "workflowType=machine_learning"
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{key.removeprefix('viewStateShareKey=')}"])
    found = client.search_runs([record["experiment"]], filter_string=view["searchFilter"])
    assert {r.info.run_id for r in found} == {record["table"], *record["runs"].values()}
    assert "metrics.`psnr`" in view["selectedColumns"]


def test_runs_of_an_earlier_revision_stand_as_new_ones_do_or_are_superseded(run: Config, store: str) -> None:
    """There the table's run had the role `parent`, and its rows were nested below it."""
    track_table(run, paths.MLFLOW_RECORD, store=store)
    record, client = read_json(paths.MLFLOW_RECORD), connect(store)
    row = record["runs"]["my_faces/half/0"]
    client.set_tag(record["table"], "slimvid.role", "parent")
    client.set_tag(row, "mlflow.parentRunId", record["table"])
    track_table(run, paths.MLFLOW_RECORD, store=store)
    assert client.get_run(record["table"]).data.tags["slimvid.role"] == "table"
    assert "mlflow.parentRunId" not in client.get_run(row).data.tags
    client.set_tag(record["table"], "slimvid.role", "parent")
    _write_measures("my_faces", "half", 21.0)
    track_table(run, paths.MLFLOW_RECORD, store=store)
    assert client.get_run(record["table"]).data.tags["slimvid.current"] == "false"


def test_an_experiment_in_the_bin_is_brought_back(run: Config, store: str, caplog) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    before = paths.MLFLOW_RECORD.read_bytes()
    connect(store).delete_experiment(read_json(paths.MLFLOW_RECORD)["experiment"])
    with caplog.at_level("INFO", "slimvid"):
        track_table(run, paths.MLFLOW_RECORD, store=store)
    assert paths.MLFLOW_RECORD.read_bytes() == before
    assert sum("had been deleted; it is restored" in r.message for r in caplog.records) == 1


def test_tracking_twice_changes_nothing(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    before, runs = paths.MLFLOW_RECORD.read_bytes(), len(all_runs(store))
    track_table(run, paths.MLFLOW_RECORD, store=store)
    assert paths.MLFLOW_RECORD.read_bytes() == before
    assert len(all_runs(store)) == runs == len(TASKS) * len(METHODS) + 1


def test_table_from_the_store_is_the_table(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    write_table1(run, paths.MEASURES, paths.TABLE1_CSV, paths.TABLE1_MD, {})
    assert rebuild_table1(run, store=store) == paths.TABLE1_CSV.read_text()


def test_a_row_measured_anew_replaces_the_old_one(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    old = read_json(paths.MLFLOW_RECORD)
    _write_measures("my_faces", "half", 21.0)
    track_table(run, paths.MLFLOW_RECORD, store=store)
    new = read_json(paths.MLFLOW_RECORD)
    changed = {name for name in new["runs"] if new["runs"][name] != old["runs"][name]}
    assert changed == {"my_faces/half/0"}
    assert new["table"] != old["table"]
    assert ",21," in rebuild_table1(run, store=store)
    superseded = connect(store).get_run(old["runs"]["my_faces/half/0"])
    assert superseded.data.tags["slimvid.current"] == "false"
    assert connect(store).get_run(old["table"]).data.tags["slimvid.current"] == "false"


def test_going_back_to_old_measures_makes_their_table_current_again(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    before, table = paths.MLFLOW_RECORD.read_bytes(), rebuild_table1(run, store=store)
    for psnr in (21.0, 20.123456789):
        _write_measures("my_faces", "half", psnr)
        track_table(run, paths.MLFLOW_RECORD, store=store)
    assert paths.MLFLOW_RECORD.read_bytes() == before
    assert rebuild_table1(run, store=store) == table


def test_a_papers_table_has_runs_of_its_own(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    main, table = paths.MLFLOW_RECORD.read_bytes(), rebuild_table1(run, store=store)
    record = paths.mlflow_record(PAPER_TABLE)
    for _ in range(2):  # the second time changes nothing
        track_table(run, record, PAPER_TABLE, store=store)
        assert len(all_runs(store)) == (len(TASKS) * len(METHODS) + 1) + (len(METHODS) + 1)
    found, client = read_json(record), connect(store)
    assert set(found["runs"]) == {f"my_faces/{m}/0" for m in METHODS}
    row, whole = (client.get_run(i) for i in (found["runs"]["my_faces/half/0"], found["table"]))
    assert row.data.tags["slimvid.table"] == whole.data.tags["slimvid.table"] == PAPER_TABLE
    assert row.data.tags["paper_table"] == "a_paper/2"
    assert "FID 21.5" in whole.data.tags["mlflow.note.content"]
    strip = client.download_artifacts(row.info.run_id, "strip/my_faces.png")
    assert Path(strip).read_bytes() == b"another picture"
    assert {a.path for a in client.list_artifacts(found["table"])} >= {
        "table2.csv",
        "table2.md",
        "table2.json",
    }
    track_table(run, paths.MLFLOW_RECORD, store=store)  # the tables leave each other's runs alone
    assert paths.MLFLOW_RECORD.read_bytes() == main and rebuild_table1(run, store=store) == table
    assert {k[:2] for k in tracked_measures(run, PAPER_TABLE, store=store)} == set(run.rows_of(PAPER_TABLE))


def test_a_papers_table_written_anew_is_a_new_run_beside_the_same_rows(run: Config, store: str) -> None:
    record = paths.mlflow_record(PAPER_TABLE)
    track_table(run, record, PAPER_TABLE, store=store)
    old = read_json(record)
    write_paper_table("22.5")
    track_table(run, record, PAPER_TABLE, store=store)
    new = read_json(record)
    assert new["runs"] == old["runs"] and new["table"] != old["table"]
    assert connect(store).get_run(old["table"]).data.tags["slimvid.current"] == "false"
    paths.table(PAPER_TABLE)["csv"].unlink()
    with pytest.raises(SlimvidError, match=r"a_paper/table2\.csv: missing; run `snakemake"):
        track_table(run, record, PAPER_TABLE, store=store)


def test_a_missing_row_is_named(run: Config, store: str) -> None:
    with pytest.raises(SlimvidError, match=r"my_faces/original/0; run `snakemake"):
        rebuild_table1(run, store=store)


def test_of_a_figure_the_plot_is_logged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in paths.figure("a_paper/figure1").values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("drawn")
    assert set(track._files("a_paper/figure1")) == {"csv", "md", "svg"}

"""MLflow holds the table's rows once each, and gives the table back to the byte."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from slimvid import paths
from slimvid.config import Config, validate
from slimvid.data.archive import write_frames
from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.manifest import TaskMeta
from slimvid.data.writer import write_prepared
from slimvid.errors import SlimvidError
from slimvid.files import read_json, write_json
from slimvid.report.table1 import write_table1
from slimvid.track import connect, rebuild_table1, track_table

TASKS, METHODS, SIZE = ("my_faces", "my_street"), ("original", "half"), 33


def make_run(*, psnr: float = 20.123456789) -> Config:
    """A finished run of two tasks and two rows below the working directory."""
    world = {"source": "world", "world": "face", "height": SIZE, "width": SIZE}
    config = validate(
        {
            "profile": "test",
            "tasks": dict.fromkeys(TASKS, world),
            "teacher": {"iterations": 3},
            "methods": {"half": {"method": "uniform", "options": {"width": 0.5}}},
            "table1": {"tasks": list(TASKS), "methods": list(METHODS)},
        },
        origin="test",
    )
    rng = np.random.default_rng(0)
    for task in TASKS:
        frames = rng.integers(0, 255, (4, SIZE, SIZE, 3), dtype=np.uint8)
        edges = np.zeros((4, SIZE, SIZE), np.uint8)
        clips = {s: [Clip(name=f"{s}_0", fps=15, frames=frames, edges=edges)] for s in ("train", "test")}
        spec = ConditionSpec(kind="edges")
        meta = TaskMeta(task=task, source="noise", condition=spec, height=SIZE, width=SIZE, fps=15.0)
        write_prepared(paths.prepared(task), meta, clips)
        paths.strip(task).parent.mkdir(parents=True, exist_ok=True)
        paths.strip(task).write_bytes(b"a picture of " + task.encode())
        for method in METHODS:
            write_frames(paths.generated(task, method, 0), (("test_0", i, f) for i, f in enumerate(frames)))
            _write_measures(task, method, psnr)
    return config


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


def test_rows_lie_under_their_table_with_the_same_names(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    record = read_json(paths.MLFLOW_RECORD)
    client = connect(store)
    assert set(record["runs"]) == {f"{t}/{m}/0" for t in TASKS for m in METHODS}
    row = client.get_run(record["runs"]["my_faces/half/0"])
    assert row.data.tags["mlflow.parentRunId"] == record["table"]
    assert row.data.metrics["psnr"] == 20.123456789
    assert row.data.params["options.width"] == "0.5"
    assert json.loads(row.inputs.dataset_inputs[0].dataset.source)["made of"] == "noise"
    assert {a.path for a in client.list_artifacts(row.info.run_id)} == {"clips", "measures", "strip"}
    names = [set(client.get_run(r).data.metrics) for r in record["runs"].values()]
    assert all(n == names[0] for n in names)
    assert "psnr" in client.get_run(record["table"]).data.tags["mlflow.note.content"].lower()


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
    assert superseded.data.tags["mlflow.parentRunId"] == old["table"]


def test_going_back_to_old_measures_makes_their_table_current_again(run: Config, store: str) -> None:
    track_table(run, paths.MLFLOW_RECORD, store=store)
    before, table = paths.MLFLOW_RECORD.read_bytes(), rebuild_table1(run, store=store)
    for psnr in (21.0, 20.123456789):
        _write_measures("my_faces", "half", psnr)
        track_table(run, paths.MLFLOW_RECORD, store=store)
    assert paths.MLFLOW_RECORD.read_bytes() == before
    assert rebuild_table1(run, store=store) == table


def test_a_missing_row_is_named(run: Config, store: str) -> None:
    with pytest.raises(SlimvidError, match=r"my_faces/original/0; run `snakemake"):
        rebuild_table1(run, store=store)


def test_a_store_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be taken for one" * 40)
    with pytest.raises(SlimvidError, match=r"mlflow\.db: cannot be opened"):
        connect(f"sqlite:///{tmp_path / 'mlflow.db'}")

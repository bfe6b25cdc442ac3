"""The real DAG at smoke size: what it leaves, what makes it run again, and what a killed run becomes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slimvid import paths

pytestmark = pytest.mark.timeout(900)
TASK, ROWS = "sketch2face", ("original", "uniform", "fast_vid2vid")
TRAINED = {m: str(paths.artifact_files(TASK, m, 0)["weights"]) for m in ROWS}
MEASURED = {m: {f: str(paths.measure(TASK, m, 0, f)) for f in paths.FAMILIES} for m in ROWS}


def test_one_command_leaves_table_strips_report_and_runs(finished) -> None:
    with (finished.root / paths.TABLE1_CSV).open() as file:
        rows = [row for row in csv.DictReader(file) if row["seeds"]]
    assert [row["method"] for row in rows] == list(ROWS)
    assert all(
        float(row["macs_g"]) > 0 and float(row["fps"]) > 0 and row["video_distance_lite0"] for row in rows
    )
    for path in (paths.TABLE1_MD, paths.REPORT, paths.strip(TASK), paths.MLFLOW_RECORD):
        assert (finished.root / path).stat().st_size > 100
    assert (finished.root / "mlflow.db").is_file()
    assert not list(finished.root.glob("checkpoints/**/state")), "resume state goes when a training is done"


def test_a_second_run_has_nothing_to_do(finished) -> None:
    assert "Nothing to be done" in finished.snakemake("--", "results/table1.csv").stdout


def test_the_table_from_mlflow_is_the_table(finished, tmp_path: Path) -> None:
    again = tmp_path / "again.csv"
    finished.run("slimvid", "table", "--from-mlflow", str(again))
    assert again.read_bytes() == (finished.root / paths.TABLE1_CSV).read_bytes()


def test_snakemakes_report_holds_table_and_strip(finished, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    finished.snakemake("--report", str(out), "--", "results/table1.csv")
    text = out.read_text()
    assert "table1.csv" in text
    assert f"{TASK}.png" in text


ONE_JOB = ("cost", "quality")  # of a row's measures
SIDECARS = ("translator.json", "curves.parquet", "discriminators.safetensors", paths.BUDGET, paths.CLOCK)
EVALUATOR = {str(p) for files in (paths.evaluator_files, paths.real_files) for p in files(TASK).values()}


def students() -> set[str]:
    return {TRAINED["uniform"], TRAINED["fast_vid2vid"]}


CHANGES = {
    "the latency protocol": (
        {"measure": {"latency_frames": 17}},
        {MEASURED[m]["latency"] for m in ROWS},
    ),
    "the threads": ({"threads": 2}, {MEASURED[m]["latency"] for m in ROWS}),
    "the bootstrap": ({"measure": {"bootstrap": 11}}, {MEASURED[m][f] for m in ROWS for f in ONE_JOB}),
    "the evaluator": (
        {"measure": {"segmenter_iterations": 11}},
        {*EVALUATOR, *(MEASURED[m][f] for m in ROWS for f in ONE_JOB)},
    ),
    "an extractor's weights": (
        {"measure": {"fcn": "fcn8s.pt"}},
        {*EVALUATOR, *(MEASURED[m][f] for m in ROWS for f in ONE_JOB)},
    ),
    "one student's option": (
        {"methods": {"uniform": {"options": {"width": 0.25}}}},
        {TRAINED["uniform"]},
    ),
    "a plan": (
        {"methods": {"fast_vid2vid": {"plan": {"max_gap": 3}}}},
        {TRAINED["fast_vid2vid"], str(paths.keyframes(TASK, "fast_vid2vid"))},
    ),
    "the way of interpolation": (
        {"methods": {"fast_vid2vid": {"plan": {"interpolation": "linear"}}}},
        {TRAINED["fast_vid2vid"], str(paths.frames(TASK, "fast_vid2vid", 0))}
        | {str(paths.drawn_in_full(TASK, "fast_vid2vid", 0))},
    ),
    "the teacher's rate": ({"teachers": {"vid2vid": {"lr": 0.002}}}, {TRAINED["original"], *students()}),
    "the clips": (
        {"tasks": {TASK: {"seed": 7}}},
        {str(p) for p in paths.prepared_files(TASK).values()},
    ),
    "how often a state is saved, from which a run in mixed precision may go on in fp32": (
        {"teachers": {"vid2vid": {"save_every": 3}}},
        {TRAINED["original"], *students()},
    ),
    "nothing that a result depends on": ({"tasks": {"pose2body": {"seed": 7}}}, set()),
}


@pytest.fixture(scope="module")
def statuses(finished) -> dict[str, dict[str, str]]:
    (finished.root / "fcn8s.pt").write_bytes(b"weights")  # a file that is named must be there
    return finished.statuses({name: changes for name, (changes, _) in CHANGES.items()})


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_key_reruns_just_the_steps_that_read_it(statuses, name: str) -> None:
    changed = {file for file, status in statuses[name].items() if status == "params changed"}
    sidecars = {f for f in changed if Path(f).name in SIDECARS}
    assert changed - sidecars == CHANGES[name][1]


def test_changed_code_retrains_just_what_it_trains(finished, copy_of) -> None:
    project = copy_of(finished)
    with (project.root / "src/slimvid/compress/uniform.py").open("a") as file:
        file.write("# a change\n")
    status = project.status()
    assert status[TRAINED["uniform"]] == "updated input files"
    assert status[TRAINED["fast_vid2vid"]] == status[TRAINED["original"]] == "ok"


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(bare, finished, copy_of) -> None:
    project = copy_of(finished)
    longer = {"teachers": {"vid2vid": {"iterations": 40, "save_every": 2}}}
    project.configure(longer)
    folder = project.root / paths.checkpoint(TASK, "original", 0)
    target = str(paths.artifact_files(TASK, "original", 0)["weights"])
    kill_in_training(project, folder, target)
    assert not (folder / "weights.safetensors").exists()
    assert any((folder / "state").iterdir())
    project.snakemake("--unlock")
    project.snakemake("--", target)
    killed = contents(folder)
    log = (project.root / paths.log("train_teacher", TASK, "0")).read_text()
    assert "resumed at step" in log
    assert not (folder / "state").exists()
    for path in folder.iterdir():
        path.unlink()
    project.run("slimvid", "train-teacher", TASK, "0")
    assert contents(folder) == killed


def contents(folder: Path) -> dict[str, bytes]:
    """The files of an artifact without the time that its training took, which no two runs share."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    clock = json.loads(files.pop(paths.CLOCK))
    assert all(seconds > 0 for seconds in clock.values()) and paths.BUDGET in files
    return files


def steps_saved(folder: Path) -> int:
    """Steps in the training's state; in bf16 a state of none is written first."""
    state = folder / "state" / "state.json"
    return json.loads(state.read_text())["done"] if state.exists() else 0


def kill_in_training(project, folder: Path, target: str) -> None:
    """Start the training through Snakemake and kill both without warning once it has saved its state."""
    started = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--", target],
        cwd=project.root, env=project.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not steps_saved(folder):
        assert started.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "the training saved no state"
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()

"""Nothing is chosen on the test split: whatever stands before the table must run without it.

Teachers, students of every method, the evaluator and the search run here on stores whose test frames were
taken away; the steps that report must say that they miss them.
"""

import shutil
import sys
from pathlib import Path

import pytest
import yaml

from slimvid import paths
from slimvid.cli import main
from slimvid.sources import PACKAGE

CONFIG = Path(__file__).resolve().parent.parent / "config" / "smoke.yaml"
VIDEO, UNPAIRED = "sketch2face", "viper2city"
ROWS = {
    VIDEO: (
        "uniform",
        "fast_vid2vid",
        "content_aware",
        "omgd",
        "gan_compression",
        "cat",
        "shortcut",
        "shortcut_adaptive",
    ),
    UNPAIRED: ("uniform", "gan_compression_fast", "cat", "shortcut"),
}
REPORTING = {  # the steps that look at test frames, with what they need besides: all of it is there
    "translate": (VIDEO, "uniform", "0"),
    "select-keyframes": (VIDEO, "fast_vid2vid"),
    "measure-real": (VIDEO,),
    "measure": (VIDEO, "uniform", "0"),
    "measure-latency": (VIDEO, "uniform", "0"),
    "strip": (VIDEO,),
    "offsets": (VIDEO, "shortcut", "0"),
}
FEW = {"clip_frames": 16, "train_clips": 2, "val_clips": 2, "test_clips": 1}
CHOOSING = {"train-teacher", "compress", "train-evaluator", "search", "ship"}
OTHER = {
    "prepare",
    "inputs",  # settings, hashes and links: it opens no store
    "stages",  # writes down what steps would run
    "calibrate",  # reads the footage that it is given
    "table",
    "paper-table",
    "track",
    "report",
    "version",
    "machine",
    "sync",
}  # reads no test frame


def slimvid(*arguments: str) -> int | None:
    """Exit status of a command in this process; None: it ended well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["slimvid", *arguments, "--config", str(CONFIG), "--config", "few.yaml"])
        with pytest.raises(SystemExit) as stop:
            main()
    return stop.value.code


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A working directory with prepared tasks without test frames, in which all that chooses has run."""
    root = tmp_path_factory.mktemp("splits")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Path("few.yaml").write_text(yaml.safe_dump({"tasks": dict.fromkeys(ROWS, FEW)}))
        for task, rows in ROWS.items():
            assert not slimvid("prepare", task)
            files = paths.prepared_files(task)
            files["test"].rename(root / f"{task}.test.arrow")
            assert not slimvid("train-teacher", task, "0")
            assert not slimvid("train-evaluator", task)
            for row in rows:
                assert not slimvid("compress", task, row, "0"), row
        assert not slimvid("search", UNPAIRED, "0")
        assert not slimvid("ship", VIDEO, "0")
        yield root


def test_every_method_and_command_is_tried_here():
    import typer

    from slimvid.cli import app

    config = yaml.safe_load(CONFIG.read_text())
    rows = config["methods"] | config["variants"]
    tried = {rows[row]["method"] for row in ROWS[VIDEO]}
    there = {p.stem for p in (PACKAGE / "compress").glob("*.py") if "\ndef compress(" in p.read_text()}
    assert tried == there - {"__init__"}
    commands = set(typer.main.get_command(app).commands)
    assert commands == CHOOSING | set(REPORTING) | OTHER | {"cost", "bench"}


def test_all_that_chooses_runs_without_the_test_frames(project):
    for task, rows in ROWS.items():
        for row in ("original", *rows):
            assert all(path.is_file() for path in paths.artifact_files(task, row, 0).values())
    assert all(path.is_file() for path in paths.search(UNPAIRED).values())
    assert (paths.ORIGINALS / f"{VIDEO}.safetensors").is_file()


@pytest.mark.parametrize("command", REPORTING)
def test_what_reports_needs_them(project, command, capsys):
    assert slimvid(command, *REPORTING[command]) == 1
    assert f"{paths.prepared_files(VIDEO)['test']}: missing" in capsys.readouterr().err


def test_training_and_evaluator_do_without_the_frames_to_choose_by(project, tmp_path, monkeypatch):
    """Only the search and what ships originals read them; a method that tunes anything may, nothing else."""
    shutil.copytree(project / paths.prepared(VIDEO), tmp_path / paths.prepared(VIDEO))
    shutil.copy(project / "few.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    paths.prepared_files(VIDEO)["val"].unlink()
    assert not slimvid("train-teacher", VIDEO, "0")
    assert not slimvid("train-evaluator", VIDEO)
    name = paths.evaluator_files(VIDEO)["evaluator_weights"]
    assert name.read_bytes() == (project / name).read_bytes()

"""The guards of CI itself can fail."""

import json
import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table
from safetensors.numpy import save_file

CI = Path(__file__).resolve().parent.parent / ".ci"
MAIN = runpy.run_path(str(CI / "left_precision.py"))["main"]
SAME = runpy.run_path(str(CI / "same"))["main"]
MIXED = {"updates": 9, "precision": "bf16", "fp32_from": None}


@pytest.mark.parametrize(
    ("training", "failures"),
    [
        (MIXED, 0),
        ({**MIXED, "fp32_from": 0}, 1),  # a fallback keeps the precision that was asked for
        ({**MIXED, "fp32_from": 4}, 1),
        ({**MIXED, "precision": "fp32"}, 1),
        ({"updates": 0}, 1),  # nothing was trained: nothing was shown
    ],
)
def test_a_training_that_left_its_precision_is_found(training, failures, tmp_path, capsys):
    (tmp_path / "t" / "0").mkdir(parents=True)
    (tmp_path / "t" / "0" / "training.json").write_text(json.dumps(training))
    assert MAIN("bf16", str(tmp_path)) == failures


def test_rows_that_train_nothing_do_not_hide_one_that_left(tmp_path):
    for name, training in (("a", MIXED), ("b", {"updates": 0}), ("c", {**MIXED, "fp32_from": 1})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training.json").write_text(json.dumps(training))
    assert MAIN("bf16", str(tmp_path)) == 1


def smoke_run(folder, *, weight=1.0, loss=0.5, width=8, fps=60, code="a", psnr="21.5", frames=b"pixels"):
    """What `.ci/same` reads of a run."""
    row = folder / "checkpoints" / "t" / "r" / "0"
    row.mkdir(parents=True)
    (folder / "results").mkdir()
    save_file({"w": np.array([weight, 2.0], np.float32)}, row / "weights.safetensors")
    write_table(pa.table({"step": [0, 1], "gan": [loss, float("nan")]}), row / "curves.parquet")
    document = {"spec": {"width": width}, "provenance": {"code": code}}
    (row / "translator.json").write_text(json.dumps(document))
    (folder / "results" / "frames.arrow").write_bytes(frames)
    (folder / "results" / "t.csv").write_text(f"row,psnr,fps_network\nr,{psnr},{fps}\n")
    return str(folder)


def test_runs_that_differ_in_time_and_revision_alone_are_the_same(tmp_path, capsys):
    old = smoke_run(tmp_path / "old")
    assert SAME([old, smoke_run(tmp_path / "new", fps=59, code="b")]) == 0
    assert "5 files compared, 0 differ" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"weight": 1.5}, r"weights.safetensors: w by up to 0.5"),
        ({"loss": 0.25}, r"curves.parquet: gan[0] 0.5 -> 0.25"),
        ({"width": 4}, r"translator.json: spec.width 8 -> 4"),
        ({"psnr": "21.6"}, r"t.csv: [0].psnr 21.5 -> 21.6"),
        ({"frames": b"others"}, r"frames.arrow: its bytes"),
    ],
)
def test_what_differs_between_two_runs_is_named(tmp_path, capsys, change, line):
    assert SAME([smoke_run(tmp_path / "old"), smoke_run(tmp_path / "new", **change)]) == 1
    assert line in capsys.readouterr().out


def test_a_file_of_one_run_alone_and_two_empty_runs_are_no_success(tmp_path, capsys):
    old, new = smoke_run(tmp_path / "old"), smoke_run(tmp_path / "new")
    (tmp_path / "new" / "results" / "t.csv").unlink()
    assert SAME([old, new]) == 1
    assert "results/t.csv: only in OLD" in capsys.readouterr().out
    assert SAME([str(tmp_path / "none"), str(tmp_path / "nothing")]) == 1

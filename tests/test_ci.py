"""The guards of CI itself can fail."""

import json
import runpy
from pathlib import Path

import pytest

MAIN = runpy.run_path(str(Path(__file__).resolve().parent.parent / ".ci" / "left_precision.py"))["main"]
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

"""A kind of original is two files and a section of the configuration; nothing else names it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from slimvid.originals import kinds, settings_class, training_keys
from slimvid.settings import TeacherSettings

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
from typing import ClassVar
from slimvid.teachers.vid2vid_settings import Settings as Video

class Settings(Video):
    teacher: ClassVar[str] = "toy"
    brightness: float = 0.0
"""
MODULE = """
from slimvid.teachers import vid2vid
from slimvid.teachers.vid2vid import check_task, generator_spec

class Objective(vid2vid.Objective):
    def losses(self, view):
        g, d = super().losses(view)
        return {**g, "bright": self.settings.brightness * view.out.image.mean() ** 2}, d
"""


@pytest.mark.parametrize("kind", kinds())
def test_a_head_names_its_module_and_has_what_all_have(kind):
    own = settings_class(kind)
    assert own.teacher == kind and issubclass(own, TeacherSettings)
    assert set(TeacherSettings.model_fields) <= set(own.model_fields) <= training_keys()
    assert (ROOT / "src/slimvid/teachers" / f"{kind}.py").is_file()


def test_a_new_kind_trains_and_is_compressed(tmp_path):
    package = tmp_path / "src" / "slimvid"
    shutil.copytree(ROOT / "src" / "slimvid", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "teachers" / "toy_settings.py").write_text(HEAD)
    (package / "teachers" / "toy.py").write_text(MODULE)
    smoke = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    document = {
        **{key: smoke[key] for key in ("profile", "device", "seeds", "measure")},
        "tasks": {"mine": {**smoke["tasks"]["pose2body"], "teacher": "toy"}},
        "teachers": {"toy": {**smoke["teachers"]["vid2vid"], "brightness": 2.0}},
        "methods": {"uniform": smoke["methods"]["uniform"]},
        "table1": {"tasks": ["mine"], "methods": ["original", "uniform"]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"}
    for step in (("prepare", "mine"), ("train-teacher", "mine", "0"), ("compress", "mine", "uniform", "0")):
        command = [sys.executable, "-m", "slimvid", *step, "--config", "mine.yaml"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    import pandas as pd

    for row in ("original", "uniform"):
        curves = pd.read_parquet(tmp_path / "checkpoints" / "mine" / row / "0" / "curves.parquet")
        assert "bright" in set(curves.columns) | set(curves.get("name", [])) | set(curves.get("loss", []))

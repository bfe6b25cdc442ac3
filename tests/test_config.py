"""The configuration: three profiles that load, errors that name the field."""

from pathlib import Path

import pytest
import yaml

from slimvid import config
from slimvid.errors import SlimvidError

FOLDER = Path(__file__).resolve().parent.parent / "config"


@pytest.mark.parametrize("name", ["demo", "smoke", "paper"])
def test_the_profiles_load(name):
    found = config.load(FOLDER / f"{name}.yaml")
    assert found.profile == name
    assert set(found.table1.tasks) == {"sketch2face", "segmentation2city", "pose2body"}


def test_a_later_file_overrides_and_a_task_overrides_the_teacher(tmp_path):
    over = {"teacher": {"iterations": 7}, "teacher_of": {"pose2body": {"width": 12}}}
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    found = config.load(FOLDER / "smoke.yaml", tmp_path / "over.yaml")
    assert found.teacher.iterations == 7 and found.teacher.width == 8
    assert found.teacher_settings("pose2body").width == 12
    assert found.teacher_settings("sketch2face").width == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": {"iterations": 0}}, "field teacher.iterations"),
        ({"teacher": {"iteration": 5}}, "field teacher.iteration: Extra inputs"),
        ({"tasks": {"x": {"source": "world", "height": 64, "width": 64}}}, "source 'world' needs"),
        ({"tasks": {"x": {"source": "video", "height": 64, "width": 64}}}, "needs `path:`"),
        ({"tasks": {"Bad Name": {}}}, "field tasks.Bad Name"),
        ({"table1": {"tasks": ["nothing"]}}, "tasks that `tasks` lacks: nothing"),
        ({"table1": {"methods": ["nothing"]}}, "rows that `methods` lacks: nothing"),
        ({"methods": {"original": {"method": "uniform"}}}, "the name is taken"),
        ({"seeds": []}, "field seeds"),
    ],
)
def test_mistakes_are_named(change, message, tmp_path):
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(change))
    with pytest.raises(SlimvidError, match=message):
        config.load(FOLDER / "smoke.yaml", tmp_path / "over.yaml")


def test_files_that_are_no_config_are_named(tmp_path):
    with pytest.raises(SlimvidError, match="no such config file"):
        config.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(SlimvidError, match="not valid YAML"):
        config.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(SlimvidError, match="holds no mapping"):
        config.load(tmp_path / "list.yaml")

"""What DVC looks at: settings of sections that need not be there, and links to the user's own files."""

import json
from pathlib import Path

import pytest
import yaml

from slimvid.config import Config, validate
from slimvid.dvc_inputs import write_inputs
from slimvid.errors import SlimvidError
from slimvid.settings import TASK_FILES, TaskSettings

SMOKE = yaml.safe_load((Path(__file__).resolve().parent.parent / "config" / "smoke.yaml").read_text())
TASK = {"source": "video", "fps": 25, "height": 32, "width": 48}


def configured(task: dict, **sections) -> Config:
    """A config that has no more than it must, and these sections."""
    teacher = {**SMOKE["teachers"]["vid2vid"], **sections.pop("teacher", {})}
    document = {"profile": "mine", "teachers": {"vid2vid": teacher}, "tasks": {"my": {**TASK, **task}}}
    rows = ["original", *sections.get("methods", {})]
    table = {"tasks": ["my"], "methods": rows}
    return validate({**document, "table1": table, **sections}, origin="test")


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    folder = tmp_path / "footage"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"0")
    return folder


def test_every_key_of_a_task_that_names_footage_is_looked_at() -> None:
    paths = {n for n, field in TaskSettings.model_fields.items() if "Path" in str(field.annotation)}
    assert set(TASK_FILES) == paths


def test_folders_are_links_and_single_files_stand_in_a_linked_folder(footage, tmp_path) -> None:
    weights = footage.parent / "vgg.pth"
    weights.write_bytes(b"w")
    config = configured({"path": footage / "0.png", "labels": footage}, teacher={"vgg": str(weights)})
    for _ in range(2):  # what stood there goes; what it led to stays
        write_inputs(config, tmp_path)
    files = tmp_path / "data" / "inputs" / "files"
    assert (files / "tasks/my/labels").is_symlink()
    assert (files / "tasks/my/labels/0.png").read_bytes() == b"0"
    assert (files / "tasks/my/path/0-0.png").read_bytes() == b"0"
    assert (files / "teachers/my/0-vgg.pth").read_bytes() == b"w"
    assert (files / "tasks/my/landmarks").read_text() == "none\n"
    links = [path for path in (tmp_path / "data").rglob("*") if path.is_symlink()]
    assert len(links) == 3
    assert all(link.is_dir() for link in links), (
        "a link to a file DVC would cache, and put a copy in its place"
    )
    assert (footage / "0.png").exists() and weights.exists()


def test_settings_and_code_are_written_down_without_the_optional_sections(footage, tmp_path) -> None:
    uniform = {"uniform": {"method": "uniform", "options": {"width": 0.5}}}
    write_inputs(configured({"path": footage}, methods=uniform), tmp_path)
    found = tmp_path / "data" / "inputs"
    row = json.loads((found / "rows/my/uniform.json").read_text())
    assert row["settings"]["teacher"]["width"] == SMOKE["teachers"]["vid2vid"]["width"]
    assert {"compress/uniform.py", "teachers/vid2vid.py"} <= set(row["code"])
    assert "compress/uniform.py" not in json.loads((found / "teachers/my.json").read_text())["code"]
    before = (found / "rows/my/uniform.json").read_text()
    write_inputs(configured({"path": footage}, methods=uniform, teacher_of={"my": {"lr": 0.5}}), tmp_path)
    assert json.loads((found / "rows/my/uniform.json").read_text())["settings"]["teacher"]["lr"] == 0.5
    assert json.loads(before)["settings"]["teacher"]["lr"] != 0.5


def test_rows_that_no_table_has_are_left_out_but_not_what_a_row_is_put_over(footage, tmp_path) -> None:
    uniform = {"method": "uniform", "options": {"width": 0.5}}
    foreign = {**uniform, "teachers": ["recyclegan"]}
    rows = {"below": uniform, "upper": {**uniform, "over": "below"}, "idle": uniform, "foreign": foreign}
    document = {"methods": rows, "table1": {"tasks": ["my"], "methods": ["original", "upper", "foreign"]}}
    write_inputs(configured({"path": footage}, **document), tmp_path)
    found = tmp_path / "data" / "inputs"
    assert {path.stem for path in (found / "rows/my").iterdir()} == {"below", "upper"}
    assert {path.stem for path in (found / "measures/my").iterdir()} == {"original", "upper"}


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(SlimvidError, match=r"/gone: missing; correct its path"):
        write_inputs(configured({"path": "gone"}), tmp_path)

"""What `slimvid sync` refuses at once; tests/workflow/test_sync.py has what it does to a finished project."""

import shutil
from pathlib import Path

import pytest

from slimvid.config import load
from slimvid.dvc_stages import DEFAULT, write_stages
from slimvid.errors import SlimvidError
from slimvid.sync import Books, sync

ROOT = Path(__file__).resolve().parent.parent


def test_outside_a_project_it_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(SlimvidError, match=r"Snakefile: missing; run `slimvid sync` in the project's folder"):
        sync(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that a project begins with, the smoke profile as its default."""
    (tmp_path / "Snakefile").write_text("raise SystemExit('slimvid: config/demo.yaml: field seeds: wrong')\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "smoke.yaml", tmp_path / "config" / "demo.yaml")
    write_stages(load(tmp_path / DEFAULT), [DEFAULT], tmp_path, papers=False)
    return tmp_path


def test_a_tool_that_fails_is_quoted_in_one_line(project: Path) -> None:
    with pytest.raises(
        SlimvidError, match=r"snakemake --dry-run .*failed \(.*field seeds: wrong\)"
    ) as caught:
        sync(project)
    assert "\n" not in str(caught.value)


def test_the_links_that_a_clone_lacks_are_made_before_dvc_is_asked(project: Path, monkeypatch) -> None:
    monkeypatch.setattr(Books, "nothing_to_do", lambda books: True)
    monkeypatch.setattr(Books, "unknown_files", lambda books: [])
    monkeypatch.setattr(Books, "changes", lambda books: not (books.root / "data" / "inputs").is_dir())
    assert sync(project) == "DVC and Snakemake are in step already"


def test_stages_of_another_config_are_not_brought_in_step(project: Path) -> None:
    document = (project / DEFAULT).read_text().replace("seeds: [0]", "seeds: [0, 1]")
    (project / DEFAULT).write_text(document)
    with pytest.raises(SlimvidError, match=r"dvc\.yaml: its stages are not those of config/demo\.yaml"):
        sync(project)

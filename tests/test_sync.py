"""What `slimvid sync` refuses at once; tests/workflow/test_sync.py has what it does to a finished project."""

import shutil
from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.sync import sync

ROOT = Path(__file__).resolve().parent.parent


def test_outside_a_project_it_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(SlimvidError, match=r"Snakefile: missing; run `slimvid sync` in the project's folder"):
        sync(tmp_path)


def test_a_tool_that_fails_is_quoted_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text("raise SystemExit('slimvid: config/demo.yaml: field seeds: wrong')\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(
        SlimvidError, match=r"snakemake --dry-run .*failed \(.*field seeds: wrong\)"
    ) as caught:
        sync(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_links_that_a_clone_lacks_are_made_before_dvc_is_asked(tmp_path: Path, monkeypatch) -> None:
    for name in ("Snakefile", "dvc.yaml", ".dvc"):
        (tmp_path / name).touch()
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "smoke.yaml", tmp_path / "config" / "demo.yaml")
    monkeypatch.setattr("slimvid.sync._nothing_to_do", lambda root: True)
    monkeypatch.setattr("slimvid.sync._unknown_files", lambda root: [])
    monkeypatch.setattr("slimvid.sync._changes", lambda root: not (root / "data" / "inputs").is_dir())
    assert sync(tmp_path) == "DVC and Snakemake are in step already"

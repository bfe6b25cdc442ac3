"""What `slimvid sync` refuses at once; tests/workflow/test_sync.py has what it does to a finished project."""

from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.sync import sync


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

"""What a run records of where it ran: the revision is the one that holds the source, or none."""

import subprocess
from pathlib import Path

import pytest

from slimvid import runtime

AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *AUTHOR, *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This module's place in a package inside a repository that does not hold it yet."""
    path = tmp_path / "lib" / "slimvid" / "runtime.py"
    path.parent.mkdir(parents=True)
    path.write_text("one\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(runtime, "__file__", str(path))
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.mark.parametrize("ignored", ["", "lib\n"])
def test_the_revision_of_a_repository_around_it_is_not_ours(source, tmp_path, ignored) -> None:
    (tmp_path / ".gitignore").write_text(ignored, encoding="utf-8")
    assert runtime.code_revision() == "unknown"


def test_the_revision_that_holds_the_source_is_named_with_its_changes(source, tmp_path, monkeypatch) -> None:
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "ours")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert runtime.code_revision() == head
    source.write_text("two\n", encoding="utf-8")
    assert runtime.code_revision() == head + "+"
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))  # inside a hook of another repository
    assert runtime.code_revision() == head + "+"


def test_without_git_the_revision_is_unknown(source, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runtime.code_revision() == "unknown"

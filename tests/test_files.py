"""What the system refuses: one line that names the file and the remedy, in whatever is written or read."""

import errno
import logging
import sys
from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, read_json, system_errors, write_json


def test_a_file_in_a_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(SlimvidError, match=r"data/prepared: Not a directory; a part of this path is a file"):
        write_json(tmp_path / "data" / "prepared" / "a.json", {})
    (tmp_path / "b.json").mkdir()
    with pytest.raises(SlimvidError, match=r"b\.json: .*"):
        write_json(tmp_path / "b.json", {})
    with pytest.raises(SlimvidError, match=r"b\.json: Is a directory; a folder is in the place of a file"):
        read_json(tmp_path / "b.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.json", "data"]


class ForeignError(Exception):
    """As safetensors' and pyarrow's: the number is in the text only."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "x"), r"a\.bin: No space left on device; free some space"),
        (OSError("Error writing bytes. Detail: [errno 28] No space"), r"a\.bin: No space left on device"),
        (ForeignError("I/O error: No space left (os error 28)"), r"a\.bin: No space left on device"),
        (OSError(errno.EROFS, "x", "b.bin"), r"^b\.bin: Read-only file system; work in a folder that can"),
        (PermissionError(errno.EACCES, "x", "b.bin"), r"^b\.bin: Permission denied; permit it"),
        (OSError(errno.EDQUOT, "x"), r"a\.bin: Disk quota exceeded; free some space of your quota"),
    ],
)
def test_what_the_system_refuses_is_one_line(tmp_path: Path, error: Exception, line: str) -> None:
    with pytest.raises(SlimvidError, match=line), atomic_path(tmp_path / "a.bin"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_faults_of_the_code_keep_their_traceback() -> None:
    for error in (ValueError("28"), KeyError("errno"), OSError("no number")):
        with pytest.raises(type(error)), system_errors("a"):
            raise error


@pytest.mark.parametrize("step", ["prepare", "train-evaluator"])
def test_every_command_says_it_in_one_line(monkeypatch, capsys, tmp_path: Path, step: str) -> None:
    from slimvid.cli import main

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied", "secret/v.mkv")

    monkeypatch.setattr("slimvid.data.prepare.prepare", refuse)
    monkeypatch.setattr("slimvid.measure.evaluator.train_evaluator", refuse)
    config, log = Path(__file__).resolve().parent.parent / "config" / "smoke.yaml", tmp_path / "a.log"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["slimvid", step, "sketch2face", "--config", str(config), "--log", str(log)]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("slimvid: secret/v.mkv: Permission denied; ")
    assert said.count("\n") == 1
    assert "secret/v.mkv: Permission denied" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_log_on_a_full_disk_loses_a_line_and_no_more(tmp_path: Path, capsys) -> None:
    from slimvid.runtime import logging_to

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full, a disk that is always full")
    try:
        with logging_to(Path("/dev/full")):
            logging.getLogger("slimvid").info("a line")
    except OSError:
        pass  # on closing; the command line makes one line of it
    assert "Traceback" not in capsys.readouterr().err


def test_others_may_read_what_a_library_wrote_for_itself_alone(tmp_path: Path) -> None:
    write_json(tmp_path / "plain.json", {})
    with atomic_path(tmp_path / "tensors.bin") as temporary:
        temporary.unlink()
        temporary.touch(mode=0o600)
    assert (tmp_path / "tensors.bin").stat().st_mode == (tmp_path / "plain.json").stat().st_mode

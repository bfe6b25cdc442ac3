"""What killed writers leave is removed by the next writer; what a living one writes stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slimvid import leftovers
from slimvid.files import atomic_path, write_json
from slimvid.leftovers import ABANDONED, remove_leftovers, temporary_sibling

WRITER = """
import sys, time
from slimvid.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(120)
"""


def writer(path: Path) -> subprocess.Popen:
    """Another process in the middle of writing a file."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    return process


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path, sent: signal.Signals) -> None:
    process = writer(tmp_path / "a.mp4")
    with atomic_path(tmp_path / "a.mp4") as mine:  # two write the same file at once
        mine.write_bytes(b"whole")
        assert len(hidden(tmp_path)) == 2
    assert len(hidden(tmp_path)) == 1, "a living writer's file stays"
    process.send_signal(sent)
    process.wait()
    assert len(hidden(tmp_path)) == 1
    write_json(tmp_path / "b.json", {})  # any file of the step
    assert hidden(tmp_path) == []
    assert (tmp_path / "a.mp4").read_bytes() == b"whole"


def test_the_number_of_a_dead_process_given_again_does_not_keep_its_files(tmp_path: Path) -> None:
    path = temporary_sibling(tmp_path / "a.bin")
    path.touch()
    remove_leftovers(tmp_path)
    assert path.exists()
    ours = f"-{os.getpid()}-"
    number, moment, rest = path.name.partition(ours)[0], *path.name.partition(ours)[2].split("-")
    earlier = path.rename(path.with_name(f"{number}{ours}{int(moment) - 1}-{rest}"))
    remove_leftovers(tmp_path)
    assert not earlier.exists()


def test_another_machines_file_stays_until_nothing_came_for_a_week(tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as there:
        there.setattr(leftovers, "_machine", lambda: "0" * 8)
        path = temporary_sibling(tmp_path / "clip")
    path.mkdir()
    (path / "part.arrow").touch()
    for age, stays in ((ABANDONED - 3600, True), (ABANDONED + 3600, False)):
        os.utime(path, (time.time() - age,) * 2)
        remove_leftovers(tmp_path)
        assert path.exists() == stays


def test_a_persons_hidden_files_stay(tmp_path: Path) -> None:
    for name in (".gitignore", ".a-1b2c3d4e.json", ".v-00000000-1-1-00000000.mp4.part", ".DS_Store"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    remove_leftovers(tmp_path)
    assert len(hidden(tmp_path)) == 4


def test_a_file_is_readable_for_whom_the_umask_allows(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(mask)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640

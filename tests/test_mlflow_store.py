"""The store of MLflow's runs; what is written into it is in test_track.py."""

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.mlflow_store import alone, connect, experiment_id, store_errors


def test_processes_track_one_after_the_other(tmp_path: Path) -> None:
    """A second one waits: with the lock held, it cannot have it without waiting."""
    store, lock = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlflow.db.lock"
    with alone(store), lock.open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_store_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be taken for one" * 40)
    with pytest.raises(
        SlimvidError, match=r"mlflow\.db: cannot be used .*not a database\); if it is none, move it"
    ):
        connect(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_store_that_another_process_holds_is_waited_for_or_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    store = f"sqlite:///{tmp_path / 'mlflow.db'}?timeout=0.1"
    connect(store)
    held = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SlimvidError, match=r"locked.*another process holds it: wait") as fault:
        connect(store)
    assert "move it away" not in str(fault.value)
    held.close()
    connect(store)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_file_locks_is_tracked_on_all_the_same(tmp_path, monkeypatch, caplog, number) -> None:
    def flock(*_args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    store, reached = f"sqlite:///{tmp_path / 'mlflow.db'}", []
    with alone(store):
        reached.append(connect(store))
    assert reached
    assert "its disk takes no file locks; do not track two tables at once" in caplog.text


def test_another_fault_of_the_lock_is_no_reason_to_go_on(tmp_path, monkeypatch) -> None:
    def flock(*_args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="output error"), alone(f"sqlite:///{tmp_path / 'mlflow.db'}"):
        pass


@pytest.mark.parametrize("said", ["locking protocol", "disk I/O error"])
def test_where_sqlite_cannot_lock_the_store_is_to_be_moved_never_given_up(said) -> None:
    from sqlalchemy.exc import OperationalError

    with pytest.raises(SlimvidError) as fault, store_errors("sqlite:///mlflow.db"):
        raise OperationalError("PRAGMA x", {}, sqlite3.OperationalError(said))
    assert "takes no file locks" in str(fault.value)
    assert "make mlflow.db a symbolic link" in str(fault.value)
    assert "db upgrade" not in str(fault.value)


def test_a_linked_store_is_locked_where_it_lies(tmp_path: Path) -> None:
    """The way out of a disk without locks, before the store is there and after."""
    here, local = tmp_path / "here", tmp_path / "local"
    here.mkdir(), local.mkdir()
    (here / "mlflow.db").symlink_to(local / "mlflow.db")
    for _ in range(2):
        with alone(f"sqlite:///{here / 'mlflow.db'}"):
            experiment_id(connect(f"sqlite:///{here / 'mlflow.db'}"))
    assert {path.name for path in local.iterdir()} == {"mlflow.db", "mlflow.db.lock"}
    assert [path.name for path in here.iterdir()] == ["mlflow.db"]


def test_a_store_of_another_version_is_upgraded(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    connect(store)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'later'")
    database.close()
    code = f"from slimvid.mlflow_store import connect; connect({store!r})"  # a process opens a store once
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert "run `mlflow db upgrade` on it, or update MLflow" in run.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = connect(store)
    (tmp_path / "mlflow.db").chmod(0o444)
    with pytest.raises(SlimvidError, match="permit writing"), store_errors(store):
        experiment_id(client)

"""The store of MLflow's runs; what is written into it is in test_track.py."""

import fcntl
import os
import sqlite3
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
    with pytest.raises(SlimvidError, match=r"mlflow\.db: cannot be used .*; .* if it is none, name another"):
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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = connect(store)
    (tmp_path / "mlflow.db").chmod(0o444)
    with pytest.raises(SlimvidError, match="permit writing"), store_errors(store):
        experiment_id(client)

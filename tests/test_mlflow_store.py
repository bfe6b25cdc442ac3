"""The store of MLflow's runs; what is written into it is in test_track.py."""

import fcntl
from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.mlflow_store import alone, connect


def test_processes_track_one_after_the_other(tmp_path: Path) -> None:
    """A second one waits: with the lock held, it cannot have it without waiting."""
    store, lock = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlflow.db.lock"
    with alone(store), lock.open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_store_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be taken for one" * 40)
    with pytest.raises(SlimvidError, match=r"mlflow\.db: cannot be opened"):
        connect(f"sqlite:///{tmp_path / 'mlflow.db'}")

"""MLflow's store: opened by one process at a time; our experiment, and runs found again by their digest."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from slimvid.errors import SlimvidError
from slimvid.runtime import code_revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STORE = "sqlite:///mlflow.db"
EXPERIMENT = "slimvid"


@contextmanager
def alone(store: str) -> Iterator[None]:
    """Wait until no other process tracks into a sqlite store: rules of two tables may run side by side."""
    import fcntl

    path = Path(f"{store.removeprefix('sqlite:///')}.lock")
    if not store.startswith("sqlite:///") or not path.parent.is_dir():
        yield
        return
    with path.open("w") as lock:  # stays: who deletes it takes it from those who wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def connect(store: str) -> "MlflowClient":
    """A client of the store, created and brought to the current schema where needed; telemetry off.

    Raises:
        SlimvidError: the store cannot be opened.
    """
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    os.environ.update(MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = MlflowClient(tracking_uri=store, registry_uri=store)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise SlimvidError(f"{store}: cannot be opened ({reason}); move it away and track again") from None
    return client


def search(client: "MlflowClient", experiment: str, filter_string: str) -> list["Run"]:
    """All runs of a filter, from every page."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], filter_string=filter_string, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def experiment_id(client: "MlflowClient") -> str:
    """The id of our experiment, created where needed."""
    found = client.get_experiment_by_name(EXPERIMENT)
    return found.experiment_id if found is not None else client.create_experiment(EXPERIMENT)


def find_or_create(
    client: "MlflowClient", experiment: str, name: str, digest: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """The finished run of this digest, or a new one; and whether it is new."""
    found = search(
        client, experiment, f"tags.`slimvid.digest` = '{digest}' and attributes.status = 'FINISHED'"
    )
    if found:
        client.set_tag(found[0].info.run_id, "slimvid.current", "true")
        return found[0].info.run_id, False
    own = {"slimvid.digest": digest, "slimvid.current": "true", "mlflow.source.git.commit": code_revision()}
    run = client.create_run(experiment, run_name=name, tags={**tags, **own})
    return run.info.run_id, True

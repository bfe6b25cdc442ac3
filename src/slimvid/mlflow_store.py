"""MLflow's store: opened by one process at a time; our experiment, and runs found again by their digest."""

import errno
import json
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
COLUMNS = (
    "macs_g",
    "params_m",
    "fps",
    "frame_distance_lite0",
    "video_distance_lite0",
    "perceptual_st_lpips",
    "psnr",
    "ssim",
    "warp_error",
)
VIEW = {  # the experiment's own tags
    "mlflow.experimentKind": "custom_model_development",
    # What the UI shows under `page`: the current rows, in the tables' order, with their main metrics. Without
    # it the UI opens on chat traces, and no metric is to be seen until one picks columns.
    "mlflow.sharedViewState.slimvid": json.dumps(
        {
            "selectedColumns": [f"metrics.`{name}`" for name in COLUMNS],
            "searchFilter": "tags.`slimvid.current` = 'true'",
            "orderByKey": "attributes.start_time",
            "orderByAsc": True,
        }
    ),
}
LINK = (
    "its disk takes no file locks (Lustre, NFS) or fails: move it to a local disk, make {name} a symbolic "
    "link to it there, and track again"
)
OTHERWISE = "check the file and its disk, and track again"
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
NESTED = "mlflow.parentRunId"  # MLflow's UI folds nested runs up
PAGE = "workflowType=machine_learning&viewStateShareKey=slimvid"
REMEDIES = {  # by a word of the database's message
    "locked": "another process holds it: wait until it is done, or stop it, and track again",
    "readonly": "permit writing to it and to its folder, and track again",
    "unable to open": "permit reading and writing in its folder, and track again",
    "disk is full": "free some space and track again",
    "locking protocol": LINK,
    "disk i/o error": LINK,
    "out-of-date": "run `mlflow db upgrade` on it, or update MLflow if a newer one made it, and track again",
    "not a database": "if it is none, move it away and track again",
}

log = logging.getLogger("slimvid")


@contextmanager
def alone(store: str) -> Iterator[None]:
    """Wait until no other process tracks into a sqlite store: rules of two tables may run side by side.

    A disk without file locks is no reason to stop: whether SQLite can use it is SQLite's to say.
    """
    import fcntl

    file = Path(store.removeprefix("sqlite:///")).resolve()  # it may be a link to a disk that takes locks
    if not store.startswith("sqlite:///") or not file.parent.is_dir():
        yield
        return
    with Path(f"{file}.lock").open("wb") as lock:  # stays: who deletes it takes it from those who wait
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            log.warning("%s: its disk takes no file locks; do not track two tables at once", file)
        yield


@contextmanager
def store_errors(store: str) -> Iterator[None]:
    """Turn what the store refuses into one line with the remedy that fits; nothing recorded is given up.

    Raises:
        SlimvidError: the store is held by another process, cannot be written or locked, was made by another
            version of MLflow, or is none.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        remedy = next((what for word, what in REMEDIES.items() if word in str(error).lower()), OTHERWISE)
        remedy = remedy.format(name=store.removeprefix("sqlite:///"))
        raise SlimvidError(f"{store}: cannot be used ({reason}); {remedy}") from None


def connect(store: str) -> "MlflowClient":
    """A client of the store, created and brought to the current schema where needed; telemetry off.

    Raises:
        SlimvidError: see :func:`store_errors`.
    """
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    os.environ.update(MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from mlflow import MlflowClient

    with store_errors(store):
        client = MlflowClient(tracking_uri=store, registry_uri=store)
        client.search_experiments(max_results=1)
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
    """The id of our experiment: created, or brought back from the bin, where needed."""
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        return client.create_experiment(EXPERIMENT, tags=VIEW)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        log.info("MLflow: experiment %s had been deleted; it is restored, with its runs", EXPERIMENT)
    for key, value in VIEW.items():
        if found.tags.get(key) != value:
            client.set_experiment_tag(found.experiment_id, key, value)
    return found.experiment_id


def page(experiment: str) -> str:
    """Where `mlflow ui` shows the rows with their metrics, at its default host and port."""
    return f"http://127.0.0.1:5000/#/experiments/{experiment}/runs?{PAGE}"


def find_or_create(
    client: "MlflowClient", experiment: str, name: str, digest: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """The finished run of this digest, or a new one; and whether it is new.

    One that is found is tagged as a new one would be, and stands beside its table as one would: an earlier
    revision may have written it, below a run of its own kind.
    """
    found = search(
        client, experiment, f"tags.`slimvid.digest` = '{digest}' and attributes.status = 'FINISHED'"
    )
    if found:
        known, run_id = found[0].data.tags, found[0].info.run_id
        for key, value in {**tags, "slimvid.current": "true"}.items():
            if known.get(key) != value:
                client.set_tag(run_id, key, value)
        if NESTED in known:
            client.delete_tag(run_id, NESTED)
        return run_id, False
    own = {"slimvid.digest": digest, "slimvid.current": "true", "mlflow.source.git.commit": code_revision()}
    run = client.create_run(experiment, run_name=name, tags={**tags, **own})
    return run.info.run_id, True

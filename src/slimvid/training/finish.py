"""From a training to its artifact: what every teacher and every student does at the end."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from slimvid import artifact
from slimvid.files import atomic_path, write_json
from slimvid.paths import BUDGET, CLOCK
from slimvid.runtime import code_revision, library_versions
from slimvid.training.distributed import world
from slimvid.training.loop import Trained
from slimvid.training.run import Run


def save(run: Run, trained: Trained) -> None:
    """Write a training's artifact, loss curves and budget; under several processes the first one does.

    The state to resume from is deleted once the artifact is whole.
    """
    if world()[0] != 0:
        return
    write_curves(run.out / "curves.parquet", trained.curves)
    write_json(run.out / BUDGET, {**trained.tally.budget(), **trained.provenance["runtime"]})
    write_json(run.out / CLOCK, trained.tally.clock())
    artifact.save(
        run.out,
        task=run.task,
        method=run.row,
        spec=trained.generator.spec,
        plan={**run.plan, **trained.objective.walk},
        condition=run.data.meta.condition.to_dict(),
        provenance={**trained.provenance, "code": code_revision(), "libraries": library_versions()},
        state=trained.generator.state_dict(),
    )
    shutil.rmtree(run.out / "state", ignore_errors=True)


def write_curves(path: Path, curves: Mapping[str, Tensor]) -> None:
    """Write loss curves as Parquet: a column ``step`` and one per loss."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    length = max((len(c) for c in curves.values()), default=0)
    columns = {"step": torch.arange(length, dtype=torch.int32), **dict(sorted(curves.items()))}
    types = {torch.int32: pa.int32(), torch.float32: pa.float32()}
    arrays = [  # pa.array would import pandas (2 s of CPU)
        pa.Array.from_buffers(types[c.dtype], len(c), [None, pa.py_buffer(c.contiguous().numpy())])
        for c in columns.values()
    ]
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), temporary)

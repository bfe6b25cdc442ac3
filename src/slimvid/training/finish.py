"""From a training to its artifact: what every teacher and every student does at the end."""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from slimvid import artifact
from slimvid.files import atomic_path, write_json
from slimvid.paths import BUDGET, CLOCK
from slimvid.runtime import code_revision, library_versions
from slimvid.training.distributed import world
from slimvid.training.loop import Trained
from slimvid.training.run import STATE, Run
from slimvid.training.state import Tally


def save(run: Run, trained: Trained, *, keep: Sequence[str] = ("generator",)) -> None:
    """Write a training's artifact, loss curves and budget; under several processes the first one does.

    The state to resume from is deleted once the artifact is whole. Of a training of several stages the last
    one's network is kept, its provenance names the earlier ones, and curves and budgets are of all.

    Args:
        keep: "generator", and "discriminator" where a method may go on from the objective's: a second file,
            which also holds the generator of the other way, where the objective keeps one.
    """
    if world()[0] != 0:
        return
    stages = trained.stages()
    tally = _spent(stages)
    facts = {**trained.provenance, "runtime": dict(trained.provenance["runtime"])}
    if tally.fp32_from is not None:
        facts["runtime"]["fp32_from"] = tally.fp32_from
    if len(stages) > 1:
        own = {"data", "seed", "runtime"}  # what all of them share
        facts["stages"] = {
            s.run.part: {k: v for k, v in s.provenance.items() if k not in own} for s in stages[:-1]
        }
    write_curves(run.out / "curves.parquet", _joined(stages))
    write_json(run.out / BUDGET, {**tally.budget(), **facts["runtime"]})
    write_json(run.out / CLOCK, tally.clock())
    second = {}
    if "discriminator" in keep:
        judges, back = trained.objective.discriminators.state_dict(), trained.objective.other_way()
        second = {"discriminators": judges, "back": back}
    artifact.save(
        run.out,
        task=run.task,
        method=run.row,
        spec=trained.generator.spec,
        plan={**run.plan, **trained.objective.walk},
        condition=run.data.meta.condition.to_dict(),
        provenance={**facts, "code": code_revision(), "libraries": library_versions()},
        state=trained.generator.state_dict(),
        **second,
    )
    shutil.rmtree(run.out / STATE, ignore_errors=True)


def _spent(stages: Sequence[Trained]) -> Tally:
    """What the stages spent together, with what they went on from; ``fp32_from`` counts the steps of all."""
    total, before = Tally(), 0
    for name, spent in stages[0].provenance.get("started_from", {}).items():
        if hasattr(total, name):  # what the weights that it went on from had cost
            setattr(total, name, spent)
    for stage in stages:
        tally = stage.tally
        for field in ("updates", "samples", "cpu_seconds", "wall_seconds"):
            setattr(total, field, getattr(total, field) + getattr(tally, field))
        if total.fp32_from is None and tally.fp32_from is not None:
            total.fp32_from = before + tally.fp32_from
        before += stage.steps
    return total


def _joined(stages: Sequence[Trained]) -> dict[str, Tensor]:
    """The loss curves of the stages one after another; NaN where a stage had no such loss."""
    names = {name for stage in stages for name in stage.curves}
    return {
        name: torch.cat([s.curves.get(name, torch.full((s.steps,), math.nan)) for s in stages])
        for name in names
    }


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

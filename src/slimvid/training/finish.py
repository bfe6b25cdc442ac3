"""From a training to its artifact: what every teacher and every student does at the end."""

import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from slimvid import artifact
from slimvid.files import sha256_json, write_json
from slimvid.paths import BUDGET, CLOCK
from slimvid.runtime import code_revision, library_versions
from slimvid.section import recorded
from slimvid.training import loop
from slimvid.training.distributed import world
from slimvid.training.run import Run


def seed_weights(seed: int) -> None:
    """Make the initial weights of the networks built next follow from ``seed``."""
    torch.manual_seed(int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]))


def train_to_artifact(
    training: loop.Training,
    run: Run,
    *,
    spec: Mapping[str, Any],
    settings: Any,
    provenance: Mapping[str, Any],
) -> None:
    """Run a training from where it was left; write its generator's artifact, loss curves and budget.

    Args:
        settings: the training's section of the config; gives ``iterations``, ``decay_from``, ``save_every``.
        provenance: what this kind of training says of itself, beside data, settings, seed and versions.
    """
    runtime = run.runtime
    runtime.settle(training.modules.values())
    # Where the run may fall back to fp32, it goes on from its last state: then `save_every` decides bytes.
    idle = ("save_every",) if runtime.precision == "fp32" else ()
    facts = {
        "settings": recorded(settings, leave_out=idle),
        "data": {"source": run.data.meta.source, "sha256": run.data.digest},
        "seed": run.seed,
        "runtime": {
            "device": runtime.device,
            "precision": runtime.precision,
            "threads": runtime.threads,
            "processes": world()[1],  # `batch` is per process
        },
        **provenance,
    }
    state = run.out / "state"
    curves = loop.run(
        training,
        settings,
        state=state,
        identity=sha256_json({"spec": dict(spec), "plan": dict(run.plan), **facts}),
        label=run.label,
    )
    if world()[0] != 0:
        return
    if training.tally.fp32_from is not None:
        facts["runtime"]["fp32_from"] = training.tally.fp32_from
    loop.write_curves(run.out / "curves.parquet", curves)
    write_json(run.out / BUDGET, {**training.tally.budget(), **facts["runtime"]})
    write_json(run.out / CLOCK, training.tally.clock())
    artifact.save(
        run.out,
        task=run.task,
        method=run.row,
        spec=spec,
        plan=run.plan,
        condition=run.data.meta.condition.to_dict(),
        provenance={**facts, "code": code_revision(), "libraries": library_versions()},
        state=training.modules["generator"].state_dict(),
    )
    shutil.rmtree(state, ignore_errors=True)

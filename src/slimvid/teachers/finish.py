"""From a training to its artifact: what every teacher and every student does at the end."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from slimvid import artifact
from slimvid.data.store import PreparedTask
from slimvid.files import sha256_json
from slimvid.runtime import Runtime, code_revision, library_versions
from slimvid.teachers import loop
from slimvid.teachers.distributed import world


class Training(Protocol):
    """Networks (the one to keep is ``generator``), their optimisers, and the step."""

    modules: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]

    def step(self, index: int) -> Mapping[str, Tensor]: ...


def seed_weights(seed: int) -> None:
    """Make the initial weights of the networks built next follow from ``seed``."""
    torch.manual_seed(int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]))


def train_to_artifact(
    training: Training,
    *,
    task: str,
    method: str,
    spec: Mapping[str, Any],
    settings: Any,
    plan: Mapping[str, Any],
    data: PreparedTask,
    seed: int,
    out: Path,
    runtime: Runtime,
    provenance: Mapping[str, Any],
) -> None:
    """Run a training from where it was left and write the artifact of its generator and its loss curves.

    Args:
        settings: the training's section of the config; gives ``iterations``, ``decay_from``, ``save_every``.
        provenance: what this kind of training says of itself, beside data, settings, seed and versions.
    """
    facts = {
        "settings": settings.model_dump(mode="json", exclude={"save_every"}),  # it leaves the bytes alone
        "data": {"source": data.meta.source, "sha256": data.digest},
        "seed": seed,
        "runtime": {
            "device": runtime.device,
            "precision": runtime.precision,
            "threads": runtime.threads,
            "processes": world()[1],  # `batch` is per process
        },
        **provenance,
    }
    state = out / "state"
    curves = loop.run(
        training.step,
        modules=training.modules,
        optimisers=training.optimisers,
        iterations=settings.iterations,
        state=state,
        identity=sha256_json({"spec": dict(spec), **facts}),
        save_every=settings.save_every,
        label=f"{task}/{method}/{seed}",
        schedule=lambda i: loop.linear_decay(i, total=settings.iterations, decay_from=settings.decay_from),
    )
    if world()[0] != 0:
        return
    loop.write_curves(out / "curves.parquet", curves)
    artifact.save(
        out,
        task=task,
        method=method,
        spec=spec,
        plan=plan,
        condition=data.meta.condition.to_dict(),
        provenance={**facts, "code": code_revision(), "libraries": library_versions()},
        state=training.modules["generator"].state_dict(),
    )
    shutil.rmtree(state, ignore_errors=True)

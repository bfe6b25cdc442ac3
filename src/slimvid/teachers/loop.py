"""The training loop that every teacher and every student shares: resumable, deterministic, recorded.

A step is a pure function of its index, the networks and the optimisers: what it draws at random comes from
``numpy.random.default_rng([seed, index])``. So the state to resume from is tensors only, and a run that was
killed ends with the same bytes as one that was not.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from slimvid.artifact import read_tensors, save_tensors
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, read_json, write_json
from slimvid.runtime import Progress, log
from slimvid.teachers.distributed import average_gradients, world

Step = Callable[[int], Mapping[str, Tensor]]


def adam(module: nn.Module, lr: float) -> Optimizer:
    """Adam with the family's betas (0.5, 0.999)."""
    return torch.optim.Adam(module.parameters(), lr=lr, betas=(0.5, 0.999), fused=True)


def descend(
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    g: Mapping[str, Tensor],
    d: Mapping[str, Tensor],
    *,
    generators: Sequence[str] = ("generator",),
) -> None:
    """One update of the generators by the losses ``g`` and of all other modules by ``d``.

    Both backward passes end at their own parameters, so a discriminator looks at a picture once: its graph
    serves the generators' loss and its own, and the first leaves no gradient in it.
    """
    for optimiser in optimisers.values():
        optimiser.zero_grad(set_to_none=True)
    drawers = [p for n in generators for p in modules[n].parameters() if p.requires_grad]
    judges = [p for n, m in modules.items() if n not in generators for p in m.parameters()]
    torch.stack(list(g.values())).sum().backward(inputs=drawers, retain_graph=True)
    torch.stack(list(d.values())).sum().backward(inputs=judges)
    average_gradients(drawers)
    average_gradients(judges)
    for optimiser in optimisers.values():
        optimiser.step()


def linear_decay(index: int, *, total: int, decay_from: float) -> float:
    """Factor of the learning rate: 1, then linearly towards 0 over the rest of the run.

    The last step still learns: it would be the one after that reaches 0.
    """
    start = decay_from * total
    return 1.0 if index < start else (total - index) / (total - start)


def step_rng(seed: int, index: int) -> np.random.Generator:
    """What step ``index`` draws its randomness from; every process of a distributed run draws its own."""
    rank, _ = world()
    return np.random.default_rng([seed, index, rank] if rank else [seed, index])


def run(
    step: Step,
    *,
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    iterations: int,
    state: Path,
    identity: str,
    save_every: int,
    label: str,
    schedule: Callable[[int], float] = lambda index: 1.0,
) -> dict[str, Tensor]:
    """Run ``step`` for every index below ``iterations``, from where an interrupted run of the same identity
    left off, and return the loss curves (name -> float32 tensor, NaN where a step did not report it).

    Args:
        state: folder of the resume state; the caller deletes it once the artifact is written.
        identity: what the run depends on (a hash); a state of another identity is thrown away.
        schedule: factor of every optimiser's learning rate, by index.

    Raises:
        SlimvidError: a loss became NaN or infinite; names the loss and the step.
    """
    curves: dict[str, Tensor] = {}
    start = _resume(state, identity, modules, optimisers, curves)
    if start:
        log.info("%s: resumed at step %d of %d", label, start, iterations)
    rates = {name: [group["lr"] for group in o.param_groups] for name, o in optimisers.items()}
    progress = Progress(label, iterations, start=start)
    for index in range(start, iterations):
        for name, optimiser in optimisers.items():
            for group, rate in zip(optimiser.param_groups, rates[name], strict=True):
                group["lr"] = rate * schedule(index)
        losses = {name: float(value) for name, value in step(index).items()}
        _record(curves, losses, index, iterations, label)
        progress.update(index + 1, **losses)
        if (index + 1) % save_every == 0 and index + 1 < iterations and world()[0] == 0:
            _save(state, identity, index + 1, modules, optimisers, curves)
    progress.close()
    return curves


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


def _record(curves: dict, losses: dict[str, float], index: int, iterations: int, label: str) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise SlimvidError(
                f"{label}: loss {name!r} became {value} at step {index}; lower `lr` or use `precision: fp32`"
            )
        if name not in curves:
            curves[name] = torch.full((iterations,), math.nan)
        curves[name][index] = value


def _flatten(modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    out = {}
    for name, module in modules.items():
        out |= {f"module/{name}/{key}": t for key, t in module.state_dict().items()}
    for name, optimiser in optimisers.items():
        for i, slots in optimiser.state_dict()["state"].items():
            out |= {f"optimiser/{name}/{i}/{slot}": torch.as_tensor(t) for slot, t in slots.items()}
    return out


def _save(state: Path, identity: str, done: int, modules, optimisers, curves) -> None:
    tensors = _flatten(modules, optimisers) | {f"curve/{name}": c for name, c in curves.items()}
    name = f"step-{done}.safetensors"
    save_tensors(state / name, tensors)
    write_json(state / "state.json", {"identity": identity, "done": done, "tensors": name})
    for old in state.glob("step-*.safetensors"):  # only after the document names the new one
        if old.name != name:
            old.unlink()


def _resume(state: Path, identity: str, modules, optimisers, curves: dict[str, Tensor]) -> int:
    document: dict[str, Any] = read_json(state / "state.json") if (state / "state.json").exists() else {}
    if document.get("identity") != identity:
        return 0
    tensors = read_tensors(state / document["tensors"])
    for name, module in modules.items():
        prefix = f"module/{name}/"
        module.load_state_dict(
            {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        )
    for name, optimiser in optimisers.items():
        slots: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith(f"optimiser/{name}/"):
                _, _, i, slot = key.split("/")
                slots.setdefault(int(i), {})[slot] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
    curves |= {k.removeprefix("curve/"): t for k, t in tensors.items() if k.startswith("curve/")}
    return document["done"]

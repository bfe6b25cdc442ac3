"""The training loop that every teacher and every student shares: resumable, deterministic, recorded.

A step is a pure function of its index, the networks and the optimisers: what it draws at random comes from
``numpy.random.default_rng([seed, index])``. So the state to resume from is tensors only, and a run that was
killed ends with the same bytes as one that was not.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from slimvid.artifact import read_tensors, save_tensors
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, read_json, sha256_file, write_json
from slimvid.runtime import Progress, Runtime, log
from slimvid.training.distributed import any_process, average_gradients, world


class NotFiniteError(ArithmeticError):
    """A loss or gradient, named by the message, is NaN or infinite."""


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
    serves the generators' loss and its own, and the first leaves no gradient in it. A module that no loss
    leads to has no gradient, and its optimiser leaves it and its moments as they are.
    """
    for optimiser in optimisers.values():
        optimiser.zero_grad(set_to_none=True)
    drawers = [p for n in generators for p in modules[n].parameters() if p.requires_grad]
    judges = [p for n, m in modules.items() if n not in generators for p in m.parameters()]
    torch.stack(list(g.values())).sum().backward(inputs=drawers, retain_graph=True)
    torch.stack(list(d.values())).sum().backward(inputs=judges)
    for name, parameters in (("generator", drawers), ("discriminator", judges)):
        average_gradients(parameters)
        norms = torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
        if norms and not torch.stack(norms).sum().isfinite():  # weights are still those of the step before
            raise NotFiniteError(f"gradient of the {name}")
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


@dataclass
class Tally:
    """What a training has spent so far.

    Attributes:
        updates: steps of the generator's optimiser. samples: frames that it learned from (the sum of the
            batches of all updates, per process). cpu_seconds, wall_seconds: of the steps that were saved or
            thrown away with mixed precision. fp32_from: the step from which it went on in fp32; None: the
            precision never changed.
    """

    updates: int = 0
    samples: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    fp32_from: int | None = None

    def clock(self) -> dict[str, float]:
        """The part that differs from run to run."""
        return {"cpu_seconds": self.cpu_seconds, "wall_seconds": self.wall_seconds}

    def budget(self) -> dict[str, int | None]:
        """The part that does not."""
        return {"updates": self.updates, "samples": self.samples, "fp32_from": self.fp32_from}

    def learned(self, samples: int) -> None:
        """Count one update from a batch of ``samples`` frames."""
        self.updates += 1
        self.samples += samples


class Training(Protocol):
    """Networks (the one to keep is ``generator``), optimisers, and the step, which counts its updates."""

    modules: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    tally: Tally
    runtime: Runtime

    def step(self, index: int) -> Mapping[str, Tensor]: ...


class Length(Protocol):
    """The part of a training's settings that says how long it is."""

    iterations: int
    decay_from: float
    save_every: int


def run(training: Training, length: Length, *, state: Path, identity: str, label: str) -> dict[str, Tensor]:
    """Run ``training.step`` for every index, from where an interrupted run of the same identity left off, and
    return the loss curves (name -> float32 tensor, NaN where a step did not report it).

    Where a loss or a gradient turns NaN or infinite in mixed precision, the run says so in one line and goes
    on from its last state in fp32; ``training.tally.fp32_from`` remembers the step.

    Args:
        state: folder of the resume state; the caller deletes it once the artifact is written.
        identity: what the run's bytes depend on (a hash). A state of another identity, or a torn one, is not
            resumed, which one line says.

    Raises:
        SlimvidError: a loss or gradient became NaN or infinite in fp32; names it and the step.
    """
    saved = Saved(state, identity, training)
    start, curves = saved.resume()
    if start:
        log.info("%s: resumed at step %d of %d", label, start, length.iterations)
    elif training.runtime.precision != "fp32":
        saved.write(0, curves)  # to start again from
    rates = {name: [group["lr"] for group in o.param_groups] for name, o in training.optimisers.items()}
    progress, index = Progress(label, length.iterations, start=start), start
    clock = Clock()
    while index < length.iterations:
        factor = linear_decay(index, total=length.iterations, decay_from=length.decay_from)
        for name, optimiser in training.optimisers.items():
            for group, rate in zip(optimiser.param_groups, rates[name], strict=True):
                group["lr"] = rate * factor
        try:
            losses = _finite({name: float(value) for name, value in training.step(index).items()})
        except NotFiniteError as error:
            if training.runtime.precision == "fp32":
                raise SlimvidError(
                    f"{label}: {error} became NaN or infinite at step {index}; lower `lr`"
                ) from None
            training.runtime.leave_mixed(f"{label}: {error} became NaN or infinite at step {index}")
            clock.add_to(training.tally)
            index, curves = saved.back_to_fp32()
            continue
        for name, value in losses.items():
            curves.setdefault(name, torch.full((length.iterations,), math.nan))[index] = value
        index += 1
        progress.update(index, **losses)
        if index % length.save_every == 0 and index < length.iterations:
            clock.add_to(training.tally)
            saved.write(index, curves)
    progress.close()
    clock.add_to(training.tally)
    return curves


def _finite(losses: dict[str, float]) -> dict[str, float]:
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if any_process(bool(bad)):  # all processes go back together
        raise NotFiniteError(f"loss {bad[0]!r}" if bad else "a loss of another process")
    return losses


class Clock:
    """CPU and wall seconds since it was last asked."""

    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def add_to(self, tally: Tally) -> None:
        cpu, wall = time.process_time(), time.monotonic()
        tally.cpu_seconds += cpu - self.cpu
        tally.wall_seconds += wall - self.wall
        self.cpu, self.wall = cpu, wall


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


@dataclass(frozen=True)
class Saved:
    """The state that an interrupted training goes on from: tensors in one file, named by ``state.json``."""

    folder: Path
    identity: str
    training: Training

    def write(self, done: int, curves: Mapping[str, Tensor]) -> None:
        """Save after ``done`` steps; under several processes the first one does."""
        if world()[0] != 0:
            return
        name = f"step-{done}.safetensors"
        save_tensors(self.folder / name, self._tensors() | {f"curve/{n}": c for n, c in curves.items()})
        self._document(done, name, sha256_file(self.folder / name))
        for old in self.folder.glob("step-*.safetensors"):  # only after the document names the new one
            if old.name != name:
                old.unlink()

    def resume(self) -> tuple[int, dict[str, Tensor]]:
        """Load the last state; gives the steps done and the curves so far. Without one: 0 and none.

        A state of another identity, or one that cannot be read whole (a power cut), is left aside, which one
        line says.
        """
        try:
            document = self._read()
            tensors = {} if document is None else self._whole(document)
        except SlimvidError as error:
            log.warning("%s: training starts from the beginning", error)
            return 0, {}
        if document is None:
            return 0, {}
        curves = self._load(document, tensors)
        runtime = self.training.runtime
        if self.training.tally.fp32_from is not None and runtime.precision != "fp32":
            runtime.leave_mixed("it was left before the interruption")
        return document["done"], curves

    def back_to_fp32(self) -> tuple[int, dict[str, Tensor]]:
        """Load the last state of this very run, to go on from it in fp32, now and whenever it is resumed."""
        document = self._read()
        tally = self.training.tally
        spent = tally.cpu_seconds, tally.wall_seconds
        curves = self._load(document, self._whole(document))
        tally.cpu_seconds, tally.wall_seconds = spent  # the steps that are thrown away took it all the same
        tally.fp32_from = document["done"]
        if world()[0] == 0:
            self._document(document["done"], document["tensors"], document["sha256"])
        return document["done"], curves

    def _read(self) -> dict[str, Any] | None:
        """``state.json``; None where there is none.

        Raises:
            SlimvidError: it cannot be read, or is of another identity.
        """
        path = self.folder / "state.json"
        if not path.exists():
            return None
        document = read_json(path)
        if not isinstance(document, dict) or document.get("identity") != self.identity:
            raise SlimvidError(f"{path}: left by a training of other settings or data; not resumed")
        return document

    def _whole(self, document: Mapping[str, Any]) -> dict[str, Tensor]:
        path = self.folder / document.get("tensors", "")
        if not path.is_file() or sha256_file(path) != document.get("sha256"):
            raise SlimvidError(f"{path}: not the whole file that was saved; not resumed")
        return read_tensors(path)

    def _load(self, document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Put a state into the training; gives its curves."""
        self._fill(tensors)
        vars(self.training.tally).update(document["tally"])
        return {k.removeprefix("curve/"): t for k, t in tensors.items() if k.startswith("curve/")}

    def _document(self, done: int, name: str, sha256: str) -> None:
        tally = asdict(self.training.tally)
        document = {
            "identity": self.identity,
            "done": done,
            "tensors": name,
            "sha256": sha256,
            "tally": tally,
        }
        write_json(self.folder / "state.json", document)

    def _tensors(self) -> dict[str, Tensor]:
        out = {}
        for name, module in self.training.modules.items():
            out |= {f"module/{name}/{key}": t for key, t in module.state_dict().items()}
        for name, optimiser in self.training.optimisers.items():
            for i, slots in optimiser.state_dict()["state"].items():
                out |= {f"optimiser/{name}/{i}/{slot}": torch.as_tensor(t) for slot, t in slots.items()}
        return out

    def _fill(self, tensors: Mapping[str, Tensor]) -> None:
        for name, module in self.training.modules.items():
            prefix = f"module/{name}/"
            module.load_state_dict(
                {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
            )
        for name, optimiser in self.training.optimisers.items():
            slots: dict[int, dict[str, Tensor]] = {}
            for key, tensor in tensors.items():
                if key.startswith(f"optimiser/{name}/"):
                    _, _, i, slot = key.split("/")
                    slots.setdefault(int(i), {})[slot] = tensor
            optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})

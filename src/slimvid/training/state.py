"""What an interrupted training goes on from, and what it has spent so far."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from slimvid.artifact import read_tensors, save_tensors
from slimvid.errors import SlimvidError
from slimvid.files import read_json, sha256_file, write_json
from slimvid.runtime import Runtime, log
from slimvid.training.distributed import world


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


class Clock:
    """CPU and wall seconds since it was last asked."""

    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def add_to(self, tally: Tally) -> None:
        cpu, wall = time.process_time(), time.monotonic()
        tally.cpu_seconds += cpu - self.cpu
        tally.wall_seconds += wall - self.wall
        self.cpu, self.wall = cpu, wall


class Training(Protocol):
    """What is saved of a training: its modules, its optimisers and what it has spent."""

    modules: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    tally: Tally
    runtime: Runtime


def changing(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a module that training changes, each once: weights that learn, and buffers."""
    frozen = {name for name, p in module.named_parameters(remove_duplicate=False) if not p.requires_grad}
    found: dict[int, tuple[str, Tensor]] = {}
    for name, t in module.state_dict().items():
        if name not in frozen:
            found.setdefault(t.data_ptr() if t.numel() else id(t), (name, t))
    return dict(found.values())


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
            if document is None:
                return 0, {}
            curves = self._load(document, self._whole(document))
        except SlimvidError as error:
            log.warning("%s: training starts from the beginning", error)
            return 0, {}
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
        """Put a state into the training; gives its curves.

        Raises:
            SlimvidError: it is of other networks, as other code would make of the same settings.
        """
        wanted = {f"module/{n}/{key}" for n, m in self.training.modules.items() for key in changing(m)}
        if wanted != {key for key in tensors if key.startswith("module/")}:
            raise SlimvidError(f"{self.folder}: left by a training of other networks; not resumed")
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
            out |= {f"module/{name}/{key}": t for key, t in changing(module).items()}
        for name, optimiser in self.training.optimisers.items():
            for i, slots in optimiser.state_dict()["state"].items():
                out |= {f"optimiser/{name}/{i}/{slot}": torch.as_tensor(t) for slot, t in slots.items()}
        return out

    @torch.no_grad()
    def _fill(self, tensors: Mapping[str, Tensor]) -> None:
        for name, module in self.training.modules.items():
            for key, tensor in changing(module).items():
                tensor.copy_(tensors[f"module/{name}/{key}"])
        for name, optimiser in self.training.optimisers.items():
            slots: dict[int, dict[str, Tensor]] = {}
            for key, tensor in tensors.items():
                if key.startswith(f"optimiser/{name}/"):
                    _, _, i, slot = key.split("/")
                    slots.setdefault(int(i), {})[slot] = tensor
            optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})

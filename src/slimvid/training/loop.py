"""The training loop that every teacher and every student shares: resumable, deterministic, recorded.

A step is a pure function of its index, the networks and the optimisers: what it draws at random comes from
``numpy.random.default_rng([seed, index])``. So the state to resume from is tensors only, and a run that was
killed ends with the same bytes as one that was not.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.files import sha256_json
from slimvid.runtime import Progress, log
from slimvid.section import recorded
from slimvid.training.distillation import Distillation
from slimvid.training.distributed import any_process, average_gradients, world
from slimvid.training.objective import Objective, adam, is_frozen, learning
from slimvid.training.run import Run
from slimvid.training.state import Clock, Saved, Tally
from slimvid.training.taps import Taps


class NotFiniteError(ArithmeticError):
    """A loss or gradient, named by the message, is NaN or infinite."""


class Schedule(Protocol):
    """The part of a training's settings that says how long it is."""

    iterations: int
    decay_from: float
    save_every: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came of a training, or of a stage of one.

    Attributes:
        run: what it was told. steps: its length. curves: loss name -> float32 [steps], NaN where a step had
            no such loss. tally: what it spent. provenance: what the artifact says of it. identity: a hash of
            all that decides its bytes.
    """

    run: Run
    generator: nn.Module
    objective: Objective
    steps: int
    curves: Mapping[str, Tensor]
    tally: Tally
    provenance: Mapping[str, Any]
    identity: str

    def stages(self) -> "list[Trained]":
        """This stage and those before it, in order."""
        return [*(self.run.after.stages() if self.run.after else ()), self]


def train(
    run: Run,
    generator: nn.Module,
    objective: Objective,
    schedule: Schedule,
    *,
    distillation: Distillation | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Trained:
    """Train a network that ``nets.build`` has made, original or student, from where it was left.

    The state to resume from lies in the artifact's folder until `save` has written the artifact.

    Args:
        schedule: the training's section of the config.
        provenance: what a method says of itself; with all else that decides the run's bytes it is the
            identity by which a state is taken up again.

    Raises:
        SlimvidError: a loss or gradient became NaN or infinite in fp32; names it and the step.
    """
    training = Training(run, generator, objective, distillation=distillation)
    run.runtime.settle(training.networks.values())
    facts = {
        **_circumstances(run, schedule),
        **objective.provenance(),
        **(distillation.provenance() if distillation is not None else {}),
        **(provenance or {}),
    }
    whole = {"spec": generator.spec, "plan": {**run.plan, **objective.walk}, **facts}
    if run.part:
        whole |= {"stage": run.part, "after": run.after and run.after.identity}
    identity = sha256_json(whole)
    curves = learn(training, schedule, identity=identity)
    return Trained(
        run=run,
        generator=generator,
        objective=objective,
        steps=schedule.iterations,
        curves=curves,
        tally=training.tally,
        provenance=facts,
        identity=identity,
    )


def _circumstances(run: Run, schedule: Schedule) -> dict[str, Any]:
    """Settings, data, seed and machine, as far as they decide a training's bytes."""
    runtime = run.runtime
    # Where the run may fall back to fp32, it goes on from its last state: then `save_every` decides bytes.
    idle = ("save_every",) if runtime.precision == "fp32" else ()
    return {
        "settings": recorded(schedule, leave_out=idle),
        "data": {"source": run.data.meta.source, "sha256": run.data.digest},
        "seed": run.seed,
        "runtime": {
            "device": runtime.device,
            "precision": runtime.precision,
            "threads": runtime.threads,
            "processes": world()[1],  # `batch` is per process
        },
    }


class Training:
    """Networks, optimisers and the step of one training.

    Attributes:
        networks: what learns, by name. modules: what a state holds. optimisers: by network.
    """

    def __init__(
        self,
        run: Run,
        generator: nn.Module,
        objective: Objective,
        *,
        distillation: Distillation | None = None,
    ):
        self.run, self.runtime, self.tally = run, run.runtime, Tally()
        self.earlier = sum(stage.steps for stage in run.after.stages()) if run.after else 0
        self.generator, self.objective, self.distillation = generator, objective, distillation
        self.modules: dict[str, nn.Module] = {"generator": generator, "objective": objective}
        if distillation is not None:
            self.modules["distillation"] = distillation
        for module in self.modules.values():
            module.to(run.runtime.device).train()
            for part in module.modules():
                if is_frozen(part):
                    part.eval()  # it measures
        self.networks = objective.networks(generator)
        self.optimisers = objective.optimizers(generator)
        if distillation is not None:
            if learning(distillation):
                self.networks["distillation"] = distillation
                rate = self.optimisers["generator"].param_groups[0]["lr"]
                self.optimisers["distillation"] = adam(learning(distillation), rate)
            self.taps = Taps(generator, [ours for ours, _ in distillation.layers], whose="student")
        self.judges = learning(objective.discriminators)
        judged = {id(p) for p in self.judges}
        self.drawers = [p for p in learning(*self.modules.values()) if id(p) not in judged]

    def step(self, index: int) -> dict[str, Tensor]:
        """Learn from every view of step ``index``'s samples; returns the mean losses."""
        rng = step_rng(self.run.seed, self.earlier + index)
        with _seeded(rng, self.runtime.device):
            return self._step(rng, index)

    def _step(self, rng: np.random.Generator, index: int) -> dict[str, Tensor]:
        batch = self.objective.sample(rng, index)
        if self.distillation is not None:
            self.distillation.begin(batch, index=index)
        totals: dict[str, list[Tensor]] = {}
        for view in self.objective.unroll(self.generator, batch):
            if self.distillation is not None:
                view.features = self.taps.take()  # before the losses run the network again
            g, d = self.objective.losses(view)
            if self.distillation is not None:
                g |= self.distillation.losses(view, self.distillation.beside(view))
            self._descend(g, d)
            self.tally.learned(len(view.out.image))
            for name, value in (g | d).items():
                totals.setdefault(name, []).append(value.detach())
        return {name: torch.stack(values).mean() for name, values in totals.items()}

    def _descend(self, g: Mapping[str, Tensor], d: Mapping[str, Tensor]) -> None:
        """One update of the discriminators by the losses ``d`` and of everything else by ``g``.

        Both backward passes end at their own weights, so a discriminator looks at a picture once: its graph
        serves the generators' losses and its own, and the first leave no gradient in it. Weights that no loss
        leads to have no gradient; their optimiser leaves them and their moments as they are.
        """
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        _total(g).backward(inputs=self.drawers, retain_graph=bool(d))
        if d:
            _total(d).backward(inputs=self.judges)
        for name, weights in (("generator", self.drawers), ("discriminator", self.judges)):
            average_gradients(weights)
            gradients = [p.grad for p in weights if p.grad is not None]
            if gradients and not torch.stack(torch._foreach_norm(gradients)).sum().isfinite():
                raise NotFiniteError(f"gradient of the {name}")  # no weight has moved yet
        for optimiser in self.optimisers.values():
            optimiser.step()


def _total(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def linear_decay(index: int, *, total: int, decay_from: float) -> float:
    """Factor of the learning rate: 1, then linearly towards 0 over the rest of the run.

    The last step still learns: it would be the one after that reaches 0.
    """
    start = decay_from * total
    return 1.0 if index < start else (total - index) / (total - start)


@contextmanager
def _seeded(rng: np.random.Generator, device: str) -> Iterator[None]:
    """What networks draw while they learn (dropout) is the step's; torch's own generator stays as it was.

    Networks of a later stage are initialised from it.
    """
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(int(rng.bit_generator.seed_seq.spawn(1)[0].generate_state(1)[0]))
        yield


def step_rng(seed: int, index: int) -> np.random.Generator:
    """What step ``index`` draws its randomness from; every process of a distributed run draws its own."""
    rank, _ = world()
    return np.random.default_rng([seed, index, rank] if rank else [seed, index])


def learn(training: Training, schedule: Schedule, *, identity: str) -> dict[str, Tensor]:
    """Run ``training.step`` for every index, from where an interrupted run of the same identity left off, and
    return the loss curves (name -> float32 tensor, NaN where a step did not report it).

    Where a loss or a gradient turns NaN or infinite in mixed precision, the run says so in one line and goes
    on from its last state in fp32; ``training.tally.fp32_from`` remembers the step.

    Args:
        identity: what the run's bytes depend on (a hash). A state of another identity, or a torn one, is not
            resumed, which one line says.

    Raises:
        SlimvidError: a loss or gradient became NaN or infinite in fp32; names it and the step.
    """
    label = training.run.label
    saved = Saved(training.run.state, identity, training)
    start, curves = saved.resume()
    if start:
        log.info("%s: resumed at step %d of %d", label, start, schedule.iterations)
    elif training.runtime.precision != "fp32":
        saved.write(0, curves)  # to start again from
    rates = {name: [group["lr"] for group in o.param_groups] for name, o in training.optimisers.items()}
    progress, index = Progress(label, schedule.iterations, start=start), start
    clock = Clock()
    while index < schedule.iterations:
        factor = linear_decay(index, total=schedule.iterations, decay_from=schedule.decay_from)
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
            curves.setdefault(name, torch.full((schedule.iterations,), math.nan))[index] = value
        index += 1
        progress.update(index, **losses)
        if index % schedule.save_every == 0 and index < schedule.iterations:
            clock.add_to(training.tally)
            saved.write(index, curves)
    progress.close()
    clock.add_to(training.tally)
    if training.run.part and start < index:  # later stages begin here again, until the artifact is whole
        saved.write(index, curves)
    return curves


def _finite(losses: dict[str, float]) -> dict[str, float]:
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if any_process(bool(bad)):  # all processes go back together
        raise NotFiniteError(f"loss {bad[0]!r}" if bad else "a loss of another process")
    return losses

"""Latency: how long a translator takes, alone on the machine, and how much less than its original.

Two figures, because compressed MACs do not become frames per second by themselves:

    network      one forward pass per generated frame, conditions already tensors
    end to end   conditions in, frames out: key-frame selection, tensors, network, interpolation, uint8 frames

Rows are timed in different minutes of a machine that is never quite quiet, so one row's frames per second say
little beside another's: the same network was seen at 42 and at 67. The speed-up is a ratio of one process:
whole streams of the row and of its original take turns.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from slimvid import nets
from slimvid.data.store import PreparedTask
from slimvid.files import write_json
from slimvid.infer.translator import Translator, in_memory, load, to_tensor
from slimvid.measure.budget import training_clock
from slimvid.settings import MeasureSettings

if TYPE_CHECKING:
    from slimvid.training.run import Run

TURNS, FRAMES = 7, 3  # of each network where specs are timed
ROUNDS = 5  # streams of the row, and of the original between them, at least


def measure_latency(
    artifact: Path,
    original: Path,
    prepared: Path,
    settings: MeasureSettings,
    out: Path,
    *,
    device: str = "auto",
    threads: int = 1,
    below: Sequence[Path] = (),
) -> None:
    """Time a translator beside its original on the first test frames, in fp32, and write ``latency.json``.

    Args:
        artifact, original: their folders; the same one for the original's own row, whose speed-up is 1.
        below: folders of the students that this one was put over: their trainings' seconds are added to its
            own, which stand here because they differ from machine to machine, too.
    """
    translator = load(artifact, device=device, threads=threads)
    timed = [translator]
    if original != artifact:
        timed.append(load(original, device=device, threads=threads))
    data = PreparedTask(prepared, splits=("test",))
    places = timed_places(data, settings.latency_frames)
    count = len(places)
    conditions = [data.condition("test", *place) for place in places]
    first = [data.frame("test", *place) for place in places[: translator.given]]
    network = network_times(translator, conditions, warmup=settings.latency_warmup, first_frames=first)
    rounds = max(ROUNDS, -(-settings.latency_frames // count))
    streams = end_to_end(timed, conditions, first_frames=first, rounds=rounds)
    ratios = streams[-1] / streams[0]
    write_json(
        out,
        {
            "task": translator.source.task,
            "method": translator.source.method,
            "seed": translator.source.provenance.get("seed"),
            "protocol": {
                **translator.runtime.describe(),
                "height": data.meta.height,
                "width": data.meta.width,
                "batch": 1,
                "warmup_frames": settings.latency_warmup,
                "network_frames": len(network),
                "end_to_end_frames": rounds * count,
                "speedup": f"over the original, end to end: median of {rounds} pairs of streams in turn",
                "plan": translator.source.plan,
                "note": "alone on the machine; frames in memory: no file is read or written",
            },
            "values": {
                "speedup": float(np.median(ratios)),
                "speedup_low": float(ratios.min()),
                "speedup_high": float(ratios.max()),
                "fps": count / float(streams[0].min()),
                "fps_network": 1 / float(np.mean(network)),
                "latency_ms_p50": 1e3 * float(np.percentile(network, 50)),
                "latency_ms_p99": 1e3 * float(np.percentile(network, 99)),
                **training_clock([artifact, *below]),
            },
        },
    )


def timed_places(data: PreparedTask, most: int) -> list[tuple[str, int]]:
    """(clip, frame) of what is timed: the first test clip's first frames, or the first of single pictures."""
    infos = data.clips("test")
    if all(info.length == 1 for info in infos):
        return [(info.name, 0) for info in infos[:most]]
    return [(infos[0].name, i) for i in range(min(most, infos[0].length))]


def network_times(
    translator: Translator,
    conditions: Sequence[np.ndarray],
    *,
    warmup: int,
    first_frames: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Seconds of each forward pass in a clip's order, synchronised, after ``warmup`` frames not counted."""
    _walk(translator, conditions[: translator.given + warmup], first_frames)
    return np.array(_walk(translator, conditions, first_frames))


@dataclass(frozen=True)
class Latencies:
    """How long the networks of specs take for a frame of a run's task: for a budget that is a time.

    They get random weights: a pass takes as long with any. Like a table's latencies, these are of the quicker
    form that runs, in fp32, on the run's device.
    """

    run: "Run"

    def __call__(self, specs: Sequence[Mapping[str, Any]]) -> list[float]:
        """Median seconds of a drawn frame, synchronised; the networks take turns at a few frames each.

        Raises:
            SlimvidError: there is no such network, or it cannot draw the size.
        """
        data, runtime = self.run.data, replace(self.run.runtime, precision="fp32", automatic=False)
        how = {"plan": {"kind": "every_frame"}, "condition": data.meta.condition, "runtime": runtime}
        made = [in_memory(nets.build(dict(spec)), **how) for spec in specs]
        clip = data.clips("train")[0]
        seen = [data.condition("train", clip.name, i) for i in range(min(clip.length, 1 + FRAMES))]
        found: list[list[float]] = [[] for _ in made]
        for turn in range(-1, TURNS):
            for times, translator in zip(found, made, strict=True):
                own = _walk(translator, seen, ())[1:]  # in the first, the cache holds another's weights
                times += own if turn >= 0 else []
        return [float(np.median(times)) for times in found]

    def protocol(self) -> dict[str, Any]:
        """What was measured, JSON-ready."""
        described = {**self.run.runtime.describe(), "precision": "fp32"}
        return {
            "latency": f"median of {TURNS} turns of {FRAMES} frames, the original's between them",
            **described,
        }


def _walk(translator: Translator, conditions, first_frames) -> list[float]:
    device, times = translator.runtime.device, []
    rollout = translator.rollout(*conditions[0].shape[1:])
    for index, condition in enumerate(conditions):
        tensor = torch.from_numpy(condition)[None].to(device)
        if index < translator.given:
            rollout.prime(tensor, to_tensor(first_frames[index]).to(device))
            continue
        _synchronise(device)
        begun = time.perf_counter()
        with torch.inference_mode(), translator.runtime.autocast():
            image = rollout.step(tensor).image.float()
        _synchronise(device)
        times.append(time.perf_counter() - begun)
        rollout.push(image)
    return times


def end_to_end(
    translators: Sequence[Translator],
    conditions: Sequence[np.ndarray],
    *,
    first_frames: Sequence[np.ndarray] = (),
    rounds: int,
) -> np.ndarray:
    """Seconds of whole streams, float64 [translators, rounds]; one stream of each before them is not counted.

    The translators take turns, now in this order and now in the other: what warms up or slows down in
    between favours none.
    """
    found = np.empty((len(translators), rounds))
    for turn in range(-1, rounds):
        order = range(len(translators)) if turn % 2 else reversed(range(len(translators)))
        for number in order:
            begun = time.perf_counter()
            for _ in translators[number].stream(conditions, first_frames=first_frames):
                pass
            _synchronise(translators[number].runtime.device)
            if turn >= 0:
                found[number, turn] = time.perf_counter() - begun
    return found


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)

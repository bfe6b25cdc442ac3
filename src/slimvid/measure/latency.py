"""Latency: how long a translator takes, alone on the machine.

Two figures, because compressed MACs do not become frames per second by themselves:

    network      one forward pass per generated frame, conditions already tensors
    end to end   conditions in, frames out: key-frame selection, tensors, network, interpolation, uint8 frames
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from slimvid.data.store import PreparedTask
from slimvid.files import write_json
from slimvid.infer.translator import Translator, load, to_tensor
from slimvid.measure.budget import training_clock
from slimvid.settings import MeasureSettings


def measure_latency(
    artifact: Path,
    prepared: Path,
    settings: MeasureSettings,
    out: Path,
    *,
    device: str = "auto",
    threads: int = 1,
    below: Sequence[Path] = (),
) -> None:
    """Time a translator on the first test clip, in fp32, and write ``latency.json``.

    Args:
        below: folders of the students that this one was put over: their trainings' seconds are added to its
            own, which stand here because they differ from machine to machine, too.
    """
    translator = load(artifact, device=device, threads=threads)
    data = PreparedTask(prepared, splits=("test",))
    clip = data.clips("test")[0]
    count = min(settings.latency_frames, clip.length)
    conditions = [data.condition("test", clip.name, i) for i in range(count)]
    first = [data.frame("test", clip.name, i) for i in range(translator.given)]
    network = network_times(translator, conditions, warmup=settings.latency_warmup, first_frames=first)
    total, frames = end_to_end(translator, conditions, first_frames=first, least=settings.latency_frames)
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
                "end_to_end_frames": frames,
                "plan": translator.source.plan,
                "note": "alone on the machine; frames in memory: no file is read or written",
            },
            "values": {
                "fps": frames / total,
                "fps_network": 1 / float(np.mean(network)),
                "latency_ms_p50": 1e3 * float(np.percentile(network, 50)),
                "latency_ms_p99": 1e3 * float(np.percentile(network, 99)),
                **training_clock([artifact, *below]),
            },
        },
    )


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
    translator: Translator,
    conditions: Sequence[np.ndarray],
    *,
    first_frames: Sequence[np.ndarray] = (),
    least: int,
) -> tuple[float, int]:
    """Seconds and frames of whole streams, repeated until at least ``least`` frames came out; one stream
    before them is not counted."""
    for _ in translator.stream(conditions, first_frames=first_frames):
        pass
    frames, begun = 0, time.perf_counter()
    while frames < least:
        frames += sum(1 for _ in translator.stream(conditions, first_frames=first_frames))
    _synchronise(translator.runtime.device)
    return time.perf_counter() - begun, frames


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)

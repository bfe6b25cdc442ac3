"""Speed of the papers' networks at the papers' sizes, with seeded random weights.

How long a network takes does not depend on what it learned, so every original and every compressed network
can be timed without training. The mean over a clip is under each method's plan: key-frames and their
interpolation for Fast-Vid2Vid, full frames and shortcut frames for Shortcut-V2V.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from slimvid.errors import SlimvidError
from slimvid.measure.paper_scale import ALPHA, DEFAULT_ALPHA
from slimvid.measure.published_networks import CITY, NETWORKS, PHOTO, Whole, figures
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec

if TYPE_CHECKING:
    from slimvid.runtime import Runtime

CLIP = 30  # frames of the clip that a mean is over
FLOAT = 4


@dataclass(frozen=True)
class Shortcut:
    """A teacher with a Shortcut block at the paper's medium cut, and its maximum interval."""

    teacher: Callable[[], dict[str, Any]]
    size: tuple[int, int]
    hidden: int
    interval: int


def _recyclegan(size: tuple[int, int]) -> Shortcut:
    return Shortcut(partial(resnet_spec, 64, blocks=6), size, 64, DEFAULT_ALPHA)


def _vid2vid(task: str, hidden: int) -> Shortcut:
    from slimvid.measure.paper_scale import SIZES, spec

    return Shortcut(partial(spec, task, "original"), SIZES[task], hidden, ALPHA.get(task, DEFAULT_ALPHA))


SHORTCUTS = {
    "shortcut viper2city": _recyclegan(CITY),
    "shortcut label2viper": _recyclegan(PHOTO),
    "shortcut sketch2face": _vid2vid("sketch2face", 256),
    "shortcut segmentation2city": _vid2vid("segmentation2city", 128),
}
TIMED = (*(name for name, network in NETWORKS.items() if isinstance(network, Whole)), *SHORTCUTS)


def original_of(name: str) -> str:
    """The uncompressed network that a network of ``TIMED`` is a compression of; itself for an original."""
    method, _, task = name.partition(" ")
    if method in ("fast_vid2vid", "omgd", "shortcut"):
        return f"{'recyclegan' if 'viper' in task else 'vid2vid'} {task}"
    if method == "gan_compression":
        return "gaugan" if task == "gaugan" else "resnet9"
    return {"resnet9": "resnet9", "unet": "unet at 64"}.get(method, name)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One network on one device. Latencies in milliseconds, memory in 1e6 bytes.

    Attributes:
        drawn_ms: median of one pass: a drawn frame, or (Shortcut-V2V) a shortcut frame.
        mean_ms: per output frame of a clip under the plan.
        interpolation_ms: the part of ``mean_ms`` that interpolation takes.
        memory_mb: peak; ``memory_from`` says whether the CUDA allocator or the count (fp32 weights and
            activations) is its source.
    """

    network: str
    plan: str
    height: int
    width: int
    drawn_ms: float
    mean_ms: float
    interpolation_ms: float
    memory_mb: float
    memory_from: str


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], Any], *, runtime: "Runtime", repeats: int, warmup: int) -> float:
    """Median seconds of ``call`` after ``warmup`` calls not counted, synchronised."""
    times = []
    for index in range(warmup + repeats):
        _synchronise(runtime.device)
        begun = time.perf_counter()
        with torch.inference_mode(), runtime.autocast():
            call()
        _synchronise(runtime.device)
        if index >= warmup:
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _seeded(make: Callable[[], torch.nn.Module], device: str, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    with torch.device(device):
        return make().eval().requires_grad_(False)


def _memory(net: torch.nn.Module, inputs: Sequence[torch.Tensor], device: str) -> tuple[float, str]:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 1e6, "CUDA allocator"
    from slimvid.measure.trace import trace

    counted = trace(net, *inputs)
    return (counted.params * FLOAT + counted.activation_bytes) / 1e6, "counted"


def interpolation_seconds(height: int, width: int, share: float) -> float:
    """Seconds per output frame to interpolate a clip (motion-compensated) whose share ``share`` is drawn."""
    import numpy as np

    from slimvid.infer.interpolate import interpolate_clip

    count = max(2, round(share * CLIP))
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    scene = coarse.repeat(8, axis=0).repeat(8, axis=1)
    keys = {int(i): np.roll(scene, 2 * int(i), axis=1) for i in np.linspace(0, CLIP - 1, count).round()}
    begun = time.perf_counter()
    interpolate_clip(keys, length=CLIP)
    return (time.perf_counter() - begun) / CLIP


def _maker(name: str) -> Callable[[], torch.nn.Module]:
    """Builds a network of ``TIMED``; one with a block at the paper's medium cut."""
    if name in SHORTCUTS:
        from slimvid.nets.shortcut_net import shortcut_spec

        network = SHORTCUTS[name]
        own = {"cut": "medium", "hidden": network.hidden, "blended": False}  # what the published counts fit
        return partial(build, shortcut_spec(network.teacher(), **own))
    return NETWORKS[name].make


def check_name(name: str) -> None:
    """Raise SlimvidError unless the network is one of ``TIMED``."""
    if name not in TIMED:
        raise SlimvidError(f"network {name!r}: not one of the papers'; choose from: {', '.join(TIMED)}")


def settle(runtime: "Runtime", names: Sequence[str]) -> None:
    """One precision for all networks of a comparison: mixed only where every layer of all was compared."""
    for name in names:
        check_name(name)
    runtime.settle(_seeded(_maker(name), "meta", 0) for name in names)


def _time_whole(name: str, how: dict[str, Any], seed: int) -> Timing:
    network, runtime = NETWORKS[name], how["runtime"]
    net = _seeded(_maker(name), runtime.device, seed)
    inputs = net.example_inputs(*network.size, device=runtime.device)
    drawn = seconds(lambda: net(*inputs), **how)
    share = 1.0 if network.mean_macs is None else figures(name).per_frame / figures(name).true
    between = 0.0 if network.mean_macs is None else interpolation_seconds(*network.size, share)
    memory, source = _memory(net, inputs, runtime.device)
    return Timing(
        network=name,
        plan="every frame" if network.mean_macs is None else f"key-frames, {share:.3f} of all",
        height=network.size[0],
        width=network.size[1],
        drawn_ms=1e3 * drawn,
        mean_ms=1e3 * (share * drawn + between),
        interpolation_ms=1e3 * between,
        memory_mb=memory,
        memory_from=source,
    )


def _time_shortcut(name: str, how: dict[str, Any], seed: int) -> Timing:
    network, runtime = SHORTCUTS[name], how["runtime"]
    net = _seeded(_maker(name), runtime.device, seed)
    inputs = net.example_inputs(*network.size, device=runtime.device)
    a, f = net.reference_inputs(*network.size, device=runtime.device)
    parts = net.parts
    with torch.inference_mode(), runtime.autocast():
        kept = net.keep(a, f)
    full = seconds(lambda: net(*inputs), **how)
    keep = seconds(lambda: net.keep(a, f), **how)
    frame = seconds(lambda: parts.decode(net.block.predict(kept, parts.encode(*inputs)), *inputs), **how)
    memory, source = _memory(net, inputs, runtime.device)
    return Timing(
        network=name,
        plan=f"shortcut, 1 frame of {network.interval} in full",
        height=network.size[0],
        width=network.size[1],
        drawn_ms=1e3 * frame,
        mean_ms=1e3 * (full + keep + (network.interval - 1) * frame) / network.interval,
        interpolation_ms=0.0,
        memory_mb=memory,
        memory_from=source,
    )


def time_network(
    name: str, *, runtime: "Runtime", repeats: int = 3, warmup: int = 1, seed: int = 0
) -> Timing:
    """Time one network of ``TIMED`` at its full size; see ``settle``.

    Raises:
        SlimvidError: no such network, or less than one repeat.
    """
    check_name(name)
    if repeats < 1 or warmup < 0:
        raise SlimvidError(f"repeats {repeats}, warmup {warmup}: at least 1 and 0")
    how = {"runtime": runtime, "repeats": repeats, "warmup": warmup}
    if runtime.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(runtime.device)
    return (_time_shortcut if name in SHORTCUTS else _time_whole)(name, how, seed)

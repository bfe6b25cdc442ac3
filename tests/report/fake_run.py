"""A tiny finished run for the tests of this room: config and measure files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimvid.config import Config
from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import TaskMeta, write_frames, write_prepared
from slimvid.files import write_json

METHODS = ("original", "uniform", "fast_vid2vid")
TASKS = ("sketch2face", "my_street")
FACTOR = {"original": 1.0, "uniform": 0.25, "fast_vid2vid": 0.125}


def document(*, seeds: tuple[int, ...] = (0,), tasks: tuple[str, ...] = TASKS) -> dict:
    """A config of the three rows; the second task is nobody's in print."""
    world = {"source": "world", "world": "face", "height": 64, "width": 64}
    keyed = {"kind": "keyframes", "window": 3}
    return {
        "profile": "test",
        "seeds": list(seeds),
        "tasks": dict.fromkeys(tasks, world),
        "teachers": {"vid2vid": {"iterations": 10}},
        "methods": {
            "uniform": {"method": "uniform", "options": {"width": 0.5}},
            "fast_vid2vid": {"method": "fast_vid2vid", "plan": keyed},
        },
        "table1": {"tasks": list(tasks), "methods": list(METHODS)},
    }


@dataclass(frozen=True)
class FakeScale:
    """What `paper_scale` gives."""

    macs_g: float
    macs_g_thop: float
    params_m: float
    params_m_thop: float = 0.317184


def fake_scale(task: str, method: str, *, options: dict, **how: object) -> FakeScale | None:
    """Costs at full size as the counter gives them; a task of nobody's paper has none."""
    if task not in ("sketch2face", "segmentation2city", "pose2body"):
        return None
    if method == "uniform":
        return FakeScale(macs_g=1717.0 * options["width"] ** 2, macs_g_thop=500.0, params_m=91.25)
    if method == "fast_vid2vid":
        return FakeScale(macs_g=418.055, macs_g_thop=767.624741, params_m=63.17223)
    return FakeScale(macs_g=1717.215, macs_g_thop=2066.684576, params_m=364.99623)


def write_measures(root: Path, config: Config, table: str = "table1") -> None:
    """Measure files whose figures follow from (method, seed), so that tests can tell what they should be."""
    for task, method in config.rows_of(table):
        for seed in config.seeds:
            for family, (values, protocol) in _families(method, seed).items():
                named = {"task": task, "method": method, "seed": seed}
                write_json(
                    root / task / method / str(seed) / f"{family}.json",
                    {**named, "protocol": protocol, "values": values},
                )


def _families(method: str, seed: int) -> dict[str, tuple[dict, dict]]:
    factor = FACTOR.get(method, 0.5)
    key_fraction = 0.25 if method == "fast_vid2vid" else 1.0
    cost = {"macs_g": 1.23456789 * factor, "params_m": 5.72 * factor, "activation_mb": 3.5}
    cost |= {"training_updates": 40, "training_samples": 80}
    latency = {"speedup": 1 / factor, "speedup_low": 0.9 / factor, "speedup_high": 1.1 / factor}
    latency |= {"fps": 20 / factor, "fps_network": 25 / factor + seed, "latency_ms_p50": 50.0 * factor}
    latency["training_cpu_seconds"] = 4.0 / factor
    quality = {
        "frame_distance_lite0": 0.1 / factor + 0.01 * seed,
        "video_distance_lite0": 0.2 / factor,
        "video_distance_lite0_floor": 0.125,
        "perceptual_st_lpips": 0.05 / factor,
        "psnr": 28.38 - seed,
        "ssim": 0.911,
        "warp_error": 0.0123456,
        "miou_seg": None,
        "pose_error": None,
        "sharpness_ratio": 0.9 * factor,
    }
    protocol = {
        "hash": "5e6f7a8b",
        "evaluator": "embedded:1a2b3c4d",
        "data": "procedural world: face, 64x64, seed 0",
        "frame_distance_lite0": {"n": 120, "d": 24},
        "video_distance_lite0": {"n": 60, "d": 48, "frames": 3},
    }
    machine = {"device_name": "AMD EPYC", "device": "cpu", "threads": 1, "precision": "bf16"}
    machine |= {"height": 64, "width": 64, "plan": {"kind": method}}
    return {
        "cost": (cost, {"key_fraction": key_fraction}),
        "latency": (latency, machine),
        "quality": (quality, protocol),
    }


def write_frames_of(root: Path, *, size: tuple[int, int] = (64, 64), length: int = 12) -> dict[str, Path]:
    """A prepared store with a moving square and archives of two methods; the second's frames are dimmed."""
    meta = TaskMeta(
        task="sketch2face",
        source="a white square on grey, drawn by the tests",
        condition=ConditionSpec(kind="edges"),
        height=size[0],
        width=size[1],
        fps=10.0,
    )
    speeds = {"seen": 3, "chosen": 3, "still": 0, "moving": 3}
    seen, chosen, still, moving = (_clip(name, size, length, v) for name, v in speeds.items())
    write_prepared(root / "prepared", meta, {"train": [seen], "val": [chosen], "test": [still, moving]})
    found = {"prepared": root / "prepared"}
    for method, share in (("original", 1.0), ("fast_vid2vid", 0.5)):
        found[method] = root / method / "frames.arrow"
        clips = (still, moving)
        frames = ((c.name, i, (f * share).astype(np.uint8)) for c in clips for i, f in enumerate(c.frames))
        write_frames(found[method], frames)
    found["keyframes"] = root / "keyframes.json"
    keys = {"still": [0, length - 1], "moving": [0, 4, length - 1]}
    write_json(found["keyframes"], {"plan": {"kind": "keyframes"}, "clips": keys, "fraction": 0.25})
    return found


def _clip(name: str, size: tuple[int, int], length: int, speed: int) -> Clip:
    frames = np.full((length, *size, 3), 90, np.uint8)
    edges = np.zeros((length, *size), np.uint8)
    for i in range(length):
        x = 8 + (speed * i) % (size[1] - 24)
        frames[i, 20:36, x : x + 16] = 250
        edges[i, 20:36, [x, x + 15]] = 255
    return Clip(name=name, fps=10.0, frames=frames, edges=edges)

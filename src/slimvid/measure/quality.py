"""How good a row's frames are: every generated test frame against the true one, by the embedded evaluator.

The document says with every number what measured it. Distances of random features are called RFD-4 and
RFVD-4; `fid`, `kid` and `fvd` are filled only where the standard networks' weights were given.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slimvid.data.store import ClipInfo, FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import write_json
from slimvid.measure import evaluator as evaluators
from slimvid.measure import similarity, standard, video_stats
from slimvid.measure.evaluator import Evaluator
from slimvid.measure.frechet import frechet_distance, frechet_replicates, half_sample_sd, mean_frechet
from slimvid.measure.kid import kernel_distance
from slimvid.measure.pose_error import find_points, point_distances
from slimvid.measure.resample import clip_draws, interval, mean_replicates
from slimvid.measure.segmenter import mean_iou

if TYPE_CHECKING:
    from slimvid.config import MeasureSettings

BOOTSTRAP_SEED = 0  # one for all rows: the draws must be the same clips
_STATISTICS = ("warp_error", "sharpness_ratio", "temporal_difference_ratio", "flicker")
CLIP_VALUES = ("psnr", "ssim", *_STATISTICS, "pose_error")  # means over clips, weighted by frames
UNITS = {
    "rfd4": "mean over 4 random 2-D networks of the Fréchet distance / d; lower is better",
    "rfvd4": "mean over 4 random 3-D networks of the Fréchet distance / d; lower is better",
    "psnr": "dB, mean over frames",
    "ssim": "Gaussian window 11, sigma 1.5, mean over RGB",
    "warp_error": "grey levels, RMS along the true motion (warp_error_real: the truth itself)",
    "sharpness_ratio": "Laplacian energy over the truth's; 1 is as sharp",
    "temporal_difference_ratio": "frame-to-frame change over the truth's; below 1 frozen, above 1 jittery",
    "flicker": "grey levels of brightness change that the truth does not make",
    "miou_seg": "%, in-pipeline segmenter (miou_seg_ceiling: on the true frames)",
    "pose_error": "pixels between key-points found in generated and true frames, in-pipeline finder "
    "(pose_error_floor: found in true frames against the truth; pose_error_height: share of the height)",
}


def measure_quality(
    frames: Path, prepared: Path, evaluator: Path, settings: "MeasureSettings", out: Path
) -> None:
    """Write ``quality.json`` of one row: protocol, values, values per clip, and bootstrap replicates.

    Args:
        frames: archive of the row's generated frames, all frames of every test clip.
        prepared: the task's prepared store.
        evaluator: folder of the task's evaluator.
        settings: as the evaluator was trained with.
        out: ``.../<method>/<seed>/quality.json``; the row's name and seed are read off this path.

    Raises:
        SlimvidError: frames are missing or of another size, or the evaluator belongs to other data.
    """
    with evaluators.one_thread():
        task = PreparedTask(prepared, cache_mb=64)
        judge = evaluators.read_evaluator(evaluator, task, settings)
        seen = _look(judge, task, FrameArchive(frames), settings)
        values, replicates = _summary(judge, seen, task, settings)
    write_json(out, _document(judge, task, seen, values, replicates, settings, out))


@dataclass(kw_only=True)
class _Seen:
    """What has been measured of a row.

    Attributes:
        clips: the values of each clip.
        confusions: the label confusion of each clip, where there is a segmenter.
        features: of all generated samples, by metric, as ``Evaluator.real`` has the real ones.
        owners: clip number of every sample of "rfd4" and "rfvd4".
    """

    clips: dict[str, dict[str, Any]]
    confusions: list[np.ndarray]
    features: dict[str, np.ndarray]
    owners: dict[str, np.ndarray]


def _look(judge: Evaluator, task: PreparedTask, archive: FrameArchive, settings: "MeasureSettings") -> _Seen:
    """Read every generated clip once (once more for each standard network) and measure it."""
    infos = task.clips("test")
    places = evaluators.sample_places(task, "test", settings)
    clips: dict[str, dict[str, Any]] = {}
    confusions: list[np.ndarray] = []
    features: dict[str, list[np.ndarray]] = {"rfd4": [], "rfvd4": []}
    for number, info in enumerate(infos):
        drawn = _read_clip(archive, task, info)
        values, confusion = _clip_values(judge, task, info, drawn)
        clips[info.name] = {"frames": info.length, **values}
        if confusion is not None:
            confusions.append(confusion)
        for name, value in evaluators.clip_features(judge, drawn, places, number, settings.window).items():
            features[name].append(value)
    joined = {name: np.concatenate(value, axis=1) for name, value in features.items()}
    again = lambda: (_read_clip(archive, task, info) for info in infos)  # noqa: E731
    joined |= standard.clip_features(settings, again, [info.length for info in infos])
    owners = {name: np.array([place[0] for place in places[name]]) for name in features}
    return _Seen(clips=clips, confusions=confusions, features=joined, owners=owners)


def _read_clip(archive: FrameArchive, task: PreparedTask, info: ClipInfo) -> np.ndarray:
    """All generated frames of a test clip, uint8 T x H x W x 3; the archive must be complete."""
    have = set(archive.indices(info.name)) if info.name in archive.clips() else set()
    missing = [t for t in range(info.length) if t not in have]
    if missing:
        raise SlimvidError(
            f"{archive.path}: clip {info.name} lacks frame {missing[0]} ({len(missing)} of {info.length}); "
            "measure complete clips: interpolate the key-frames first, or translate again"
        )
    wanted = (task.meta.height, task.meta.width, 3)
    frames = [archive.frame(info.name, t) for t in range(info.length)]
    for t, frame in enumerate(frames):
        if frame.shape != wanted:
            raise SlimvidError(
                f"{archive.path}: frame {t} of clip {info.name} is {frame.shape[1]}x{frame.shape[0]}, the "
                f"task is {wanted[1]}x{wanted[0]}; translate again from the same prepared store"
            )
    return np.stack(frames)


def _clip_values(
    judge: Evaluator, task: PreparedTask, info: ClipInfo, drawn: np.ndarray
) -> tuple[dict[str, float | None], np.ndarray | None]:
    """The measures of one clip that need no set of clips, and its label confusion."""
    truth = evaluators.clip_frames(task, "test", info.name, info.length)
    motion = evaluators.clip_motion(task, "test", info.name, truth)
    reading = evaluators.read_clip(judge, task, info.name, drawn)
    matrix = reading["confusion"]
    pairs = list(zip(drawn, truth, strict=True))
    values = {
        "psnr": float(np.mean([similarity.psnr(a, b) for a, b in pairs])),
        "ssim": float(np.mean([similarity.ssim(a, b) for a, b in pairs])),
        "warp_error": video_stats.warping_error(drawn, *motion),
        "sharpness_ratio": video_stats.sharpness_ratio(drawn, truth),
        "temporal_difference_ratio": video_stats.temporal_difference_ratio(drawn, truth),
        "flicker": video_stats.flicker(drawn, truth),
        "miou_seg": None if matrix is None else mean_iou(matrix),
        "pose_error": _pose_error(judge, reading, truth),
    }
    return values, matrix


def _pose_error(judge: Evaluator, reading: dict[str, Any], truth: np.ndarray) -> float | None:
    """Mean distance between the points found in generated and in true frames; None without a finder."""
    if judge.finder is None:
        return None
    distances = [
        point_distances(found, find_points(judge.finder, frame, true), true)
        for found, true, frame in zip(reading["points"], reading["keypoints"], truth, strict=True)
    ]
    every = np.concatenate(distances)
    return float(every.mean()) if every.size else None


def _summary(
    judge: Evaluator, seen: _Seen, task: PreparedTask, settings: "MeasureSettings"
) -> tuple[dict[str, float | None], dict[str, list[float]]]:
    """Values over all clips, and their replicates on the common draws of clips."""
    draws = clip_draws(len(seen.clips), settings.bootstrap, seed=BOOTSTRAP_SEED)
    values: dict[str, float | None] = {}
    replicates: dict[str, list[float]] = {}
    for name, owner in seen.owners.items():
        real, drawn = judge.real[name], seen.features[name]
        values[name] = mean_frechet(real, drawn)
        if all(np.isin(owner, draw).sum() >= 2 for draw in draws):  # short clips have no windows
            replicates[name] = frechet_replicates(real, drawn, owner, draws)
    for name in CLIP_VALUES:
        values[name], replicates[name] = _clip_mean(seen, name, draws)
    values["miou_seg"] = mean_iou(sum(seen.confusions)) if seen.confusions else None
    if seen.confusions:
        replicates["miou_seg"] = [mean_iou(sum(seen.confusions[i] for i in draw)) for draw in draws]
    error = values["pose_error"]
    values["pose_error_height"] = None if error is None else error / task.meta.height
    return {**values, **judge.document["values"], **_standard_values(judge, seen)}, replicates


def _clip_mean(seen: _Seen, name: str, draws: list[np.ndarray]) -> tuple[float | None, list[float]]:
    """The mean of a clip value, weighted by frames, and its replicates (none if a clip lacks the value)."""
    each = [(clip[name], clip["frames"]) for clip in seen.clips.values()]
    known = [pair for pair in each if pair[0] is not None]
    if not known:
        return None, []
    values, weights = zip(*known, strict=True)
    whole = [np.arange(len(known))]
    again = mean_replicates(values, weights, draws) if len(known) == len(each) else []
    return mean_replicates(values, weights, whole)[0], again


def _standard_values(judge: Evaluator, seen: _Seen) -> dict[str, float | None]:
    values: dict[str, float | None] = {"fid": None, "kid": None, "fvd": None}
    if "fid" in seen.features:
        values["fid"] = frechet_distance(judge.real["fid"], seen.features["fid"])
        values["kid"] = kernel_distance(judge.real["fid"], seen.features["fid"])[0]
    if "fvd" in seen.features:
        values["fvd"] = frechet_distance(judge.real["fvd"], seen.features["fvd"])
    return values


def _document(
    judge: Evaluator,
    task: PreparedTask,
    seen: _Seen,
    values: dict[str, float | None],
    replicates: dict[str, list[float]],
    settings: "MeasureSettings",
    out: Path,
) -> dict[str, Any]:
    intervals = {n: interval(r) for n, r in replicates.items() if n not in seen.owners}
    spread = {n: half_sample_sd(judge.real[n], seen.features[n]) for n in seen.owners}
    seed = out.parent.name
    return {
        "task": task.meta.task,
        "method": out.parent.parent.name,
        "seed": int(seed) if seed.isdecimal() else None,
        "protocol": _protocol(judge, task, settings),
        "values": values,
        "uncertainty": {
            "interval_95_over_clips": {n: list(i) for n, i in intervals.items() if i is not None},
            "half_sample_sd": spread,
        },
        "clips": seen.clips,
        "bootstrap": {
            "repeats": settings.bootstrap,
            "seed": BOOTSTRAP_SEED,
            "resampled": "whole clips, the same in every row: differences of two rows are paired",
            "replicates": {n: [float(f"{v:.6g}") for v in r] for n, r in replicates.items() if r},
        },
    }


def _protocol(judge: Evaluator, task: PreparedTask, settings: "MeasureSettings") -> dict[str, Any]:
    made, meta = judge.document, task.meta
    both = {"d": made["protocol"]["features"], "networks": len(made["protocol"]["seeds"])}
    protocol = {
        "evaluator": judge.identity,
        "data": meta.source,
        "data_sha256": made["data"],
        "height": meta.height,
        "width": meta.width,
        "clips": len(task.clips("test")),
        "frames": sum(info.length for info in task.clips("test")),
        "rfd4": {"extractor": made["extractors"]["rfd4"], "n": made["samples"]["rfd4"], **both, "frames": 1},
        "rfvd4": {
            **{"extractor": made["extractors"]["rfvd4"], "n": made["samples"]["rfvd4"], **both},
            **{"frames": settings.window, "stride": settings.window_stride},
        },
        "tile": made["protocol"]["tile"],
        "floor": "two random halves of the real samples, so at n / 2",
        "iterations": made["protocol"]["iterations"],
        "units": UNITS,
        "device": "cpu",
        "precision": "fp32",
    }
    if settings.inception:
        protocol["fid"] = {"evaluator": "official:" + made["protocol"]["inception_sha256"][:8]}
        protocol["fid"] |= {"n": made["samples"]["fid"], "d": int(judge.real["fid"].shape[1])}
        protocol["fid"]["resize"] = "torch bilinear 299, no antialias (pytorch-fid)"
    if settings.i3d:
        protocol["fvd"] = {"evaluator": "official:" + made["protocol"]["i3d_sha256"][:8]}
        protocol["fvd"] |= {"preset": "fvd-sgv", "n": made["samples"]["fvd"], "d": 400, "frames": 16}
    return protocol

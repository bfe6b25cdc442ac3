"""How good a row's frames are: every generated test frame against the true one, by the embedded evaluator.

The document says with every number what measured it, and a hash of the whole protocol: figures of two hashes
are not comparable. `fid`, `kid` and `fvd` are filled only where the standard networks' weights were given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slimvid.data.store import ClipInfo, FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json, write_json
from slimvid.measure import distances, perceptual, similarity, standard, video_stats
from slimvid.measure import evaluator as evaluators
from slimvid.measure.distances import DISTANCES, FRAMES
from slimvid.measure.evaluator import Evaluator
from slimvid.measure.frechet import (
    distance_per_dimension,
    frechet_distance,
    frechet_replicates,
    half_sample_sd,
)
from slimvid.measure.kid import kernel_distance, squared_mmd
from slimvid.measure.label_scores import label_scores
from slimvid.measure.pose_error import find_points, point_distances
from slimvid.measure.quality_protocol import UNITS, judged_data, judged_samples
from slimvid.measure.real import Real, read_real
from slimvid.measure.resample import clip_draws, interval, mean_replicates
from slimvid.measure.segmenter import mean_iou
from slimvid.runtime import log

if TYPE_CHECKING:
    from slimvid.settings import MeasureSettings

KERNEL_SAMPLES = 2048
BOOTSTRAP_SEED = 0  # one for all rows: the draws must be the same clips
_STATISTICS = ("warp_error", "sharpness_ratio", "temporal_difference_ratio", "flicker")
_PERCEPTUAL = ("perceptual_st_lpips", "temporal_perceptual_st_lpips")
CLIP_VALUES = (
    *_PERCEPTUAL,
    "psnr",
    "ssim",
    *_STATISTICS,
    "pose_error",
)  # means over clips, weighted by frames


def measure_quality(
    frames: Path,
    prepared: Path,
    evaluator: Path,
    settings: "MeasureSettings",
    out: Path,
    *,
    skip_first: int = 0,
) -> None:
    """Write ``quality.json`` of one row: protocol, values, values per clip, and bootstrap replicates.

    Args:
        frames: archive of the row's generated frames, all frames of every test clip.
        prepared: the task's prepared store.
        evaluator: folder of the task's evaluator, and of what the real frames measure by it.
        settings: as the evaluator was trained with.
        out: ``.../<method>/<seed>/quality.json``; the row's name and seed are read off this path.
        skip_first: frames at the start of every clip that no measure looks at, because the translator was
            given them (true first frames).

    Raises:
        SlimvidError: frames are missing or of another size, the evaluator belongs to other data, or too few
            frames are left.
    """
    with evaluators.one_thread():
        task = PreparedTask(prepared, splits=("test",), cache_mb=64)
        judge = evaluators.read_evaluator(evaluator, task, settings)
        real = read_real(evaluator, judge)
        seen = _look(judge, real, task, FrameArchive(frames), settings, skip_first)
        values, replicates = _summary(seen, task, settings)
    write_json(out, _document(judge, task, seen, values, replicates, settings, out))


@dataclass(kw_only=True)
class _Seen:
    """What has been measured of a row.

    Attributes:
        clips: the values of each clip.
        confusions: the label confusion of each clip, where there is a segmenter; label_confusions: those of
            the label scores, where the task has such.
        features: of all generated samples, by metric.
        real: of the true samples, in the same order. bounds: floors and ceilings, of the true frames.
        owners: clip number of every sample of the distances that have enough.
        skipped: frames at the start of every clip that were left out.
    """

    clips: dict[str, dict[str, Any]]
    confusions: list[np.ndarray]
    label_confusions: list[np.ndarray]
    features: dict[str, np.ndarray]
    real: dict[str, np.ndarray]
    bounds: dict[str, float | None]
    owners: dict[str, np.ndarray]
    skipped: int


def _look(
    judge: Evaluator,
    real: Real,
    task: PreparedTask,
    archive: FrameArchive,
    settings: "MeasureSettings",
    skip: int,
) -> _Seen:
    """Read every generated clip once (once more for each standard network) and measure it."""
    infos = task.clips("test")
    lengths = clip_lengths(task, "test", skip)
    places = distances.sample_places(task, "test")
    places = {name: each for name, each in places.items() if name in real.features}
    keep = kept({**places, **standard.sample_starts(settings, lengths)}, skip)
    where = f"{task.root}, split test" + (f" after {skip} given frames" if skip else "")
    places = {name: places[name] for name in _measured(keep, settings, where=where)}
    clips: dict[str, dict[str, Any]] = {}
    readings: list[dict[str, Any]] = []
    features: dict[str, list[np.ndarray]] = {name: [] for name in places}
    for number, info in enumerate(infos):
        drawn = _read_clip(archive, task, info)
        values, reading = _clip_values(judge, task, info, drawn, skip)
        clips[info.name] = {"frames": info.length - skip, **values}
        readings.append(reading)
        for name, value in distances.clip_features(judge.maps, drawn, places, number).items():
            features[name].append(value)
    joined = {name: np.concatenate(value) for name, value in features.items()}

    def again() -> Iterator[np.ndarray]:
        return (_read_clip(archive, task, info) for info in infos)

    joined |= standard.clip_features(settings, again, lengths)
    return _Seen(
        clips=clips,
        confusions=[r["confusion"] for r in readings if r.get("confusion") is not None],
        label_confusions=[r["label_confusion"] for r in readings if r.get("label_confusion") is not None],
        features={name: value[keep[name]] for name, value in joined.items()},
        real={name: real.features[name][keep[name]] for name in joined},
        bounds=real.values,
        owners={name: np.array([place[0] for place in places[name]])[keep[name]] for name in features},
        skipped=skip,
    )


def clip_lengths(task: PreparedTask, split: str, skip: int) -> list[int]:
    """Frames of each clip of a split, all more than the ``skip`` given ones.

    Raises:
        SlimvidError: a clip has no frame left to measure.
    """
    lengths = [info.length for info in task.clips(split)]
    if min(lengths) <= skip:
        raise SlimvidError(
            f"{task.root}: a {split} clip has {min(lengths)} frames and the first {skip} are given; "
            "prepare longer clips"
        )
    return lengths


def kept(samples: dict[str, list[tuple]], skip: int) -> dict[str, np.ndarray]:
    """Which samples, (clip, first frame, ...), begin at or after frame ``skip``: a mask per metric."""
    return {name: np.array([sample[1] >= skip for sample in each], bool) for name, each in samples.items()}


def _measured(keep: dict[str, np.ndarray], settings: "MeasureSettings", *, where: str) -> list[str]:
    """The distances that have enough samples, decided before anything is looked at.

    Raises:
        SlimvidError: a metric of a standard network has too few; names it and what it takes.
    """
    counts = {name: int(mask.sum()) for name, mask in keep.items()}
    for name in counts.keys() - DISTANCES.keys():
        if counts[name] < 4:
            raise SlimvidError(f"{where}: {counts[name]} samples of {name}, it takes 4; prepare longer clips")
    own = {name: count for name, count in counts.items() if name in DISTANCES}
    return distances.measurable(own, settings.dimensions, where=where)


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
    judge: Evaluator, task: PreparedTask, info: ClipInfo, drawn: np.ndarray, skip: int
) -> tuple[dict[str, float | None], dict[str, Any]]:
    """The measures of one clip that need no set of clips, and what the readers saw in it."""
    if "test" not in task.meta.aligned:  # the stored frames are no truth of these conditions
        return dict.fromkeys((*CLIP_VALUES, "miou_seg")), {}
    truth = evaluators.clip_frames(task, "test", info.name, info.length)
    flow, valid = evaluators.clip_motion(task, "test", info.name, truth)
    drawn, truth, flow, valid = drawn[skip:], truth[skip:], flow[skip:], valid[skip:]
    reading = evaluators.read_clip(judge, task, "test", info.name, drawn, first=skip)
    matrix = reading["confusion"]
    values = {
        **_perceptual(drawn, truth),
        **likeness(drawn, truth),
        "warp_error": video_stats.warping_error(drawn, flow, valid),
        "sharpness_ratio": video_stats.sharpness_ratio(drawn, truth),
        "temporal_difference_ratio": video_stats.temporal_difference_ratio(drawn, truth),
        "flicker": video_stats.flicker(drawn, truth),
        "miou_seg": None if matrix is None else mean_iou(matrix),
        "pose_error": _pose_error(judge, reading, truth),
    }
    return values, reading


def _perceptual(drawn: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    """Means of a clip's perceptual distances; no temporal one of a single frame."""
    each = perceptual.compare(drawn, truth)
    means = (float(values.mean()) if values.size else None for values in each)
    return dict(zip(_PERCEPTUAL, means, strict=True))


def likeness(drawn: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean PSNR (dB) and SSIM of a clip's frames with the true ones; both uint8 T x H x W x 3."""
    pairs = list(zip(drawn, truth, strict=True))
    return {
        "psnr": float(np.mean([similarity.psnr(a, b) for a, b in pairs])),
        "ssim": float(np.mean([similarity.ssim(a, b) for a, b in pairs])),
    }


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
    seen: _Seen, task: PreparedTask, settings: "MeasureSettings"
) -> tuple[dict[str, float | None], dict[str, list[float]]]:
    """Values over all clips, and their replicates on the common draws of clips."""
    draws = clip_draws(len(seen.clips), settings.bootstrap, seed=BOOTSTRAP_SEED)
    if len(seen.clips) < 2:
        log.warning("%s: one test clip, so no spread over clips; prepare more (test_clips)", task.root)
    values: dict[str, float | None] = dict.fromkeys((*DISTANCES, "frame_kernel_lite0"))
    replicates: dict[str, list[float]] = {}
    for name, owner in seen.owners.items():
        real, drawn = seen.real[name], seen.features[name]
        values[name] = distance_per_dimension(real, drawn)
        replicates[name] = frechet_replicates(real, drawn, owner, draws)
    if FRAMES in seen.owners:
        paired = "test" in task.meta.aligned
        values["frame_kernel_lite0"] = frame_kernel(seen.real[FRAMES], seen.features[FRAMES], paired=paired)
    for name in CLIP_VALUES:
        values[name], replicates[name] = _clip_mean(seen, name, draws)
    values["miou_seg"] = mean_iou(sum(seen.confusions)) if seen.confusions else None
    if seen.confusions:
        replicates["miou_seg"] = [mean_iou(sum(seen.confusions[i] for i in draw)) for draw in draws]
    if seen.label_confusions:  # viper2label, label2viper
        palette = task.meta.palette
        values |= label_scores(sum(seen.label_confusions), palette)
        again = [label_scores(sum(seen.label_confusions[i] for i in draw), palette) for draw in draws]
        replicates |= {name: [scores[name] for scores in again] for name in again[0]} if again else {}
    error = values["pose_error"]
    values["pose_error_height"] = None if error is None else error / task.meta.height
    return {**values, **seen.bounds, **_standard_values(seen)}, replicates


def frame_kernel(real: np.ndarray, drawn: np.ndarray, *, paired: bool) -> float:
    """The kernel form of the frame distance, of at most 2048 samples, evenly spread; inputs n x d."""
    chosen = np.linspace(0, len(real) - 1, min(len(real), KERNEL_SAMPLES)).round().astype(int)
    return squared_mmd(real[chosen], drawn[chosen], paired=paired)


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


def _standard_values(seen: _Seen) -> dict[str, float | None]:
    values: dict[str, float | None] = {"fid": None, "kid": None, "fvd": None}
    if "fid" in seen.features:
        values["fid"] = frechet_distance(seen.real["fid"], seen.features["fid"])
        values["kid"] = kernel_distance(seen.real["fid"], seen.features["fid"])[0]
    if "fvd" in seen.features:
        values["fvd"] = frechet_distance(seen.real["fvd"], seen.features["fvd"])
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
    spread = {n: half_sample_sd(seen.real[n], seen.features[n]) for n in seen.owners}
    seed = out.parent.name
    return {
        "task": task.meta.task,
        "method": out.parent.parent.name,
        "seed": int(seed) if seed.isdecimal() else None,
        "protocol": _protocol(judge, task, seen, settings),
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


def _protocol(
    judge: Evaluator, task: PreparedTask, seen: _Seen, settings: "MeasureSettings"
) -> dict[str, Any]:
    made, meta = judge.document, task.meta
    count = {name: len(value) for name, value in seen.features.items()}
    protocol = {
        **judged_data(judge, task),
        "split": "test",
        "clips": len(seen.clips),
        "frames": sum(clip["frames"] for clip in seen.clips.values()),
        "skipped_first_frames": seen.skipped,
        "paired": "test" in meta.aligned,
        **judged_samples(judge, count),
        "floor": "two random halves of all real samples, so at n / 2; ceilings are of all real test frames",
        "iterations": made["protocol"]["iterations"],
        "units": UNITS,
        "device": "cpu",
        "precision": "fp32",
    }
    places = distances.sample_places(task, "test")
    if left_out := [name for name in places if name not in seen.features]:
        protocol["left_out"] = left_out  # too few samples
    if seen.label_confusions:
        in_pipeline = "in-pipeline segmenter" if judge.fcn is None else "FCN-8s"
        reader = "nearest palette colour" if meta.label_frames else in_pipeline
        protocol["label_scores"] = {"reader": reader, "protocols": ["unsup-eval (post-hoc)", "fixed"]}
    if settings.inception:
        resize = "torch bilinear 299, no antialias (pytorch-fid)"
        protocol["fid"] = {**_official(made["protocol"]["inception_sha256"], seen, "fid"), "resize": resize}
    if settings.i3d:
        preset = {"preset": "fvd-sgv", "frames": standard.I3D_FRAMES, "stride": settings.window_stride}
        protocol["fvd"] = {**_official(made["protocol"]["i3d_sha256"], seen, "fvd"), **preset}
    return {"hash": sha256_json(protocol)[:8], **protocol}


def _official(sha256: str, seen: _Seen, name: str) -> dict[str, Any]:
    n, d = seen.features[name].shape
    return {"evaluator": f"official:{sha256[:8]}", "n": n, "d": d}

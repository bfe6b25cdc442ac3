"""What real frames measure by a task's evaluator: features, floors and ceilings that rows are set against.

The step `measure-real` does it for the test split, once per task: `real.json` names the evaluator and holds
floors and ceilings, `real.safetensors` the features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from slimvid.artifact import read_tensors, save_tensors
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json, sha256_file, write_json
from slimvid.measure import distances, perceptual, standard
from slimvid.measure import evaluator as evaluators
from slimvid.measure.evaluator import Evaluator
from slimvid.measure.frechet import half_sample_floor
from slimvid.measure.label_scores import label_scores
from slimvid.measure.lite_features import STILL
from slimvid.measure.pose_error import point_distances
from slimvid.measure.segmenter import mean_iou
from slimvid.measure.video_stats import warping_error

if TYPE_CHECKING:
    from slimvid.settings import MeasureSettings

FORMAT = 2
DOCUMENT, FEATURES = "real.json", "real.safetensors"


@dataclass(frozen=True, kw_only=True)
class Real:
    """What the real frames of a split measure.

    Attributes:
        features: of the samples, by metric: the distances that have enough of them (n x dimensions) and,
            where their weights were given, "fid" (n x 2048) and "fvd" (n x 400).
        values: floors and ceilings by the name of their column; None where the task has no such measure.
    """

    features: dict[str, np.ndarray]
    values: dict[str, float | None]


def measure_real(prepared: Path, evaluator: Path, settings: "MeasureSettings") -> None:
    """Measure the real test frames of a task; writes real.json and real.safetensors into ``evaluator``.

    Args:
        prepared: the task's prepared store.
        evaluator: folder of the task's evaluator.
        settings: as the evaluator was trained with.

    Raises:
        SlimvidError: the evaluator belongs to other data, frames that are too small, or standard weights of
            another hash.
    """
    with evaluators.one_thread():
        task = PreparedTask(prepared, splits=("test",), cache_mb=64)
        judge = evaluators.read_evaluator(evaluator, task, settings)
        real = look(judge, task, "test", settings)
    tensors = {name: torch.from_numpy(value) for name, value in real.features.items()}
    save_tensors(evaluator / FEATURES, tensors)
    document = {  # after the features, so that a real.json on disk is always whole
        "format": FORMAT,
        "task": task.meta.task,
        "split": "test",
        "evaluator": judge.document["id"],
        "samples": {name: len(value) for name, value in real.features.items()},
        "values": real.values,
        "features_sha256": sha256_file(evaluator / FEATURES),
    }
    write_json(evaluator / DOCUMENT, document)


def read_real(folder: Path, judge: Evaluator) -> Real:
    """What `measure_real` wrote, if it did so by this evaluator.

    Raises:
        SlimvidError: a file is missing or damaged, or of another evaluator.
    """
    document = read_json(folder / DOCUMENT)
    again = "run `slimvid measure-real` again"
    if document.get("format") != FORMAT:
        raise SlimvidError(f"{folder / DOCUMENT}: format {document.get('format')!r} is not {FORMAT}; {again}")
    if document.get("evaluator") != judge.document["id"]:
        raise SlimvidError(f"{folder / DOCUMENT}: measured by another evaluator than lies beside it; {again}")
    features = {name: tensor.numpy() for name, tensor in read_tensors(folder / FEATURES).items()}
    if sha256_file(folder / FEATURES) != document["features_sha256"]:
        raise SlimvidError(f"{folder / FEATURES}: not the features that {DOCUMENT} names (SHA-256); {again}")
    return Real(features=features, values=document["values"])


def look(judge: Evaluator, task: PreparedTask, split: str, settings: "MeasureSettings") -> Real:
    """Measure a split's real frames clip by clip; each is read once (once more for each standard network)."""
    places = {name: each for name, each in distances.sample_places(task, split).items() if name in judge.maps}
    counts = {name: len(each) for name, each in places.items()}
    names = distances.measurable(counts, settings.dimensions, where=f"{task.root}, split {split}")
    places = {name: places[name] for name in names}
    features: dict[str, list[np.ndarray]] = {name: [] for name in places}
    readings: list[dict[str, Any]] = []
    infos = task.clips(split)
    for number, info in enumerate(infos):
        frames = evaluators.clip_frames(task, split, info.name, info.length)
        for key, value in distances.clip_features(judge.maps, frames, places, number).items():
            features[key].append(value)
        reading = evaluators.read_clip(judge, task, split, info.name, frames)
        reading["warp"] = warping_error(frames, *evaluators.clip_motion(task, split, info.name, frames))
        reading["late"] = perceptual.neighbour_distances(frames)
        readings.append(reading)
    joined = {key: np.concatenate(value) for key, value in features.items()}
    for name, value in joined.items():
        if not value.std(axis=0).max() > STILL:
            raise SlimvidError(
                f"{task.root}: by {name} the real {split} frames are all alike, so nothing can be measured "
                "against them; prepare the task with clips in which something moves"
            )
    floors = {f"{name}_floor": None for name in distances.DISTANCES}
    floors |= {f"{key}_floor": half_sample_floor(value) for key, value in joined.items()}

    def again() -> Iterator[np.ndarray]:
        return (evaluators.clip_frames(task, split, i.name, i.length) for i in infos)

    joined |= standard.clip_features(settings, again, [info.length for info in infos])
    warps = [r["warp"] for r in readings if r["warp"] is not None]
    late = np.concatenate([r["late"] for r in readings])
    values = {
        **floors,
        "perceptual_st_lpips_floor": float(late.mean()) if late.size else None,
        "warp_error_real": float(np.mean(warps)) if warps else None,
        "miou_seg_ceiling": _ceiling(readings),
        **_label_ceilings(task, readings),
        "pose_error_floor": _floor(readings),
    }
    return Real(features=joined, values=values)


def _label_ceilings(task: PreparedTask, readings: list[dict[str, Any]]) -> dict[str, float | None]:
    """The label scores of the true frames, where the task has label scores."""
    matrices = [r["label_confusion"] for r in readings if r["label_confusion"] is not None]
    scores = label_scores(sum(matrices), task.meta.palette) if matrices else {}
    return {f"{name}_ceiling": value for name, value in scores.items()}


def _ceiling(readings: list[dict[str, Any]]) -> float | None:
    matrices = [r["confusion"] for r in readings if r["confusion"] is not None]
    return mean_iou(sum(matrices)) if matrices else None


def _floor(readings: list[dict[str, Any]]) -> float | None:
    distances = [
        point_distances(found, true[..., :2], true)
        for r in readings
        for found, true in zip(r["points"], r["keypoints"], strict=True)
    ]
    every = np.concatenate(distances) if distances else np.empty(0)
    return float(every.mean()) if every.size else None

"""The embedded evaluator of a task: the maps of its two set distances, a segmenter or a key-point finder.

It is fitted once per task on the real *training* frames, the only ones that it opens, and judges every row
of that task. What real frames of another split measure by it, `slimvid.measure.real` says. `evaluator.json`
names everything with its hash; `weights.safetensors` holds what was fitted. The two files' bytes depend on
the prepared data, the settings, the packaged networks and the torch build only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from slimvid.artifact import read_tensors, save_tensors
from slimvid.data.flow import clip_flow
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json, sha256_file, sha256_json, write_json
from slimvid.measure import segmenter as segmenters
from slimvid.measure import standard
from slimvid.measure.dilated import DilatedNet
from slimvid.measure.distances import DISTANCES, fit_maps
from slimvid.measure.fcn import FCN8s, fcn_segment, load_fcn
from slimvid.measure.label_scores import picture_confusion
from slimvid.measure.lite_features import CELL, MAX_FRAMES, STAGES, FeatureMap
from slimvid.measure.packaged_networks import LITE0, SHIFT_TOLERANT
from slimvid.measure.perceptual import RUN, RUNS
from slimvid.measure.pose_error import find_points, new_finder, train_finder
from slimvid.measure.segmenter import Segmenter, confusion, segment, train_segmenter
from slimvid.runtime import set_threads
from slimvid.weights import I3D_SHA256

if TYPE_CHECKING:
    from slimvid.settings import MeasureSettings

FORMAT = 4
DOCUMENT, WEIGHTS = "evaluator.json", "weights.safetensors"
TRAINING_FRAMES, TRAINING_BYTES = 512, 256 << 20  # of the segmenter and the finder; evenly spread


@dataclass(kw_only=True)
class Evaluator:
    """A task's judge.

    Attributes:
        document: what evaluator.json says.
        maps: of the distances that the training frames sufficed for, by name.
        segmenter: of a task whose frames are photographs of known labels, else None.
        finder: of a task whose condition is a pose, else None.
        fcn: the papers' FCN-8s, where its weights were given and the task has Viper's classes.
    """

    document: dict[str, Any]
    maps: dict[str, FeatureMap]
    segmenter: Segmenter | None
    finder: DilatedNet | None
    fcn: FCN8s | None

    @property
    def identity(self) -> str:
        """Short id that every protocol states; values of two ids must not share a column."""
        return "embedded:" + self.document["id"][:8]

    @property
    def classes(self) -> int:
        return int(self.document["classes"])


def train_evaluator(prepared: Path, settings: "MeasureSettings", out: Path) -> None:
    """Train the evaluator of a prepared task; writes evaluator.json and weights.safetensors.

    Runs on the CPU with one thread, so that the bytes are the same on every machine of one kind.

    Args:
        prepared: the task's prepared store.
        settings: dimensions, iterations, and paths of standard weights if there are any.
        out: folder of the two files.

    Raises:
        SlimvidError: frames that do not vary, or a network's package is not installed.
    """
    with one_thread():
        task = PreparedTask(prepared, splits=("train",), cache_mb=64)
        judge = _build(task, settings)
        judge.maps = fit_maps(task, settings.dimensions)
        judge.document["distances"] = list(judge.maps)
        _train_readers(judge, task, settings)
        _write(judge, out)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order: real and generated features, and two runs, must agree to the last bit."""
    threads = torch.get_num_threads()
    set_threads(1)
    try:
        yield
    finally:
        set_threads(threads)


def read_evaluator(path: Path, task: PreparedTask, settings: "MeasureSettings") -> Evaluator:
    """Read an evaluator and check that it belongs to this data and these settings.

    Raises:
        SlimvidError: a file is missing or damaged, or the evaluator is of other data or settings.
    """
    document = read_json(path / DOCUMENT)
    again = "run `slimvid train-evaluator` again"
    if document.get("format") != FORMAT:
        raise SlimvidError(f"{path / DOCUMENT}: format {document.get('format')!r} is not {FORMAT}; {again}")
    if document.get("data") != task.digest:
        raise SlimvidError(f"{path / DOCUMENT}: trained on other data than {task.root} holds now; {again}")
    wanted = _protocol(settings)
    for name, value in wanted.items():
        if document["protocol"].get(name) != value:
            made = document["protocol"].get(name)
            raise SlimvidError(
                f"{path / DOCUMENT}: made with {name} {made}, the config says {value}; {again}"
            )
    tensors = read_tensors(path / WEIGHTS)
    if sha256_file(path / WEIGHTS) != document["weights_sha256"]:
        raise SlimvidError(f"{path / WEIGHTS}: not the weights that {DOCUMENT} names (SHA-256); {again}")
    judge = _build(task, settings)
    judge.maps = {
        name: FeatureMap(DISTANCES[name].inputs, settings.dimensions) for name in document["distances"]
    }
    judge.document = document
    for prefix, module in _modules(judge).items():
        own = {n[len(prefix) + 1 :]: t for n, t in tensors.items() if n.startswith(prefix + ".")}
        module.load_state_dict(own)
    return judge


def clip_frames(task: PreparedTask, split: str, clip: str, length: int) -> np.ndarray:
    """All true frames of a clip: uint8 T x H x W x 3."""
    return np.stack([task.frame(split, clip, i) for i in range(length)])


def clip_motion(
    task: PreparedTask, split: str, clip: str, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The true clip's backward flow, T x 2 x H x W, and validity, T x H x W: the store's, else DIS'.

    ``frames`` have been read from the store, so that damage was found before; what is left to fail at the
    flow of frame 0 is a store that has none.
    """
    try:
        task.flow(split, clip, 0)
    except SlimvidError:
        return clip_flow(frames)
    both = [task.flow(split, clip, t) for t in range(len(frames))]
    return np.stack([flow for flow, _ in both]), np.stack([valid for _, valid in both])


def _protocol(settings: "MeasureSettings") -> dict[str, Any]:
    return {
        "dimensions": settings.dimensions,
        "lite0_sha256": LITE0.sha256,
        "st_lpips_sha256": SHIFT_TOLERANT.sha256,
        "cell": CELL,
        "stages": list(STAGES),
        "max_frames": MAX_FRAMES,
        "perceptual_runs": [RUNS, RUN],
        "iterations": settings.segmenter_iterations,
        "segmenter_stages": list(segmenters.STAGES),
        "window_stride": settings.window_stride,
        "inception_sha256": standard.INCEPTION_SHA256 if settings.inception else None,
        "i3d_sha256": I3D_SHA256 if settings.i3d else None,
        "fcn_sha256": sha256_file(settings.fcn) if settings.fcn and settings.fcn.is_file() else None,
    }


def _build(task: PreparedTask, settings: "MeasureSettings") -> Evaluator:
    """The untrained networks that a task's kind of condition asks for."""
    meta = task.meta
    classes, pairs = (
        len(meta.classes),
        "test" in meta.aligned,
    )  # else there is no truth to read frames against
    document = {
        "format": FORMAT,
        "task": meta.task,
        "source": meta.source,
        "data": task.digest,
        "height": meta.height,
        "width": meta.width,
        "classes": classes,
        "protocol": _protocol(settings),
    }
    return Evaluator(
        document=document,
        maps={},
        segmenter=Segmenter(classes) if pairs and classes and not meta.label_frames else None,
        finder=new_finder() if pairs and meta.condition.kind == "pose" else None,
        fcn=load_fcn(settings.fcn) if settings.fcn and _fcn_knows(task) else None,
    )


def _fcn_knows(task: PreparedTask) -> bool:
    """Whether the frames are photographs of the classes that the papers' FCN-8s was trained on."""
    from slimvid.data.viper import NAMES

    return "test" in task.meta.aligned and task.meta.classes == NAMES and not task.meta.label_frames


def _modules(judge: Evaluator) -> dict[str, Any]:
    named = {**judge.maps, "segmenter": judge.segmenter, "finder": judge.finder}
    return {name: module.eval() for name, module in named.items() if module is not None}


def _train_readers(judge: Evaluator, task: PreparedTask, settings: "MeasureSettings") -> None:
    """Train the segmenter (label maps) or the finder (poses) on real training frames."""
    if judge.segmenter is None and judge.finder is None:
        return
    meta = task.meta
    limit = min(TRAINING_FRAMES, max(TRAINING_BYTES // (3 * meta.height * meta.width), 8))
    rows = [(info.name, i) for info in task.clips("train") for i in range(info.length)]
    rows = _spread(rows, limit)
    frames = [task.frame("train", *row) for row in rows]
    iterations = settings.segmenter_iterations
    if judge.segmenter is not None:
        labels = [task.labels("train", *row) for row in rows]
        judge.segmenter = train_segmenter(frames, labels, classes=judge.classes, iterations=iterations)
    if judge.finder is not None:
        points = [task.keypoints("train", *row) for row in rows]
        judge.finder = train_finder(frames, points, iterations=iterations)


def read_clip(
    judge: Evaluator, task: PreparedTask, split: str, name: str, frames: np.ndarray, *, first: int = 0
) -> dict[str, Any]:
    """What the segmenter and the finder see in the frames of a clip (from ``first`` on).

    Returns:
        "confusion": int64 classes x classes against the true labels, None without a segmenter;
        "label_confusion": the one of the label scores, None where the task has none; "points": list of
        float64 P x 25 x 2 found points, "keypoints": the true ones, both empty without a finder.
    """
    segmented, scored, points, keypoints = [], [], [], []
    for t, frame in enumerate(frames, start=first):
        if judge.segmenter is not None:
            found = segment(judge.segmenter, frame)
            segmented.append(confusion(task.labels(split, name, t), found, judge.classes))
        if task.meta.label_frames:
            scored.append(picture_confusion(task.labels(split, name, t), frame, task.meta.palette))
        elif judge.fcn is not None:
            found = fcn_segment(judge.fcn, frame)
            scored.append(confusion(task.labels(split, name, t), found, judge.classes))
        if judge.finder is not None:
            keypoints.append(task.keypoints(split, name, t))
            points.append(find_points(judge.finder, frame, keypoints[-1]))
    if task.meta.palette and judge.fcn is None and judge.segmenter is not None:
        scored = segmented
    matrices = {"confusion": segmented, "label_confusion": scored}
    summed = {key: sum(found) if found else None for key, found in matrices.items()}
    return {**summed, "points": points, "keypoints": keypoints}


def _write(judge: Evaluator, out: Path) -> None:
    """The weights first, so that an evaluator.json on disk is always whole."""
    tensors: dict[str, torch.Tensor] = {}
    for prefix, module in _modules(judge).items():
        tensors |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
    save_tensors(out / WEIGHTS, tensors)
    document = judge.document
    document["weights_sha256"] = sha256_file(out / WEIGHTS)
    write_json(out / DOCUMENT, {"id": sha256_json(document), **document})


def _spread(items: list, limit: int) -> list:
    """At most ``limit`` items, evenly spaced."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(len(items), limit)).round().astype(int)]

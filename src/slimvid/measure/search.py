"""The search: a task's Shortcut blocks under a list of plans, and which of them nothing else beats.

Shortcut-V2V sets width, teacher dependence and interval by hand; its limitations leave the choice to NAS.
Here rows of the config are the widths and cuts, trained once each; a trained block walks by any plan, so
intervals and budgets cost no training. Every point is a row under a plan: true MACs, the mean per output
frame with the full frames that its streams really drew, against the video distance.

The front is a choice, so it is made on the validation clips. The test split is not opened: settings that are
taken here become rows of a table, and there they are reported.

All points are measured in one process, clip by clip, so that the evaluator is read once and every true frame
is decoded once.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slimvid.data.store import ClipInfo, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json, write_json
from slimvid.infer.translator import Translator, load
from slimvid.measure import distances
from slimvid.measure import evaluator as evaluators
from slimvid.measure.cost import GIGA, shortcut_cost, translator_cost
from slimvid.measure.distances import FRAMES, VIDEO
from slimvid.measure.evaluator import Evaluator
from slimvid.measure.frechet import distance_per_dimension, half_sample_sd
from slimvid.measure.quality import clip_lengths, kept, likeness
from slimvid.measure.quality_protocol import UNITS, judged_data, judged_samples
from slimvid.pareto import pareto_front
from slimvid.runtime import Progress
from slimvid.settings import PlanSettings

if TYPE_CHECKING:
    from slimvid.settings import MeasureSettings, SearchSettings

SPLIT = "val"
METRICS = (FRAMES, VIDEO)
SPREAD = f"{VIDEO}_sd"
PROTOCOL = {
    "macs_g": "true MACs, mean per output frame of these clips with the full frames really drawn, 1e9",
    "full_frame_share": "of the frames that a network drew: those that the whole network drew",
    "front": "no other point costs at most as much and has less video distance, or costs less for as much",
    "half_sample_sd": "how much video distance moves with the samples: over random halves, so a little wide",
    **{name: UNITS[name] for name in (*METRICS, "psnr", "ssim")},
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What all points are measured by: the clips of a split and their judge.

    Attributes:
        split: "val", to choose by; a comparison that is only reported may take another.
        real: features of the true samples by metric and clip number, filled while the points walk.
        places: where samples lie, by metric. keep: which of them count; the others begin at given frames.
        lengths: frames of each clip. skip: given frames at the start of a clip, which no measure looks at.
    """

    task: PreparedTask
    split: str
    judge: Evaluator
    places: dict[str, list[tuple]]
    keep: dict[str, np.ndarray]
    lengths: list[int]
    skip: int
    real: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Point:
    """A trained network under a plan, and what its streams gave so far.

    Attributes:
        row: of the config. translator: with the plan.
        full: frames that the whole network drew; drawn: that it or the block drew.
        features: of the clips' samples, by metric, each n x dimensions. similar: PSNR and SSIM of each clip.
    """

    row: str
    translator: Translator
    full: int = 0
    drawn: int = 0
    features: dict[str, list[np.ndarray]] = field(default_factory=dict)
    similar: list[dict[str, float]] = field(default_factory=list)

    def stream(self, trial: Trial) -> Iterator[np.ndarray]:
        """The frames of all clips as one stream; counts the full ones as it goes."""
        task, split = trial.task, trial.split
        conditions = (
            task.condition(split, clip.name, i) for clip in task.clips(split) for i in range(clip.length)
        )
        seen: list[int] = []
        for frame in self.translator.draw(conditions, in_full=seen):
            self.full += len(seen)
            seen.clear()
            yield frame


def search(
    artifacts: Mapping[str, Path],
    prepared: Path,
    evaluator: Path,
    searched: "SearchSettings",
    settings: "MeasureSettings",
    out: Path,
    *,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Measure every row under every plan on "val", mark the Pareto front, and write the search's document.

    Args:
        artifacts: folders by row: ``original``, which is a point of its own, and ``searched.methods``.
        prepared: the task's prepared store. evaluator: folder of the task's evaluator.
        settings: as the evaluator was trained with.
        out: the JSON document: protocol, and one entry per point in the order of the config.

    Raises:
        SlimvidError: an artifact or the evaluator is missing or of other data, or a row has no block.
    """
    rows = {row: load(path, device=device, threads=threads) for row, path in artifacts.items()}
    original = rows["original"]
    trial = open_trial(prepared, evaluator, settings, skip=original.given)
    points = [Point(row="original", translator=original)]
    for row in searched.methods:
        points += [Point(row=row, translator=under(rows[row], plan)) for plan in plans(searched)]
    progress = Progress(f"search {trial.task.meta.task}", len(points) * len(trial.lengths))
    for done, _ in enumerate(walk(trial, points), start=1):
        progress.update(done)
    progress.close()
    write_json(out, _document(trial, points))


def plans(searched: "SearchSettings") -> list[PlanSettings]:
    """Every plan that a block is walked by: constant intervals, then budgets."""
    constant = [PlanSettings(kind="shortcut", max_interval=n) for n in searched.intervals]
    return constant + [PlanSettings(kind="shortcut", budget_interval=n) for n in searched.budgets]


def under(translator: Translator, plan: PlanSettings) -> Translator:
    """The same network under another plan; the weights are shared.

    Raises:
        SlimvidError: the network has no Shortcut block.
    """
    if translator.plan.kind != "shortcut":
        raise SlimvidError(
            f"{translator.source.path}: its plan is {translator.plan.kind!r}, it has no Shortcut block to "
            "search with; name rows of `kind: shortcut`"
        )
    other = copy.copy(translator)
    other.plan = plan
    return other


def open_trial(
    prepared: Path, evaluator: Path, settings: "MeasureSettings", *, skip: int = 0, split: str = SPLIT
) -> Trial:
    """Read a task and its evaluator.

    Args:
        skip: given frames at the start of a clip.
        split: the one to measure on, and the only one that is opened.

    Raises:
        SlimvidError: the evaluator belongs to other data or settings, or too few samples are left.
    """
    task = PreparedTask(prepared, splits=(split,), cache_mb=64)
    places = distances.sample_places(task, split)
    keep, lengths = kept(places, skip), clip_lengths(task, split, skip)
    where = f"{task.root}, split {split}" + (f" after {skip} given frames" if skip else "")
    counts = {name: int(mask.sum()) for name, mask in keep.items()}
    distances.check_enough(counts, settings.dimensions, where=where)
    judge = evaluators.read_evaluator(evaluator, task, settings)
    if missing := places.keys() - judge.maps.keys():
        raise SlimvidError(
            f"{evaluator}: the training clips were too short for {min(missing)}, which this chooses by; give "
            "more or longer ones"
        )
    return Trial(
        task=task,
        split=split,
        judge=judge,
        places=places,
        keep=keep,
        lengths=lengths,
        skip=skip,
    )


def walk(
    trial: Trial, points: Sequence[Point], *, joined: bool = False
) -> Iterator[tuple[Point, np.ndarray]]:
    """Draw and judge every clip by every point; the points take turns at a clip.

    Args:
        joined: the clips are one stream, so that a reference may lie before a cut, as in uncut footage. For
            translators without given first frames.

    Yields:
        each point after each clip, and the frames that it drew, uint8 T x H x W x 3, given ones first.
    """
    streams = {id(p): p.stream(trial) for p in points} if joined else {}
    for number, info in enumerate(trial.task.clips(trial.split)):
        truth = evaluators.clip_frames(trial.task, trial.split, info.name, info.length)
        if number not in trial.real:
            trial.real[number] = _features(trial, number, truth)
        for point in points:
            if joined:
                frames = np.stack(list(islice(streams[id(point)], info.length)))
                point.drawn += info.length
            else:
                frames = _draw(trial, info, point, truth)
            _judge(trial, number, point, frames, truth)
            yield point, frames


def _draw(trial: Trial, info: ClipInfo, point: Point, truth: np.ndarray) -> np.ndarray:
    translator, full = point.translator, []
    conditions = (trial.task.condition(trial.split, info.name, i) for i in range(info.length))
    first = list(truth[: translator.given])
    frames = np.stack(list(translator.draw(conditions, first_frames=first, in_full=full)))
    point.full += len(full)
    point.drawn += info.length - translator.given
    return frames


def _judge(trial: Trial, number: int, point: Point, frames: np.ndarray, truth: np.ndarray) -> None:
    for name, value in _features(trial, number, frames).items():
        point.features.setdefault(name, []).append(value)
    if trial.split in trial.task.meta.aligned:  # else the stored frames are no truth of these conditions
        point.similar.append(likeness(frames[trial.skip :], truth[trial.skip :]))


def _features(trial: Trial, number: int, frames: np.ndarray) -> dict[str, np.ndarray]:
    """Of a clip's samples, true or drawn; with one thread, as in every measure."""
    with evaluators.one_thread():
        return distances.clip_features(trial.judge.maps, frames, trial.places, number)


def values(trial: Trial, point: Point) -> dict[str, float | None]:
    """The figures of a point that has walked all clips: cost, share of full frames, `quality`."""
    return {
        "macs_g": macs(trial, point) / GIGA,
        "full_frame_share": point.full / point.drawn,
        **quality(trial, point),
    }


def quality(trial: Trial, point: Point) -> dict[str, float | None]:
    """The quality of a point that has walked all clips.

    The distances, PSNR and SSIM are taken as those of ``quality.json`` are, ``video_distance_lite0_sd`` is
    its half-sample spread; both are None of single pictures. PSNR and SSIM are None where the task has no
    true frame for a condition.
    """
    names = list(trial.places)
    true = {name: [trial.real[n][name] for n in range(len(trial.lengths))] for name in names}
    real = {name: np.concatenate(true[name])[trial.keep[name]] for name in names}
    drawn = {name: np.concatenate(point.features[name])[trial.keep[name]] for name in names}
    weights = [length - trial.skip for length in trial.lengths]
    similar = {
        name: float(np.average([clip[name] for clip in point.similar], weights=weights))
        if point.similar
        else None
        for name in ("psnr", "ssim")
    }
    return {
        **dict.fromkeys(METRICS),
        **{name: distance_per_dimension(real[name], drawn[name]) for name in names},
        SPREAD: half_sample_sd(real[VIDEO], drawn[VIDEO]) if VIDEO in names else None,
        **similar,
    }


def macs(trial: Trial, point: Point) -> float:
    """True MACs, mean per output frame of the clips, with the full frames that were really drawn.

    As in ``measure_cost``, given frames cost nothing and count as output.
    """
    from slimvid import nets
    from slimvid.measure.trace import shapes_only

    frames, share = sum(trial.lengths), point.full / point.drawn
    size = {"height": trial.task.meta.height, "width": trial.task.meta.width}
    with shapes_only():  # without weights, and never the quicker form that runs
        net = nets.build(point.translator.source.spec)
    if point.translator.plan.kind == "shortcut":
        cost = shortcut_cost(net, **size, share=lambda full, shortcut: share)
        return cost.macs * point.drawn / frames
    starts = len(trial.lengths) / frames if point.translator.first == "generator" else 0.0
    return translator_cost(net, **size, key_fraction=point.drawn / frames, first_fraction=starts).macs


def _document(trial: Trial, points: list[Point]) -> dict[str, Any]:
    found = [values(trial, point) for point in points]
    front = pareto_front((each["macs_g"], each[VIDEO]) for each in found)
    original = points[0].translator
    return {
        "task": trial.task.meta.task,
        "seed": original.source.provenance.get("seed"),
        "protocol": _protocol(trial, points),
        "points": [
            {
                "method": point.row,
                "plan": {
                    "kind": point.translator.plan.kind,
                    **point.translator.plan.model_dump(exclude_defaults=True),
                },
                "block": _block(point.translator.source.spec),
                "values": {name: value for name, value in each.items() if name != SPREAD},
                "uncertainty": {"half_sample_sd": {VIDEO: each[SPREAD]}},
                "front": best,
            }
            for point, each, best in zip(points, found, front, strict=True)
        ],
    }


def _block(spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a search varies in a network: the block's width, and the layers it stands between."""
    if "point" not in spec:
        return None
    cut = {name: spec["point"][name] for name in ("encoder", "decoder")}
    return {"hidden": spec["hidden"], **cut}


def _protocol(trial: Trial, points: list[Point]) -> dict[str, Any]:
    count = {name: int(trial.keep[name].sum()) for name in METRICS}
    protocol = {
        **judged_data(trial.judge, trial.task),
        "split": trial.split,
        "clips": len(trial.lengths),
        "frames": sum(trial.lengths) - trial.skip * len(trial.lengths),
        "skipped_first_frames": trial.skip,
        "paired": trial.split in trial.task.meta.aligned,
        **judged_samples(trial.judge, count),
        "drawn_by": points[0].translator.runtime.describe(),
        "definitions": PROTOCOL,
    }
    return {"hash": sha256_json(protocol)[:8], **protocol}

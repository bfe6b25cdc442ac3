"""The two distances between sets of frames, on a task's clips: where the samples lie, and their features.

`frame_distance_lite0` takes single frames, `video_distance_lite0` three at a time; each sample is one cell of
them. Real and generated clips are sampled at the same places.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.measure import frame_distance, video_distance
from slimvid.measure.frame_distance import fit_frame_map, frame_features
from slimvid.measure.lite_features import MAX_FRAMES, FeatureMap, cell_features, grid, sample_starts
from slimvid.measure.video_distance import fit_video_map, video_features
from slimvid.runtime import log

FITTED_FRAMES = 256  # of the training split, evenly spread, that the maps are fitted on
_CHUNK = 64  # samples whose raw features are in memory together

Place = tuple[int, int, int]  # clip number, first frame, cell


@dataclass(frozen=True)
class SetDistance:
    """What a distance looks at.

    Attributes:
        span: frames of a sample.
        inputs: of its map.
        features: of n samples, span x n x cells x channels -> 1 x n x cells x inputs.
        fit: its map, from raw features of training samples and the number of dimensions.
    """

    span: int
    inputs: int
    features: Callable[[np.ndarray], np.ndarray]
    fit: Callable[[np.ndarray, int], FeatureMap]


FRAMES, VIDEO = "frame_distance_lite0", "video_distance_lite0"
DISTANCES = {
    FRAMES: SetDistance(frame_distance.SPAN, frame_distance.INPUTS, frame_features, fit_frame_map),
    VIDEO: SetDistance(video_distance.SPAN, video_distance.INPUTS, video_features, fit_video_map),
}


def sample_places(task: PreparedTask, split: str, *, limit: int = MAX_FRAMES) -> dict[str, list[Place]]:
    """Where the samples of the distances lie in a split's clips; of single pictures, those of frames alone.

    Raises:
        SlimvidError: the split has no clip.
    """
    lengths = [info.length for info in task.clips(split)]
    if not lengths:
        raise SlimvidError(
            f"{task.root}: holds no {split} clip, because its footage was too short to hold any back; give "
            f"the task longer footage or {split}_frames, and prepare it again"
        )
    rows, columns = grid(task.meta.height, task.meta.width)
    return {
        name: [
            (*start, cell)
            for start in sample_starts(lengths, distance.span, limit=limit)
            for cell in range(rows * columns)
        ]
        for name, distance in DISTANCES.items()
        if distance.span == 1 or max(lengths) > 1  # single pictures have no time
    }


def too_few(counts: Mapping[str, int], dimensions: int) -> dict[str, str]:
    """The distances of which half of the samples do not determine a covariance, each with what it takes.

    Half, because floors and spreads are of random halves.
    """
    return {
        name: f"{count} samples of {name} (of {DISTANCES[name].span} frames), it takes {2 * dimensions + 2}, "
        f"so that half of them are more than its {dimensions} dimensions"
        for name, count in counts.items()
        if count // 2 <= dimensions
    }


def measurable(counts: Mapping[str, int], dimensions: int, *, where: str) -> list[str]:
    """The distances that have enough samples; of each other one a line says that its columns stay empty."""
    short = too_few(counts, dimensions)
    for said in short.values():
        log.warning(
            "%s: %s; its columns stay empty: lower measure.dimensions, or prepare more or longer clips",
            where,
            said,
        )
    return [name for name in counts if name not in short]


def check_enough(counts: Mapping[str, int], dimensions: int, *, where: str) -> None:
    """Refuse to choose by a distance that has too few samples.

    Raises:
        SlimvidError: names the distance, the samples that there are and those that it takes.
    """
    for said in too_few(counts, dimensions).values():
        raise SlimvidError(f"{where}: {said}; lower measure.dimensions, or prepare more or longer clips")


def fit_maps(task: PreparedTask, dimensions: int) -> dict[str, FeatureMap]:
    """The maps of the distances that have enough samples, fitted on the real *training* frames.

    Raises:
        SlimvidError: frames that do not vary.
    """
    places = sample_places(task, "train", limit=FITTED_FRAMES)
    counts = {name: len(each) for name, each in places.items()}
    names = measurable(counts, dimensions, where=f"{task.root}, split train")
    places = {name: places[name] for name in names}
    raw: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for number, info in enumerate(task.clips("train")):
        frames = [task.frame("train", info.name, i) for i in range(info.length)]
        for name, chunk in _raw_features(np.stack(frames), places, number):
            raw[name].append(chunk)
    return {name: DISTANCES[name].fit(np.concatenate(each), dimensions) for name, each in raw.items()}


def clip_features(
    maps: Mapping[str, FeatureMap], frames: np.ndarray, places: Mapping[str, list[Place]], number: int
) -> dict[str, np.ndarray]:
    """Features of one clip's samples, by distance: float64 n x dimensions, in the order of ``places``.

    Args:
        frames: all of the clip, uint8 T x H x W x 3. number: the clip's.
    """
    found = {name: [np.empty((0, maps[name].dimensions))] for name in places}
    for name, chunk in _raw_features(frames, places, number):
        found[name].append(maps[name](chunk))
    return {name: np.concatenate(chunks) for name, chunks in found.items()}


def _raw_features(
    frames: np.ndarray, places: Mapping[str, list[Place]], number: int
) -> Iterator[tuple[str, np.ndarray]]:
    """(distance, n x inputs) of some samples at a time, before the map; only of frames that they need."""
    starts = {name: sorted({p[1] for p in each if p[0] == number}) for name, each in places.items()}
    spans = {name: range(DISTANCES[name].span) for name in places}
    needed = sorted({s + i for name, each in starts.items() for s in each for i in spans[name]})
    if not needed:
        return
    cells = cell_features(frames[needed])
    where = {frame: i for i, frame in enumerate(needed)}
    for name, each in starts.items():
        distance = DISTANCES[name]
        for some in _chunks(each):
            picked = np.stack([cells[[where[s + i] for s in some]] for i in spans[name]])
            yield name, distance.features(picked)[0].reshape(-1, distance.inputs)


def _chunks(items: Sequence[int]) -> Iterator[Sequence[int]]:
    yield from (items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK))

"""From footage to clips: which frames train, choose and test, and where clips begin and end.

Validation frames ("val") are the end of what would train: whole shots where some are a small enough share of
it, else a last part by time. Frames beside a border are nearly equal, so a few are left out wherever two
splits meet within a shot, from a range that was not given: given ones are taken as they are. Of footage so
short that "val" would have fewer than `SHORTEST` frames nothing is held back or left out: its "val" is empty.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from slimvid.data.clip import BODY_POINTS, Clip
from slimvid.data.flow import clip_flow
from slimvid.data.manifest import SPLITS
from slimvid.errors import SlimvidError
from slimvid.settings import RANGES, TaskSettings

TRAIN_SHARE = 0.7
VAL_SHARE = 0.15  # of the training range
VAL_MOST = 1 / 3  # whole shots are held back where they are no more than that
GUARD_SHARE, GUARD_MOST = 0.05, 15  # left out at a border: a share of the training range, and at most so many
Span = tuple[int, int]  # frames [first, past the last)
SHORTEST = 4  # frames; shorter leftovers are dropped where a split has something longer


@dataclass(frozen=True, kw_only=True)
class Shot:
    """Consecutive frames without a cut; a frame is whatever its source reads it by (a path, a number).

    Attributes:
        name: part of the clips' names.
        fps: frames per second.
        frames: one entry per frame.
    """

    name: str
    fps: float
    frames: Sequence[Any]


def split_shots(
    shots: Sequence[Shot], settings: TaskSettings, *, whole: bool = False
) -> dict[str, list[Shot]]:
    """Divide footage into pieces of the length of a clip, for "train", "val" and "test".

    ``train_frames``, ``val_frames`` and ``test_frames`` count over all shots one after the other. By default
    the first 70 % train and the rest test; with ``whole`` the border moves to the nearest border between two
    shots, so that a person or street is never in both. Unless it is given, "val" is taken from the end of the
    training range. A range that is given is taken as it is, touching or not; what follows from it keeps its
    distance within a shot (`_Apart`). Every ``stride``-th frame of a shot is taken.

    Returns:
        The pieces of each split, in order; each is a `Shot` named after its first frame's number.

    Raises:
        SlimvidError: a range beyond the footage, ranges that overlap, or a range with fewer than 2 frames.
    """
    total = sum(len(shot.frames) for shot in shots)
    spans = _spans(shots, settings, total, whole)
    return {split: _pieces(shots, settings, split, span) for split, span in spans.items()}


def hold_back(train: Sequence[Shot], test: Sequence[Shot], settings: TaskSettings) -> dict[str, list[Shot]]:
    """The pieces of a dataset with a training and a test split of its own; "val" is the end of the former.

    Raises:
        SlimvidError: the task gives ranges of frames, or the training split has fewer than 2.
    """
    refuse_ranges(settings)
    total = sum(len(shot.frames) for shot in train)
    spans = dict(
        zip(("train", "val"), _end_of(train, settings, (0, total), whole=True, end=total), strict=True)
    )
    pieces = {split: _pieces(train, settings, split, span) for split, span in spans.items()}
    return {**pieces, "test": [piece for shot in test for piece in cut_shot(shot, settings)]}


def refuse_ranges(settings: TaskSettings) -> None:
    """Where the footage has splits of its own, no range is read.

    Raises:
        SlimvidError: names the range that the task gives all the same.
    """
    for name in RANGES:
        if getattr(settings, name) is not None:
            raise SlimvidError(
                f"task field {name}: {settings.path} has splits of its own, in which no range is read; "
                "leave it out"
            )


def cut_shot(shot: Shot, settings: TaskSettings, begin: int = 0, end: int | None = None) -> list[Shot]:
    """Frames [begin, end) of a shot cut to ``clip_frames``; a leftover below half of that joins the last."""
    numbers = range(begin, len(shot.frames) if end is None else end)[:: settings.stride]
    length = settings.clip_frames
    starts = list(range(0, len(numbers), length))
    if len(starts) > 1 and len(numbers) - starts[-1] < length / 2:
        starts.pop()
    borders = [*starts, len(numbers)]
    return [
        Shot(
            name=f"{shot.name}_{numbers[a]:05d}",
            fps=shot.fps / settings.stride,
            frames=[shot.frames[i] for i in numbers[a:b]],
        )
        for a, b in pairwise(borders)
    ]


def assemble(piece: Shot, maps: Sequence[Mapping[str, np.ndarray]]) -> Clip:
    """Stack the maps of a piece's frames to a `Clip` and add optical flow.

    Args:
        piece: gives name and rate.
        maps: per frame, arrays by `Clip`'s attribute names, "frames" for the picture; key-points of different
            numbers of people are padded with confidence 0.
    """
    columns = {name: [frame[name] for frame in maps] for name in maps[0]}
    if "keypoints" in columns:
        columns["keypoints"] = _pad_people(columns["keypoints"])
    stacked = {name: np.stack(values) for name, values in columns.items()}
    flow, valid = clip_flow(stacked["frames"])
    return Clip(name=piece.name, fps=piece.fps, flow=flow, flow_valid=valid, **stacked)


def lazy_clips(pieces: Sequence[Shot], load: Callable[[Any], Mapping[str, np.ndarray]]) -> Iterator[Clip]:
    """Clips of the pieces, one in memory at a time; ``load`` reads one frame's maps."""
    for piece in pieces:
        yield assemble(piece, [load(frame) for frame in piece.frames])


def rate(settings: TaskSettings, own: float | None) -> float:
    """The frame rate: the task's ``fps`` where it is given, else the footage's ``own``.

    Raises:
        SlimvidError: neither is known.
    """
    if settings.fps is None and own is None:
        kind = "pictures have no" if settings.path.is_dir() else "this video states no"
        raise SlimvidError(f"{settings.path}: {kind} frame rate; give the task `fps:`")
    return float(settings.fps or own)


def _pieces(shots: Sequence[Shot], settings: TaskSettings, split: str, span: Span) -> list[Shot]:
    """The clips of a range of frames, which count over all shots."""
    (first, last), start, found = span, 0, []
    if split == "val" and first == last:
        return []  # too short to hold any back
    for shot in shots:
        begin, end = max(first - start, 0), min(last - start, len(shot.frames))
        if begin < end:
            found += cut_shot(shot, settings, begin, end)
        start += len(shot.frames)
    longest = max((len(piece.frames) for piece in found), default=0)
    if longest < 2:
        raise SlimvidError(
            f"{settings.path}: frames [{first}, {last}) for {split} hold no 2 consecutive frames; "
            f"widen {split}_frames or lower the stride"
        )
    return [p for p in found if len(p.frames) >= min(SHORTEST, longest)]


def _spans(shots: Sequence[Shot], settings: TaskSettings, total: int, whole: bool) -> dict[str, Span]:
    """The range of each split; those that are not given follow from those that are."""
    given = {split: getattr(settings, name) for split, name in zip(SPLITS, RANGES, strict=True)}
    given = {split: span for split, span in given.items() if span is not None}
    _check_given(settings, given, total)
    border = int(TRAIN_SHARE * total)
    if whole and len(shots) > 1:
        border = min(_borders(shots), key=lambda b: abs(b - border))
    train = given.get("train", (0, min((first for first, _ in given.values()), default=border)))
    apart = _Apart.of(shots, settings, train)
    test = given.get("test", (train[1], total))
    val = given.get("val")
    if val is None:
        end = apart.end_before(test[0]) if test[0] >= train[1] else total
        rest, val = _end_of(shots, settings, train, whole=whole, end=min(train[1], end))
        if val[0] < val[1] or not given:
            return {"train": rest, "val": val, "test": test}
    if "train" not in given:
        train = (0, max(0, apart.end_before(train[1])))
    if "test" not in given:
        test = (min(total, apart.begin_after(max(train[1], val[1]))), total)
    return {"train": train, "val": val, "test": test}


def _check_given(settings: TaskSettings, spans: Mapping[str, Span], total: int) -> None:
    for split, (first, last) in spans.items():
        if last > total:
            raise SlimvidError(
                f"{settings.path}: {split}_frames [{first}, {last}), but the footage has {total} frames"
            )
    for (a, one), (b, other) in combinations(spans.items(), 2):
        if max(one[0], other[0]) < min(one[1], other[1]):
            raise SlimvidError(
                f"{settings.path}: {a}_frames {one} and {b}_frames {other} overlap; keep them apart"
            )


@dataclass(frozen=True, kw_only=True)
class _Apart:
    """The distance between two splits: ``guard`` frames of the footage are left out, or a shot begins.

    Attributes:
        guard: frames of the footage, a multiple of the stride.
        borders: where shots begin.
    """

    guard: int
    borders: Sequence[int]

    @classmethod
    def of(cls, shots: Sequence[Shot], settings: TaskSettings, train: Span) -> "_Apart":
        """As the length of the training range wants it, "val" included."""
        kept = (train[1] - train[0]) // settings.stride
        guard = min(GUARD_MOST, max(1, round(GUARD_SHARE * kept)))
        return cls(guard=settings.stride * guard, borders=_borders(shots))

    def end_before(self, first: int) -> int:
        """Where a range must end at the latest, so that another one may begin at ``first``."""
        return max([first - self.guard, *(b for b in self.borders if b <= first)])

    def begin_after(self, last: int) -> int:
        """Where a range may begin at the earliest when another one ends before frame ``last``."""
        return min([last + self.guard, *(b for b in self.borders if b >= last)])


def _end_of(
    shots: Sequence[Shot], settings: TaskSettings, span: Span, *, whole: bool, end: int
) -> tuple[Span, Span]:
    """A training range divided in two: what trains, and what is held back as "val" (empty if too short).

    Args:
        end: where "val" must end, for its distance from the test split.
    """
    (first, last), stride, borders = span, settings.stride, _borders(shots)
    wanted = VAL_SHARE * (last - first)
    allowed = range(SHORTEST * stride, int(VAL_MOST * (last - first)) + 1)
    begins = [b for b in borders if whole and b > first and end - b in allowed]
    if begins:
        begin = min(begins, key=lambda b: abs(end - b - wanted))
        return (first, begin), (begin, end)
    held = round(VAL_SHARE * ((last - first) // stride))
    if held < SHORTEST:
        return span, (last, last)
    begin = end - held * stride
    return (first, _Apart.of(shots, settings, span).end_before(begin)), (begin, end)


def _borders(shots: Sequence[Shot]) -> list[int]:
    """Where one shot ends and the next begins."""
    return [int(n) for n in np.cumsum([len(shot.frames) for shot in shots])[:-1]]


def _pad_people(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    most = max([1, *(len(people) for people in frames)])
    padded = [np.zeros((most, BODY_POINTS, 3), np.float32) for _ in frames]
    for target, people in zip(padded, frames, strict=True):
        target[: len(people)] = people
    return padded

"""From footage to clips: which frames train, which test, and where clips begin and end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from slimvid.data.clip import BODY_POINTS, Clip
from slimvid.data.flow import clip_flow
from slimvid.errors import SlimvidError
from slimvid.settings import RANGES, TaskSettings

TRAIN_SHARE = 0.7
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
    """Divide footage into pieces of the length of a clip, for "train" and "test".

    ``train_frames`` and ``test_frames`` count over all shots one after the other. By default the first 70 %
    train and the rest test; with ``whole`` the border moves to the nearest border between two shots, so that
    a person or street is never in both. Every ``stride``-th frame of a shot is taken.

    Returns:
        The pieces of each split, in order; each is a `Shot` named after its first frame's number.

    Raises:
        SlimvidError: a range beyond the footage, ranges that overlap, or a range with fewer than 2 frames.
    """
    total = sum(len(shot.frames) for shot in shots)
    spans = _spans(shots, settings, total, whole)
    pieces: dict[str, list[Shot]] = {}
    for split, (first, last) in spans.items():
        start, found = 0, []
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
        pieces[split] = [p for p in found if len(p.frames) >= min(SHORTEST, longest)]
    return pieces


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
        raise SlimvidError(f"{settings.path}: pictures have no frame rate; give the task `fps:`")
    return float(settings.fps or own)


def _spans(
    shots: Sequence[Shot], settings: TaskSettings, total: int, whole: bool
) -> dict[str, tuple[int, int]]:
    border = int(TRAIN_SHARE * total)
    if whole and len(shots) > 1:
        borders = np.cumsum([len(shot.frames) for shot in shots])[:-1]
        border = int(borders[np.abs(borders - border).argmin()])
    train = settings.train_frames or (0, settings.test_frames[0] if settings.test_frames else border)
    test = settings.test_frames or (train[1], total)
    for name, (first, last) in (("train_frames", train), ("test_frames", test)):
        if last > total:
            raise SlimvidError(
                f"{settings.path}: {name} [{first}, {last}), but the footage has {total} frames"
            )
    if max(train[0], test[0]) < min(train[1], test[1]):
        raise SlimvidError(
            f"{settings.path}: train_frames {train} and test_frames {test} overlap; keep them apart"
        )
    return {"train": train, "test": test}


def _pad_people(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    most = max([1, *(len(people) for people in frames)])
    padded = [np.zeros((most, BODY_POINTS, 3), np.float32) for _ in frames]
    for target, people in zip(padded, frames, strict=True):
        target[: len(people)] = people
    return padded

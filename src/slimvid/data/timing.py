"""The time stamps of a video: its frame rate, its pauses, and which frame is seen when they are uneven."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

PAUSE = 0.5  # seconds; a longer step (of at least three usual ones) ends a clip like a cut
_JITTER = 0.25  # of the usual step: recorders and their clocks are not exact


class Stamp(NamedTuple):
    """When a frame is seen, and when it was decoded, in seconds; None: the file does not say."""

    seen: float | None
    decoded: float | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """How a video's frames lie in time.

    Attributes:
        fps: frames per second; None where the stamps do not tell.
        runs: frame numbers in the order in which they are seen at this rate, one entry per stretch between
            pauses; a number may be repeated or left out where the stamps are uneven.
        notes: what a user should know, in sentences.
    """

    fps: float | None
    runs: Sequence[Sequence[int]]
    notes: tuple[str, ...] = ()


def presented(stamps: Sequence[Stamp]) -> list[float] | None:
    """The times of frames that come in the order in which they are seen, in seconds; None: nothing tells.

    Some files hold decoding times alone (AVI, or Matroska made of it). Where frames refer to later ones
    (B-frames), FFmpeg's guess of the others may follow the order of decoding, and falls again and again. The
    decoding times rise then, each as much too late as the decoder waits; the last frames have none and follow
    in usual steps.
    """
    seen = [stamp.seen for stamp in stamps]
    decoded = [stamp.decoded for stamp in stamps]
    while decoded and decoded[-1] is None:
        decoded.pop()
    if None not in seen and (len(decoded) < 2 or None in decoded or _falls(seen) <= _falls(decoded)):
        return seen
    if len(decoded) < 2 or None in decoded:
        return None
    step = float(np.median(np.diff(decoded)))
    return decoded + [decoded[-1] + step * (n + 1) for n in range(len(stamps) - len(decoded))]


def _falls(times: Sequence[float]) -> int:
    return int((np.diff(times) < 0).sum())


def timeline(times: Sequence[float], *, tick: float) -> Timeline:
    """Find the rate of a video, and resample it to an even one where its frames are not.

    Steps may differ from the usual (median) one by a quarter of it, and stamps from an even grid by half of
    it: recorders' clocks are not exact. Beyond that the frames are taken at even times, each time the one
    whose stamp is nearest. Pauses and clocks that jump are not filled: they part the video.

    Args:
        times: stamps in seconds, in the order of decoding.
        tick: seconds to which the container rounds them.
    """
    stamps = np.asarray(times, np.float64)
    steps = np.diff(stamps)
    if not (steps > 0).any():
        return Timeline(fps=None, runs=[range(len(stamps))])
    usual = float(np.median(steps[steps > 0]))
    jumps = (steps < 0) | (steps > max(PAUSE, 3 * usual))
    borders = [0, *(np.flatnonzero(jumps) + 1).tolist(), len(stamps)]
    runs = [range(a, b) for a, b in pairwise(borders)]
    inner = steps[~jumps]
    mean = float(inner.mean())
    notes = [
        f"the time jumps by {steps[run[0] - 1]:.3g} s before frame {run[0]}: a clip ends there"
        for run in runs[1:4]
    ]
    if len(runs) > 4:
        notes.append(f"the time jumps {len(runs) - 4} times more")
    if _even(stamps, runs, inner, usual, mean, tick):
        return Timeline(fps=round(1 / mean, 4), runs=runs, notes=tuple(notes))
    fps = round(1 / usual, 4)
    least, most = inner.min() * 1000, inner.max() * 1000
    notes.append(
        f"the frame rate is variable (steps of {least:.0f} to {most:.0f} ms): taken at an even {fps:g} "
        "frames a second; give the task `fps:` if the frames are evenly spaced all the same"
    )
    return Timeline(fps=fps, runs=[_resampled(stamps, run, usual) for run in runs], notes=tuple(notes))


def _even(
    stamps: np.ndarray, runs: Sequence[range], inner: np.ndarray, usual: float, mean: float, tick: float
) -> bool:
    if np.abs(inner - usual).max() > max(_JITTER * usual, 1.1 * tick):
        return False
    for run in runs:
        part = stamps[run.start : run.stop]
        grid = part[0] + mean * np.arange(len(part))
        if np.abs(part - grid).max() > max(usual / 2, 1.1 * tick):
            return False
    return True


def _resampled(stamps: np.ndarray, run: range, step: float) -> list[int]:
    """The frames of a run at even times: those whose stamps are nearest."""
    part = stamps[run.start : run.stop]
    grid = part[0] + step * np.arange(round((part[-1] - part[0]) / step) + 1)
    later = np.clip(np.searchsorted(part, grid), 1, max(len(part) - 1, 1))
    if len(part) == 1:
        return [run.start]
    nearer = later - (grid - part[later - 1] <= part[later] - grid + 1e-6)  # of two as near the earlier
    return [run.start + int(k) for k in nearer]

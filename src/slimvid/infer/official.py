"""The released Fast-Vid2Vid inference, replayed for the record: how it lists and how it times key-frames.

The paper interpolates "inter frames between key-frames". The release drops the key-frames' indices before
that: they are written as a video of one frame a second, raised by FFmpeg's minterpolate to a uniform
``ceil(T / n)`` frames a second, and thinned out by deleting frames at random until ``T`` are left. So
frames show another moment than their own, and key-frames may be deleted. The lossy encodings between its
steps (three MP4 files and JPEG) are left out here: only the timing is replayed.
"""

import math

import numpy as np

from slimvid.errors import SlimvidError


def official_keys(curve: np.ndarray, *, window: int = 3) -> list[int]:
    """The frames that the release gives to its generator, in its own order.

    Strict maxima of the smoothed curve between three forced first frames and the forced last one; neither
    sorted nor freed of repeats (a maximum at 2 comes twice). The curve is an unsigned sum there, and the
    mirrored padding ``2 * x[0] - x[i]`` wraps to about 1.8e19 where it should be negative, which swallows
    peaks near the ends for windows of 5 and more; that is kept.

    Args:
        curve: [T - 1] whole numbers, see `slimvid.infer.keyframes.motion_curve`.
        window: smoothing window; below 3 and at 3 nothing is smoothed.

    Returns:
        ``[0, 1, 2, *maxima, T - 1]``. The first two are real pictures in the release, not generated.

    Raises:
        SlimvidError: the clip is shorter than three frames or than the window, which the release refuses.
    """
    counts = np.asarray(curve).astype(np.uint64)
    if len(counts) < max(2, window):
        raise SlimvidError(f"official key-frames: {len(counts) + 1} frames are too few for window {window}")
    smoothed = counts.astype(np.float64)
    if window >= 3:
        head = np.uint64(2) * counts[0] - counts[window:1:-1]  # wraps, see above
        tail = np.uint64(2) * counts[-1] - counts[-1:-window:-1]
        kernel = np.hanning(window)
        padded = np.concatenate([head, counts, tail]).astype(np.float64)
        same = np.convolve(kernel / kernel.sum(), padded, mode="same")
        smoothed = same[len(head) : len(head) + len(counts)]
    middle = smoothed[1:-1]
    maxima = np.flatnonzero((middle > smoothed[:-2]) & (middle > smoothed[2:])) + 1
    return [0, 1, 2, *(maxima + 1).tolist(), len(counts)]


def official_schedule(keys: int, length: int, rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """When the release shows what: the uniform gap, and the frames that survive the random deletion.

    minterpolate ends at the last but one input, so ``keys`` frames at gap g become (keys - 2) g + 1; the
    gap grows until that is at least ``length``. Too many are cut into as many equal runs as there are
    superfluous ones, and one frame of each run is deleted.

    Args:
        keys: number of key-frames, at least 3 (with fewer the release never ends).
        length: frames wanted.
        rng: draws the deletions (the release draws from an unseeded generator).

    Returns:
        The gap g, and int64 [length]: positions on the uniform line, where key-frame k lies at k * g.
    """
    if keys < 3:
        raise SlimvidError(f"official timing: {keys} key-frames; it needs at least 3, use timing: exact")
    gap = math.ceil(length / keys)
    while (keys - 2) * gap + 1 < length:
        gap += 1
    positions = np.arange((keys - 2) * gap + 1)
    superfluous = len(positions) - length
    if superfluous:
        runs = np.array_split(positions, superfluous)
        deleted = [run[rng.integers(len(run))] for run in runs]
        positions = np.delete(positions, deleted)
    return gap, positions


def official_time_error(keys: list[int], length: int, *, seed: int = 0) -> np.ndarray:
    """How far each output frame of the release lies from the moment it should show.

    Args:
        keys: sorted true indices of the generated key-frames.
        length: frames of the clip.
        seed: of the random deletion.

    Returns:
        float64 [length]: shown minus due time, in frames.
    """
    gap, positions = official_schedule(len(keys), length, np.random.default_rng(seed))
    shown = np.interp(positions / gap, np.arange(len(keys)), np.asarray(keys, dtype=np.float64))
    return shown - np.arange(length)

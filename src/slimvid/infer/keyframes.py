"""Key-frame selection from condition maps (Fast-Vid2Vid, Zhuo et al. 2022, sections 3.5 and 4.1).

"We first calculate the residual maps between the adjacent frames, and sum up each map to draw smooth
statistical curves using sliding windows. The peaks of the curves ... are used as key-frames." The curve is
taken from the conditions, so the choice is made before any frame is generated.

Where the released code differs: it needs strict maxima, so a held frame hides a peak and a static clip has
no key-frame; it pads the curve in unsigned arithmetic, which wraps. `slimvid.infer.official` has its rule.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from slimvid.errors import SlimvidError
from slimvid.files import write_json
from slimvid.settings import PlanSettings

if TYPE_CHECKING:
    from slimvid.data.store import PreparedTask

T = TypeVar("T")

# Smoothing is a sum of at most `window` products: its rounding noise lies some orders below this share of
# the curve's largest value, and no real motion does.
_RELATIVE_NOISE = 1e-12


def motion_curve(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """How much each picture differs from the one before it.

    Args:
        pictures: uint8 [H, W, 3] RGB, all of one size; read one at a time.

    Returns:
        float64 [T - 1]: entry t is the sum over pixels and channels of |LUV(t + 1) - LUV(t)|, LUV in 8 bits.
        Whole numbers, exact in float64 up to frames of 10^13 pixels.

    Raises:
        SlimvidError: a picture is no uint8 [H, W, 3] array, or its size differs from the first one's.
    """
    import cv2

    sums: list[float] = []
    previous = None
    for index, picture in enumerate(pictures):
        picture = np.ascontiguousarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise SlimvidError(
                f"picture {index}: {picture.dtype} {list(picture.shape)} cannot be compared; "
                "give uint8 [H, W, 3] RGB"
            )
        luv = cv2.cvtColor(picture, cv2.COLOR_RGB2LUV)
        if previous is not None:
            if luv.shape != previous.shape:
                raise SlimvidError(
                    f"picture {index}: size {luv.shape[:2]} differs from {previous.shape[:2]} of the picture "
                    "before it; a clip has one size"
                )
            sums.append(float(cv2.absdiff(luv, previous).sum(dtype=np.int64)))
        previous = luv
    return np.asarray(sums, dtype=np.float64)


def smooth(curve: np.ndarray, window: int) -> np.ndarray:
    """Weighted mean over a sliding Hanning window; the curve goes on past its ends mirrored about them.

    ``np.hanning(3)`` is [0, 1, 0]: a window of 3, which the paper found best, smooths nothing at all, so
    its key-frames are the raw maxima. 5 is the first window that smooths ([.25, .5, .25]). An even window
    has no middle and looks half a frame into the past. Windows below 3 return the curve as it is.

    Args:
        curve: float [N].
        window: length of the Hanning window in frames, its two zero ends included.

    Returns:
        float64 [N].
    """
    curve = np.asarray(curve, dtype=np.float64)
    if window < 3 or len(curve) < 2:
        return curve.copy()
    kernel = np.hanning(window)[1:-1]
    before = (len(kernel) - 1) - (len(kernel) - 1) // 2
    padded = np.pad(curve, (before, len(kernel) - 1 - before), mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def peaks(curve: np.ndarray) -> list[int]:
    """Positions of the local maxima: higher than what comes before and after, the ends excluded.

    A plateau (held frames, repeated labels) counts once, at its first position, and only if the curve is
    lower on both sides of it; a constant curve has none.
    """
    curve = np.asarray(curve, dtype=np.float64)
    if len(curve) < 3:
        return []
    step = np.diff(curve)
    step[np.abs(step) <= _RELATIVE_NOISE * np.abs(curve).max()] = 0.0
    turns = np.flatnonzero(step)  # the steps that go somewhere; between two of them the curve is level
    first, second = turns[:-1], turns[1:]
    return (first[(step[first] > 0) & (step[second] < 0)] + 1).tolist()


def motion_keys(curve: np.ndarray, *, window: int = 3, max_gap: int | None = None) -> list[int]:
    """Key-frames at the peaks of a motion curve, with the clip's first and last frame always among them.

    Args:
        curve: float [T - 1], see `motion_curve`.
        window: smoothing window, see `smooth`.
        max_gap: key-frames further apart than this get others spread evenly between them; None: no cap.

    Returns:
        Sorted frame indices in 0..T-1 without repeats. The peak t of the curve names frame t + 1, the one
        that brought the motion.
    """
    last = len(curve)
    keys = sorted({0, last, *(t + 1 for t in peaks(smooth(curve, window)))})
    return keys if max_gap is None else _fill(keys, max_gap)


def _fill(keys: list[int], max_gap: int) -> list[int]:
    filled = keys[:1]
    for left, right in pairwise(keys):
        parts = -(-(right - left) // max_gap)
        filled += [left + (right - left) * part // parts for part in range(1, parts + 1)]
    return filled


def fixed_keys(frames: int, count: int) -> list[int]:
    """``count`` key-frames at even intervals over ``frames`` frames, the first and the last among them.

    The fixed time gap of the paper's Table 4. The count is brought into [2, frames] (1 for one frame).
    """
    count = _possible(frames, count)
    return np.rint(np.linspace(0, frames - 1, count)).astype(int).tolist()


def every_nth(frames: Iterable[T], plan: PlanSettings, *, given: int = 0) -> Iterator[tuple[int, T]]:
    """Frames 0, n, 2n ... of a plan with an ``interval``, as they come.

    Where the plan interpolates, the last frame is one too, so that the frames before it lie between two;
    a plan that holds shows its last key-frame to the end instead.

    Args:
        frames: anything, one item a frame. given: the first frames that are given, and so there in any case.

    Yields:
        (index, item).
    """
    index, taken, item = -1, -1, None
    for index, item in enumerate(frames):
        if index % plan.interval == 0 or index < given:
            taken = index
            yield index, item
    if taken < index and plan.interpolation != "hold":
        yield index, item


def random_keys(frames: int, count: int, rng: np.random.Generator) -> list[int]:
    """``count`` key-frames at random intervals: the ends, and others drawn without replacement.

    The random time gap of the paper's Table 4. The count is brought into [2, frames] (1 for one frame).
    """
    count = _possible(frames, count)
    inner = rng.choice(np.arange(1, frames - 1), size=max(count - 2, 0), replace=False)
    return sorted({0, frames - 1, *inner.tolist()})


def _possible(frames: int, count: int) -> int:
    if frames < 1:
        raise SlimvidError("clip: has no frames; key-frames need at least one")
    return min(max(count, 2), frames)


def clip_rng(seed: int, clip_name: str) -> np.random.Generator:
    """The random stream of one clip: the same whatever other clips there are and in whichever order."""
    return np.random.default_rng([seed, zlib.crc32(clip_name.encode())])


def select(
    pictures: Iterable[np.ndarray], plan: PlanSettings, *, clip_name: str = "", seed: int = 0
) -> list[int]:
    """Key-frames of one clip under a plan.

    ``fixed`` and ``random`` take as many frames as ``motion`` would with the same window and cap, so that an
    ablation compares places and not counts (paper, section 4.3: "the same numbers of the selected frames").
    ``fixed`` with an ``interval`` looks at nothing and takes every n-th (`every_nth`).

    Args:
        pictures: the clip's condition maps as pictures, uint8 [H, W, 3] RGB, read one at a time.
        plan: strategy, window, cap and interval; ``every_frame`` gives every index.
        clip_name: with ``seed`` decides the draws of ``random``.

    Returns:
        Sorted frame indices.

    Raises:
        SlimvidError: the clip is empty or its pictures differ in size.
    """
    seen = 0

    def counted() -> Iterable[np.ndarray]:
        nonlocal seen
        for picture in pictures:
            seen += 1
            yield picture

    if plan.kind == "every_frame":
        return list(range(sum(1 for _ in pictures)))
    if plan.interval is not None:
        chosen = [index for index, _ in every_nth(pictures, plan)]
        _not_empty(len(chosen), clip_name)
        return chosen
    curve = motion_curve(counted())
    _not_empty(seen, clip_name)
    keys = motion_keys(curve, window=plan.window, max_gap=plan.max_gap)
    if plan.strategy == "fixed":
        return fixed_keys(seen, len(keys))
    if plan.strategy == "random":
        return random_keys(seen, len(keys), clip_rng(seed, clip_name))
    return keys


def _not_empty(frames: int, clip_name: str) -> None:
    if frames == 0:
        raise SlimvidError(f"clip {clip_name!r}: has no frames; key-frames need at least one")


def select_keyframes(prepared: Path, plan: PlanSettings, out: Path, *, seed: int = 0) -> None:
    """Choose the key-frames of every test clip of a prepared task and write them as JSON.

    The document is ``{"plan", "seed", "clips": {clip: [indices]}, "fraction"}``; ``fraction`` is key-frames
    over frames of all clips together: the share of the translator's cost that a frame pays on average.

    Raises:
        SlimvidError: the prepared store is missing, damaged or holds no test clip.
    """
    from slimvid.data.store import PreparedTask

    store = PreparedTask(prepared, splits=("test",))
    chosen = split_keys(store, "test", plan, seed=seed)
    if not chosen:
        raise SlimvidError(f"{prepared}: holds no test clip; set test_clips or test_frames and prepare again")
    fraction = sum(map(len, chosen.values())) / sum(clip.length for clip in store.clips("test"))
    write_json(out, {"plan": plan.model_dump(), "seed": seed, "clips": chosen, "fraction": fraction})


def split_keys(
    store: "PreparedTask", split: str, plan: PlanSettings, *, seed: int = 0
) -> dict[str, list[int]]:
    """Key-frames of every clip of a split under a plan, by clip name."""
    chosen = {}
    for clip in store.clips(split):
        pictures = (store.picture(split, clip.name, index) for index in range(clip.length))
        chosen[clip.name] = select(pictures, plan, clip_name=clip.name, seed=seed)
    return chosen

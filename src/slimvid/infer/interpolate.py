"""From key-frames to complete clips (Fast-Vid2Vid, section 3.5: semantic-driven motion compensation).

Every frame between two key-frames is made for its own moment: times are frame indices, so a frame rate is
never asked for. Before the first key-frame and after the last one the nearest is held.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from slimvid.errors import SlimvidError
from slimvid.infer.between import Key, dis, hold, linear
from slimvid.infer.keyframes import clip_rng
from slimvid.infer.mci import mci
from slimvid.infer.official import official_schedule
from slimvid.settings import PlanSettings

Mode = Literal["mci", "linear", "dis", "hold"]
_BETWEEN: dict[str, Callable[[Key, Key], Iterator[np.ndarray]]] = {"linear": linear, "dis": dis, "hold": hold}


def interpolate_stream(
    keys: Iterable[Key], *, length: int | None = None, mode: Mode = "mci"
) -> Iterator[np.ndarray]:
    """Frames 0, 1, 2, … of a clip, each as soon as the key-frames pulled so far decide it.

    ``linear``, ``dis`` and ``hold`` (which here learns from it how long) look ahead to the next key-frame,
    ``mci`` to the one after it. Key-frames come out unchanged. Memory does not grow with the clip.

    Args:
        keys: (index, uint8 [H, W, 3] RGB), indices rising from 0 or later; pulled one at a time.
        length: frames of the clip; the last key-frame is held up to it. None: the clip ends there.
        mode: motion-compensated (the paper's), linear blend, warp along DIS flow, or none: the key-frame
            before is held.

    Yields:
        uint8 [H, W, 3] RGB.

    Raises:
        SlimvidError: no key-frame, indices that do not rise or leave the clip, or frames of several sizes.
    """
    if mode != "mci" and mode not in _BETWEEN:
        raise SlimvidError(f"interpolation: {mode!r} is unknown; choose mci, linear, dis or hold")
    first = last = None
    made = 0

    def watched() -> Iterator[Key]:
        nonlocal first, last
        for key in _checked(keys, length):
            first, last = (key if first is None else first), key
            yield key

    for frame in mci(watched()) if mode == "mci" else _pairwise(watched(), _BETWEEN[mode]):
        if made == 0:
            yield from (frame for _ in range(first[0]))
            made = first[0]
        made += 1
        yield frame
    if last is None:
        raise SlimvidError("key-frames: none given; a clip needs at least one")
    yield from (last[1] for _ in range(made, length or 0))


def _checked(keys: Iterable[Key], length: int | None) -> Iterator[Key]:
    previous = shape = None
    for index, frame in keys:
        frame = np.ascontiguousarray(frame)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise SlimvidError(
                f"key-frame {index}: {frame.dtype} {list(frame.shape)}; give uint8 [H, W, 3] RGB"
            )
        if index < 0 or (length is not None and index >= length):
            raise SlimvidError(f"key-frame {index}: outside the clip of {length} frames; indices start at 0")
        if previous is not None and index <= previous:
            raise SlimvidError(f"key-frame {index}: comes after {previous}; give them in rising order")
        if shape is not None and frame.shape != shape:
            raise SlimvidError(f"key-frame {index}: size {frame.shape[:2]} where {shape[:2]} was expected")
        previous, shape = index, frame.shape
        yield index, frame


def _pairwise(
    keys: Iterator[Key], between: Callable[[Key, Key], Iterator[np.ndarray]]
) -> Iterator[np.ndarray]:
    left = None
    for right in keys:
        if left is not None:
            yield from between(left, right)
        yield right[1]
        left = right


def interpolate_clip(
    keys: Mapping[int, np.ndarray],
    *,
    length: int,
    mode: Mode = "mci",
    timing: Literal["exact", "official"] = "exact",
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """A complete clip from its key-frames.

    Args:
        keys: index -> uint8 [H, W, 3] RGB, in any order.
        length: frames of the clip.
        mode: see `interpolate_stream`.
        timing: ``exact`` puts every key-frame at its index; ``official`` replays the release, which spaces
            them evenly and deletes frames at random (`slimvid.infer.official`; no lossy encoding here).
            Where that would never end (fewer than three key-frames) the last one is repeated.
        rng: draws the deletions of ``official``; None: seed 0.

    Returns:
        uint8 [length, H, W, 3] RGB.

    Raises:
        SlimvidError: as `interpolate_stream`, or an unknown timing.
    """
    ordered = [(index, keys[index]) for index in sorted(keys)]
    if timing == "exact":
        return np.stack(list(interpolate_stream(ordered, length=length, mode=mode)))
    if timing != "official":
        raise SlimvidError(f"timing: {timing!r} is unknown; choose exact or official")
    frames = [frame for _, frame in _checked(ordered, length)]
    if not frames:
        raise SlimvidError("key-frames: none given; a clip needs at least one")
    frames += [frames[-1]] * (3 - len(frames))
    gap, positions = official_schedule(len(frames), length, rng or np.random.default_rng(0))
    evenly = ((place * gap, frame) for place, frame in enumerate(frames))
    kept = set(positions.tolist())
    line = interpolate_stream(evenly, mode=mode)
    return np.stack([frame for place, frame in enumerate(line) if place in kept])


def interpolate(generated: Path, prepared: Path, plan: PlanSettings, out: Path, *, seed: int = 0) -> None:
    """Complete every test clip of an archive of generated key-frames and write the archive of all frames.

    Args:
        generated: frame archive that holds at least one frame of every test clip.
        prepared: prepared store of the task: says how long the clips are.
        plan: interpolation and timing.
        out: frame archive to write, every frame of every test clip, atomically.
        seed: of the ``official`` timing's deletions.

    Raises:
        SlimvidError: a clip has no generated frame, or an archive or store is missing or damaged.
    """
    from slimvid.data.store import FrameArchive, PreparedTask, write_frames

    clips = PreparedTask(prepared, splits=("test",)).clips("test")
    archive = FrameArchive(generated)
    missing = sorted({clip.name for clip in clips} - set(archive.clips()))
    if missing:
        raise SlimvidError(f"{generated}: no frame of clip {missing[0]!r}; translate with this prepared data")

    def complete(clip: str, length: int) -> Iterable[np.ndarray]:
        keys = ((index, archive.frame(clip, index)) for index in archive.indices(clip))
        if plan.timing == "exact":
            return interpolate_stream(keys, length=length, mode=plan.interpolation)
        return interpolate_clip(
            dict(keys), length=length, mode=plan.interpolation, timing=plan.timing, rng=clip_rng(seed, clip)
        )

    def rows() -> Iterator[tuple[str, int, np.ndarray]]:
        for clip in clips:
            try:
                frames = enumerate(complete(clip.name, clip.length))
                yield from ((clip.name, index, frame) for index, frame in frames)
            except SlimvidError as error:
                raise SlimvidError(f"{generated}: clip {clip.name!r}: {error}") from None

    write_frames(out, rows())

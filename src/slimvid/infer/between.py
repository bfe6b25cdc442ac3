"""Frames between two key-frames: hold, linear blend, and a warp along DIS optical flow."""

from collections.abc import Iterator

import numpy as np

Key = tuple[int, np.ndarray]  # (index, uint8 [H, W, 3] RGB)

# Mean absolute difference (0..255) above which two key-frames show different scenes. Five hard cuts of a
# hand-held street clip measured 46 to 85, its fastest pan over eleven frames 41.
CUT = 45.0
_SMALLEST = 32  # DIS needs some coarse levels; smaller frames are continued by their edge


def is_cut(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether the scene changes between two frames, uint8 [H, W, 3]: nothing can be interpolated then."""
    import cv2

    return bool(cv2.absdiff(left, right).mean() > CUT)


def nearer(left: Key, right: Key, index: int) -> np.ndarray:
    """The nearer of two key-frames, the earlier one when the distances are equal."""
    return left[1] if index - left[0] <= right[0] - index else right[1]


def hold(left: Key, right: Key) -> Iterator[np.ndarray]:
    """Show the earlier key-frame until the later one: causal, for it asks nothing of what comes.

    Yields uint8 [H, W, 3] for each index between the two.
    """
    yield from (left[1] for _ in range(left[0] + 1, right[0]))


def linear(left: Key, right: Key) -> Iterator[np.ndarray]:
    """Blend two key-frames at the true time of each frame between them; the nearer across a cut.

    The baseline of the paper's Table 3. Yields uint8 [H, W, 3] for each index between the two.
    """
    import cv2

    cut = is_cut(left[1], right[1])
    for index in range(left[0] + 1, right[0]):
        share = (index - left[0]) / (right[0] - left[0])
        yield nearer(left, right, index) if cut else cv2.addWeighted(left[1], 1 - share, right[1], share, 0)


def dis(left: Key, right: Key) -> Iterator[np.ndarray]:
    """Warp both key-frames to each frame's true time along DIS flow, then blend; the nearer across a cut.

    DIS (Kroeger et al. 2016), preset fast, in both directions. The flow from the moment t back to its two
    references is combined from both as in Super SloMo (Jiang et al. 2018, equation 4), without its network.
    Yields uint8 [H, W, 3] for each index between the two.
    """
    import cv2

    if right[0] - left[0] < 2:
        return
    if is_cut(left[1], right[1]):
        yield from (nearer(left, right, index) for index in range(left[0] + 1, right[0]))
        return
    height, width = left[1].shape[:2]
    grey = [cv2.cvtColor(_padded(key[1]), cv2.COLOR_RGB2GRAY) for key in (left, right)]
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    forward = engine.calc(grey[0], grey[1], None)[:height, :width].copy()
    backward = engine.calc(grey[1], grey[0], None)[:height, :width].copy()
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    for index in range(left[0] + 1, right[0]):
        t = np.float32((index - left[0]) / (right[0] - left[0]))
        to_left = -(1 - t) * t * forward + t * t * backward
        to_right = (1 - t) * (1 - t) * forward - t * (1 - t) * backward
        moved = [
            cv2.remap(picture, grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for picture, flow in ((left[1], to_left), (right[1], to_right))
        ]
        yield cv2.addWeighted(moved[0], float(1 - t), moved[1], float(t), 0)


def _padded(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    below, right = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
    return np.pad(picture, ((0, below), (0, right), (0, 0)), mode="edge")

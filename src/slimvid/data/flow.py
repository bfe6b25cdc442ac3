"""Backward optical flow by OpenCV's DIS, with a map of where it can be trusted.

vid2vid supervises its flow with FlowNet2, whose CUDA operators no longer build; DIS (Kroeger et al. 2016)
needs no weights. The confidence rule is vid2vid's, joined with a forward-backward check.
"""

import numpy as np

CONFIDENCE = 0.02  # vid2vid release: sum over channels of (current - warped previous)^2 on [-1, 1]
_WORKING_ROWS = 128  # smaller frames are enlarged first: DIS matches 8 x 8 patches


def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates: two float32 [H, W] arrays, x and y."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x, y


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Sample ``image`` [H, W] or [H, W, C] at x + flow(x), bilinear, border replicated.

    Args:
        image: uint8 or float32.
        flow: float32 [2, H, W], (dx, dy) in pixels.
    """
    import cv2

    x, y = grid(*flow.shape[1:])
    return cv2.remap(image, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def inside(flow: np.ndarray) -> np.ndarray:
    """Where x + flow(x) stays in the picture, half a pixel of its border included: bool [H, W]."""
    height, width = flow.shape[1:]
    x, y = grid(height, width)
    across, down = x + flow[0], y + flow[1]
    return (across >= -0.5) & (across <= width - 0.5) & (down >= -0.5) & (down <= height - 0.5)


def compose(
    later: tuple[np.ndarray, np.ndarray], earlier: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Chain two backward flows: from t to s with from s to r gives from t to r.

    Args:
        later: flow float32 [2, H, W] and validity float32 [H, W] of the step taken first (t to s).
        earlier: the same of the step after it (s to r).
    """
    flow, valid = later
    step = warp(np.ascontiguousarray(earlier[0].transpose(1, 2, 0)), flow).transpose(2, 0, 1)
    total = flow + step
    trusted = (valid > 0.5) & (warp(earlier[1], flow) > 0.99) & inside(total)
    return total, trusted.astype(np.float32)


def backward_flow(previous: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flow from ``current`` back to ``previous`` (both uint8 [H, W, 3] RGB).

    Returns:
        float16 [2, H, W] with ``current(x) ~ previous(x + flow(x))``, and uint8 [H, W], 1 where all of these
        hold: the target is inside; forward and backward flow agree (Sundaram et al. 2010, equation 5); the
        warped frame agrees with the current one (vid2vid's confidence).
    """
    back, forth = _dis(current, previous), _dis(previous, current)
    there = warp(np.ascontiguousarray(forth.transpose(1, 2, 0)), back).transpose(2, 0, 1)
    gap = ((back + there) ** 2).sum(axis=0)
    consistent = gap < 0.01 * ((back**2).sum(axis=0) + (there**2).sum(axis=0)) + 0.5
    difference = (current.astype(np.float32) - warp(previous.astype(np.float32), back)) / 127.5
    alike = (difference**2).sum(axis=2) < CONFIDENCE
    return back.astype(np.float16), (consistent & alike & inside(back)).astype(np.uint8)


def clip_flow(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flow of every frame to the one before: uint8 [T, H, W, 3] -> float16 [T, 2, H, W], uint8 [T, H, W].

    The first frame has flow 0 and validity 0.
    """
    count, height, width = frames.shape[:3]
    flow = np.zeros((count, 2, height, width), np.float16)
    valid = np.zeros((count, height, width), np.uint8)
    for t in range(1, count):
        flow[t], valid[t] = backward_flow(frames[t - 1], frames[t])
    return flow, valid


def _dis(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """DIS flow from ``source`` to ``target``: float32 [2, H, W], at the frames' own size."""
    import cv2

    height, width = source.shape[:2]
    scale = max(1.0, _WORKING_ROWS / min(height, width))
    size = (round(width * scale), round(height * scale))
    gray = [cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in (source, target)]
    if scale > 1:
        gray = [cv2.resize(g, size, interpolation=cv2.INTER_CUBIC) for g in gray]
    solver = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = solver.calc(gray[0], gray[1], None)
    if scale > 1:
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
        flow = flow / np.float32([size[0] / width, size[1] / height])
    return flow.transpose(2, 0, 1)

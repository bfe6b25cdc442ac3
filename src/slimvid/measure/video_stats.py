"""Video statistics: what a Fréchet distance hides. All compare a generated clip with the true one.

Five small numbers say *how* a clip is wrong: too soft, frozen or jittery, flickering, or not moving with the
scene. Clips are uint8 T x H x W x 3 RGB; brightness is Rec. 601 luma in grey levels (0..255).
"""

import numpy as np

_LUMA = np.float32([0.299, 0.587, 0.114])
_CELLS = 8  # flicker is looked for in 8 x 8 cells of the frame: a lamp as well as the whole picture


def luma(frames: np.ndarray) -> np.ndarray:
    """float32 T x H x W, 0..255."""
    return frames.astype(np.float32) @ _LUMA


def sharpness(frames: np.ndarray) -> float:
    """Mean squared Laplacian of the luma: the energy of fine detail (blur lowers it, noise raises it)."""
    y = luma(frames)
    inner = y[:, 1:-1, 1:-1]
    laplacian = y[:, :-2, 1:-1] + y[:, 2:, 1:-1] + y[:, 1:-1, :-2] + y[:, 1:-1, 2:] - 4 * inner
    return float(np.mean(laplacian.astype(np.float64) ** 2))


def temporal_difference(frames: np.ndarray) -> float:
    """Mean absolute change of the luma from one frame to the next, grey levels; 0 for a single frame."""
    if len(frames) < 2:
        return 0.0
    return float(np.abs(np.diff(luma(frames), axis=0)).mean(dtype=np.float64))


def sharpness_ratio(frames: np.ndarray, truth: np.ndarray) -> float | None:
    """Sharpness over that of the truth: 1 is as sharp, below 1 softer. None if the truth has no detail."""
    return _ratio(sharpness(frames), sharpness(truth))


def temporal_difference_ratio(frames: np.ndarray, truth: np.ndarray) -> float | None:
    """Change from frame to frame over the truth's: below 1 frozen, above 1 jittery; None if that is still."""
    return _ratio(temporal_difference(frames), temporal_difference(truth))


def flicker(frames: np.ndarray, truth: np.ndarray) -> float | None:
    """Change of brightness that the truth does not make: grey levels, 0 is none; None for a single frame.

    Mean over consecutive frames and 8 x 8 cells of |d(frames) - d(truth)|, d the change of a cell's
    mean luma.
    """
    if len(frames) < 2:
        return None
    change = np.diff(_cell_means(frames), axis=0) - np.diff(_cell_means(truth), axis=0)
    return float(np.abs(change).mean())


def warping_error(frames: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> float | None:
    """How badly each frame agrees with the one before it, moved along the scene's true motion; grey levels.

    The warping error of Lai et al. (2018), as a root mean square in grey levels instead of a mean square of
    [0, 1]: sqrt(mean over frames t >= 1 of the mean over valid pixels of (O_t - warp(O_t-1))²). The
    flow is the *real* clip's, for the real and every generated clip alike.

    Args:
        frames: uint8 T x H x W x 3.
        flow: float T x 2 x H x W, backward flow in pixels; entry 0 is not read.
        valid: T x H x W, above 0.5 where the flow holds (not occluded, inside).

    Returns:
        None when no pixel of any frame is valid.
    """
    from slimvid.data.flow import warp

    errors = []
    for t in range(1, len(frames)):
        seen = valid[t] > 0.5
        if not seen.any():
            continue
        moved = warp(frames[t - 1].astype(np.float32), np.asarray(flow[t], np.float32))
        errors.append(np.mean((frames[t].astype(np.float64) - moved)[seen] ** 2))
    return float(np.sqrt(np.mean(errors))) if errors else None


def _cell_means(frames: np.ndarray) -> np.ndarray:
    """Mean luma of 8 x 8 cells: float64 T x 8 x 8 (the last cells take the rest)."""
    y = luma(frames).astype(np.float64)
    rows = np.linspace(0, y.shape[1], _CELLS + 1).astype(int)
    columns = np.linspace(0, y.shape[2], _CELLS + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(y, rows[:-1], axis=1), columns[:-1], axis=2)
    return sums / (np.diff(rows)[:, None] * np.diff(columns))


def _ratio(value: float, reference: float) -> float | None:
    return value / reference if reference > 0 else None

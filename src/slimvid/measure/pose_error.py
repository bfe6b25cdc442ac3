"""Key-point error: do bodies in generated frames stand where they stand in the real ones?

The papers' pose error needs OpenPose or DensePose, whose code and weights were not released with them. Here a
small heat-map network learns the 25 body points (OpenPose's BODY_25) on the task's own real training frames.
The error is the mean distance between the points it finds in a generated and in the real frame; the floor is
the distance between what it finds in *real* held-out frames and the truth. In-pipeline: compare rows of one
table, not with published pose errors.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from slimvid.measure.dilated import DilatedNet, fit, to_input

POINTS = 25
SIGMA = 1.0  # of the target's bumps, in cells of the heat map (2 pixels)
VISIBLE = 0.1  # points with less confidence are not asked for
ROWS, BATCH = 128, 4  # frames are reduced to at most this many rows before the network looks


def new_finder() -> DilatedNet:
    """The untrained network, one output per body point; it sees 127 pixels around each cell."""
    return DilatedNet(POINTS, dilations=(1, 2, 4, 8, 16), seed=20)


def train_finder(
    frames: Sequence[np.ndarray], keypoints: Sequence[np.ndarray], *, iterations: int
) -> DilatedNet:
    """Train on real frames: cross-entropy between the heat map's softmax over places and Gaussian bumps.

    Args:
        frames: uint8 H x W x 3.
        keypoints: float32 P x 25 x 3 of each: x, y in pixels, confidence.
    """
    net = new_finder()
    usable = [i for i, points in enumerate(keypoints) if (points[..., 2] > VISIBLE).any()]
    small = {i: _reduce(frames[i]) for i in usable}

    def batch(draw: np.random.Generator):
        chosen = [usable[i] for i in draw.integers(len(usable), size=BATCH)]
        height, width = small[chosen[0]].shape[:2]
        targets = [_bumps(keypoints[i], frames[i].shape[:2], (height, width)) for i in chosen]
        return to_input(np.stack([small[i] for i in chosen])), torch.from_numpy(np.stack(targets))

    def loss(output, target):
        weight = target.sum(dim=(2, 3))  # 1 where the point is visible, else 0
        chance = F.log_softmax(output.flatten(2), dim=2)
        return -(target.flatten(2) * chance).sum() / weight.sum().clamp_min(1)

    if usable:
        fit(net, batch, loss, iterations=iterations, label="key-points")
    return net.eval()


@torch.no_grad()
def find_points(net: DilatedNet, frame: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Where the body points are in a frame: float64 P x 25 x 2, pixels.

    Each person is looked for inside the box around their true points, a quarter larger on each side: the
    condition says who stands where, the question is whether the limbs do.

    Args:
        frame: uint8 H x W x 3.
        keypoints: float32 P x 25 x 3, the true points.
    """
    small = _reduce(frame)
    heat = net(to_input(small[None]))[0].double().numpy()
    scale = np.array([frame.shape[1] / small.shape[1], frame.shape[0] / small.shape[0]])
    found = np.zeros((*keypoints.shape[:2], 2))
    for person, points in enumerate(keypoints):
        if not (points[:, 2] > VISIBLE).any():
            continue
        rows, columns = _box(points, scale, heat.shape[1:])
        cells = _peaks(heat[:, rows, columns]) + np.array([columns.start, rows.start])
        found[person] = (2 * cells + 0.5) * scale - 0.5  # cell i is centred on pixel 2i of the reduced frame
    return found


def point_distances(first: np.ndarray, second: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Pixels between two sets of points (P x 25 x 2), one number per point visible in ``keypoints``."""
    visible = keypoints[..., 2] > VISIBLE
    return np.linalg.norm(np.asarray(first, np.float64) - second, axis=-1)[visible]


def _reduce(frame: np.ndarray) -> np.ndarray:
    import cv2

    height, width = frame.shape[:2]
    if height <= ROWS:
        return frame
    return cv2.resize(frame, (round(width * ROWS / height), ROWS), interpolation=cv2.INTER_AREA)


def _bumps(keypoints: np.ndarray, full: tuple[int, int], small: tuple[int, int]) -> np.ndarray:
    """Target: float32 25 x h x w of half the reduced size; each visible point's map sums to 1."""
    height, width = -(-small[0] // 2), -(-small[1] // 2)
    scale = np.array([small[1] / full[1], small[0] / full[0]])
    cells = ((keypoints[..., :2] + 0.5) * scale - 0.5) / 2
    y, x = np.mgrid[0:height, 0:width]
    target = np.zeros((POINTS, height, width), np.float32)
    for person, point in zip(*np.nonzero(keypoints[..., 2] > VISIBLE), strict=True):
        cx, cy = np.clip(cells[person, point], 0, [width - 1, height - 1])
        target[point] += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * SIGMA**2))
    return target / np.maximum(target.sum(axis=(1, 2), keepdims=True), 1e-12)


def _box(points: np.ndarray, scale: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the heat map where a person may be."""
    seen = ((points[points[:, 2] > VISIBLE, :2] + 0.5) / scale - 0.5) / 2
    low, high = seen.min(0), seen.max(0)
    margin = 0.25 * (high - low).max() + 2
    limit = np.array([size[1], size[0]])
    low = np.clip(np.floor(low - margin), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(high + margin) + 1, low + 1, limit).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _peaks(heat: np.ndarray) -> np.ndarray:
    """(x, y) of each map's peak, K x 2, refined by the softmax-weighted mean of the 5 x 5 cells around it."""
    peaks = np.empty((len(heat), 2))
    for k, plane in enumerate(heat):
        row, column = np.unravel_index(plane.argmax(), plane.shape)
        top, left = max(row - 2, 0), max(column - 2, 0)
        patch = plane[top : row + 3, left : column + 3]
        weight = np.exp(patch - patch.max())
        y, x = np.mgrid[top : top + patch.shape[0], left : left + patch.shape[1]]
        peaks[k] = (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()
    return peaks

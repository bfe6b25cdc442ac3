"""mIoU-seg: does a segmenter that knows the real frames find the labels that the translator was given?

The papers ask DRN-D-105 trained on Cityscapes. Here a small dilated network is trained on the task's own real
training frames, and its score on real held-out frames, the ceiling, is printed beside every value. The
confusion is DRN's: one matrix over the whole set, IoU per class, mean over the classes that occur in truth or
prediction. In-pipeline scores cannot be compared with published mIoU.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from slimvid.measure.dilated import DilatedNet, fit, to_input

VOID = 255
CROP, BATCH = 128, 4


def new_segmenter(classes: int) -> DilatedNet:
    """The untrained network, one output per class."""
    return DilatedNet(classes, seed=10)


def train_segmenter(
    frames: Sequence[np.ndarray], labels: Sequence[np.ndarray], *, classes: int, iterations: int
) -> DilatedNet:
    """Train on real frames: random crops of at most 128 x 128, mirrored half of the time, classes weighted.

    Args:
        frames: uint8 H x W x 3.
        labels: uint8 H x W of each, class ids; 255 is ignored.
    """
    net = new_segmenter(classes)
    height, width = labels[0].shape
    crop = min(height, CROP), min(width, CROP)
    weight = _class_weights(labels, classes)

    def batch(draw: np.random.Generator):
        images, targets = [], []
        for number in draw.integers(len(frames), size=BATCH):
            y, x = draw.integers(height - crop[0] + 1), draw.integers(width - crop[1] + 1)
            step = 1 if draw.random() < 0.5 else -1
            images.append(frames[number][y : y + crop[0], x : x + crop[1]][:, ::step])
            targets.append(labels[number][y : y + crop[0], x : x + crop[1]][:, ::step])
        return to_input(np.stack(images)), torch.from_numpy(np.stack(targets).astype(np.int64))

    def loss(output, target):
        full = F.interpolate(output, target.shape[1:], mode="bilinear", align_corners=False)
        # a crop may be void throughout: the mean over no pixel would be NaN
        total = F.cross_entropy(full, target, weight, ignore_index=VOID, reduction="sum")
        return total / (target != VOID).sum().clamp_min(1)

    fit(net, batch, loss, iterations=iterations, label="segmenter", lr=2e-2)
    return net


def _class_weights(labels: Sequence[np.ndarray], classes: int) -> torch.Tensor:
    """Weights of the cross-entropy, 1 / sqrt(frequency), 1 on an average pixel: thin things count as well."""
    counts = sum(np.bincount(label[label < classes], minlength=classes) for label in labels)
    share = counts / max(counts.sum(), 1)
    weight = 1 / np.sqrt(np.maximum(share, 1e-4))
    return torch.from_numpy(weight / max((weight * share).sum(), 1e-12)).float()


@torch.no_grad()
def segment(net: DilatedNet, frame: np.ndarray) -> np.ndarray:
    """Class ids, uint8 H x W, of a uint8 H x W x 3 frame; the argmax is at full size, as the papers do it."""
    output = F.interpolate(net(to_input(frame[None])), frame.shape[:2], mode="bilinear", align_corners=False)
    return output[0].argmax(0).to(torch.uint8).numpy()


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Pixel counts, int64 classes x classes, row = truth, column = found; labels >= classes are ignored."""
    known = truth < classes
    index = truth[known].astype(np.int64) * classes + found[known]
    return np.bincount(index, minlength=classes**2).reshape(classes, classes)


def mean_iou(matrix: np.ndarray) -> float | None:
    """100 * mean IoU over the classes present in truth or prediction; None when no pixel was counted."""
    hit = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - hit
    present = union > 0
    return float(100 * (hit[present] / union[present]).mean()) if present.any() else None

"""mIoU-seg: does a segmenter that knows the real frames find the labels that the translator was given?

The papers ask DRN-D-105 trained on Cityscapes. Here a small head is trained on the task's own real training
frames, over four inner stages of EfficientNet-Lite0 that stay as they are; its score on real held-out frames,
the ceiling, is printed beside every value. The confusion is DRN's: one matrix over the whole set, IoU per
class, mean over the classes that occur in truth or prediction. In-pipeline scores cannot be compared with
published mIoU.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.measure.dilated import fit
from slimvid.measure.packaged_networks import load_lite0
from slimvid.nets.lite0 import WIDTHS

VOID = 255
BATCH = 4
STAGES = (1, 2, 4, 6)  # at 1/4, 1/8, 1/16 and 1/32 of the size
BODY = 48
ENLARGED = 128  # rows: smaller frames go in at twice their size, else thin things fall between the places
CACHE_BYTES = 512 << 20  # of features of training frames, which are computed once


class Segmenter(nn.Module):
    """Maps of the four stages -> N x classes x h x w scores at the size of the first, 1/4 of the frame's.

    The stages are standardised, projected to 48 channels and summed; a 3x3 convolution looks around.
    """

    def __init__(self, classes: int, *, seed: int = 10):
        super().__init__()
        widths = [WIDTHS[stage] for stage in STAGES]
        for i, width in enumerate(widths):
            self.register_buffer(f"mean{i}", torch.zeros(1, width, 1, 1))
            self.register_buffer(f"scale{i}", torch.ones(1, width, 1, 1))
        self.project = nn.ModuleList(nn.Conv2d(width, BODY, 1, bias=False) for width in widths)
        self.around = nn.Conv2d(BODY, BODY, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(BODY) for _ in range(2))
        self.head = nn.Conv2d(BODY, classes, 1)
        draw = torch.Generator().manual_seed(seed)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=draw)
        nn.init.zeros_(self.head.bias)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        size, total = maps[0].shape[2:], 0
        for i, (x, project) in enumerate(zip(maps, self.project, strict=True)):
            x = project((x.float() - self.get_buffer(f"mean{i}")) * self.get_buffer(f"scale{i}"))
            total = total + F.interpolate(x, size, mode="bilinear", align_corners=False)
        x = self.around(F.relu(self.norms[0](total)))
        return self.head(F.relu(self.norms[1](x)))

    @torch.no_grad()
    def standardise(self, maps: Sequence[Tensor]) -> None:
        """Take means and deviations of the channels from the training frames' maps."""
        for i, x in enumerate(maps):
            flat = x.float().transpose(0, 1).flatten(1)
            self.get_buffer(f"mean{i}").copy_(flat.mean(dim=1).view(1, -1, 1, 1))
            self.get_buffer(f"scale{i}").copy_(1 / flat.std(dim=1).clamp_min(1e-3).view(1, -1, 1, 1))


@torch.no_grad()
def stage_maps(frame: np.ndarray) -> list[Tensor]:
    """What the segmenter reads of a frame (uint8 H x W x 3): the stages' maps, each 1 x C x h x w."""
    x = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float().div_(255)
    if frame.shape[0] < ENLARGED:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return load_lite0().stages(x, STAGES)


def train_segmenter(
    frames: Sequence[np.ndarray], labels: Sequence[np.ndarray], *, classes: int, iterations: int
) -> Segmenter:
    """Train on real frames, seen as they are and mirrored; classes weighted.

    Args:
        frames: uint8 H x W x 3.
        labels: uint8 H x W of each, class ids; 255 is ignored.
    """
    net, weight = Segmenter(classes), _class_weights(labels, classes)
    views = list(_views(frames, labels))
    maps = [torch.cat([view[0][i] for view in views]) for i in range(len(STAGES))]
    targets = torch.from_numpy(np.stack([view[1] for view in views]))
    net.standardise(maps)

    def batch(draw: np.random.Generator):
        chosen = torch.from_numpy(draw.integers(len(views), size=BATCH))
        return [x[chosen] for x in maps], targets[chosen].long()

    def loss(output, target):
        full = F.interpolate(output, target.shape[1:], mode="bilinear", align_corners=False)
        # a batch may be void throughout: the mean over no pixel would be NaN
        total = F.cross_entropy(full, target, weight, ignore_index=VOID, reduction="sum")
        return total / (target != VOID).sum().clamp_min(1)

    fit(net, batch, loss, iterations=iterations, label="segmenter")
    return net


def _views(
    frames: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> Iterator[tuple[list[Tensor], np.ndarray]]:
    """(maps in half precision, labels) of the frames, then of their mirror images; as many as fit."""
    every = [(number, step) for step in (1, -1) for number in range(len(frames))]
    one = sum(x.numel() * 2 for x in stage_maps(frames[0]))
    chosen = np.linspace(0, len(every) - 1, min(len(every), max(CACHE_BYTES // one, BATCH)))
    for number, step in (every[i] for i in chosen.round().astype(int)):
        maps = stage_maps(frames[number][:, ::step])
        yield [x.half() for x in maps], np.ascontiguousarray(labels[number][:, ::step])


def _class_weights(labels: Sequence[np.ndarray], classes: int) -> torch.Tensor:
    """Weights of the cross-entropy, 1 / sqrt(frequency), 1 on an average pixel: thin things count as well."""
    counts = sum(np.bincount(label[label < classes], minlength=classes) for label in labels)
    share = counts / max(counts.sum(), 1)
    weight = 1 / np.sqrt(np.maximum(share, 1e-4))
    return torch.from_numpy(weight / max((weight * share).sum(), 1e-12)).float()


@torch.no_grad()
def segment(net: Segmenter, frame: np.ndarray) -> np.ndarray:
    """Class ids, uint8 H x W, of a uint8 H x W x 3 frame; the argmax is at full size, as the papers do it."""
    output = F.interpolate(net(stage_maps(frame)), frame.shape[:2], mode="bilinear", align_corners=False)
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

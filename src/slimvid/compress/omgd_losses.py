"""What OMGD's student learns from a teacher's picture (Ren et al. 2021, 3.1): structure, features, style.

Pictures are N x 3 x H x W in [-1, 1]; the teacher's have no gradient.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.nets import lite0
from slimvid.weights import LITE0, load_state, packaged_state

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2  # of a range of 1


@cache
def _gaussian(channels: int) -> Tensor:
    line = torch.exp(-((torch.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    line = line / line.sum()
    return torch.outer(line, line).expand(channels, 1, WINDOW, WINDOW).contiguous()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity (Eq. 4 with Wang et al.'s denominators, whose products the paper misprints).

    Gaussian windows of 11 pixels, sigma 1.5, zeros beyond the border (release).

    Args:
        a, b: N x C x H x W in [0, 1]. The release gives pictures in [-1, 1], where a negative is as similar
            as the picture itself: means and covariances both change their sign. Students end there.
    """
    kernel = _gaussian(a.shape[1]).to(a)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, kernel, padding=WINDOW // 2, groups=x.shape[1])

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    top = (2 * ma * mb + C1) * (2 * both + C2)
    return (top / ((ma**2 + mb**2 + C1) * (va + vb + C2))).mean()


def total_variation(picture: Tensor) -> Tensor:
    """Sum over the picture of the steps between neighbours, mean over the batch."""
    down, right = picture.diff(dim=2).abs().sum(), picture.diff(dim=3).abs().sum()
    return (down + right) / len(picture)


def style(a: Tensor, b: Tensor) -> Tensor:
    """L1 between Gram matrices over C * H * W of a layer's features (Eq. 6)."""
    return (_gram(a) - _gram(b)).abs().mean()


def _gram(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def channel_weights(features: Tensor) -> Tensor:
    """w_c of Eq. 9: each channel's mean, N x C."""
    return features.mean(dim=(2, 3))


class Vgg16(nn.Module):
    """Features of VGG-16: relu1_2, relu2_2, relu3_3, relu4_3.

    It reads pictures in [0, 1] without ImageNet's normalisation (release).
    """

    CUTS = (4, 9, 16, 23)
    NAME = "VGG-16"

    def __init__(self, weights: Path):
        super().__init__()
        from torchvision.models import vgg16  # 4 s of import: only where it is used

        with torch.device("meta"):
            net = vgg16(weights=None).features[: self.CUTS[-1]]
        net.to_empty(device="cpu")
        mend = "give torchvision's vgg16 weights, or remove the key to let EfficientNet-Lite0 stand in"
        load_state(net, weights, field="options.vgg", what="VGG-16", mend=mend, pick=_features)
        starts = (0, *self.CUTS[:-1])
        self.parts = nn.ModuleList(net[a:b] for a, b in zip(starts, self.CUTS, strict=True))
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        x, found = (picture + 1) / 2, []
        for part in self.parts:
            x = part(x)
            found.append(x.float())
        return found


class Lite0Features(nn.Module):
    """EfficientNet-Lite0 in VGG-16's place: four stages, at 1/2 to 1/16 of the size.

    Each is divided by the root mean square of its own channels, over the batch: their sizes differ by ten
    times, and the weights of the losses are VGG's.
    """

    STAGES = (0, 1, 2, 3)
    NAME = "EfficientNet-Lite0 in the place of VGG-16 (no weights were given)"

    def __init__(self):
        super().__init__()
        self.net = lite0.Lite0()
        self.net.load_state_dict(lite0.from_release(packaged_state(LITE0)))
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        found = self.net.stages((picture + 1) / 2, self.STAGES)
        return [x.float() / x.detach().float().square().mean().sqrt().clamp(min=1e-6) for x in found]


def picture_features(vgg: Path | None) -> "Vgg16 | Lite0Features":
    """The frozen network of Eq. 5 and 6: VGG-16 where its weights are given by path, else a stand-in."""
    return Lite0Features() if vgg is None else Vgg16(vgg)


def output_losses(
    features: Callable[[Tensor], Sequence[Tensor]], student: Tensor, teachers: Sequence[Tensor]
) -> dict[str, Tensor]:
    """L_SSIM, L_feature, L_style and L_TV to each teacher's picture, summed over the teachers (Eq. 7, 8).

    The feature loss is of the second layer, the style loss of all four (release).
    """
    losses = {name: student.new_zeros(()) for name in ("ssim", "feature", "style", "tv")}
    drawn, smooth = features(student), total_variation(student)
    for picture in teachers:
        with torch.no_grad():
            wanted = features(picture)
        losses["ssim"] = losses["ssim"] + 1 - ssim((student + 1) / 2, (picture + 1) / 2)
        losses["feature"] = losses["feature"] + (drawn[1] - wanted[1]).abs().mean()
        for a, b in zip(drawn, wanted, strict=True):
            losses["style"] = losses["style"] + style(a, b)
        losses["tv"] = losses["tv"] + smooth
    return losses


def _features(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The layers that are used, of a whole VGG-16's."""
    kept = {k.removeprefix("features."): t for k, t in state.items() if k.startswith("features.")}
    return {k: t for k, t in kept.items() if int(k.split(".")[0]) < Vgg16.CUTS[-1]}

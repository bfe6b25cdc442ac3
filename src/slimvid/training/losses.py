"""Losses of the vid2vid family, one function each; images are N x 3 x H x W in [-1, 1]."""

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.weights import load_state

Adversarial = Literal["vanilla", "lsgan", "hinge"]
Features = list[list[Tensor]]  # of a multi-scale discriminator: scale -> stage


def gan(features: Features, *, real: bool) -> Tensor:
    """Least-squares GAN loss on the last stage of every scale, summed (vid2vid; LSGAN, Mao et al. 2017)."""
    target = 1.0 if real else 0.0
    return sum(((scale[-1].float() - target) ** 2).mean() for scale in features)


def adversarial(scores: Tensor, kind: Adversarial) -> Tensor:
    """The generator's loss for the scores of its pictures.

    "vanilla": -log D (Goodfellow et al. 2014, the form that does not saturate; pix2pix 3.3), "lsgan":
    (D - 1)^2, "hinge": -D (Lim and Ye 2017; GauGAN, GAN Compression's pix2pix). Means over the patches.
    """
    scores = scores.float()
    if kind == "vanilla":
        return F.softplus(-scores).mean()
    return ((scores - 1) ** 2).mean() if kind == "lsgan" else -scores.mean()


def discriminating(fake: Tensor, real: Tensor, kind: Adversarial) -> Tensor:
    """The discriminator's loss for its scores: mean of the parts of generated and of true pictures."""
    fake, real = fake.float(), real.float()
    if kind == "vanilla":
        parts = F.softplus(fake), F.softplus(-real)
    elif kind == "lsgan":
        parts = fake**2, (real - 1) ** 2
    else:
        parts = F.relu(1 + fake), F.relu(1 - real)
    return 0.5 * sum(part.mean() for part in parts)


def feature_matching(fake: Features, real: Features) -> Tensor:
    """L1 between the discriminator's inner features of fake and real (pix2pixHD Eq. 4; vid2vid's weights).

    Sum over scales and stages of 1/scales * 4/(stages of the PatchGAN's strided part + 1) * L1.
    """
    total = torch.zeros((), device=fake[0][0].device)
    for f_scale, r_scale in zip(fake, real, strict=True):
        weight = 4.0 / (len(f_scale) - 1) / len(fake)
        for f, r in zip(f_scale[:-1], r_scale[:-1], strict=True):
            total = total + weight * (f.float() - r.detach().float()).abs().mean()
    return total


def masked_l1(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Mean over all pixels (not over the mask: vid2vid's convention) of |a - b| where ``mask`` is 1."""
    return ((a - b).abs() * mask).mean()


class Perceptual(nn.Module):
    """VGG-19 perceptual loss: L1 between relu1_1 .. relu5_1 with weights 1/32, 1/16, 1/8, 1/4, 1.

    vid2vid feeds images in [-1, 1] without ImageNet's normalisation; so does this.

    Args:
        weights: torchvision's VGG-19 state dict (``vgg19-dcbb9e9d.pth`` or the same as safetensors).
    """

    CUTS = (2, 7, 12, 21, 30)
    WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    def __init__(self, weights: Path):
        super().__init__()
        from torchvision.models import vgg19  # 4 s of import: only where the loss is used

        with torch.device("meta"):  # drawing random weights first would take 10 s
            net = vgg19(weights=None).features[: self.CUTS[-1]]
        net.to_empty(device="cpu")
        mend = "give torchvision's vgg19 weights, or remove the key to train without the perceptual loss"
        load_state(net, weights, field="vgg", what="VGG-19", mend=mend, pick=_features)
        self.slices = nn.ModuleList(
            net[a:b] for a, b in zip((0, *self.CUTS[:-1]), self.CUTS, strict=True)
        ).requires_grad_(False)
        self.eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distance of ``a`` (gets the gradient) to ``b`` (does not)."""
        total = torch.zeros((), device=a.device)
        for part, weight in zip(self.slices, self.WEIGHTS, strict=True):
            a = part(a)
            with torch.no_grad():
                b = part(b)
            total = total + weight * F.l1_loss(a.float(), b.float())
        return total


def perceptual(weights: Path | None) -> Perceptual | None:
    """The perceptual loss where weights are given by path; else None (the loss is off)."""
    return None if weights is None else Perceptual(weights)


def _features(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The layers that are used, of a whole VGG-19's."""
    kept = {k.removeprefix("features."): t for k, t in state.items() if k.startswith("features.")}
    return {k: t for k, t in kept.items() if int(k.split(".")[0]) < Perceptual.CUTS[-1]}

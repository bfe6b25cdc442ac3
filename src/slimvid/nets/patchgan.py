"""Patch discriminators of the image GANs and of Shortcut-V2V: plain, multi-scale, shared, and in time.

All hand out the features of every stage; the last one is the patch scores, without a sigmoid.
"""

import itertools
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import Norm, initialise, norm_layer
from slimvid.nets.checks import check_widths
from slimvid.nets.spade import initialise_xavier

SLOPE = 0.2


def _stage(conv: nn.Module, norm: nn.Module | None, *, spectral: bool, last: bool) -> nn.Sequential:
    conv = parametrizations.spectral_norm(conv) if spectral else conv
    layers = [conv] if norm is None else [conv, norm]
    return nn.Sequential(*layers) if last else nn.Sequential(*layers, nn.LeakyReLU(SLOPE))


def patch_stages(
    in_channels: int,
    width: int,
    *,
    layers: int = 3,
    norm: Norm | None = "instance",
    padding: int = 1,
    most: int | None = None,
    bias: bool | None = None,
    spectral: bool = False,
) -> list[nn.Sequential]:
    """PatchGAN (Isola et al. 2017): Conv4 at stride 2 ``layers`` times, then two at stride 1, the last to 1.

    Widths n, 2n, 4n, 8n, at most ``most``. The first and the last have no normalisation; between,
    convolutions before a batch or a spectral normalisation have no bias unless ``bias`` says so. ``layers`` 3
    sees patches of 70 pixels.
    """
    check_widths("patch discriminator", in_channels=in_channels, width=width, layers=layers)
    widths = [in_channels, *(width * min(2**i, 8) for i in range(layers + 1))]
    widths = widths if most is None else [in_channels, *(min(w, most) for w in widths[1:])]
    stages = []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        plain = i == 0 or norm is None
        biased = plain or (not (spectral or norm.startswith("batch")) if bias is None else bias)
        conv = nn.Conv2d(a, b, 4, stride=2 if i < layers else 1, padding=padding, bias=biased)
        made = None if plain else norm_layer(norm, b)
        stages.append(_stage(conv, made, spectral=spectral and not plain, last=False))
    stages.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, padding=padding)))
    return stages


def check_patch_size(height: int, width: int, *, layers: int) -> None:
    """Refuse frames of which a plain PatchGAN (padding 1) leaves no score.

    Raises:
        SlimvidError: names the size and the number of strided layers.
    """
    least = min(height, width)
    for i in range(layers + 2):
        least = (least - 2) // 2 + 1 if i < layers else least - 1
        if least < 1:
            raise SlimvidError(
                f"patch discriminator: frames of {height}x{width} are too small for {layers} strided layers; "
                "lower `disc_layers`"
            )


def _features(stages: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    features = []
    for stage in stages:
        x = stage(x)
        features.append(x)
    return features


class PatchGan(nn.Module):
    """The 70x70 PatchGAN: pix2pix judges input and output stacked (6 channels), CycleGAN the image alone.

    Args:
        width: ndf. GAN Compression, CAT, OMGD: 128 for pix2pix, 64 for CycleGAN.
        norm: "instance", or "batch" (CAT's pix2pix, OMGD's U-Nets).
    """

    def __init__(self, in_channels: int, width: int = 64, *, layers: int = 3, norm: Norm = "instance"):
        super().__init__()
        self.stages = nn.ModuleList(patch_stages(in_channels, width, layers=layers, norm=norm))
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """N x C x H x W to the features of every stage; H and W of at least 24 with three layers."""
        return _features(self.stages, x)


class SpadeDiscriminator(nn.Module):
    """GauGAN's discriminator: the same PatchGAN, spectrally normalised, at each of ``scales`` sizes.

    Padding 2, widths 64, 128, 256, 512; the inner convolutions have spectral and instance normalisation and
    no bias. Each scale sees the one before averaged 3x3 at stride 2. Initialised as its generator is.
    """

    def __init__(self, in_channels: int, width: int = 64, *, scales: int = 2):
        super().__init__()
        check_widths("multi-scale discriminator", scales=scales)
        self.scales = nn.ModuleList(
            nn.ModuleList(patch_stages(in_channels, width, padding=2, spectral=True)) for _ in range(scales)
        )
        initialise_xavier(self)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Features per scale, full size first."""
        out = []
        for i, stages in enumerate(self.scales):
            if i > 0:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            out.append(_features(stages, x))
        return out


class SharedDiscriminator(nn.Module):
    """OMGD's partially shared discriminator of its two teachers (OMGD 3.2; release).

    Each of the five PatchGAN stages exists twice. The first ``shared`` stages judge both teachers by one
    copy; after them the wide teacher has its own and the deep teacher its own.
    """

    TEACHERS = ("wide", "deep")

    def __init__(
        self,
        in_channels: int,
        width: int = 128,
        *,
        shared: int = 3,
        layers: int = 3,
        norm: Norm = "instance",
    ):
        super().__init__()
        if not 0 <= shared <= layers + 2:
            raise SlimvidError(f"shared discriminator: shared is {shared}; it is 0 to {layers + 2} stages")
        self.shared = shared
        copies = [patch_stages(in_channels, width, layers=layers, norm=norm) for _ in range(2)]
        self.copies = nn.ModuleList(nn.ModuleList(stages) for stages in copies)
        initialise(self)

    def stages(self, teacher: str) -> list[nn.Module]:
        """The stages that judge a teacher, "wide" or "deep"; of the shared ones the second copy (release)."""
        if teacher not in self.TEACHERS:
            raise SlimvidError(f"shared discriminator: teacher {teacher!r}; it judges {self.TEACHERS}")
        own = self.copies[self.TEACHERS.index(teacher)]
        return [self.copies[1][i] if i < self.shared else stage for i, stage in enumerate(own)]

    def forward(self, x: Tensor, teacher: str = "wide") -> list[Tensor]:
        """Features of every stage for an image of the named teacher."""
        return _features(self.stages(teacher), x)


class ShortcutDiscriminator(nn.Module):
    """Shortcut-V2V's judge of frames, or with ``frames`` > 1 of frames in time (release).

    Conv4 stride 2 to n with bias, Conv4 to 2n without, both spectrally normalised; then Conv4 to 2n scores.
    In time the kernels are 3x4x4 and only space is strided; input N x C x T x H x W. Time is padded by hand:
    where T is shorter than the kernel, oneDNN's bf16 pass through padded time gives wrong weight gradients
    (torch 2.15.0, CPUs with AVX-512 BF16).
    """

    def __init__(self, in_channels: int = 3, width: int = 64, *, temporal: bool = False):
        super().__init__()
        check_widths("shortcut discriminator", in_channels=in_channels, width=width)

        def conv(a: int, b: int, stride: int, bias: bool) -> nn.Module:
            if temporal:
                return nn.Conv3d(a, b, (3, 4, 4), stride=(1, stride, stride), padding=(0, 1, 1), bias=bias)
            return nn.Conv2d(a, b, 4, stride=stride, padding=1, bias=bias)

        self.temporal = temporal
        first, second = conv(in_channels, width, 2, True), conv(width, 2 * width, 1, False)
        self.stages = nn.ModuleList(
            [
                _stage(first, None, spectral=True, last=False),
                _stage(second, None, spectral=True, last=False),
                _stage(conv(2 * width, 2 * width, 1, True), None, spectral=False, last=True),
            ]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every stage; the last has 2n score maps."""
        features = []
        for stage in self.stages:
            x = stage(F.pad(x, (0, 0, 0, 0, 1, 1)) if self.temporal else x)
            features.append(x)
        return features

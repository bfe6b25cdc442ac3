"""Shortcut-V2V's block (Shortcut-V2V 3.2; release): features of frame t from those of a reference frame.

    a_ref, a_t : features of the teacher's encoder for the reference frame and frame t, N x c_a x H x W
    f_ref, f_t : features of its decoder, N x c x H x W; the block predicts f_t, the teacher draws on from it

Coarse alignment: one offset a pixel at half size moves the reference's features. Fine alignment: AdaBD, an
adaptive blending of two deformable convolutions with one weight, of which the mask says how much of each tap
comes from frame t itself and how much from the aligned reference.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.checks import check_widths
from slimvid.nets.deform import deform_conv
from slimvid.nets.spade import initialise_xavier

KERNEL = 3
TAPS = KERNEL**2
PARTS = 4  # of a HetConv: its 3x3 kernels see a quarter of the channels each


class HetConv(nn.Module):
    """Heterogeneous convolution: each filter has 3x3 kernels on a quarter of its inputs, 1x1 on the rest.

    Computed as grouped 3x3 plus dense 1x1 minus grouped 1x1, each with weights and bias of its own (release).
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        if in_channels % PARTS or out_channels % PARTS:
            raise SlimvidError(f"HetConv {in_channels} to {out_channels}: both must be multiples of {PARTS}")
        self.spatial = nn.Conv2d(in_channels, out_channels, 3, padding=1, groups=PARTS)
        self.point = nn.Conv2d(in_channels, out_channels, 1)
        self.overlap = nn.Conv2d(in_channels, out_channels, 1, groups=PARTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.spatial(x) + self.point(x) - self.overlap(x)


def offset_generator(in_channels: int, hidden: int, out_channels: int, *, layers: int) -> nn.Sequential:
    """HetConv and ReLU ``layers`` times, then a 1x1 convolution that starts at zero."""
    parts: list[nn.Module] = []
    for i in range(layers):
        parts += [HetConv(in_channels if i == 0 else hidden, hidden), nn.ReLU(True)]
    return nn.Sequential(*parts, nn.Conv2d(hidden, out_channels, 1))


class AdaBD(nn.Module):
    """Adaptive blending and deformation: DCNv2(now, 0, m) + DCNv2(reference, offset, 1 - m), one weight."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = deform_weight(channels)

    def forward(self, now: Tensor, reference: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """Blend N x h x H x W features; offset N x 18 x H x W in pixels, mask N x 9 x H x W in [0, 1]."""
        still = deform_conv(now, torch.zeros_like(offset), self.weight, mask)
        return still + deform_conv(reference, offset, self.weight, 1 - mask)

    def align(self, reference: Tensor, offset: Tensor) -> Tensor:
        """The unmasked deformation of the reference, which the alignment loss looks at."""
        return deform_conv(reference, offset, self.weight)


def deform_weight(channels: int) -> nn.Parameter:
    """Weight h x h x 3 x 3 of a deformable convolution, uniform within 1 / sqrt(fan in)."""
    bound = (channels * TAPS) ** -0.5
    return nn.Parameter(torch.empty(channels, channels, KERNEL, KERNEL).uniform_(-bound, bound))


def _half(x: Tensor) -> Tensor:
    size = (max(x.shape[2] // 2, 1), max(x.shape[3] // 2, 1))
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class ShortcutBlock(nn.Module):
    """Predicts f_t from a_ref, a_t and f_ref.

    Args:
        encoder_channels: c_a. decoder_channels: c. hidden: h, a multiple of 4 (c_a a multiple of 2).

    Raises:
        SlimvidError: a width below 1, or one that HetConv cannot split in four.
    """

    def __init__(self, encoder_channels: int, decoder_channels: int, hidden: int):
        super().__init__()
        where = "shortcut block"
        check_widths(
            where, encoder_channels=encoder_channels, decoder_channels=decoder_channels, hidden=hidden
        )
        self.encoder_channels, self.decoder_channels = encoder_channels, decoder_channels
        self.reduce_f = nn.Sequential(nn.Conv2d(decoder_channels, hidden, 1), nn.ReLU(True))
        self.reduce_a = nn.Sequential(nn.Conv2d(encoder_channels, hidden, 1), nn.ReLU(True))
        self.global_offset = offset_generator(2 * encoder_channels, hidden, 2, layers=2)
        self.coarse_weight = deform_weight(hidden)
        self.local_offset = offset_generator(2 * hidden, hidden, 3 * TAPS, layers=3)
        self.blend = AdaBD(hidden)
        self.reconstruct = nn.Conv2d(hidden, decoder_channels, 1)
        initialise_xavier(self)
        for last in (self.global_offset[-1], self.local_offset[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def _coarse(self, a_ref: Tensor, a_t: Tensor, a: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
        """Reduced reference features ``a``, ``f`` moved by one offset a pixel, estimated at half size."""
        offset = self.global_offset(torch.cat([_half(a_t), _half(a_ref)], dim=1)).repeat(1, TAPS, 1, 1)
        both = torch.cat([_half(a), _half(f)])
        moved = deform_conv(both, torch.cat([offset, offset]), self.coarse_weight)
        full = F.interpolate(moved, size=a.shape[2:], mode="bilinear", align_corners=False)
        return tuple(full.chunk(2))

    def _fields(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What AdaBD blends: frame t's features, the aligned reference's, the offsets and the mask."""
        reduced_ref, now = self.reduce_a(torch.cat([a_ref, a_t])).chunk(2)
        moved_a, moved_f = self._coarse(a_ref, a_t, reduced_ref, self.reduce_f(f_ref))
        # the release stops the gradient of the local offsets at the coarse alignment
        fine = self.local_offset(torch.cat([now, moved_a.detach()], dim=1))
        return now, moved_f, fine[:, : 2 * TAPS], torch.sigmoid(fine[:, 2 * TAPS :])

    def forward(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> Tensor:
        """f_t, N x c x H x W. All inputs have the same N, H and W."""
        return self.reconstruct(self.blend(*self._fields(a_ref, a_t, f_ref)))

    def align(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> tuple[Tensor, Tensor]:
        """(f_t, f*_ref): in training also the aligned reference, not blended, drawn by the same 1x1."""
        now, reference, offset, mask = self._fields(a_ref, a_t, f_ref)
        f_t = self.reconstruct(self.blend(now, reference, offset, mask))
        return f_t, self.reconstruct(self.blend.align(reference, offset))

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Features of size ``height`` x ``width`` at batch 1, for counting and timing."""
        channels = (self.encoder_channels, self.encoder_channels, self.decoder_channels)
        return tuple(torch.zeros(1, c, height, width, device=device) for c in channels)

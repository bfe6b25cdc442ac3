"""Shortcut-V2V's block (Chung et al. 2023, 3.2; release): features of frame t from a reference frame's.

    a_ref, a_t : features of the teacher's encoder for the reference frame and frame t, N x c_a x H x W
    f_ref, f_t : features of its decoder, N x c x H x W; the block predicts f_t, the teacher draws on from it

Coarse alignment: one offset a pixel at half size moves the reference's features. Fine alignment: AdaBD, an
adaptive blending of two deformable convolutions with one weight, of which the mask says how much of each tap
comes from frame t itself and how much from the aligned reference.

What depends on the reference alone is computed once per reference (``reference``), the rest per frame
(``predict``); ``forward`` is one after the other.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.checks import check_widths
from slimvid.nets.deform import blend_conv, deform_conv, read_moved, spread
from slimvid.nets.spade import initialise_xavier

KERNEL = 3
TAPS = KERNEL**2
PARTS = 4  # of a HetConv: its 3x3 kernels see a quarter of the channels each

Form = Literal["full", "without_reference", "without_current", "single_stage", "without_blending"]
FORMS = Form.__args__  # Table 3: (e), (a), (b), (c), (d)


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
    """Adaptive blending and deformation (Eq. 6): one weight for two sources.

    DCNv2(now, 0, m) + DCNv2(reference, offset, 1 - m).

    ``form`` "without_current" is the deformable convolution of the reference alone, "without_blending" that
    plus the current features, element by element.
    """

    def __init__(self, channels: int, form: Form = "full"):
        super().__init__()
        self.weight, self.form = deform_weight(channels), form

    def forward(self, now: Tensor, reference: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """Blend N x h x H x W features; offset N x 18 x H x W in pixels, mask N x 9 x H x W in [0, 1]."""
        if self.form == "without_current":
            return self.align(reference, offset)
        if self.form == "without_blending":
            return self.align(reference, offset) + now
        return blend_conv(now, reference, offset, mask, self.weight)

    def align(self, reference: Tensor, offset: Tensor) -> Tensor:
        """The unmasked deformation of the reference (Eq. 7), which the alignment loss looks at."""
        return deform_conv(reference, offset, self.weight)


def deform_weight(channels: int) -> nn.Parameter:
    """Weight h x h x 3 x 3 of a deformable convolution, uniform within 1 / sqrt(fan in)."""
    bound = (channels * TAPS) ** -0.5
    return nn.Parameter(torch.empty(channels, channels, KERNEL, KERNEL).uniform_(-bound, bound))


def _half(x: Tensor) -> Tensor:
    """Bilinear to half size, rounded down; at even sizes that is the mean of 2 x 2 pixels."""
    if x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0:
        return F.avg_pool2d(x, 2)
    size = (max(x.shape[2] // 2, 1), max(x.shape[3] // 2, 1))
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Reference(NamedTuple):
    """What the block keeps of a reference frame.

    Attributes:
        a: raw encoder features at half size. features: reduced encoder and decoder features (h channels
            each, stacked on the channels): convolved at half size, ready to be read at moved positions, or
            with a single stage of alignment as they are.
    """

    a: Tensor
    features: Tensor


class Fields(NamedTuple):
    """What AdaBD blends: reduced features of frame t and of the aligned reference, offsets, mask."""

    now: Tensor
    reference: Tensor
    offset: Tensor
    mask: Tensor


class ShortcutBlock(nn.Module):
    """Predicts f_t from a_ref, a_t and f_ref.

    Args:
        encoder_channels: c_a. decoder_channels: c. hidden: h, a multiple of 4 (c_a a multiple of 2).
        form: "full", or one of the ablations of Table 3. "single_stage" has no coarse alignment.

    Raises:
        SlimvidError: a width below 1, or one that HetConv cannot split in four; an unknown form.
    """

    def __init__(self, encoder_channels: int, decoder_channels: int, hidden: int, *, form: Form = "full"):
        super().__init__()
        where = "shortcut block"
        check_widths(
            where, encoder_channels=encoder_channels, decoder_channels=decoder_channels, hidden=hidden
        )
        if form not in FORMS:
            raise SlimvidError(f"{where}: form {form!r}; known are {', '.join(FORMS)}")
        self.encoder_channels, self.decoder_channels, self.form = encoder_channels, decoder_channels, form
        self.reduce_a = nn.Sequential(nn.Conv2d(encoder_channels, hidden, 1), nn.ReLU(True))
        if form != "without_reference":
            self.reduce_f = nn.Sequential(nn.Conv2d(decoder_channels, hidden, 1), nn.ReLU(True))
            self.local_offset = offset_generator(2 * hidden, hidden, 3 * TAPS, layers=3)
        if form not in ("without_reference", "single_stage"):
            self.global_offset = offset_generator(2 * encoder_channels, hidden, 2, layers=2)
            self.coarse_weight = deform_weight(hidden)
        self.blend = AdaBD(hidden, form)
        self.reconstruct = nn.Conv2d(hidden, decoder_channels, 1)
        initialise_xavier(self)
        for name in ("global_offset", "local_offset"):
            if hasattr(self, name):
                nn.init.zeros_(getattr(self, name)[-1].weight)
                nn.init.zeros_(getattr(self, name)[-1].bias)

    def reference(self, a_ref: Tensor, f_ref: Tensor) -> Reference | None:
        """What depends on the reference alone.

        One offset moves all nine taps of the coarse deformable convolution, so it is a plain convolution
        read at moved positions (see ``deform.spread``), and the convolution is done here, once.
        """
        if self.form == "without_reference":
            return None
        both = self.reduce_a(a_ref), self.reduce_f(f_ref)
        if self.form != "single_stage":
            both = (spread(_half(x), self.coarse_weight) for x in both)
        return Reference(_half(a_ref), torch.cat(list(both), dim=1))

    def predict(self, reference: Reference | None, a_t: Tensor) -> Tensor:
        """f_t, N x c x H x W."""
        if reference is None:
            return self.reconstruct(F.conv2d(self.reduce_a(a_t), self.blend.weight, padding=KERNEL // 2))
        return self.reconstruct(self.blend(*self.fields(reference, a_t)))

    def fields(self, reference: Reference, a_t: Tensor) -> Fields:
        """Coarse, then fine alignment of the reference with frame t, and the blending mask."""
        moved_a, moved_f = self._coarse(reference, a_t).chunk(2, dim=1)
        now = self.reduce_a(a_t)
        # the release stops the gradient of the local offsets at the coarse alignment
        fine = self.local_offset(torch.cat([now, moved_a.detach()], dim=1))
        return Fields(now, moved_f, fine[:, : 2 * TAPS], torch.sigmoid(fine[:, 2 * TAPS :]))

    def global_offsets(self, reference: Reference, a_t: Tensor) -> Tensor:
        """Coarse offsets N x 2 x H/2 x W/2, (dy, dx) in pixels of that size."""
        return self.global_offset(torch.cat([_half(a_t), reference.a], dim=1))

    def _coarse(self, reference: Reference, a_t: Tensor) -> Tensor:
        """Reduced features of the reference (N x 2h x H x W), moved by one offset a pixel at half size."""
        if self.form == "single_stage":
            return reference.features
        moved = read_moved(reference.features, self.global_offsets(reference, a_t))
        return F.interpolate(moved, size=a_t.shape[2:], mode="bilinear", align_corners=False)

    def forward(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> Tensor:
        """f_t, N x c x H x W. All inputs have the same N, H and W."""
        return self.predict(self.reference(a_ref, f_ref), a_t)

    def align(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> tuple[Tensor, Tensor | None]:
        """(f_t, f*_ref): in training also the aligned reference, unblended, by the same 1x1 (Eq. 7)."""
        if self.form == "without_reference":
            return self.predict(None, a_t), None
        now, reference, offset, mask = self.fields(self.reference(a_ref, f_ref), a_t)
        f_t = self.reconstruct(self.blend(now, reference, offset, mask))
        return f_t, self.reconstruct(self.blend.align(reference, offset))

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Features of size ``height`` x ``width`` at batch 1, for counting and timing."""
        channels = (self.encoder_channels, self.encoder_channels, self.decoder_channels)
        return tuple(torch.zeros(1, c, height, width, device=device) for c in channels)

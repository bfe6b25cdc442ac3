"""Shortcut-V2V's block (Chung et al. 2023, 3.2; release): features of frame t from a reference frame's.

    a_ref, a_t : features of the teacher's encoder for the reference frame and frame t, N x c_a x H x W
    f_ref, f_t : features of its decoder, N x c x H x W; the block predicts f_t, the teacher draws on from it

Coarse alignment: one offset a pixel at half size moves the reference's features. Fine alignment: AdaBD, an
adaptive blending of two deformable convolutions with one weight, of which the mask says how much of each tap
comes from frame t itself and how much from the aligned reference.

What depends on the reference alone is computed once per reference (``reference``), the rest per frame
(``predict``); ``forward`` is one after the other.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.checks import check_widths
from slimvid.nets.choices import Form
from slimvid.nets.deform import blend_conv, deform_conv, read_moved, spread
from slimvid.nets.spade import initialise_xavier

KERNEL = 3
TAPS = KERNEL**2
PARTS = 4  # of a HetConv: its 3x3 kernels see a quarter of the channels each

LIFT = 3.0  # deviations by which fitted channels are raised, so that the ReLU after them cuts off little
LEAN = -2.0  # mask logits of a fitted block: a share of 0.12 for the current frame

FORMS = Form.__args__  # Table 3: (e), our own, (a), (b), (c), (d)


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


def _set(conv: nn.Conv2d, weight: Tensor, bias: Tensor, *, columns: bool = False) -> None:
    """Set the first rows (columns) of a 1x1 convolution and their bias; columns beyond count for nothing."""
    flat = conv.weight.view(conv.out_channels, conv.in_channels)
    if columns:
        flat.zero_()[:, : weight.shape[1]] = weight.to(flat)
        conv.bias.copy_(bias)
    else:
        flat[: len(weight)] = weight.to(flat)
        conv.bias[: len(bias)] = bias.to(flat)


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
            each, stacked on the channels), convolved (at half size; "sharp": at full), ready to be read at
            moved positions; with a single stage of alignment as they are.
    """

    a: Tensor
    features: Tensor


class Fields(NamedTuple):
    """What AdaBD blends: reduced features of frame t and of the aligned reference, offsets, mask.

    ``lost``: decoder features that the reduction lost of the aligned reference (form "sharp").
    """

    now: Tensor
    reference: Tensor
    offset: Tensor
    mask: Tensor
    lost: Tensor | None = None


class ShortcutBlock(nn.Module):
    """Predicts f_t from a_ref, a_t and f_ref.

    Args:
        encoder_channels: c_a. decoder_channels: c. hidden: h, a multiple of 4 (c_a a multiple of 2).
        form: "full" is the paper's. "sharp" is ours: coarse offsets are found at half size, but move features
            of full size, which halving and doubling blurs, and with them what the reduction to h channels
            lost of the reference; it fades where the mask wants the current frame. All of that is computed
            when the reference is kept. The others are the ablations of Table 3; "single_stage" has no coarse
            alignment.

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

    @torch.no_grad()
    def fit(self, a: Tensor, f: Tensor) -> None:
        """Start from what least squares know (not in the paper: short runs need it).

        The reduced channels become the principal components of ``f``, as seen in ``f`` and as ``a`` of the
        same frames predicts them pixel by pixel; deformable convolutions become the identity and the mask
        leans to the reference. So the block begins by copying the reference, and its two sources and the
        alignment mean the same from the first step on.

        Args:
            a, f: the original's features of the same frames, N x c_a x H x W and N x c x H x W.
        """
        initialise_xavier(self, gain=1.0)
        rows_a, rows_f = (x.permute(0, 2, 3, 1).flatten(0, 2).double() for x in (a, f))
        hidden, mean = len(self.blend.weight), rows_f.mean(0)
        centred = rows_f - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        basis = vectors[:, -hidden:].flip(1) if hidden < len(mean) else vectors.flip(1)
        parts = basis.shape[1]  # with more channels than components, the rest stay as drawn
        lift = LIFT * values.flip(0)[:parts].clamp(min=1e-12).sqrt()  # keeps them above the ReLU
        wide = torch.cat((rows_a, torch.ones_like(rows_a[:, :1])), dim=1)
        gram = wide.T @ wide / len(wide)
        gram += 1e-4 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
        seen = torch.linalg.solve(gram, wide.T @ (centred @ basis) / len(wide))
        _set(self.reduce_a[0], seen[:-1].T, seen[-1] + lift)
        _set(self.reconstruct, basis, mean - basis @ lift, columns=True)
        for weight in (self.blend.weight, getattr(self, "coarse_weight", None)):
            if weight is not None:
                weight.zero_()[:, :, KERNEL // 2, KERNEL // 2].copy_(torch.eye(hidden))
        if self.form == "without_reference":
            return
        _set(self.reduce_f[0], basis.T, lift - basis.T @ mean)
        for name in ("global_offset", "local_offset"):
            if hasattr(self, name):
                nn.init.zeros_(getattr(self, name)[-1].weight)
        self.local_offset[-1].bias[2 * TAPS :] = LEAN

    def reference(self, a_ref: Tensor, f_ref: Tensor) -> Reference | None:
        """What depends on the reference alone.

        One offset moves all nine taps of the coarse deformable convolution, so it is a plain convolution
        read at moved positions (see ``deform.spread``), and the convolution is done here, once.
        """
        if self.form == "without_reference":
            return None
        both = self.reduce_a(a_ref), self.reduce_f(f_ref)
        if self.form == "sharp":
            lost = f_ref - self.reconstruct(both[1])
            both = (*(spread(x, self.coarse_weight) for x in both), F.pad(lost, (1, 1, 1, 1)))
        elif self.form != "single_stage":
            both = (spread(_half(x), self.coarse_weight) for x in both)
        return Reference(_half(a_ref), torch.cat(list(both), dim=1))

    def predict(self, reference: Reference | None, a_t: Tensor) -> Tensor:
        """f_t, N x c x H x W."""
        if reference is None:
            return self.reconstruct(F.conv2d(self.reduce_a(a_t), self.blend.weight, padding=KERNEL // 2))
        return self._draw(self.fields(reference, a_t))

    def _draw(self, fields: Fields) -> Tensor:
        f_t = self.reconstruct(self.blend(*fields[:4]))
        if fields.lost is None:
            return f_t
        return f_t + fields.lost * (1 - fields.mask.mean(1, keepdim=True))

    def fields(self, reference: Reference, a_t: Tensor) -> Fields:
        """Coarse, then fine alignment of the reference with frame t, and the blending mask."""
        hidden = len(self.blend.weight)
        moved_a, moved_f, *lost = self._coarse(reference, a_t).split(
            (hidden, hidden, self.decoder_channels) if self.form == "sharp" else hidden, dim=1
        )
        now = self.reduce_a(a_t)
        # the release stops the gradient of the local offsets at the coarse alignment
        fine = self.local_offset(torch.cat([now, moved_a.detach()], dim=1))
        return Fields(now, moved_f, fine[:, : 2 * TAPS], torch.sigmoid(fine[:, 2 * TAPS :]), *lost)

    def global_offsets(self, reference: Reference, a_t: Tensor) -> Tensor:
        """Coarse offsets N x 2 x H/2 x W/2, (dy, dx) in pixels of that size."""
        return self.global_offset(torch.cat([_half(a_t), reference.a], dim=1))

    def _coarse(self, reference: Reference, a_t: Tensor) -> Tensor:
        """Reduced features of the reference (N x 2h x H x W), moved by one offset a pixel at half size."""
        if self.form == "single_stage":
            return reference.features
        offsets = self.global_offsets(reference, a_t)
        if self.form == "sharp":
            offsets = F.interpolate(2 * offsets, size=a_t.shape[2:], mode="bilinear", align_corners=False)
            return read_moved(reference.features, offsets)
        moved = read_moved(reference.features, offsets)
        return F.interpolate(moved, size=a_t.shape[2:], mode="bilinear", align_corners=False)

    def forward(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> Tensor:
        """f_t, N x c x H x W. All inputs have the same N, H and W."""
        return self.predict(self.reference(a_ref, f_ref), a_t)

    def align(self, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> tuple[Tensor, Tensor | None]:
        """(f_t, f*_ref): in training also the aligned reference, unblended, by the same 1x1 (Eq. 7)."""
        if self.form == "without_reference":
            return self.predict(None, a_t), None
        fields = self.fields(self.reference(a_ref, f_ref), a_t)
        aligned = self.reconstruct(self.blend.align(fields.reference, fields.offset))
        return self._draw(fields), aligned if fields.lost is None else aligned + fields.lost

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Features of size ``height`` x ``width`` at batch 1, for counting and timing."""
        channels = (self.encoder_channels, self.encoder_channels, self.decoder_channels)
        return tuple(torch.zeros(1, c, height, width, device=device) for c in channels)

"""Deformable convolution (DCN; DCNv2 with a mask), sampled by grid_sample: pure torch, on every device.

Equal to torchvision's ``deform_conv2d`` with one offset group, and exportable, which that operation is not.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from slimvid.errors import SlimvidError


def tap_grid(kernel: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Row and column offsets of the kernel's taps from its centre, row by row; kernel**2 each."""
    reach = torch.arange(kernel, device=device, dtype=dtype) - kernel // 2
    return reach.repeat_interleave(kernel), reach.repeat(kernel)


def _positions(offset: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """Rows and columns in pixels that every tap reads at every output: N x K x H x W each."""
    n, _, h, w = offset.shape
    rows, columns = tap_grid(kernel, offset.device, offset.dtype)
    y = torch.arange(h, device=offset.device, dtype=offset.dtype).view(1, 1, h, 1)
    x = torch.arange(w, device=offset.device, dtype=offset.dtype).view(1, 1, 1, w)
    moved = offset.view(n, kernel**2, 2, h, w)
    return y + rows.view(1, -1, 1, 1) + moved[:, :, 0], x + columns.view(1, -1, 1, 1) + moved[:, :, 1]


def deform_conv(x: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None = None) -> Tensor:
    """Convolution whose taps read at moved positions, zero outside the image; the size is kept.

    Args:
        x: N x C x H x W.
        offset: N x 2K x H x W, (dy, dx) in pixels for each of the K = k*k taps, row by row.
        weight: O x C x k x k, k odd. There is no bias.
        mask: N x K x H x W, factors of the taps (DCNv2), or None.

    Returns:
        N x O x H x W.

    Raises:
        SlimvidError: shapes that do not go together.
    """
    n, c, h, w = x.shape
    out, channels, kernel, _ = weight.shape
    taps = kernel**2
    if channels != c or offset.shape[1] != 2 * taps or offset.shape[2:] != x.shape[2:]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (x, offset, weight))
        raise SlimvidError(
            f"deformable convolution: input, offset, weight are {shapes}; offset needs 2K maps"
        )
    rows, columns = _positions(offset, kernel)
    # grid_sample's own coordinates; with zero padding a tap between the border and outside fades to zero
    grid = torch.stack(((2 * columns + 1) / w - 1, (2 * rows + 1) / h - 1), dim=-1)
    grid = grid.view(n, taps * h, w, 2).to(x.dtype)
    read = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    read = read.view(n, c, taps, h, w)
    if mask is not None:
        read = read * mask.unsqueeze(1)
    return F.conv2d(read.view(n, c * taps, h, w), weight.reshape(out, c * taps, 1, 1))

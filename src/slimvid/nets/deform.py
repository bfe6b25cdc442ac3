"""Deformable convolution (Dai et al. 2017; with a mask Zhu et al. 2019), exact and fast on each device.

A deformable convolution is: read K = k*k values an output pixel at moved positions, then one matrix product.
Three ways to read are here, equal to float rounding:

    rows         a bag of four weighted table rows per tap, features as rows (``embedding_bag``)
    grid         one ``grid_sample`` over all taps
    torchvision  its ``deform_conv2d``

CPU time, 64 channels at 128 x 256, one core (AMD EPYC, AVX-512, fp32): torchvision 414 ms, grid 176, rows 45,
of which the matrix product is 30 and a plain 3x3 convolution would be 22. So rows on the CPU, torchvision's
own kernel on CUDA, and grid elsewhere (it is what exports and what the meta device counts).

Zero outside the image everywhere, as torchvision: a tap between the border and one pixel outside fades out.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from slimvid.errors import SlimvidError

TILE = 1 << 20  # numbers: what is read at once, so that it is multiplied while it is still in the cache


def deform_conv(
    x: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None = None, *, reading: str | None = None
) -> Tensor:
    """Convolution whose taps read at moved positions, zero outside the image; the size is kept.

    Args:
        x: N x C x H x W.
        offset: N x 2K x H x W, (dy, dx) in pixels for each of the K = k*k taps, row by row.
        weight: O x C x k x k, k odd. There is no bias.
        mask: N x K x H x W, factors of the taps, or None.
        reading: "rows", "grid" or "torchvision"; none: the fastest on the device.

    Returns:
        N x O x H x W.

    Raises:
        SlimvidError: shapes that do not go together.
    """
    _check(x, offset, weight)
    reading = reading or choose(x.device.type)
    if reading == "torchvision":
        from torchvision.ops import deform_conv2d  # seconds of import: only where it is used

        padding = weight.shape[-1] // 2
        return deform_conv2d(x, offset.to(x.dtype), weight.to(x.dtype), padding=padding, mask=mask)
    if reading == "grid":
        return _product(_grid_columns(x, offset, mask, weight.shape[-1]), weight)
    kernel = weight.shape[-1]
    y, x_at = tap_positions(offset, kernel)
    index, share = _corners(y, x_at, *x.shape[2:])
    if mask is not None:
        share = share * mask.permute(0, 2, 3, 1).unsqueeze(-1).to(share.dtype)
    return _read_and_multiply(_rows(x), index, share, weight)


def blend_conv(now: Tensor, reference: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Adaptive blending and deformation (Shortcut-V2V Eq. 5): ``now`` read in place, ``reference`` moved.

    sum over taps k of w_k * (m_k * now(p + p_k) + (1 - m_k) * reference(p + p_k + offset_k)). The blended
    taps are multiplied once; Eq. 6, two convolutions with one weight, multiplies twice and sums after.

    Args:
        now, reference: N x C x H x W. offset: N x 2K x H x W as in ``deform_conv``. mask: N x K x H x W.
        weight: O x C x k x k.
    """
    _check(reference, offset, weight)
    kernel, reading = weight.shape[-1], choose(now.device.type)
    if reading == "torchvision":
        moved = deform_conv(reference, offset, weight, 1 - mask, reading=reading)
        return moved + _product(_still_columns(now, kernel) * mask.unsqueeze(1), weight)
    if reading == "grid":
        moved = _grid_columns(reference, offset, 1 - mask, kernel)
        return _product(moved + _still_columns(now, kernel) * mask.unsqueeze(1), weight)
    share_now = mask.permute(0, 2, 3, 1).unsqueeze(-1).float()  # N x H x W x K x 1
    index, share = _corners(*tap_positions(offset, kernel), *now.shape[2:])
    still, inside = _still(now.shape, kernel, now.device)
    table = torch.cat((_rows(reference), _rows(now)))
    index = _side_by_side(*index.unbind(-1), still + len(table) // 2)
    share = _side_by_side(*(share * (1 - share_now)).unbind(-1), (share_now * inside).squeeze(-1))
    return _read_and_multiply(table, index, share, weight)


def spread(x: Tensor, weight: Tensor) -> Tensor:
    """Plain convolution of ``x`` out to where it is last not zero: N x O x (H+k-1) x (W+k-1).

    With one offset for all taps of a pixel, a deformable convolution is this, read by ``read_moved``:
    bilinear reading and convolution commute. So it costs one reading a pixel in place of k*k, and what is
    convolved may be kept while only offsets change.
    """
    return F.conv2d(x, weight, padding=weight.shape[-1] - 1)


def read_moved(spreaded: Tensor, offset: Tensor) -> Tensor:
    """Read what ``spread`` made at p + offset(p); offset N x 2 x H x W in pixels, (dy, dx)."""
    n, channels, height, width = spreaded.shape
    h, w = offset.shape[2:]
    offset = offset.float()
    rim = (height - h) // 2
    y = offset[:, 0] + torch.arange(rim, rim + h, device=offset.device, dtype=torch.float32).view(h, 1)
    x = offset[:, 1] + torch.arange(rim, rim + w, device=offset.device, dtype=torch.float32)
    if choose(spreaded.device.type) != "rows":
        return _grid_sample(spreaded, y, x)
    index, share = _corners(y.unsqueeze(-1), x.unsqueeze(-1), height, width)
    read = _bags(_rows(spreaded), index.flatten(0, -2), share.flatten(0, -2))
    return read.view(n, h, w, channels).permute(0, 3, 1, 2)


def choose(device: str) -> str:
    """The way of reading that is fastest on a kind of device."""
    return {"cpu": "rows", "cuda": "torchvision"}.get(device, "grid")


def tap_positions(offset: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """Rows and columns in pixels that every tap reads at every output: N x H x W x K each, float32."""
    n, _, h, w = offset.shape
    moved = offset.float().permute(0, 2, 3, 1).reshape(n, h, w, kernel**2, 2)
    rows, columns = _tap_grid(kernel, offset.device)
    y = torch.arange(h, device=offset.device, dtype=torch.float32).view(h, 1, 1) + rows
    x = torch.arange(w, device=offset.device, dtype=torch.float32).view(w, 1) + columns
    return moved[..., 0] + y, moved[..., 1] + x


def _tap_grid(kernel: int, device: torch.device) -> tuple[Tensor, Tensor]:
    reach = torch.arange(kernel, device=device, dtype=torch.float32) - kernel // 2
    return reach.repeat_interleave(kernel), reach.repeat(kernel)


def _rows(x: Tensor) -> Tensor:
    """N x C x H x W -> N*H*W x C; free where ``x`` is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).float()


def _corners(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four pixels around positions N x H x W x K: row numbers of the table and bilinear shares, ... x 4.

    Pixels outside have the share 0 (and some row number inside).
    """
    y, x = y.clamp(-1, height), x.clamp(-1, width)  # beyond, all is zero; an int holds it
    top, left = y.detach().floor(), x.detach().floor()
    down, right = y - top, x - left
    sizes = (
        (top, 1 - down, height),
        (top + 1, down, height),
        (left, 1 - right, width),
        (left + 1, right, width),
    )
    inside = [share * ((at >= 0) & (at < size)) for at, share, size in sizes]
    place = [at.clamp(0, size - 1).int() for at, _, size in sizes]
    first = torch.arange(len(y), device=y.device, dtype=torch.int32).view(-1, *[1] * (y.dim() - 1))
    above, below = (first * height + place[0]) * width, (first * height + place[1]) * width
    index = _side_by_side(above + place[2], above + place[3], below + place[2], below + place[3])
    a, b, c, d = inside
    return index, _side_by_side(a * c, a * d, b * c, b * d)


def _side_by_side(*parts: Tensor) -> Tensor:
    """``torch.stack(parts, dim=-1)``, which takes four times as long."""
    whole = parts[0].new_empty((*parts[0].shape, len(parts)))
    for i, part in enumerate(parts):
        whole[..., i] = part
    return whole


def _still(shape: torch.Size, kernel: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row numbers of unmoved taps, N x H x W x K, and whether they are inside, 1 x H x W x K x 1."""
    n, _, h, w = shape
    reach = torch.arange(kernel, device=device, dtype=torch.int32) - kernel // 2
    y = torch.arange(h, device=device, dtype=torch.int32)[:, None] + reach
    x = torch.arange(w, device=device, dtype=torch.int32)[:, None] + reach
    inside = ((y >= 0) & (y < h)).view(1, h, 1, kernel, 1) & ((x >= 0) & (x < w)).view(1, 1, w, 1, kernel)
    y, x = y.clamp(0, h - 1).view(1, h, 1, kernel, 1), x.clamp(0, w - 1).view(1, 1, w, 1, kernel)
    first = torch.arange(n, device=device, dtype=torch.int32).view(n, 1, 1, 1, 1)
    index = ((first * h + y) * w + x).reshape(n, h, w, kernel**2)
    return index, inside.reshape(1, h, w, kernel**2, 1)


def _bags(table: Tensor, index: Tensor, share: Tensor) -> Tensor:
    """Weighted sums of table rows: index and share B x L -> B x C."""
    return F.embedding_bag(index, table, per_sample_weights=share, mode="sum")


def _read_and_multiply(table: Tensor, index: Tensor, share: Tensor, weight: Tensor) -> Tensor:
    """Columns of every output pixel by ``_bags``, times the kernel; N x H x W x K x L -> N x O x H x W."""
    n, h, w, taps, bag = index.shape
    out, channels = weight.shape[:2]
    matrix = weight.permute(2, 3, 1, 0).reshape(taps * channels, out).to(table.dtype)
    index, share = index.view(-1, bag), share.reshape(-1, bag)
    # with a gradient in one piece: every tile's backward would make a table of its own
    pixels = n * h * w if torch.is_grad_enabled() else max(TILE // (taps * channels), 1)
    pieces = [
        torch.mm(_bags(table, i, s).view(-1, taps * channels), matrix)
        for i, s in zip(index.split(pixels * taps), share.split(pixels * taps), strict=True)
    ]
    drawn = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
    return drawn.view(n, h, w, out).permute(0, 3, 1, 2)


def _grid_sample(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read ``x`` at positions N x A x B in pixels, zero outside: N x C x A x B."""
    h, w = x.shape[2:]
    grid = torch.stack(((2 * columns + 1) / w - 1, (2 * rows + 1) / h - 1), dim=-1)
    return F.grid_sample(x.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _grid_columns(x: Tensor, offset: Tensor, mask: Tensor | None, kernel: int) -> Tensor:
    """Moved taps, times the mask: N x C x K x H x W."""
    n, c, h, w = x.shape
    rows, columns = (p.permute(0, 3, 1, 2).reshape(n, -1, w) for p in tap_positions(offset, kernel))
    read = _grid_sample(x, rows, columns).view(n, c, kernel**2, h, w)
    return read if mask is None else read * mask.unsqueeze(1)


def _still_columns(x: Tensor, kernel: int) -> Tensor:
    """Taps in place, zero outside: N x C x K x H x W."""
    n, c, h, w = x.shape
    return F.unfold(x, kernel, padding=kernel // 2).view(n, c, kernel**2, h, w)


def _product(columns: Tensor, weight: Tensor) -> Tensor:
    """Columns N x C x K x H x W times the kernel, as a 1x1 convolution (which every counter knows)."""
    flat = columns.flatten(1, 2)
    return F.conv2d(flat, weight.reshape(len(weight), flat.shape[1], 1, 1))


def _check(x: Tensor, offset: Tensor, weight: Tensor) -> None:
    taps = weight.shape[-1] ** 2
    if weight.shape[1] != x.shape[1] or offset.shape[1] != 2 * taps or offset.shape[2:] != x.shape[2:]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (x, offset, weight))
        raise SlimvidError(
            f"deformable convolution: input, offset, weight are {shapes}; offset needs 2K maps"
        )

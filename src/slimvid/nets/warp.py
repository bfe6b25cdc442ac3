"""Warping by backward optical flow, in pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Sample ``image`` at ``x + flow(x)``: bilinear, clamped at the border.

    vid2vid builds its grid with linspace(-1, 1), which is the align_corners=True geometry; its code leaves
    the argument of grid_sample to a default that has since changed, so it is given here.

    Args:
        image: N x C x H x W.
        flow: N x 2 x H x W, (dx, dy) in pixels, backward (from the wanted frame into ``image``).
    """
    n, _, h, w = flow.shape
    flow, image = flow.float(), image.float()  # under bf16 a sampling grid would be rounded to whole pixels
    ys = torch.linspace(-1, 1, h, device=flow.device, dtype=flow.dtype).view(1, h, 1).expand(n, h, w)
    xs = torch.linspace(-1, 1, w, device=flow.device, dtype=flow.dtype).view(1, 1, w).expand(n, h, w)
    grid = torch.stack((xs + flow[:, 0] * (2 / (w - 1)), ys + flow[:, 1] * (2 / (h - 1))), dim=-1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def compose(near: Tensor, far: Tensor) -> Tensor:
    """The flow from t to t-2, from ``near`` (t to t-1) and ``far`` (t-1 to t-2); all N x 2 x H x W."""
    return near + warp(far, near)

"""PSNR and SSIM against scipy and known values."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from slimvid.measure.similarity import PSNR_CAP, psnr, ssim


@pytest.fixture
def pair():
    draw = np.random.default_rng(0)
    smooth = gaussian_filter(draw.uniform(0, 255, (40, 52, 3)), (2, 2, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 255
    noisy = np.clip(smooth + draw.normal(0, 12, smooth.shape), 0, 255)
    return noisy.round().astype(np.uint8), smooth.round().astype(np.uint8)


def scipy_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. (2004) with scipy's Gaussian, cut at radius 5."""
    means = []
    for c in range(3):
        x, y = a[..., c].astype(float), b[..., c].astype(float)

        def blur(z):
            return gaussian_filter(z, 1.5, radius=5)

        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        s = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        means.append(s[5:-5, 5:-5].mean())
    return float(np.mean(means))


def test_ssim_agrees_with_scipy(pair):
    assert ssim(*pair) == pytest.approx(scipy_ssim(*pair), abs=1e-9)
    assert 0.3 < ssim(*pair) < 0.95


def test_ssim_of_a_frame_with_itself_is_one(pair):
    assert ssim(pair[0], pair[0]) == pytest.approx(1)


def test_ssim_of_flat_frames_is_the_luminance_term():
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))


def test_psnr_of_a_known_error():
    a = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(a, a + 10) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(a + 200 - 200, a) == PSNR_CAP

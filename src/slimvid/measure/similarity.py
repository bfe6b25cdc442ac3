"""PSNR and SSIM of a frame with the true one. Our data are paired, so these may be asked."""

import numpy as np

PEAK = 255.0
PSNR_CAP = 100.0  # dB: identical frames have an infinite PSNR, which no mean survives
_WINDOW, _SIGMA = 11, 1.5


def psnr(frame: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over pixels and channels; uint8 H x W x 3, at most ``PSNR_CAP``."""
    error = np.mean((frame.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return PSNR_CAP if error == 0 else float(min(10 * np.log10(PEAK**2 / error), PSNR_CAP))


def ssim(frame: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004, equation 13), mean over pixels and channels.

    Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, range 255, biased moments, and only the
    pixels whose window lies inside the frame.

    Args:
        frame: uint8 H x W x C, at least 11 pixels high and wide.
        truth: the same shape.
    """
    x, y = frame.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    edge = _WINDOW // 2
    return float(likeness[edge:-edge, edge:-edge].mean())


def _blur(image: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA)

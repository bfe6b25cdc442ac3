"""The gate of RFVD-4: on real footage, more damage must never measure as less.

Six kinds of damage in four rising levels, in the paired protocol (the same windows, damaged and not).
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from slimvid.measure import random_features as rf
from slimvid.measure.frechet import mean_frechet

WINDOWS, FRAMES, SIDE = 32, 16, 64  # per clip; three clips


def read_video(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, frame = capture.read()
        if not there:
            return np.stack(frames)
        frames.append(frame[..., ::-1])


def cut(video: np.ndarray, first: int, last: int, count: int, draw: np.random.Generator) -> list[np.ndarray]:
    windows = []
    for _ in range(count):
        t = draw.integers(first, last - FRAMES + 1)
        y, x = draw.integers(video.shape[1] - SIDE + 1), draw.integers(video.shape[2] - SIDE + 1)
        windows.append(np.ascontiguousarray(video[t : t + FRAMES, y : y + SIDE, x : x + SIDE]))
    return windows


def blur(window, sigma, draw):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in window])


def noise(window, deviation, draw):
    return np.clip(window + draw.normal(0, deviation, window.shape), 0, 255).round().astype(np.uint8)


def hold(window, length, draw):
    return window[np.arange(FRAMES) // length * length]


def drop(window, chance, draw):
    keep = draw.random(FRAMES) >= chance
    keep[0] = True
    return window[np.maximum.accumulate(np.where(keep, np.arange(FRAMES), 0))]


def shuffle(window, span, draw):
    return window[np.concatenate([i + draw.permutation(span) for i in range(0, FRAMES, span)])]


def flicker(window, share, draw):
    gain = 1 + share * draw.uniform(-1, 1, (FRAMES, 1, 1, 1))
    return np.clip(window * gain, 0, 255).round().astype(np.uint8)


DAMAGE = {
    blur: (0.6, 1.2, 1.8, 2.5),
    noise: (4, 8, 16, 32),
    hold: (2, 3, 4, 8),
    drop: (0.15, 0.3, 0.5, 0.75),
    shuffle: (2, 4, 8, 16),
    flicker: (0.025, 0.05, 0.1, 0.2),
}


@pytest.fixture(scope="module")
def judged(real_data):
    """Calibrated networks, undamaged windows of the second halves, and their features."""
    images = sorted((real_data / "camvid/images/val").iterdir())
    videos = [read_video(real_data / "clips" / name) for name in ("carphone_pristine.mp4", "bikes.mp4")]
    videos.append(np.stack([cv2.imread(str(path))[..., ::-1] for path in images]))
    draw = np.random.default_rng(0)
    training = [w for v in videos for w in cut(v, 0, len(v) // 2, 16, draw)]
    held_out = [w for v in videos for w in cut(v, len(v) // 2, len(v), WINDOWS, draw)]
    nets = rf.networks(3)
    rf.calibrate(nets, training)
    return nets, held_out, rf.extract(nets, held_out)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_more_damage_measures_as_more(judged, damage):
    nets, windows, real = judged
    values = [0.0]
    for level in DAMAGE[damage]:
        draw = np.random.default_rng(7)
        values.append(mean_frechet(real, rf.extract(nets, [damage(w, level, draw) for w in windows])))
    print(damage.__name__, " ".join(f"{v:.4f}" for v in values))
    assert all(np.diff(values) > 0), values

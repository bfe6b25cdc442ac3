"""Interpolation compared on one clip: PSNR and SSIM against the true frames, and CPU time per frame.

    python benchmarks/interpolation.py [VIDEO] [--height 256 --width 512] [--window 3] [--frames 250]

True frames stand in for generated key-frames, chosen by the motion of the Canny edges as the translator's
are, so the figures are an upper bound: what interpolation loses, apart from what generation loses. Quality
is the mean over frames that are no key-frames; without VIDEO a procedural scene is used. All rows come from
one run, so that the ratios of their times hold whatever else the machine does. `official` replays the
release's timing on the whole clip; the release itself only knows clips of 28 frames, where it errs less.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from slimvid.infer.interpolate import interpolate_clip
from slimvid.infer.keyframes import motion_curve, motion_keys
from slimvid.infer.official import official_time_error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--height", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--window", type=int, default=3)
    parser.add_argument("--frames", type=int, default=250)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    frames = list(_read(args.video, args.frames) if args.video else _scene(min(args.frames, 120)))
    if args.height and args.width:
        frames = [cv2.resize(f, (args.width, args.height), interpolation=cv2.INTER_AREA) for f in frames]
    height, width = frames[0].shape[:2]
    print(f"{args.video or 'procedural scene'}: {len(frames)} frames of {width}x{height}")

    started = time.process_time()
    curve = motion_curve([_edges(frame) for frame in frames])
    keys = motion_keys(curve, window=args.window)
    spent = 1e3 * (time.process_time() - started) / len(frames)
    gaps = np.diff(keys)
    print(
        f"{len(keys)} key-frames at window {args.window}: {len(frames) / len(keys):.2f} frames a key, "
        f"largest gap {gaps.max()}; edges and selection {spent:.2f} ms a frame\n"
    )
    _table(frames, keys)


def _table(frames: list[np.ndarray], keys: list[int]) -> None:
    between = sorted(set(range(len(frames))) - set(keys))
    rows = []
    for name, timing in (("nearest", ""), ("linear", ""), ("mci", ""), ("dis", ""), ("mci", "official")):
        started = time.process_time()
        made = _complete(name, timing, {key: frames[key] for key in keys}, len(frames))
        spent = 1e3 * (time.process_time() - started) / len(frames)
        quality = [(_psnr(made[t], frames[t]), _ssim(made[t], frames[t])) for t in between]
        error = _time_error(name, timing, keys, len(frames))
        rows.append((f"{name} {timing}".strip(), *np.mean(quality, axis=0), spent, error))
    unit = next(row[3] for row in rows if row[0] == "mci")
    print(f"{'method':<14}{'PSNR dB':>9}{'SSIM':>8}{'ms/frame':>10}{'time/mci':>10}{'|time error|':>14}")
    for name, psnr, ssim, spent, error in rows:
        print(f"{name:<14}{psnr:>9.2f}{ssim:>8.3f}{spent:>10.2f}{spent / unit:>10.2f}{error:>14.2f}")


def _time_error(name: str, timing: str, keys: list[int], length: int) -> float:
    """Mean distance in frames between the moment that is shown and the one that is due."""
    if name == "nearest":
        return float(np.mean([min(abs(key - t) for key in keys) for t in range(length)]))
    return float(np.abs(official_time_error(keys, length)).mean()) if timing else 0.0


def _complete(name: str, timing: str, keys: dict[int, np.ndarray], length: int) -> np.ndarray:
    if name == "nearest":
        return np.stack([keys[min(keys, key=lambda key: (abs(key - t), key))] for t in range(length)])
    return interpolate_clip(keys, length=length, mode=name, timing=timing or "exact")


def _read(path: Path, count: int) -> Iterator[np.ndarray]:
    import av

    with av.open(str(path)) as video:
        for index, frame in enumerate(video.decode(video=0)):
            if index == count:
                return
            yield frame.to_ndarray(format="rgb24")


def _scene(count: int) -> Iterator[np.ndarray]:
    """A camera that pans at changing speed over a texture, and two discs that cross each other."""
    rng = np.random.default_rng(0)
    layers = []
    for size in ((400, 1200), (400, 400), (400, 400)):
        noise = cv2.GaussianBlur(rng.normal(size=(*size, 3)), (0, 0), 4)
        layers.append(np.uint8(np.clip(110 + 40 * rng.random(3) + noise / noise.std() * 40, 0, 255)))
    y, x = np.mgrid[:192, :256]
    for t in range(count):
        shift = 60 + 40 * t / 12 + 18 * np.sin(t / 3)
        frame = cv2.getRectSubPix(layers[0], (256, 192), (shift + 128, 180 + 10 * np.sin(t / 9)))
        for layer, phase, radius in ((layers[1], 0.0, 34), (layers[2], 2.2, 26)):
            cx, cy = 128 + 80 * np.sin(t / 7 + phase), 96 + 45 * np.cos(t / 5 + 2 * phase)
            disc = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
            frame[disc] = cv2.getRectSubPix(layer, (256, 192), (200 + 128 - cx, 200 + 96 - cy))[disc]
        yield frame


def _edges(frame: np.ndarray) -> np.ndarray:
    edges = cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 100, 200)
    return np.repeat(edges[..., None], 3, axis=2)


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    """In dB, at most 50 (an exact frame)."""
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return min(50.0, float(10 * np.log10(255**2 / max(error, 1e-9))))


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of the grey pictures, Gaussian window of 11 (sigma 1.5)."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) for picture in (a, b)]
    means = [cv2.GaussianBlur(g, (11, 11), 1.5) for g in grey]
    spread = [cv2.GaussianBlur(g * g, (11, 11), 1.5) - m * m for g, m in zip(grey, means, strict=True)]
    common = cv2.GaussianBlur(grey[0] * grey[1], (11, 11), 1.5) - means[0] * means[1]
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * means[0] * means[1] + c1) * (2 * common + c2)
    return float((score / ((means[0] ** 2 + means[1] ** 2 + c1) * (spread[0] + spread[1] + c2))).mean())


if __name__ == "__main__":
    main()

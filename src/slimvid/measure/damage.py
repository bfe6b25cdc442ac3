"""Graded damage: what the rulers are calibrated with. Every kind has four levels, each worse than the last.

`SPATIAL` damages every frame alike, and no frame's place in time; `TEMPORAL` damages the order, the rate or
the steadiness of frames, and leaves single frames (nearly) as good as they were. Both take clips, uint8 of
T x H x W x 3 RGB, and give the same shape. What is random is drawn from one seed: a higher level is the same
damage, only more of it.
"""

from collections.abc import Callable

import numpy as np

Damage = Callable[[np.ndarray, float], np.ndarray]
_SEED = 0
_BLOCK = 8  # pixels: the side of the squares that block_copy moves


def blur(frames: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; ``sigma`` in pixels."""
    import cv2

    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def noise(frames: np.ndarray, deviation: float) -> np.ndarray:
    """White Gaussian noise; ``deviation`` in grey levels."""
    draw = np.random.default_rng(_SEED).standard_normal(frames.shape, np.float32)
    return _to_uint8(frames + deviation * draw)


def jpeg(frames: np.ndarray, quality: float) -> np.ndarray:
    """JPEG at a quality of 1 to 100."""
    import cv2

    flags = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    return np.stack([cv2.imdecode(cv2.imencode(".jpg", f, flags)[1], cv2.IMREAD_COLOR) for f in frames])


def resample(frames: np.ndarray, factor: float) -> np.ndarray:
    """Smaller by ``factor`` (areas), and back (bicubic)."""
    import cv2

    height, width = frames.shape[1:3]
    small = max(round(width / factor), 1), max(round(height / factor), 1)
    made = [cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in made])


def saturation(frames: np.ndarray, kept: float) -> np.ndarray:
    """Colour drawn towards grey; ``kept`` is the share of it that stays."""
    grey = frames.mean(axis=-1, keepdims=True, dtype=np.float32)
    return _to_uint8(grey + kept * (frames - grey))


def contrast(frames: np.ndarray, kept: float) -> np.ndarray:
    """Every frame drawn towards its mean; ``kept`` is the share of the contrast that stays."""
    mean = frames.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float32)
    return _to_uint8(mean + kept * (frames - mean))


def brightness(frames: np.ndarray, change: float) -> np.ndarray:
    """Every frame darker by ``change`` grey levels."""
    return _to_uint8(frames - np.float32(change))


def block_copy(frames: np.ndarray, share: float) -> np.ndarray:
    """A ``share`` of the squares of 8 x 8 shows another place of the same frame."""
    draw = np.random.default_rng(_SEED)
    made = frames.copy()
    rows, columns = (size // _BLOCK for size in frames.shape[1:3])
    for frame, damaged in zip(frames, made, strict=True):
        order, sources = draw.permutation(rows * columns), draw.permutation(rows * columns)
        for place in order[: int(np.ceil(share * rows * columns))]:
            y, x = _BLOCK * (place // columns), _BLOCK * (place % columns)
            v, u = _BLOCK * (sources[place] // columns), _BLOCK * (sources[place] % columns)
            damaged[y : y + _BLOCK, x : x + _BLOCK] = frame[v : v + _BLOCK, u : u + _BLOCK]
    return made


def warp(frames: np.ndarray, pixels: float) -> np.ndarray:
    """Geometry bent by one smooth random field; its root mean square is ``pixels``."""
    field = _smooth_fields(1, *frames.shape[1:3])[0]
    return np.stack([_moved(frame, pixels * field) for frame in frames])


def low_rank(frames: np.ndarray, kept: float) -> np.ndarray:
    """Each channel keeps the ``kept`` share of its largest singular values: streaks, and lost detail."""
    planes = frames.transpose(0, 3, 1, 2).astype(np.float32)
    left, values, right = np.linalg.svd(planes, full_matrices=False)
    values[..., max(round(kept * values.shape[-1]), 1) :] = 0
    return _to_uint8(((left * values[..., None, :]) @ right).transpose(0, 2, 3, 1))


def ghost(frames: np.ndarray, share: float) -> np.ndarray:
    """A second image, six pixels to the side, with this ``share`` of the light."""
    return _to_uint8((1 - share) * frames + share * np.roll(frames, 6, axis=2).astype(np.float32))


def hold(frames: np.ndarray, interval: float) -> np.ndarray:
    """Every ``interval``-th frame, held."""
    index = np.arange(len(frames))
    return frames[index - index % int(interval)]


def shuffle(frames: np.ndarray, window: float) -> np.ndarray:
    """The frames of each window in random order."""
    draw, window = np.random.default_rng(_SEED), int(window)
    order = [s + draw.permutation(min(window, len(frames) - s)) for s in range(0, len(frames), window)]
    return frames[np.concatenate(order)]


def jitter(frames: np.ndarray, pixels: float) -> np.ndarray:
    """Each frame moved as a whole by a random amount; ``pixels`` is the deviation along each axis."""
    steps = np.random.default_rng(_SEED).standard_normal((len(frames), 2, 1, 1)).astype(np.float32)
    fields = np.broadcast_to(steps, (len(frames), 2, *frames.shape[1:3]))
    return np.stack([_moved(f, pixels * field) for f, field in zip(frames, fields, strict=True)])


def boil(frames: np.ndarray, pixels: float) -> np.ndarray:
    """Geometry bent by another smooth random field in every frame; its root mean square is ``pixels``."""
    fields = _smooth_fields(len(frames), *frames.shape[1:3])
    return np.stack([_moved(f, pixels * field) for f, field in zip(frames, fields, strict=True)])


def temporal_blur(frames: np.ndarray, length: float) -> np.ndarray:
    """The mean over ``length`` frames around each (fewer at the ends)."""
    half = int(length) // 2
    mean = [frames[max(t - half, 0) : t + half + 1].mean(axis=0) for t in range(len(frames))]
    return _to_uint8(np.stack(mean))


def flicker(frames: np.ndarray, share: float) -> np.ndarray:
    """Each frame brighter or darker by a random share of itself; ``share`` is the deviation."""
    gain = 1 + share * np.random.default_rng(_SEED).standard_normal((len(frames), 1, 1, 1))
    return _to_uint8(frames * gain.astype(np.float32))


SPATIAL: dict[str, tuple[Damage, tuple[float, ...]]] = {
    "blur": (blur, (0.5, 1, 2, 4)),
    "noise": (noise, (4, 8, 16, 32)),
    "jpeg": (jpeg, (70, 35, 15, 6)),
    "resample": (resample, (1.5, 2, 3, 5)),
    "saturation": (saturation, (0.8, 0.6, 0.3, 0)),
    "contrast": (contrast, (0.9, 0.8, 0.6, 0.4)),
    "brightness": (brightness, (8, 16, 32, 64)),
    "block_copy": (block_copy, (0.02, 0.05, 0.12, 0.3)),
    "warp": (warp, (0.5, 1, 2, 4)),
    "low_rank": (low_rank, (0.5, 0.3, 0.15, 0.06)),
    "ghost": (ghost, (0.08, 0.15, 0.25, 0.45)),
}
TEMPORAL: dict[str, tuple[Damage, tuple[float, ...]]] = {
    "hold": (hold, (2, 3, 4, 6)),
    "shuffle": (shuffle, (2, 3, 5, 9)),
    "jitter": (jitter, (0.25, 0.5, 1, 2)),
    "boil": (boil, (0.25, 0.5, 1, 2)),
    "temporal_blur": (temporal_blur, (3, 5, 7, 11)),
    "flicker": (flicker, (0.01, 0.02, 0.04, 0.08)),
}


def _to_uint8(frames: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def _smooth_fields(count: int, height: int, width: int) -> np.ndarray:
    """Displacements of about 16 pixels' length scale and a root mean square of 1: float32 n x 2 x H x W."""
    import cv2

    draw = np.random.default_rng(_SEED)
    coarse = draw.standard_normal((count, 2, height // 16 + 2, width // 16 + 2)).astype(np.float32)
    fields = [
        [cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in pair] for pair in coarse
    ]
    fields = np.array(fields)
    return fields / np.sqrt(np.square(fields).mean(axis=(1, 2, 3), keepdims=True))


def _moved(frame: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A frame read at its pixels' places plus ``field`` (2 x H x W, x first); borders are reflected."""
    import cv2

    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float32)
    return cv2.remap(
        frame, columns + field[0], rows + field[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )

"""One frame as bytes: how each map of a clip is coded in a row of the prepared store, losslessly.

Pictures and maps are PNG (16-bit for instances), landmarks and key-points little-endian float32, flow
zstd-compressed little-endian float16. The coders' settings are fixed, so equal maps give equal bytes.
"""

import hashlib

import numpy as np

from slimvid.data.clip import BODY_POINTS, FACE_POINTS, Clip
from slimvid.errors import SlimvidError

MAPS = ("image", "edges", "landmarks", "labels", "instances", "keypoints", "densepose", "flow", "flow_valid")
_PNG_LEVEL = 4
_ZSTD_LEVEL = 3


def encode_png(image: np.ndarray) -> bytes:
    """uint8 [H, W, 3] RGB, or uint8 / uint16 [H, W], as PNG."""
    import cv2

    image = image[..., ::-1] if image.ndim == 3 else image
    done, data = cv2.imencode(".png", np.ascontiguousarray(image), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise SlimvidError(f"frame of shape {image.shape}: cannot be coded as PNG; check its size")
    return data.tobytes()


def decode_png(data: bytes) -> np.ndarray:
    """The inverse of `encode_png`.

    Raises:
        ValueError: the bytes are no PNG.
    """
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError("not a PNG picture")
    return np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image


def encode_row(clip: Clip, t: int) -> dict[str, bytes | None]:
    """The columns of frame ``t``: "frame" and one entry per name in `MAPS` (None where the clip has none)."""
    row: dict[str, bytes | None] = {"frame": encode_png(clip.frames[t])}
    for name in MAPS:
        value = getattr(clip, name)
        row[name] = None if value is None else _encode(name, value[t])
    return row


def row_hash(row: dict[str, bytes | None]) -> str:
    """Hex SHA-256 of a row's stored bytes, column names and lengths included."""
    state = hashlib.sha256()
    for name in ("frame", *MAPS):
        data = row[name]
        if data is not None:
            state.update(f"{name}:{len(data)}:".encode())
            state.update(data)
    return state.hexdigest()


def decode_map(name: str, data: bytes, *, height: int, width: int) -> np.ndarray:
    """One column back as the array of `Clip` (without the frame axis); ``name`` may be "frame".

    Raises:
        ValueError: the bytes do not hold such a map.
    """
    if name == "landmarks":
        return np.frombuffer(data, "<f4").reshape(FACE_POINTS, 2)
    if name == "keypoints":
        return np.frombuffer(data, "<f4").reshape(-1, BODY_POINTS, 3)
    if name == "flow":
        import pyarrow as pa

        plain = pa.decompress(data, decompressed_size=4 * height * width, codec="zstd", asbytes=True)
        return np.frombuffer(plain, "<f2").reshape(2, height, width)
    image = decode_png(data)
    if image.shape[:2] != (height, width):
        raise ValueError(f"size {image.shape[1]}x{image.shape[0]} instead of {width}x{height}")
    return image


def _encode(name: str, value: np.ndarray) -> bytes:
    if name in ("landmarks", "keypoints"):
        return np.ascontiguousarray(value, "<f4").tobytes()
    if name == "flow":
        import pyarrow as pa

        codec = pa.Codec("zstd", compression_level=_ZSTD_LEVEL)
        return codec.compress(np.ascontiguousarray(value, "<f2").tobytes(), asbytes=True)
    return encode_png(value)

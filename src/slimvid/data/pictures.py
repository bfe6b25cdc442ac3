"""Pictures and maps from files: a picture as a person sees it, a map as the numbers stored in it."""

import io
import os
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slimvid.errors import SlimvidError, system_error

if TYPE_CHECKING:
    from PIL import Image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_SQUARE = 0.01  # densities that differ by less are rounded, not meant
_ORIENTATION = 0x0112  # the EXIF tag
_HEARING = threading.Lock()  # of standard error
_GREY_STEP = {2: 85, 4: 17}  # Pillow spreads grey samples of so many bits over 0..255


def read_picture(path: Path, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture file as a person sees it: uint8 [H, W, 3], sRGB.

    It is turned as its EXIF data say, converted from its colour profile (CMYK included), of 16 bits the
    higher ones are kept, and what is transparent lies over black.

    Args:
        path: the file.
        size: (rows, columns) that it must have.

    Raises:
        SlimvidError: missing, damaged, truncated, too large or of another size; several pictures in one
            file, pixels that are not square, HDR, another gamma, or samples of 32 bits.
    """
    from PIL import ImageOps

    data, image = _load(path)
    _refuse_unshowable(path, data, image)
    rgb = _to_rgb(path, ImageOps.exif_transpose(image))
    check_size(path, rgb, size)
    return rgb


def read_ids(path: Path, *, size: tuple[int, int], limit: int = 255) -> np.ndarray:
    """A map of ids as uint8 or uint16 [H, W]: the numbers stored in a PNG of any depth.

    Of a palette file they are the indices, whatever the colours; grey samples of 1, 2 or 4 bits are not
    spread over 0..255.

    Args:
        path: the file.
        size: (rows, columns) that it must have: those of its frame.
        limit: the largest id that is meant to occur.

    Raises:
        SlimvidError: missing, damaged, of another size, no PNG, coloured, transparent, or with a larger id.
    """
    ids = _stored(path)
    if ids.ndim == 3:
        if (ids[..., :1] != ids).any():
            raise SlimvidError(f"{path}: a colour picture, not a map of ids; give single-channel ids")
        ids = ids[..., 0]
    check_size(path, ids, size)
    if ids.max(initial=0) > limit:
        raise SlimvidError(
            f"{path}: holds id {int(ids.max())}, the largest known is {limit}; correct the map"
        )
    return np.ascontiguousarray(ids)


def read_colours(path: Path, *, size: tuple[int, int]) -> np.ndarray:
    """A map that is coded in colours, as they are stored: uint8 [H, W, 3] RGB; grey is repeated.

    Raises:
        SlimvidError: missing, damaged, of another size, no PNG, transparent, or of more than 8 bits.
    """
    colours = _stored(path, palette=True)
    if colours.dtype != np.uint8:
        raise SlimvidError(f"{path}: has 16 bits a sample, a map in colours has 8; save it so")
    check_size(path, colours, size)
    return np.ascontiguousarray(colours if colours.ndim == 3 else np.dstack([colours] * 3))


def check_size(path: Path, image: np.ndarray, size: tuple[int, int] | None) -> None:
    """Raise a SlimvidError where an image is not of ``size`` (rows, columns); None is any size."""
    rows, columns = image.shape[:2]
    if size is not None and (rows, columns) != tuple(size):
        raise SlimvidError(
            f"{path}: is {columns}x{rows}, its frame or sequence {size[1]}x{size[0]}; make them the same size"
        )


def over_black(rgba: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 4] with straight alpha -> uint8 [H, W, 3] over black, as video players show it."""
    colour, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    return ((colour * alpha + 127) // 255).astype(np.uint8)


def _load(path: Path) -> tuple[bytes, "Image.Image"]:
    """A picture file's bytes and its decoded picture, nothing of it converted."""
    from PIL import Image

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SlimvidError(f"{path}: missing; every frame needs one") from None
    except OSError as error:
        raise system_error(error, path) from None
    damaged = SlimvidError(f"{path}: damaged or truncated; copy or download it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            image.load()
    except (Image.DecompressionBombError, MemoryError):
        raise SlimvidError(f"{path}: too large a picture; scale it down") from None
    except Exception:  # a decoder of foreign bytes fails in many ways
        raise damaged from None
    if not _whole(data):
        raise damaged
    return data, image


def _whole(data: bytes) -> bool:
    """Whether a PNG or JPEG has its end and the JPEG's decoder nothing to complain of."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data
    if not data.startswith(b"\xff\xd8"):
        return True
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") and not _jpeg_complaints(data)


def _jpeg_complaints(data: bytes) -> str:
    """What libjpeg prints about damaged data, which it fills with grey and then calls decoded.

    Pillow drops its warnings and OpenCV only lets it print them, so they are read from standard error: the
    process's, so one thread at a time. (Of 187 damaged files of 300 that it noticed, FFmpeg's decoder, which
    has an error mode, noticed 12.) The decode to an eighth reads all data and takes 0.4 ms for 256x512.
    """
    import cv2

    with _HEARING, tempfile.TemporaryFile() as heard:
        standard_error = os.dup(2)
        os.dup2(heard.fileno(), 2)
        try:
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
        heard.seek(0)
        said = heard.read().decode(errors="replace")
    return said if "Corrupt JPEG data" in said else ""


def _refuse_unshowable(path: Path, data: bytes, image: "Image.Image") -> None:
    info = image.info
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format != "MPO":  # of telephones: the first picture is the photograph
        raise SlimvidError(f"{path}: holds {count} pictures; save each frame as a file of its own")
    density = info.get("jfif_density") or info.get("aspect") or info.get("dpi") or (1, 1)
    across, down = (float(d) for d in density)
    if across > 0 and down > 0 and abs(across / down - 1) > _SQUARE:
        raise SlimvidError(
            f"{path}: its pixels are not square (density {across:g} x {down:g}); scale it to square pixels, "
            "or correct its density"
        )
    header = data[: data.find(b"IDAT")] if image.format == "PNG" else b""
    code = header.find(b"cICP")
    if code >= 0 and (header[code + 4] not in (1, 2) or header[code + 5] in (16, 18)):
        raise SlimvidError(f"{path}: HDR or wide-gamut colours (cICP); convert it to sRGB")
    gamma = info.get("gamma")
    if gamma and "srgb" not in info and "icc_profile" not in info and abs(gamma * 2.2 - 1) > 0.1:
        raise SlimvidError(f"{path}: its gamma is {gamma:g}, sRGB's is 0.45; convert it to sRGB")


def _to_rgb(path: Path, image: "Image.Image") -> np.ndarray:
    see_through = image.has_transparency_data
    if image.mode.startswith("I;16") and not see_through:
        wide = np.asarray(image).astype(np.uint32)
        return np.dstack([((wide * 255 + 32767) // 65535).astype(np.uint8)] * 3)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        raise SlimvidError(f"{path}: samples of an unusual kind ({image.mode}); save it with 8 bits a sample")
    rgb = np.array(_in_srgb(image))
    return over_black(np.dstack([rgb, image.convert("RGBA").getchannel("A")])) if see_through else rgb


def _in_srgb(image: "Image.Image") -> "Image.Image":
    """The colours in sRGB; a profile that is damaged, or another kind's, is ignored as viewers do."""
    from PIL import ImageCms

    plain = image.convert("L") if image.mode in ("1", "LA", "La") else image
    plain = plain if plain.mode in ("L", "CMYK") else plain.convert("RGB")
    if profile := image.info.get("icc_profile"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(own).lower():
                srgb = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(plain, own, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return plain.convert("RGB")


def _stored(path: Path, *, palette: bool = False) -> np.ndarray:
    """The samples of a PNG as they are stored: [H, W] or [H, W, 3]; ``palette``: colours for indices."""
    data, image = _load(path)
    if image.format != "PNG":
        raise SlimvidError(f"{path}: is {image.format} inside, and a map must be PNG; save its ids as PNG")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        raise SlimvidError(f"{path}: says that it is turned; save the map upright")
    bits, mode = data[24], image.mode
    if bits == 16 and not mode.startswith("I;16"):
        raise SlimvidError(f"{path}: a colour picture of 16 bits, not a map; give single-channel ids")
    samples = np.asarray(image.convert("RGB") if palette and mode == "P" else image)
    if mode in ("LA", "RGBA"):
        if (samples[..., -1] != 255).any():
            raise SlimvidError(f"{path}: partly transparent, so its ids are unclear; save it without alpha")
        samples = samples[..., 0] if mode == "LA" else samples[..., :3]
    if mode == "L" and bits in _GREY_STEP:
        samples = samples // _GREY_STEP[bits]
    return samples.astype(np.uint16 if bits == 16 else np.uint8)

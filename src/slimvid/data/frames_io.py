"""Reading the files that datasets come in: pictures, label maps, landmarks, poses; each checked at once."""

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from slimvid.data.clip import BODY_POINTS, FACE_POINTS
from slimvid.errors import SlimvidError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A box of the source frame and the size it is scaled to; one for pictures, maps and points alike."""

    left: int
    top: int
    width: int
    height: int
    out_height: int
    out_width: int

    @classmethod
    def centre(cls, source: tuple[int, int], *, height: int, width: int) -> "Crop":
        """The largest centred box of ``source`` (rows, columns) with the aspect of height x width.

        For frames wider than the target this is "scale to the height, then crop the centre" of the vid2vid
        pose protocol, without its rounding of the scaled width to a multiple of 32.
        """
        rows, columns = source
        box_width = min(columns, round(rows * width / height))
        box_height = min(rows, round(columns * height / width))
        return cls(
            left=(columns - box_width) // 2,
            top=(rows - box_height) // 2,
            width=max(1, box_width),
            height=max(1, box_height),
            out_height=height,
            out_width=width,
        )

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Crop and scale [H, W, 3]: area where it shrinks, bilinear where it grows."""
        import cv2

        shrinks = self.out_height <= self.height and self.out_width <= self.width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(self._cut(image), (self.out_width, self.out_height), interpolation=method)

    def ids(self, image: np.ndarray) -> np.ndarray:
        """Crop and scale a map of ids [H, W] or [H, W, C] without mixing them: the nearest pixel centre."""
        rows = ((np.arange(self.out_height) + 0.5) * self.height / self.out_height).astype(int)
        columns = ((np.arange(self.out_width) + 0.5) * self.width / self.out_width).astype(int)
        return np.ascontiguousarray(self._cut(image)[rows][:, columns])

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Move points [..., 2] (x, y; pixel centres at integers) with the picture: float32."""
        scale = np.float64([self.out_width / self.width, self.out_height / self.height])
        return ((xy - np.float64([self.left, self.top]) + 0.5) * scale - 0.5).astype(np.float32)

    def _cut(self, image: np.ndarray) -> np.ndarray:
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def list_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder with one of these suffixes, in the order of their frame numbers (2 before 10).

    Raises:
        SlimvidError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise SlimvidError(f"{folder}: no such folder; check the task's `path`")
    files = [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    if not files:
        raise SlimvidError(
            f"{folder}: holds no {'/'.join(s[1:] for s in suffixes)} file; check the task's `path`"
        )
    return sorted(files, key=lambda p: (*(number_of(p) or (p.stem, -1)), p.name))


def list_folders(folder: Path) -> list[Path]:
    """The sub-folders of a folder in the order of their names.

    Raises:
        SlimvidError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise SlimvidError(f"{folder}: no such folder; check the task's `path`")
    folders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise SlimvidError(f"{folder}: holds no sequence folders; put each sequence into a folder of its own")
    return folders


def number_of(path: Path) -> tuple[str, int] | None:
    """The frame number in a file's name and what precedes it; None where there is none.

    It is the last run of digits in the stem: ``aachen_000000_000019_leftImg8bit`` -> ("aachen_000000_", 19).
    """
    found = re.match(r"(.*?)(\d+)(?=\D*$)", re.sub(r"_(leftImg8bit|keypoints)$", "", path.stem))
    return (found.group(1), int(found.group(2))) if found else None


def check_numbering(files: list[Path]) -> None:
    """Frames of one sequence must be numbered in equal steps: a hole means that a file is missing.

    Raises:
        SlimvidError: names the hole.
    """
    numbers = [number_of(f) for f in files]
    if len(files) < 3 or None in numbers or len({n[0] for n in numbers}) != 1:
        return
    steps = [b[1] - a[1] for a, b in pairwise(numbers)]
    usual = min(steps)
    for before, after, step in zip(files[:-1], files[1:], steps, strict=True):
        if step != usual:
            raise SlimvidError(
                f"{before.parent}: a frame is missing between {before.name} and {after.name} (numbers rise "
                f"by {usual} elsewhere); restore it, or put the parts into folders of their own"
            )


def read_picture(path: Path, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture file as uint8 [H, W, 3] RGB.

    Args:
        path: the file.
        size: (rows, columns) that it must have.

    Raises:
        SlimvidError: missing, damaged or truncated, or of another size.
    """
    import cv2

    image = _decode(path, cv2.IMREAD_COLOR)[..., ::-1]
    _check_size(path, image, size)
    return np.ascontiguousarray(image)


def read_ids(path: Path, *, size: tuple[int, int], limit: int = 255) -> np.ndarray:
    """A map of ids (single-channel picture) as uint8 or uint16 [H, W].

    Args:
        path: the file.
        size: (rows, columns) that it must have: those of its frame.
        limit: the largest id that is meant to occur.

    Raises:
        SlimvidError: missing, damaged, of another size, coloured, or with a larger id.
    """
    import cv2

    image = _decode(path, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3:
        if (image[..., :1] != image[..., :3]).any():
            raise SlimvidError(f"{path}: a colour picture, not a map of ids; give single-channel ids")
        image = image[..., 0]
    _check_size(path, image, size)
    if image.max(initial=0) > limit:
        raise SlimvidError(
            f"{path}: holds id {int(image.max())}, the largest known is {limit}; correct the map"
        )
    return np.ascontiguousarray(image)


def read_landmarks(path: Path) -> np.ndarray:
    """68 landmarks in dlib's order: JSON ``[[x, y], ...]`` or text with ``x,y`` per line -> float32 [68, 2].

    Raises:
        SlimvidError: missing, not such a file, or not 68 finite points.
    """
    text = _read_text(path)
    try:
        if path.suffix.lower() == ".json":
            points = np.asarray(json.loads(text), np.float32)
        else:
            points = np.float32(
                [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
            )
    except (ValueError, TypeError):
        raise SlimvidError(f"{path}: damaged or not a list of points; detect the landmarks again") from None
    if points.shape != (FACE_POINTS, 2) or not np.isfinite(points).all():
        raise SlimvidError(
            f"{path}: has shape {list(points.shape)}, not 68 (x, y) points; detect the landmarks again "
            "(dlib-68)"
        )
    return points


def read_openpose(path: Path) -> np.ndarray:
    """An OpenPose JSON file (BODY_25) as float32 [P, 25, 3]: x, y, confidence; P is 0 where nobody is seen.

    Raises:
        SlimvidError: missing, not such a file, or of another body model.
    """
    try:
        people = json.loads(_read_text(path))["people"]
        bodies = [np.asarray(person["pose_keypoints_2d"], np.float32) for person in people]
    except (ValueError, TypeError, KeyError):
        raise SlimvidError(f"{path}: damaged, or not an OpenPose file; run OpenPose again") from None
    for body in bodies:
        if body.shape != (3 * BODY_POINTS,) or not np.isfinite(body).all():
            raise SlimvidError(
                f"{path}: a person has {body.size} numbers, not 75; run OpenPose with --model_pose BODY_25"
            )
    return (
        np.stack(bodies).reshape(-1, BODY_POINTS, 3) if bodies else np.zeros((0, BODY_POINTS, 3), np.float32)
    )


def read_densepose(path: Path, *, size: tuple[int, int]) -> np.ndarray:
    """A DensePose IUV picture as uint8 [H, W, 3]: part (0..24, spread over 0..255), U, V.

    Files hold the part in blue, U in green, V in red, as OpenCV writes an (I, U, V) array. The part is spread
    as in the vid2vid release, so that neighbouring parts differ visibly.

    Raises:
        SlimvidError: missing, damaged, of another size, or with a part above 24.
    """
    iuv = read_picture(path, size=size)[..., ::-1]
    if iuv[..., 0].max(initial=0) > 24:
        raise SlimvidError(f"{path}: body part {int(iuv[..., 0].max())} of 24; give DensePose's IUV picture")
    parts = np.rint(iuv[..., 0] * (255 / 24)).astype(np.uint8)
    return np.dstack([parts, iuv[..., 1], iuv[..., 2]])


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        raise SlimvidError(f"{path}: missing; every frame needs one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SlimvidError(f"{path}: cannot be read as text ({error}); replace it") from None


def _decode(path: Path, mode: int) -> np.ndarray:
    import cv2

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SlimvidError(f"{path}: missing; every frame needs one") from None
    except OSError as error:
        raise SlimvidError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), mode) if data and _whole(data) else None
    if image is None:
        raise SlimvidError(f"{path}: damaged or truncated; copy or download it again")
    return image


def _whole(data: bytes) -> bool:
    """Whether a JPEG or PNG has its end; OpenCV fills what is missing with grey and only prints a warning."""
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")  # end of image after the last scan's start
    return b"IEND" in data if data.startswith(b"\x89PNG") else True


def _check_size(path: Path, image: np.ndarray, size: tuple[int, int] | None) -> None:
    rows, columns = image.shape[:2]
    if size is not None and (rows, columns) != tuple(size):
        raise SlimvidError(
            f"{path}: is {columns}x{rows}, its frame or sequence {size[1]}x{size[0]}; make them the same size"
        )

"""Landmarks and body points from files, in pixels of their frames and checked to lie in them."""

import json
from pathlib import Path

import numpy as np

from slimvid.data.clip import BODY_POINTS, FACE_POINTS
from slimvid.errors import SlimvidError, system_error

_CORNER = 2.0  # pixels; points that all lie so near to the origin are fractions of the frame, or zeros
_INSIDE = 0.5  # least share of points inside: a detector may put some of a face beyond the border
_SURE = 2.0  # OpenPose's confidences go a little beyond 1, percentages far


def read_landmarks(path: Path, *, size: tuple[int, int]) -> np.ndarray:
    """68 landmarks in dlib's order: JSON ``[[x, y], ...]`` or text with ``x,y`` per line -> float32 [68, 2].

    Args:
        path: the file.
        size: (rows, columns) of its frame.

    Raises:
        SlimvidError: missing, not such a file, not 68 finite points, or points that cannot be this frame's.
    """
    text = _read_text(path)
    try:
        if path.suffix.lower() == ".json":
            points = np.asarray(json.loads(text), np.float32)
        else:
            points = np.float32(
                [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
            )
    except (ValueError, TypeError, RecursionError):
        raise SlimvidError(f"{path}: damaged or not a list of points; detect the landmarks again") from None
    if points.shape != (FACE_POINTS, 2):
        raise SlimvidError(
            f"{path}: has shape {list(points.shape)}, not 68 (x, y) points; detect the landmarks again "
            "(dlib-68)"
        )
    _check_finite(path, points, "landmark")
    _check_place(path, points, size, "landmarks")
    if np.ptp(points, axis=0).max() < _CORNER:
        raise SlimvidError(f"{path}: all landmarks lie in one spot; detect the landmarks again")
    return points


def read_openpose(path: Path, *, size: tuple[int, int]) -> np.ndarray:
    """An OpenPose JSON file (BODY_25) as float32 [P, 25, 3]: x, y, confidence; P is 0 where nobody is seen.

    Args:
        path: the file.
        size: (rows, columns) of its frame.

    Raises:
        SlimvidError: missing, not such a file, of another body model, or joints that cannot be this frame's.
    """
    try:
        people = json.loads(_read_text(path))["people"]
        bodies = [np.asarray(person["pose_keypoints_2d"], np.float32) for person in people]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SlimvidError(f"{path}: damaged, or not an OpenPose file; run OpenPose again") from None
    for body in bodies:
        if body.shape != (3 * BODY_POINTS,):
            raise SlimvidError(
                f"{path}: a person has {body.size} numbers, not 75; run OpenPose with --model_pose BODY_25"
            )
        _check_finite(path, body, "joint")
    if not bodies:
        return np.zeros((0, BODY_POINTS, 3), np.float32)
    joints = np.stack(bodies).reshape(-1, BODY_POINTS, 3)
    if joints[..., 2].min() < 0 or joints[..., 2].max() > _SURE:
        far = joints[..., 2].flat[np.abs(joints[..., 2] - 0.5).argmax()]
        raise SlimvidError(f"{path}: a confidence is {far:g}; store 0..1, as OpenPose does")
    _check_place(path, joints[joints[..., 2] > 0][:, :2], size, "joints")
    return joints


def _check_finite(path: Path, values: np.ndarray, what: str) -> None:
    if not np.isfinite(values).all():
        raise SlimvidError(f"{path}: a {what} is not a number (NaN or infinite); detect them again")


def _check_place(path: Path, points: np.ndarray, size: tuple[int, int], what: str) -> None:
    """Points [N, 2] must be pixels of a frame of ``size`` (rows, columns)."""
    if not len(points):
        return
    if np.abs(points).max() <= _CORNER:
        raise SlimvidError(
            f"{path}: all {what} lie within {_CORNER:g} pixels of the corner: fractions of the frame, or "
            "nothing was found; store pixels, or leave this frame out"
        )
    rows, columns = size
    inside = ((points >= -0.5) & (points <= np.float32([columns, rows]) - 0.5)).all(axis=1)
    if inside.mean() < _INSIDE:
        raise SlimvidError(
            f"{path}: {int((~inside).sum())} of {len(points)} {what} lie outside their {columns}x{rows} "
            "frame; store pixels of these frames, not of another size"
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # with or without a mark of its byte order
    except FileNotFoundError:
        raise SlimvidError(f"{path}: missing; every frame needs one") from None
    except UnicodeDecodeError as error:
        raise SlimvidError(f"{path}: cannot be read as text ({error}); replace it") from None
    except OSError as error:
        raise system_error(error, path) from None

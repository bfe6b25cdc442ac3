"""Drawings that become conditions: face edges from landmarks, body limbs from key-points.

Lines have hard borders (no anti-aliasing), so a drawing holds exactly the colours of its table and PNG keeps
it small. Point orders: dlib-68 for faces, OpenPose BODY_25 for bodies.
"""

import colorsys

import numpy as np

_HEAD = 68  # the forehead points that are added to the 68 start here
_FOREHEAD = 15

# The face edges of the vid2vid protocol (Wang et al. 2018, section 4 "Face"; NVIDIA/vid2vid): 14 curves, each
# with a distance map of its own. Every entry lists point indices in drawing order.
FACE_EDGES: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("face", (*range(17), *range(_HEAD, _HEAD + _FOREHEAD), 0)),
    ("right_brow", tuple(range(17, 22))),
    ("left_brow", tuple(range(22, 27))),
    ("nose", tuple(range(27, 31))),
    ("nose", tuple(range(31, 36))),
    ("nose", (31, 30, 35)),
    ("right_eye", (36, 37, 38, 39)),
    ("right_eye", (39, 40, 41, 36)),
    ("left_eye", (42, 43, 44, 45)),
    ("left_eye", (45, 46, 47, 42)),
    ("mouth", tuple(range(48, 55))),
    ("mouth", (54, 55, 56, 57, 58, 59, 48)),
    ("tongue", tuple(range(60, 65))),
    ("tongue", (64, 65, 66, 67, 60)),
)

# Limbs of BODY_25 (https://github.com/CMU-Perceptual-Computing-Lab/openpose): pairs of points.
BODY_LIMBS: tuple[tuple[int, int], ...] = (
    *((1, 8), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7)),
    *((8, 9), (9, 10), (10, 11), (11, 22), (22, 23), (11, 24)),
    *((8, 12), (12, 13), (13, 14), (14, 19), (19, 20), (14, 21)),
    *((1, 0), (0, 15), (15, 17), (0, 16), (16, 18)),
)


def hues(count: int) -> tuple[tuple[int, int, int], ...]:
    """``count`` saturated RGB colours, evenly spaced in hue."""
    wheel = (colorsys.hsv_to_rgb(k / max(count, 1), 1.0, 1.0) for k in range(count))
    return tuple(tuple(round(255 * c) for c in colour) for colour in wheel)


LIMB_COLOURS = hues(len(BODY_LIMBS))


def thickness(height: int) -> int:
    """Line width in pixels: 1 up to 256 rows, 2 at 512, so that a drawing looks alike at every size."""
    return max(1, round(height / 256))


def with_forehead(landmarks: np.ndarray) -> np.ndarray:
    """Close the head outline: float32 [68, 2] -> [83, 2].

    dlib's outline stops at the ears; as in the vid2vid protocol the jaw is mirrored at the line between the
    ears and flattened to two thirds, which stands for the upper half of the head.
    """
    baseline = (landmarks[0, 1] + landmarks[16, 1]) / 2
    upper = landmarks[15:0:-1].copy()
    upper[:, 1] = baseline - (upper[:, 1] - baseline) * (2 / 3)
    return np.concatenate([landmarks, upper]).astype(np.float32)


def smooth_curve(points: np.ndarray, *, steps: int = 12) -> np.ndarray:
    """A Catmull-Rom spline through ``points`` [n, 2], sampled ``steps`` times per segment: [m, 2].

    The release fits parabolas through triples; a spline has no kink where two triples meet.
    """
    if len(points) < 3:
        return points.astype(np.float32)
    closed = bool(np.allclose(points[0], points[-1]))
    before = points[-2] if closed else 2 * points[0] - points[1]
    after = points[1] if closed else 2 * points[-1] - points[-2]
    p = np.vstack([before, points, after]).astype(np.float64)
    t = (np.arange(steps) / steps)[:, None]
    pieces = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return np.vstack([*pieces, points[-1:]]).astype(np.float32)


def draw_curve(canvas: np.ndarray, points: np.ndarray, *, value: int = 255) -> None:
    """Draw one smooth curve through ``points`` [n, 2] into ``canvas`` (uint8 [H, W]), in place."""
    import cv2

    line = np.rint(np.clip(smooth_curve(points), -30000, 30000)).astype(np.int32)
    cv2.polylines(canvas, [line[:, None]], False, value, thickness(len(canvas)), cv2.LINE_8)


def face_parts(landmarks: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """The 14 face edges, each on a canvas of its own: [68, 2] -> uint8 [14, H, W], 0 or 255."""
    points = with_forehead(landmarks)
    canvases = np.zeros((len(FACE_EDGES), height, width), np.uint8)
    for canvas, (_, indices) in zip(canvases, FACE_EDGES, strict=True):
        draw_curve(canvas, points[list(indices)])
    return canvases


def face_region(landmarks: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """The inside of the closed head outline: bool [H, W]."""
    import cv2

    outline = smooth_curve(with_forehead(landmarks)[list(FACE_EDGES[0][1])])
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(np.clip(outline, -30000, 30000)).astype(np.int32)], 255)
    return canvas > 0


def face_edges(landmarks: np.ndarray, *, height: int, width: int, background: np.ndarray | None = None):
    """The edge map of a face: landmark curves, and ``background`` edges outside the head.

    Args:
        landmarks: float32 [68, 2] in pixels.
        background: uint8 [H, W] edges of the whole frame (Canny), used outside the head only.

    Returns:
        uint8 [H, W], 0 or 255.
    """
    drawn = face_parts(landmarks, height=height, width=width).max(axis=0)
    if background is None:
        return drawn
    outside = ~face_region(landmarks, height=height, width=width)
    return np.maximum(drawn, np.where(outside, background, 0).astype(np.uint8))


def canny_edges(frame: np.ndarray, *, low: int, high: int) -> np.ndarray:
    """Canny edges of an RGB frame uint8 [H, W, 3] -> uint8 [H, W], 0 or 255; thresholds on 0..255 values."""
    import cv2

    return cv2.Canny(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), low, high)


def draw_bodies(keypoints: np.ndarray, *, height: int, width: int, confidence: float = 0.05) -> np.ndarray:
    """Limbs of everybody in a frame: float32 [P, 25, 3] -> uint8 [H, W, 3] RGB on black.

    A limb is drawn when both its points have more than ``confidence``. The release also draws hands and 70
    face points, which BODY_25 does not hold.
    """
    import cv2

    canvas = np.zeros((height, width, 3), np.uint8)
    width_px = 2 * thickness(height) - (height < 128)  # bodies are drawn bolder than faces, but not when tiny
    for person in keypoints:
        ends = np.rint(np.clip(person[:, :2], -30000, 30000)).astype(int)
        for (a, b), colour in zip(BODY_LIMBS, LIMB_COLOURS, strict=True):
            if min(person[a, 2], person[b, 2]) > confidence:
                cv2.line(canvas, ends[a].tolist(), ends[b].tolist(), colour, width_px, cv2.LINE_8)
    return canvas

"""The shape of the body world: skeleton, dance, and tubes around the bones.

Units: 1 is the height of a mean person; x to the right of the picture, y down, z towards the viewer. The
person faces the viewer at yaw 0, so its left is on the right of the picture.
"""

import numpy as np

from slimvid.data.worlds.body_bones import Bones, Figure

# Names of the parts, and the pair of DensePose part numbers (back, front) each one shows.
PARTS = {
    "torso": (1, 2),
    "hips": (1, 2),
    "r_hand": (3, 3),
    "l_hand": (4, 4),
    "l_foot": (5, 5),
    "r_foot": (6, 6),
    "r_thigh": (7, 9),
    "l_thigh": (8, 10),
    "r_shin": (11, 13),
    "l_shin": (12, 14),
    "l_arm": (15, 17),
    "r_arm": (16, 18),
    "l_forearm": (19, 21),
    "r_forearm": (20, 22),
    "neck": (23, 24),
    "head": (23, 24),
    "hair": (23, 24),
    "skirt": (7, 9),
}
# (position along the bone in shares of its length, half width, half depth), in units of the body
_PROFILES = {
    "torso": [
        (-0.10, 0.030, 0.025),
        (-0.06, 0.075, 0.045),
        (0.0, 0.112, 0.058),
        (0.12, 0.122, 0.068),
        (0.35, 0.112, 0.076),
        (0.65, 0.094, 0.068),
        (0.85, 0.092, 0.067),
        (1.12, 0.100, 0.074),
    ],
    "hips": [
        (-0.35, 0.088, 0.062),
        (0.0, 0.094, 0.068),
        (0.45, 0.104, 0.076),
        (0.85, 0.096, 0.072),
        (1.10, 0.060, 0.05),
        (1.2, 0.02, 0.02),
    ],
    "arm": [
        (-0.20, 0.010, 0.010),
        (-0.13, 0.034, 0.034),
        (0.0, 0.043, 0.043),
        (0.30, 0.040, 0.041),
        (0.75, 0.033, 0.033),
        (1.0, 0.031, 0.031),
        (1.12, 0.016, 0.016),
    ],
    "forearm": [
        (-0.12, 0.016, 0.016),
        (0.0, 0.031, 0.031),
        (0.25, 0.033, 0.033),
        (0.7, 0.024, 0.026),
        (1.0, 0.020, 0.021),
        (1.06, 0.010, 0.010),
    ],
    "hand": [
        (-0.05, 0.010, 0.010),
        (0.05, 0.019, 0.015),
        (0.45, 0.027, 0.015),
        (0.85, 0.021, 0.012),
        (1.0, 0.008, 0.006),
    ],
    "thigh": [
        (-0.16, 0.030, 0.03),
        (-0.05, 0.062, 0.062),
        (0.10, 0.070, 0.072),
        (0.45, 0.061, 0.064),
        (0.85, 0.046, 0.048),
        (1.0, 0.044, 0.046),
        (1.09, 0.022, 0.022),
    ],
    "shin": [
        (-0.09, 0.022, 0.022),
        (0.0, 0.044, 0.046),
        (0.25, 0.047, 0.050),
        (0.65, 0.033, 0.035),
        (0.95, 0.025, 0.028),
        (1.05, 0.020, 0.022),
        (1.10, 0.010, 0.010),
    ],
    "foot": [
        (-0.30, 0.008, 0.008),
        (-0.24, 0.026, 0.024),
        (0.0, 0.032, 0.034),
        (0.4, 0.036, 0.030),
        (0.8, 0.036, 0.020),
        (1.0, 0.024, 0.014),
        (1.05, 0.006, 0.004),
    ],
    "neck": [(-0.3, 0.050, 0.045), (0.2, 0.036, 0.036), (0.9, 0.034, 0.036), (1.3, 0.034, 0.034)],
    "head": [
        (-0.02, 0.004, 0.004),
        (0.02, 0.026, 0.030),
        (0.14, 0.048, 0.056),
        (0.35, 0.063, 0.074),
        (0.55, 0.067, 0.079),
        (0.75, 0.062, 0.075),
        (0.90, 0.046, 0.056),
        (0.97, 0.026, 0.030),
        (1.0, 0.004, 0.004),
    ],
}
_COLUMNS = {"torso": 16, "hips": 14, "head": 16, "hair": 14, "skirt": 16}


def profile(part: str, figure: Figure) -> np.ndarray:
    """Rings of a part's tube: [R + 1, 3] = (position along the bone, half width, half depth)."""
    kind = part.split("_")[-1]
    if kind == "skirt":
        steps = np.linspace(0, 1, 7)
        width = 0.092 + (figure.flare - 0.092) * steps**0.8
        return np.column_stack([steps, width, width * (0.72 + 0.2 * steps)])
    if kind == "hair":
        return _hair_profile(figure.hair)
    rings = np.array(_PROFILES[kind])
    girth = 1 + (0.16 if kind not in ("head", "hand", "foot") else 0.04) * figure.stocky
    if kind in ("thigh", "shin", "arm", "forearm"):
        girth *= 1 + 0.28 * figure.baggy
    rings[:, 1:] *= girth
    if kind == "torso":
        rings[:, 1] *= 1 + (figure.shoulders - 1) * np.clip(1 - rings[:, 0], 0, 1)
        rings[:, 1:] *= 1 + 0.10 * figure.baggy
    return rings


def _hair_profile(style: str) -> np.ndarray:
    ball = np.linspace(-1, 1, 9)
    round_ = np.sqrt(1 - ball**2 * 0.998)
    if style == "long":
        v = np.linspace(0, 1, 8)
        return np.column_stack(
            [v, 0.074 * np.sin(np.clip(0.25 + 2.2 * v, 0, 1.9)) * (1 - 0.3 * v**4), 0.050 - 0.02 * v]
        )
    size = {
        "bun": (0.038, 0.036),
        "bob": (0.086, 0.072),
        "afro": (0.112, 0.100),
        "crop": (0.060, 0.05),
        "cap": (0.069, 0.07),
    }
    a, b = size[style]
    return np.column_stack([(ball + 1) / 2, a * round_, b * round_])


def columns(part: str, *, small: bool = False) -> int:
    """Quads around a part's tube; fewer where the picture is small."""
    count = _COLUMNS.get(part, 10)
    return count // 4 * 2 + 2 if small else count


def tube(bones: Bones, part: str, rings: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners [R + 1, C + 1, 3] and unit normals of a part; column 0 is its back, the middle its front."""
    phi = np.linspace(-np.pi, np.pi, count + 1)
    along, (across, _, out) = bones.along[part], bones.frame[part].T
    length = float(np.sqrt(along @ along))
    sine, cosine = np.sin(phi)[None, :, None] * across, np.cos(phi)[None, :, None] * out
    a, b = rings[:, 1, None, None], rings[:, 2, None, None]
    corners = (bones.start[part] + rings[:, 0, None] * along)[:, None] + sine * a + cosine * b
    slope = np.gradient((rings[:, 1] + rings[:, 2]) / 2, rings[:, 0] * length)
    normal = _unit(sine * b + cosine * a + 1e-9) - np.clip(slope, -3, 3)[:, None, None] * (along / length)
    return corners, _unit(normal)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))

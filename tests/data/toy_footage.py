"""Small made-up footage: pictures, faces, bodies, and the files that hold them."""

import json
from pathlib import Path

import cv2
import numpy as np

from slimvid.settings import TaskSettings


def texture(rows: int, columns: int, *, seed: int = 0) -> np.ndarray:
    """Smooth, contrasty colour noise: uint8 [rows, columns, 3]."""
    noise = np.random.default_rng(seed).standard_normal((rows, columns, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def moving(count: int, rows: int, columns: int, *, seed: int = 0, step: int = 1) -> np.ndarray:
    """Frames of a texture that moves ``step`` pixels to the left each: uint8 [count, rows, columns, 3]."""
    wide = texture(rows, columns + step * count, seed=seed)
    return np.stack([wide[:, step * t : step * t + columns] for t in range(count)])


def face_points(*, width: float = 100.0, centre: tuple[float, float] = (160.0, 120.0)) -> np.ndarray:
    """68 plausible landmarks of a face ``width`` pixels wide: float32 [68, 2]."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 * np.cos(angle), 0.1 + 0.55 * np.sin(angle)], 1)
    line = np.linspace(0, 1, 5)[:, None]
    brows = [np.float64([x, -0.2]) + line * [0.25, 0] for x in (-0.35, 0.1)]
    nose = [np.float64([0, -0.1]) + line[:4] * [0, 0.25], np.float64([-0.08, 0.2]) + line * [0.16, 0]]
    ring = np.linspace(0, 2 * np.pi, 7)[:-1]
    eyes = [
        np.float64([x, -0.08]) + 0.08 * np.stack([-np.cos(ring), -0.5 * np.sin(ring)], 1) for x in (-0.2, 0.2)
    ]
    mouth = [
        np.float64([0, 0.4]) + r * np.stack([-np.cos(a), -0.4 * np.sin(a)], 1)
        for r, n in ((0.18, 12), (0.12, 8))
        for a in [np.linspace(0, 2 * np.pi, n + 1)[:-1]]
    ]
    unit = np.concatenate([jaw, *brows, *nose, *eyes, *mouth])
    return (unit * width + centre).astype(np.float32)


def body_points(rows: int, columns: int) -> np.ndarray:
    """One standing person: float32 [1, 25, 3]."""
    points = np.random.default_rng(5).uniform(0.2, 0.8, (1, 25, 2)) * [columns, rows]
    return np.concatenate([points, np.full((1, 25, 1), 0.9)], 2).astype(np.float32)


def write_picture(path: Path, image: np.ndarray) -> Path:
    """Save RGB or single-channel ``image``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def write_text(path: Path, document: object) -> Path:
    """Save JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def openpose_document(people: np.ndarray) -> dict:
    """float32 [P, 25, 3] as OpenPose writes it."""
    return {"version": 1.3, "people": [{"pose_keypoints_2d": p.ravel().tolist()} for p in people]}


def task_settings(source: str, path: Path, **over) -> TaskSettings:
    """A task of 32 x 32 frames in clips of 8, or of stills."""
    size = {"height": 32, "width": 32, **({} if over.get("stills") else {"clip_frames": 8})}
    return TaskSettings(**{"source": source, "path": path, **size, **over})


def every_split(module, task: TaskSettings) -> dict[str, list]:
    """All clips of a source module, its splits read to the end."""
    return {split: list(found) for split, found in module.clips(task).items()}


def turn_picture(path: Path) -> None:
    """Turn a stored picture or map by a quarter."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(path), np.ascontiguousarray(np.rot90(stored)))

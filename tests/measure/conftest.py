"""Two tiny prepared tasks: label maps of a street, and a body of coloured joints."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import TaskMeta, write_frames, write_prepared
from slimvid.settings import MeasureSettings

LENGTH, HEIGHT, WIDTH = 12, 32, 48


@pytest.fixture(scope="session")
def settings() -> MeasureSettings:
    return MeasureSettings(dimensions=12, window_stride=3, segmenter_iterations=40, bootstrap=40)


def street_clip(name: str, seed: int) -> Clip:
    """A car that drives right by 2 pixels a frame over a still, textured street; exact flow."""
    draw = np.random.default_rng(seed)
    row, x0 = int(draw.integers(10, 18)), int(draw.integers(2, 10))
    ground = np.where(np.arange(HEIGHT)[:, None] < row, 0, 1) * np.ones((1, WIDTH), int)
    texture = draw.normal(0, 14, (HEIGHT, WIDTH, 3))
    paint = draw.normal(0, 14, (8, 12, 3))
    frames = np.empty((LENGTH, HEIGHT, WIDTH, 3), np.uint8)
    labels = np.empty((LENGTH, HEIGHT, WIDTH), np.uint8)
    flow = np.zeros((LENGTH, 2, HEIGHT, WIDTH), np.float16)
    valid = np.ones((LENGTH, HEIGHT, WIDTH), np.uint8)
    colours = np.array([[110, 150, 220], [90, 85, 80], [170, 50, 40]], float)
    for t in range(LENGTH):
        x = x0 + 2 * t
        labels[t] = ground
        labels[t, row - 4 : row + 4, x : x + 12] = 2
        picture = colours[labels[t]] + texture
        picture[row - 4 : row + 4, x : x + 12] = colours[2] + paint[:, : WIDTH - x]
        frames[t] = np.clip(picture, 0, 255)
        flow[t, 0, row - 4 : row + 4, x : x + 12] = -2
        valid[t, row - 4 : row + 4, x - 2 : x] = 0  # uncovered just now
    flow[0], valid[0] = 0, 0
    return Clip(name=name, fps=15, frames=frames, labels=labels, flow=flow, flow_valid=valid)


@pytest.fixture(scope="session")
def street_frames():
    """The frames of a street: a function of the seed, uint8 12 x 32 x 48 x 3."""
    return lambda seed: street_clip("street", seed).frames


def body_clip(name: str, seed: int) -> Clip:
    """Five coloured joints that sway; no flow is given."""
    draw = np.random.default_rng(seed)
    x, y = draw.uniform(16, 32), draw.uniform(5, 8)
    ground = draw.normal(100, 10, (HEIGHT, WIDTH, 3))
    colours = [(255, 40, 40), (40, 255, 40), (40, 40, 255), (250, 250, 30), (30, 250, 250)]
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    frames = np.empty((LENGTH, HEIGHT, WIDTH, 3), np.uint8)
    points = np.zeros((LENGTH, 1, 25, 3), np.float32)
    for t in range(LENGTH):
        picture = ground.copy()
        for joint, colour in enumerate(colours):
            px, py = x + 4 * np.sin(0.5 * t + joint), y + 5 * joint
            points[t, 0, joint] = px, py, 1
            picture[(columns - px) ** 2 + (rows - py) ** 2 < 6] = colour
        frames[t] = np.clip(picture, 0, 255)
    densepose = np.zeros_like(frames)
    return Clip(name=name, fps=15, frames=frames, keypoints=points, densepose=densepose)


def write_task(
    root: Path, condition: ConditionSpec, draw_clip, *, val=(50, 51, 52), test: int = 4, **facts
) -> Path:
    """Four training clips, ``test`` test clips, and clips to choose by of the seeds ``val``."""
    meta = TaskMeta(
        task=root.name,
        source="a test's drawing",
        condition=condition,
        height=HEIGHT,
        width=WIDTH,
        fps=15.0,
        **facts,
    )
    splits = {
        "train": [draw_clip(f"train{i}", i) for i in range(4)],
        "val": [draw_clip(f"val{seed}", seed) for seed in val],
        "test": [draw_clip(f"test{i}", 100 + i) for i in range(test)],
    }
    write_prepared(root, meta, splits)
    return root


@pytest.fixture(scope="session")
def street(tmp_path_factory) -> Path:
    condition = ConditionSpec(kind="labels", label_names=("sky", "road", "car"))
    return write_task(tmp_path_factory.mktemp("prepared") / "street", condition, street_clip)


@pytest.fixture(scope="session")
def alike(tmp_path_factory) -> Path:
    """The street, whose test frames are one and the same grey."""

    def draw(name: str, seed: int) -> Clip:
        clip = street_clip(name, seed)
        return replace(clip, frames=np.full_like(clip.frames, 90)) if name.startswith("test") else clip

    condition = ConditionSpec(kind="labels", label_names=("sky", "road", "car"))
    return write_task(tmp_path_factory.mktemp("prepared") / "alike", condition, draw)


@pytest.fixture(scope="session")
def lone(tmp_path_factory) -> Path:
    """The street with one long test clip."""

    def draw(name: str, seed: int) -> Clip:
        clip = street_clip(name, seed)
        parts = ("frames", "labels", "flow", "flow_valid")
        longer = {part: np.concatenate([getattr(clip, part)] * 3) for part in parts}
        return replace(clip, **longer) if name.startswith("test") else clip

    condition = ConditionSpec(kind="labels", label_names=("sky", "road", "car"))
    return write_task(tmp_path_factory.mktemp("prepared") / "lone", condition, draw, test=1)


@pytest.fixture(scope="session")
def bodies(tmp_path_factory) -> Path:
    return write_task(tmp_path_factory.mktemp("prepared") / "bodies", ConditionSpec(kind="pose"), body_clip)


@pytest.fixture(scope="session")
def unpaired(tmp_path_factory) -> Path:
    """The street again, of which the store says that its frames are no truth of its conditions."""
    condition = ConditionSpec(kind="labels", label_names=("sky", "road", "car"))
    root = tmp_path_factory.mktemp("prepared") / "unpaired"
    return write_task(root, condition, street_clip, aligned=())


@pytest.fixture(scope="session")
def street_looks(tmp_path_factory):
    """Write the street as a task between its frames and its label maps (drawn, or read)."""
    from slimvid.data.palette import paint

    palette = ((70, 130, 180), (128, 64, 128), (0, 0, 142))

    def write(*, label_frames: bool, val=(50, 51, 52)) -> Path:
        def draw(name: str, seed: int) -> Clip:
            clip = street_clip(name, seed)
            drawn = np.stack([paint(labels, palette) for labels in clip.labels])
            pair = (clip.frames, drawn) if label_frames else (drawn, clip.frames)
            return replace(clip, image=pair[0], frames=pair[1])

        facts = {"label_names": ("sky", "road", "car"), "palette": palette, "label_frames": label_frames}
        root = tmp_path_factory.mktemp("prepared") / "looks"
        return write_task(root, ConditionSpec(kind="image"), draw, val=val, **facts)

    return write


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Write a row's frames: a function of (task's store, change of a clip's frames) -> archive path."""
    from slimvid.data.store import PreparedTask

    def write(prepared: Path, change) -> Path:
        task = PreparedTask(prepared)

        def frames() -> Iterator[tuple[str, int, np.ndarray]]:
            for info in task.clips("test"):
                clip = np.stack([task.frame("test", info.name, i) for i in range(info.length)])
                yield from ((info.name, i, frame) for i, frame in change(clip))

        path = tmp_path_factory.mktemp("generated") / "frames.arrow"
        write_frames(path, frames())
        return path

    return write

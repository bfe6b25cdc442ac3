"""A tiny prepared store, and footage with its edge pictures."""

from pathlib import Path

import numpy as np
import pytest


def square(t: int, *, size=(48, 64)) -> np.ndarray:
    """Grey field with a bright square that stands still but jumps at frames 4 and 8."""
    frame = np.full((*size, 3), 60, np.uint8)
    x = 4 + 16 * (t // 4)
    frame[10:30, x : x + 20] = 220
    return frame


@pytest.fixture
def prepared(tmp_path) -> Path:
    """A store of two test clips of twelve frames and one train clip; conditions are edges."""
    from slimvid.data.clip import Clip
    from slimvid.data.condition import ConditionSpec
    from slimvid.data.store import TaskMeta, write_prepared

    def clip(name: str) -> Clip:
        frames = np.stack([square(t) for t in range(12)])
        edges = np.where(frames[..., 0] > 100, 255, 0).astype(np.uint8)
        return Clip(name=name, fps=15.0, frames=frames, edges=edges)

    meta = TaskMeta(
        task="tiny", source="a test", condition=ConditionSpec(kind="edges"), height=48, width=64, fps=15.0
    )
    names = {"train": ("train0",), "val": ("val0",), "test": ("test0", "test1")}
    write_prepared(tmp_path / "tiny", meta, {split: map(clip, own) for split, own in names.items()})
    return tmp_path / "tiny"


@pytest.fixture(scope="session")
def carphone(real_data) -> list[np.ndarray]:
    """The carphone clip: 120 frames, uint8 [144, 176, 3] RGB."""
    import av

    with av.open(str(real_data / "clips" / "carphone_pristine.mp4")) as video:
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]


def edge_picture(frame: np.ndarray) -> np.ndarray:
    """Canny (100, 200) edges of a frame, as a picture."""
    import cv2

    edges = cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 100, 200)
    return np.repeat(edges[..., None], 3, axis=2)


@pytest.fixture(scope="session")
def carphone_edges(carphone) -> list[np.ndarray]:
    return [edge_picture(frame) for frame in carphone]

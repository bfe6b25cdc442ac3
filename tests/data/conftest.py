"""Small made-up clips."""

from collections.abc import Callable

import numpy as np
import pytest
from toy_footage import body_points, face_points, moving

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import TaskMeta


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    """Factory of a complete clip: every map is there."""

    def make(name: str = "a", *, length: int = 5, rows: int = 32, columns: int = 40, **over) -> Clip:
        rng = np.random.default_rng(len(name) + length)
        flow = np.full((length, 2, rows, columns), 0.5, np.float16)
        flow[:, 0] = 1.0
        flow[0] = 0
        valid = np.ones((length, rows, columns), np.uint8)
        valid[0] = 0
        points = np.stack([face_points(width=20, centre=(columns / 2, rows / 2))] * length)
        values = {
            "frames": moving(length, rows, columns, seed=length),
            "image": moving(length, rows, columns, seed=length + 1),
            "edges": rng.choice(np.uint8([0, 255]), (length, rows, columns)),
            "landmarks": points,
            "labels": rng.choice(np.uint8([0, 1, 2, 255]), (length, rows, columns)),
            "instances": rng.integers(0, 60000, (length, rows, columns)).astype(np.uint16),
            "keypoints": np.stack([body_points(rows, columns)] * length),
            "densepose": rng.integers(0, 256, (length, rows, columns, 3)).astype(np.uint8),
            "flow": flow,
            "flow_valid": valid,
        }
        return Clip(name=name, fps=15.0, **{**values, **over})

    return make


@pytest.fixture
def make_meta() -> Callable[..., TaskMeta]:
    """Factory of a task's description for `make_clip`'s size."""

    def make(condition: ConditionSpec | None = None, *, rows: int = 32, columns: int = 40) -> TaskMeta:
        spec = condition or ConditionSpec(kind="labels", label_names=("a", "b", "c"), instances=True)
        return TaskMeta(task="toy", source="noise", condition=spec, height=rows, width=columns, fps=15.0)

    return make

"""A clip refuses maps that do not fit its frames."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError


def test_complete_clip_has_a_length(make_clip):
    assert len(make_clip(length=7)) == 7


@pytest.mark.parametrize(
    ("over", "word"),
    [
        ({"edges": np.zeros((5, 32, 41), np.uint8)}, "edges"),
        ({"edges": np.zeros((5, 32, 40), np.float32)}, "edges"),
        ({"labels": np.zeros((4, 32, 40), np.uint8)}, "labels"),
        ({"landmarks": np.zeros((5, 67, 2), np.float32)}, "landmarks"),
        ({"keypoints": np.zeros((5, 25, 3), np.float32)}, "keypoints"),
        ({"flow": np.zeros((5, 32, 40, 2), np.float16)}, "flow"),
        ({"frames": np.zeros((0, 32, 40, 3), np.uint8)}, "frames"),
    ],
)
def test_map_that_does_not_fit_is_named(make_clip, over, word):
    with pytest.raises(SlimvidError, match=word):
        make_clip(**over)


@pytest.mark.parametrize("name", ["", "a/b", "a b"])
def test_name_must_be_safe_as_a_file_name(make_clip, name):
    with pytest.raises(SlimvidError, match="name"):
        make_clip(name)


def test_rate_must_be_positive(make_clip):
    from dataclasses import replace

    with pytest.raises(SlimvidError, match="fps"):
        replace(make_clip(), fps=0.0)

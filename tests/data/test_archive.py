"""Archives of generated frames."""

import hashlib

import numpy as np
import pytest
from toy_footage import moving

from slimvid.data.store import FrameArchive, write_frames
from slimvid.errors import SlimvidError

FRAMES = moving(6, 32, 48)


def rows():
    yield from (("b", 2 * t, FRAMES[t]) for t in range(3))
    yield from (("a", t, FRAMES[t]) for t in (5, 0))


def test_frames_come_back(tmp_path):
    path = tmp_path / "deep" / "frames.arrow"
    write_frames(path, rows())
    archive = FrameArchive(path)
    assert archive.clips() == ["b", "a"]
    assert archive.indices("b") == [0, 2, 4]
    assert archive.indices("a") == [0, 5]
    assert all(np.array_equal(archive.frame(clip, index), frame) for clip, index, frame in rows())


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in "xy":
        write_frames(tmp_path / f"{name}.arrow", rows())
    assert len({hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize(
    ("frames", "word"),
    [
        ([], "no frames"),
        ([("a", 0, FRAMES[0]), ("a", 0, FRAMES[1])], "twice"),
        ([("a", 0, FRAMES[0].astype(np.float32))], "uint8"),
        ([("a", 0, FRAMES[0][..., 0])], "uint8"),
    ],
)
def test_writer_refuses(tmp_path, frames, word):
    with pytest.raises(SlimvidError, match=word):
        write_frames(tmp_path / "f.arrow", frames)
    assert not list(tmp_path.iterdir())


def test_reader_names_what_is_missing(tmp_path):
    path = tmp_path / "f.arrow"
    with pytest.raises(SlimvidError, match=r"f\.arrow: missing"):
        FrameArchive(path)
    write_frames(path, rows())
    archive = FrameArchive(path)
    with pytest.raises(SlimvidError, match="no clip 'z'"):
        archive.indices("z")
    with pytest.raises(SlimvidError, match="no clip 'z'"):
        archive.frame("z", 0)
    with pytest.raises(SlimvidError, match="no frame 1"):
        archive.frame("b", 1)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_archive_is_named(tmp_path, keep):
    path = tmp_path / "f.arrow"
    write_frames(path, rows())
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SlimvidError, match=r"f\.arrow: damaged"):
        FrameArchive(path)

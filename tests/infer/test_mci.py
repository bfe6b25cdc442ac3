"""minterpolate in process: placement in time, guard frames, sizes."""

import cv2
import numpy as np
import pytest

from slimvid.infer.mci import block_size, mci

KEYS = [0, 2, 5, 6, 10, 12, 16]  # uneven on purpose


def _square():
    noise = np.random.default_rng(0).normal(size=(32, 32, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.uint8(np.clip(128 + smooth / smooth.std() * 45, 0, 255))


def _scene(t: int) -> np.ndarray:
    """A textured square that moves 4 pixels a frame."""
    frame = np.full((112, 192, 3), 90, np.uint8)
    frame[30:62, 16 + 4 * t : 48 + 4 * t] = _square()
    return frame


def _place(frame: np.ndarray) -> tuple[int, int]:
    return cv2.minMaxLoc(cv2.matchTemplate(frame, _square(), cv2.TM_SQDIFF))[2]


def test_uneven_keys_are_placed_at_their_true_times():
    frames = list(mci((t, _scene(t)) for t in KEYS))
    assert len(frames) == 17
    errors = [_place(frame)[0] - (16 + 4 * t) for t, frame in enumerate(frames)]
    assert max(map(abs, errors)) <= 1 and sum(e == 0 for e in errors) >= 16, errors
    assert all(_place(frame)[1] == 30 for frame in frames)


def test_keys_come_out_unchanged_and_twice_the_same():
    first, second = (list(mci((t, _scene(t)) for t in KEYS)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(first[t], _scene(t)) for t in KEYS)
    assert not np.array_equal(first[3], first[2])


@pytest.mark.parametrize("size", [(32, 32), (32, 48), (64, 64)])
def test_narrow_frames_do_not_depend_on_what_lies_beside_them_in_memory(size):
    keys = []
    for t in (0, 3, 4, 9):
        frame = np.full((*size, 3), 80, np.uint8)
        frame[:, 2 * t : 2 * t + size[1] // 6] = 120
        keys.append((t, frame))
    runs = set()
    for seed in range(40):
        litter = np.random.default_rng(seed).integers(0, 255, 500 * (seed + 1), dtype=np.uint8)
        runs.add(b"".join(frame.tobytes() for frame in mci(keys)))
        del litter
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("size", "block"),
    [
        ((512, 512), 16),
        ((512, 448), 16),
        ((256, 512), 16),
        ((128, 128), 16),
        ((127, 500), 8),
        ((64, 96), 8),
        ((63, 63), 4),
        ((8, 40), 4),
    ],
)
def test_blocks_follow_the_frame_and_are_ffmpegs_at_the_papers_sizes(size, block):
    assert block_size(*size) == block


def test_a_small_frame_moves_in_parts_that_a_block_of_16_cannot_tell_apart():
    """Four 8-pixel squares of a 64-pixel frame, each going its own way."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    ways = ((1, 0), (-1, 0), (0, 1), (0, -1))

    def scene(t):
        frame = np.full((64, 64, 3), 90, np.uint8)
        for k, (down, right) in enumerate(ways):
            y, x = 20 + 12 * (k // 2) + down * t, 20 + 12 * (k % 2) + right * t
            frame[y : y + 8, x : x + 8] = squares[k]
        return frame

    frames = list(mci((t, scene(t)) for t in (0, 2, 4, 6)))
    errors = [np.abs(frames[t].astype(int) - scene(t)).mean() for t in (1, 3, 5)]
    assert np.mean(errors) < 2  # in blocks of 16: 3.3 grey levels


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("gap", [1, 4])
def test_no_frame_is_lost_however_few_keys(count, gap):
    frames = list(mci((7 + gap * i, _scene(i)) for i in range(count)))
    assert len(frames) == max(0, gap * (count - 1) + 1)


def test_looks_no_further_than_one_key_past_the_pair():
    pulled = []

    def keys():
        for t in KEYS:
            pulled.append(t)
            yield t, _scene(t)

    for t, _ in enumerate(mci(keys())):
        right = next(place for place, key in enumerate(KEYS) if key >= t)
        assert len(pulled) <= min(right + 2, len(KEYS))


@pytest.mark.parametrize("size", [(16, 16), (8, 40), (32, 32), (63, 81), (33, 47)])
def test_any_size(size):
    rng = np.random.default_rng(0)
    keys = [(t, rng.integers(0, 255, (*size, 3), dtype=np.uint8)) for t in (0, 3, 4)]
    frames = list(mci(keys))
    assert [f.shape for f in frames] == [(*size, 3)] * 5
    assert np.array_equal(frames[3], keys[1][1])


def test_the_last_strip_moves_too_when_the_size_is_no_multiple_of_the_block():
    """The bare filter only cross-fades pixels beyond the last whole block; padding makes them move."""

    def scene(t):
        frame = np.full((63, 81, 3), 90, np.uint8)
        frame[31:63, 4 + 2 * t : 36 + 2 * t] = _square()
        return frame

    frames = list(mci((t, scene(t)) for t in (0, 4, 9, 15, 20)))
    strip = np.s_[56:]  # the overlap of the last block's motion ends here
    moved = [np.abs(f[strip].astype(int) - scene(t)[strip]).mean() for t, f in enumerate(frames)]
    faded = []
    for left, right in ((0, 4), (4, 9), (9, 15), (15, 20)):
        for t in range(left + 1, right):
            share = (t - left) / (right - left)
            blend = (1 - share) * scene(left)[strip] + share * scene(right)[strip]
            faded.append(np.abs(blend - scene(t)[strip]).mean())
    assert np.mean(moved) < 0.5 * np.mean(faded)


def test_a_cut_between_keys_is_held():
    dark, light = np.full((48, 48, 3), 30, np.uint8), np.full((48, 48, 3), 210, np.uint8)
    # one cut after another: a detector that compares with the change before misses those
    keys = [(0, dark), (4, light), (8, dark), (12, light)]
    levels = [int(frame.mean()) for frame in mci(keys)]
    assert levels == [30, 30, 30, 210, 210, 210, 210, 30, 30, 30, 30, 210, 210]

"""Complete clips from key-frames: counts, timing, archives, footage."""

import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.infer.interpolate import interpolate, interpolate_clip, interpolate_stream
from slimvid.infer.keyframes import motion_curve, motion_keys, peaks, smooth
from slimvid.settings import PlanSettings

MODES = ["mci", "linear", "dis"]


def _keys(indices, size=(32, 48)):
    """A bright bar that moves 2 pixels a frame."""
    keys = {}
    for t in indices:
        frame = np.full((*size, 3), 80, np.uint8)
        frame[:, (2 * t) % size[1] : (2 * t) % size[1] + 8] = 120
        keys[t] = frame
    return keys


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("timing", ["exact", "official"])
@pytest.mark.parametrize("indices", [[0], [0, 9], [3, 4], [0, 1, 7, 9], [0, 2, 3, 5, 9], list(range(10))])
def test_every_frame_is_there(mode, timing, indices):
    clip = interpolate_clip(_keys(indices), length=10, mode=mode, timing=timing)
    assert clip.shape == (10, 32, 48, 3) and clip.dtype == np.uint8


@pytest.mark.parametrize("mode", MODES)
def test_exact_keeps_every_key_and_holds_outside(mode):
    keys = _keys([2, 3, 7])
    clip = interpolate_clip(keys, length=12, mode=mode)
    assert all(np.array_equal(clip[t], frame) for t, frame in keys.items())
    assert np.array_equal(clip[0], keys[2]) and np.array_equal(clip[1], keys[2])
    assert all(np.array_equal(clip[t], keys[7]) for t in range(8, 12))
    assert not np.array_equal(clip[5], keys[3])


def test_held_keys_are_shown_until_the_next_and_to_the_end():
    keys = _keys([2, 3, 7])
    clip = interpolate_clip(keys, length=12, mode="hold")
    shown = [2, 2, 2, 3, 3, 3, 3, 7, 7, 7, 7, 7]
    assert all(np.array_equal(frame, keys[key]) for frame, key in zip(clip, shown, strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_one_key_is_held(mode):
    keys = _keys([4])
    assert np.all(interpolate_clip(keys, length=9, mode=mode) == keys[4])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(16, 16), (63, 81)])
def test_small_and_odd_sizes(mode, size):
    clip = interpolate_clip(_keys([0, 4, 5, 9], size=size), length=11, mode=mode)
    assert clip.shape == (11, *size, 3)


@pytest.mark.parametrize("mode", MODES)
def test_repeated_runs_are_equal(mode):
    runs = [
        interpolate_clip(_keys([0, 3, 4, 9]), length=10, mode=mode, timing=timing)
        for timing in ("exact", "official")
        for _ in range(2)
    ]
    assert np.array_equal(runs[0], runs[1]) and np.array_equal(runs[2], runs[3])


def test_stream_is_lazy():
    pulled = []

    def keys():
        for t, frame in _keys(range(0, 40, 4)).items():
            pulled.append(t)
            yield t, frame

    for mode, ahead in (("linear", 4), ("dis", 4), ("mci", 8)):
        pulled.clear()
        for t, _ in enumerate(interpolate_stream(keys(), mode=mode)):
            assert pulled[-1] <= -(-t // 4) * 4 + ahead
        assert t == 36


def test_official_timing_moves_frames_and_exact_does_not():
    """Brightness tells the time: frame t is 5 t."""
    keys = {t: np.full((32, 32, 3), 5 * t, np.uint8) for t in (0, 2, 3, 11, 12, 20, 27)}
    error = {}
    for timing in ("exact", "official"):
        clip = interpolate_clip(keys, length=28, mode="linear", timing=timing)
        error[timing] = np.abs(clip.mean(axis=(1, 2, 3)) / 5 - np.arange(28)).mean()
    assert error["exact"] < 0.1 and error["official"] > 1.0


def test_official_deletions_are_drawn_from_the_given_generator():
    keys = _keys([0, 2, 3, 9, 12, 15, 20, 27])  # gap 5, 31 frames on the line: three are deleted
    clips = [
        interpolate_clip(keys, length=28, mode="linear", timing="official", rng=np.random.default_rng(seed))
        for seed in (0, 0, 3)
    ]
    assert np.array_equal(clips[0], clips[1]) and not np.array_equal(clips[0], clips[2])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "none given"),
        ([(0, (8, 8)), (12, (8, 8))], "key-frame 12: outside the clip of 10"),
        ([(-1, (8, 8))], "key-frame -1: outside"),
        ([(3, (8, 8)), (3, (8, 8))], "key-frame 3: comes after 3"),
        ([(0, (8, 8)), (3, (8, 9))], "key-frame 3: size"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_bad_keys_are_named(pairs, message, mode):
    with pytest.raises(SlimvidError, match=message):
        list(interpolate_stream([(t, np.zeros((*s, 3), np.uint8)) for t, s in pairs], length=10, mode=mode))


def test_unknown_choices_are_named():
    with pytest.raises(SlimvidError, match="'cubic' is unknown"):
        interpolate_clip(_keys([0]), length=1, mode="cubic")
    with pytest.raises(SlimvidError, match="'late' is unknown"):
        interpolate_clip(_keys([0]), length=1, timing="late")
    with pytest.raises(SlimvidError, match="give uint8"):
        interpolate_clip({0: np.zeros((8, 8, 3))}, length=1)


def _archive(path, keys: dict[str, list[int]]):
    from slimvid.data.store import write_frames

    write_frames(path, ((clip, t, f) for clip, ts in keys.items() for t, f in _keys(ts, (48, 64)).items()))
    return path


@pytest.mark.parametrize("timing", ["exact", "official"])
@pytest.mark.parametrize("mode", MODES)
def test_archives_are_completed(prepared, tmp_path, mode, timing):
    from slimvid.data.store import FrameArchive

    generated = _archive(tmp_path / "generated.arrow", {"test0": [0, 4, 8, 11], "test1": [0, 11]})
    plan = PlanSettings(kind="keyframes", interpolation=mode, timing=timing)
    out = tmp_path / "deep" / "frames.arrow"
    interpolate(generated, prepared, plan, out)
    archive = FrameArchive(out)
    assert archive.clips() == ["test0", "test1"]
    assert archive.indices("test0") == archive.indices("test1") == list(range(12))
    if timing == "exact":
        assert np.array_equal(archive.frame("test0", 8), _keys([8], (48, 64))[8])
    first = out.read_bytes()
    interpolate(generated, prepared, plan, out)
    assert out.read_bytes() == first


def test_archive_faults_are_named_and_leave_nothing(prepared, tmp_path):
    out = tmp_path / "out" / "frames.arrow"
    plan = PlanSettings(kind="keyframes")
    with pytest.raises(SlimvidError, match=r"part\.arrow: no frame of clip 'test1'"):
        interpolate(_archive(tmp_path / "part.arrow", {"test0": [0, 11]}), prepared, plan, out)
    long = _archive(tmp_path / "long.arrow", {"test0": [0, 11], "test1": [0, 12]})
    with pytest.raises(SlimvidError, match=r"long\.arrow: clip 'test1': key-frame 12: outside"):
        interpolate(long, prepared, plan, out)
    assert not out.exists() and not list(tmp_path.glob("out/*"))


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def test_counts_on_footage(carphone_edges):
    curve = motion_curve(carphone_edges)
    assert [len(peaks(smooth(curve, w))) for w in (3, 5, 7, 11)] == [37, 25, 17, 8]
    assert [int(np.diff(motion_keys(curve, window=w)).max()) for w in (3, 5)] == [5, 10]


def test_quality_on_footage(carphone, carphone_edges):
    """True frames as keys, PSNR of the others: motion beats the blend, the blend beats holding."""
    keys = motion_keys(motion_curve(carphone_edges))
    between = sorted(set(range(120)) - set(keys))
    score = {}
    for mode in MODES:
        clip = interpolate_clip({t: carphone[t] for t in keys}, length=120, mode=mode)
        score[mode] = np.mean([_psnr(clip[t], carphone[t]) for t in between])
    nearest = [min(keys, key=lambda k, t=t: abs(k - t)) for t in between]
    held = np.mean([_psnr(carphone[k], carphone[t]) for k, t in zip(nearest, between, strict=True)])
    assert score["mci"] == pytest.approx(31.55, abs=0.05)
    assert score["linear"] == pytest.approx(30.98, abs=0.05)
    assert score["dis"] == pytest.approx(31.79, abs=0.05)
    assert held == pytest.approx(29.67, abs=0.1)

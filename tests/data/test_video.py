"""Any video file or folder of frames."""

import logging
import struct
import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from toy_footage import (
    body_points,
    face_points,
    moving,
    openpose_document,
    texture,
    write_picture,
    write_text,
)

from slimvid.data.decode import VideoFile
from slimvid.data.drawing import canny_edges
from slimvid.data.timing import Stamp
from slimvid.data.video import clips, condition_spec, find_cuts, probe
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings


def write_video(
    path: Path,
    frames: np.ndarray,
    *,
    fps: int = 24,
    faststart: bool = False,
    ms: Sequence[int] = (),
    aspect: int = 1,
) -> Path:
    """``ms``: time stamps, in milliseconds; ``aspect``: of the pixels."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        stream.sample_aspect_ratio = Fraction(aspect)
        if ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for t, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if ms:
                frame.pts, frame.time_base = ms[t], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def settings(path: Path, **over) -> TaskSettings:
    return TaskSettings(
        **{"source": "video", "path": path, "height": 32, "width": 48, "clip_frames": 8, **over}
    )


def write_folder(root: Path, frames: np.ndarray) -> Path:
    for t, frame in enumerate(frames):
        write_picture(root / f"f{t}.png", frame)
    return root


@pytest.fixture
def film(tmp_path) -> Path:
    return write_video(tmp_path / "my film.mp4", moving(24, 64, 96))


def test_video_becomes_clips(film):
    own = {"train_frames": (0, 14), "val_frames": (14, 18), "test_frames": (18, 24)}
    parts = {split: list(found) for split, found in clips(settings(film, **own)).items()}
    assert [(c.name, len(c)) for c in parts["train"]] == [("my_film_00000", 8), ("my_film_00008", 6)]
    assert [(c.name, len(c)) for c in parts["val"]] == [("my_film_00014", 4)]
    assert [(c.name, len(c)) for c in parts["test"]] == [("my_film_00018", 6)]
    clip = parts["train"][1]
    assert clip.fps == pytest.approx(24)
    assert clip.frames.shape == (6, 32, 48, 3)
    truth = moving(24, 64, 96)[8].reshape(32, 2, 48, 2, 3).mean((1, 3))
    assert np.abs(clip.frames[0] - truth).mean() < 6  # a lossy codec between
    assert np.array_equal(clip.edges[2], canny_edges(clip.frames[2], low=100, high=200))
    assert np.median(clip.flow[3, 0][clip.flow_valid[3] > 0]) == pytest.approx(0.5, abs=0.1)


def test_rate_and_stride(film):
    own = {"fps": 10, "stride": 2, "train_frames": (0, 14), "val_frames": (14, 18)}
    first, *_ = clips(settings(film, **own))["train"]
    assert first.fps == 5
    assert len(first) == 7


def test_frames_of_a_folder_are_exact(tmp_path):
    frames = moving(12, 32, 48)
    root = write_folder(tmp_path / "frames", frames)
    with pytest.raises(SlimvidError, match="give the task `fps:`"):
        clips(settings(root))
    found = clips(settings(root, fps=10, val_frames=(6, 8), test_frames=(8, 12)))
    assert np.array_equal(next(found["test"]).frames, frames[8:])
    assert np.array_equal(next(found["val"]).frames, frames[6:8])
    assert np.array_equal(next(found["train"]).frames, frames[:5])


def test_hard_cuts_end_clips(tmp_path):
    frames = np.concatenate([moving(9, 48, 64, seed=s) // 2 + 100 * (s % 2) for s in range(3)])
    root = write_folder(tmp_path / "frames", frames)
    assert probe(root).cuts == [9, 18]
    found = clips(settings(root, fps=10, clip_frames=30, train_frames=(0, 15), val_frames=(16, 18)))
    assert [c.name for c in found["train"]] == ["frames_00000", "frames_cut00009_00000"]
    assert [c.name for c in found["val"]] == ["frames_cut00009_00007"]
    assert [c.name for c in found["test"]] == ["frames_cut00018_00000"]


def test_fast_motion_is_no_cut():
    frames = moving(12, 24, 32, step=5).astype(np.float32)
    assert find_cuts(np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).tolist()) == []
    assert find_cuts([]) == []


def test_memory_does_not_grow_with_the_footage(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", moving(4, 64, 96))

    def frames(file):
        yield from ((Stamp(t / 25, t / 25), np.full((24, 32, 3), t % 9, np.uint8)) for t in range(4000))

    monkeypatch.setattr(VideoFile, "frames", frames)
    probe(path)  # imports
    tracemalloc.start()
    try:
        assert probe(path).count == 4000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4000 * 500  # bytes; thumbnails have 2304 each


def test_cuts_of_real_footage(real_data):
    assert probe(real_data / "clips" / "bikes.mp4").cuts == [30, 76, 137, 187, 242]
    carphone = probe(  # 176x144 with pixels of 128:117
        real_data / "clips" / "carphone_pristine.mp4"
    )
    assert carphone.cuts == []
    assert (carphone.count, carphone.size, carphone.fps) == (120, (144, 193), 29.97)


def test_video_that_says_it_is_turned_is_turned(tmp_path):
    """Telephones store portrait video lying down, with a matrix in the track header."""
    frames = np.zeros((6, 64, 96, 3), np.uint8)
    frames[:, :20, :30, 0] = 255  # red, top left as stored
    path = write_video(tmp_path / "phone.mp4", frames)
    data, one = path.read_bytes(), 1 << 16
    upright, turned = (one, 0, 0, 0, one, 0, 0, 0, 1 << 30), (0, one, 0, -one, 0, 0, 64 * one, 0, 1 << 30)
    start = data.find(struct.pack(">9i", *upright), data.find(b"tkhd"))
    path.write_bytes(data[:start] + struct.pack(">9i", *turned) + data[start + 36 :])
    assert probe(path).size == (96, 64)
    split = {"train_frames": (0, 2), "val_frames": (2, 4), "test_frames": (4, 6)}
    clip = next(clips(settings(path, height=48, width=32, **split))["train"])
    red = clip.frames[0, ..., 0] > 128
    assert red[:10, -8:].all()  # top right as shown
    assert not red[:, :16].any()


def test_landmarks_beside_the_video(film, tmp_path):
    for t in range(24):
        write_text(tmp_path / "lm" / f"{t:05d}.json", face_points(width=40, centre=(48, 32)).tolist())
    task = settings(film, landmarks=tmp_path / "lm", distance_maps=True)
    clip = next(clips(task)["train"])
    assert np.allclose(clip.landmarks[0], (face_points(width=40, centre=(48, 32)) + 0.5) / 2 - 0.5, atol=1e-4)
    assert condition_spec(task).channels == 15
    assert condition_spec(settings(film, landmarks=tmp_path / "lm")).channels == 1
    assert not np.array_equal(clip.edges[0], canny_edges(clip.frames[0], low=100, high=200))


def test_labels_beside_the_video(film, tmp_path):
    ids = np.zeros((64, 96), np.uint8)
    ids[:, 48:], ids[:8] = 1, 255
    for t in range(24):
        write_picture(tmp_path / "ids" / f"{t:05d}.png", ids)
    task = settings(film, labels=tmp_path / "ids", label_names=("a", "b"), foreground=("b",))
    spec = condition_spec(task)
    assert (spec.kind, spec.channels, spec.foreground) == ("labels", 2, (1,))
    assert np.array_equal(next(clips(task)["test"]).labels[0], ids[::2, ::2])
    with pytest.raises(SlimvidError, match="id 1, but label_names has 1"):
        list(clips(settings(film, labels=tmp_path / "ids", label_names=("a",)))["train"])
    with pytest.raises(SlimvidError, match="label_names"):
        condition_spec(settings(film, labels=tmp_path / "ids"))
    with pytest.raises(SlimvidError, match="foreground: no class 'car'"):
        condition_spec(settings(film, labels=tmp_path / "ids", label_names=("a",), foreground=("car",)))


def test_poses_beside_the_video(film, tmp_path):
    for t in range(24):
        write_text(tmp_path / "op" / f"{t:05d}_keypoints.json", openpose_document(body_points(64, 96)))
    task = settings(film, poses=tmp_path / "op")
    clip = next(clips(task)["train"])
    spec = condition_spec(task)
    assert spec.kind == "pose"
    condition = spec.encode(keypoints=clip.keypoints[0], densepose=clip.densepose[0])
    assert condition[:3].max() == 0
    assert condition[3:].max() == 1


def test_files_beside_must_go_with_the_frames(film, tmp_path):
    for t in range(19):
        write_text(tmp_path / "lm" / f"{t:05d}.json", face_points().tolist())
    with pytest.raises(SlimvidError, match=r"lm: 19 files, but .*my film\.mp4 has 24 frames"):
        clips(settings(film, landmarks=tmp_path / "lm"))
    root = write_folder(tmp_path / "frames", moving(19, 32, 48))
    with pytest.raises(SlimvidError, match=r"00000\.json: does not go with frame f0\.png"):
        clips(settings(root, fps=10, landmarks=tmp_path / "lm"))


def test_wrong_content_beside_is_named(film, tmp_path):
    points = face_points(width=40, centre=(48, 32))
    for t in range(24):
        write_text(tmp_path / "lm" / f"{t:05d}.json", points.tolist()[: 68 - (t == 3)])
        write_picture(tmp_path / "ids" / f"{t:05d}.png", np.zeros((64 - (t == 3), 96), np.uint8))
    with pytest.raises(SlimvidError, match=r"00003\.json: has shape \[67, 2\]"):
        list(clips(settings(film, landmarks=tmp_path / "lm"))["train"])
    with pytest.raises(SlimvidError, match=r"00003\.png: is 96x63"):
        list(clips(settings(film, labels=tmp_path / "ids", label_names=("a",)))["train"])


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("faststart", [False, True])
def test_truncated_video_is_named(tmp_path, keep, faststart):
    path = write_video(tmp_path / "cut.mp4", moving(20, 64, 96), faststart=faststart)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SlimvidError, match=r"cut\.mp4: (cannot be decoded|truncated|frame|no frame)"):
        clips(settings(path))


def test_video_that_ends_between_two_frames_is_named(tmp_path):
    path = write_video(tmp_path / "cut.mp4", moving(20, 64, 96), faststart=True)
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: starts[-2]])
    with pytest.raises(SlimvidError, match=r"cut\.mp4: truncated: 18 of 20 frames"):
        clips(settings(path))


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "notes.mp4").write_text("not a film")
    (tmp_path / "empty").mkdir()
    for name, word in (("notes.mp4", "decoded"), ("gone.mp4", "no such video"), ("empty", "holds no png")):
        with pytest.raises(SlimvidError, match=rf"{name}: .*{word}"):
            clips(settings(tmp_path / name))


def test_a_clip_cut_out_without_encoding_is_whole(tmp_path):
    """Cut at frame 7; the file begins at the key-frame before it, whose frames the edit list hides."""
    path, keep = write_video(tmp_path / "whole.mp4", moving(20, 64, 96)), {"avoid_negative_ts": "disabled"}
    with av.open(str(path)) as whole, av.open(str(tmp_path / "cut.mp4"), "w", options=keep) as cut:
        source = whole.streams.video[0]
        target = cut.add_stream_from_template(source)
        shift = round(7 / source.average_rate / source.time_base)
        for packet in whole.demux(source):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, target
                cut.mux(packet)
    with av.open(str(tmp_path / "cut.mp4")) as container:
        assert container.streams.video[0].frames == 20
    assert probe(tmp_path / "cut.mp4").count == 13


def test_audio_file_has_no_video_stream(tmp_path):
    path = tmp_path / "song.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(SlimvidError, match="no video stream"):
        clips(settings(path))


def test_folder_with_a_bad_picture_is_named(tmp_path):
    root = write_folder(tmp_path / "frames", moving(6, 32, 48))
    write_picture(root / "f4.png", texture(32, 40))
    with pytest.raises(SlimvidError, match="frame 4 is 40x32, the first 48x32"):
        clips(settings(root, fps=10))
    (root / "f4.png").write_bytes((root / "f3.png").read_bytes()[:-30])
    with pytest.raises(SlimvidError, match=r"f4\.png: damaged or truncated"):
        clips(settings(root, fps=10))
    (root / "f4.png").unlink()
    with pytest.raises(SlimvidError, match=r"between f3\.png and f5\.png"):
        clips(settings(root, fps=10))


def test_a_pause_ends_a_clip_and_is_said(tmp_path, caplog):
    ms = [40 * t + 3000 * (t >= 12) for t in range(24)]
    path = write_video(tmp_path / "gap.mkv", moving(24, 64, 96), fps=25, ms=ms)
    with caplog.at_level(logging.INFO, "slimvid"):
        found = clips(settings(path, clip_frames=30, test_frames=(12, 24)))
    assert [(c.name, len(c), c.fps) for c in found["train"]] == [("gap_00000", 12, 25)]
    assert [(c.name, len(c), c.fps) for c in found["test"]] == [("gap_cut00012_00000", 12, 25)]
    assert "gap.mkv: the time jumps by 3.04 s before frame 12: a clip ends there" in caplog.text


def test_uneven_frames_are_resampled_unless_the_task_gives_its_rate(tmp_path, caplog):
    ms = np.cumsum([0, *[20, 20, 60] * 7]).tolist()
    split = lambda n: {"train_frames": (0, n), "val_frames": (n, n + 3), "test_frames": (n + 3, n + 6)}  # noqa: E731
    path = write_video(tmp_path / "mix.mkv", moving(22, 64, 96, step=2), fps=50, ms=ms)
    with caplog.at_level(logging.INFO, "slimvid"):
        found = clips(settings(path, clip_frames=100, **split(30)))
    assert "mix.mkv: the frame rate is variable" in caplog.text
    clip = next(found["train"])
    assert (clip.fps, len(clip)) == (50, 30)  # 0.6 s of 0.7
    assert np.array_equal(clip.frames[2], clip.frames[3])  # seen for 60 ms
    assert not np.array_equal(clip.frames[1], clip.frames[2])
    assert len(next(clips(settings(path, fps=10, clip_frames=100, **split(16)))["train"])) == 16


def test_files_beside_pixels_that_are_not_square_are_refused(tmp_path):
    path = write_video(tmp_path / "wide.mp4", moving(6, 64, 96), aspect=2)
    assert probe(path).size == (64, 192)
    for t in range(6):
        write_text(tmp_path / "lm" / f"{t}.json", face_points(width=40, centre=(48, 32)).tolist())
    with pytest.raises(SlimvidError, match=r"wide\.mp4: its pixels are not square, .*`landmarks:`"):
        clips(settings(path, landmarks=tmp_path / "lm"))


@pytest.mark.parametrize("kind", ["landmarks", "poses", "labels"])
@pytest.mark.parametrize("stray", ["000020", "legend"])
def test_a_hole_in_the_files_beside_a_video_is_named(film, tmp_path, kind, stray):
    names = [*(f"{t:06d}" for t in range(20) if t != 5), stray]
    names_of = {"label_names": ("a",)} if kind == "labels" else {}
    for name in names:
        write_text(tmp_path / "f" / f"{name}.{'png' if kind == 'labels' else 'json'}", {})
    word = "missing between 000004" if stray == "000020" else r"legend\.\w+: is not named like the others"
    with pytest.raises(SlimvidError, match=word):
        clips(settings(film, **{kind: tmp_path / "f"}, **names_of))


def test_a_frame_is_not_paired_with_a_number_that_begins_like_it(tmp_path):
    for t in range(1, 4):
        write_picture(tmp_path / "img" / f"{t}.png", texture(32, 48))
        write_text(tmp_path / "lm" / f"{t}0.json", {})
    with pytest.raises(SlimvidError, match=r"10\.json: does not go with frame 1\.png"):
        clips(settings(tmp_path / "img", fps=10, landmarks=tmp_path / "lm"))


def test_a_video_without_a_rate_is_called_a_video(tmp_path):
    path = write_video(tmp_path / "one.mkv", moving(1, 64, 96))
    with pytest.raises(
        SlimvidError, match=r"one\.mkv: this video states no frame rate; give the task `fps:`"
    ):
        clips(settings(path))
    raw = write_video(tmp_path / "raw.m4v", moving(8, 64, 96))
    try:
        assert len(next(clips(settings(raw))["train"])) > 1
    except SlimvidError as error:
        assert "states no frame rate" in str(error)

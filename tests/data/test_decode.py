"""Videos as players show them: turned, square, deinterlaced, in the right colours, whole, or refused."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from toy_footage import moving

from slimvid.data.decode import VideoFile
from slimvid.data.timing import presented, timeline
from slimvid.errors import SlimvidError

CORNERS = np.zeros((48, 64, 3), np.uint8)
CORNERS[:24, :32], CORNERS[24:, 32:] = (200, 40, 30), (30, 50, 210)  # red top left, blue bottom right


def encode(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "ffv1",
    pix: str = "bgr0",
    options: dict | None = None,
    setup: Callable = lambda stream: None,
    rate: int = 25,
    ticks: Sequence[int] = (),
) -> Path:
    """Frames as RGB arrays, or as `av.VideoFrame`s that are stored as they are; ``ticks``: their times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        first = frames[0]
        stream.height, stream.width = (
            (first.height, first.width) if isinstance(first, av.VideoFrame) else first.shape[:2]
        )
        stream.pix_fmt, stream.options = pix, options or {}
        setup(stream)
        for number, image in enumerate(frames):
            if not isinstance(image, av.VideoFrame):
                kind = "rgba" if image.shape[-1] == 4 else "rgb24"
                image = av.VideoFrame.from_ndarray(image, format=kind).reformat(format=pix)
            if ticks:
                image.pts, image.time_base = ticks[number], Fraction(1, rate)
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return path


def decode(path: Path) -> tuple[VideoFile, list[np.ndarray]]:
    file = VideoFile(path=path)
    return file, [frame for _, frame in file.frames()]


def red_and_blue(frame: np.ndarray) -> tuple[tuple, tuple]:
    """In which corner (bottom?, right?) red and blue are."""
    return tuple(
        tuple(bool(np.nonzero(mask)[axis].mean() > frame.shape[axis] / 2) for axis in (0, 1))
        for mask in (frame[..., 0] > 120, frame[..., 2] > 120)
    )


@pytest.mark.parametrize(
    ("degrees", "mirrored", "size", "red"),
    [
        (0, False, (48, 64), (False, False)),
        (-90, False, (64, 48), (False, True)),  # clockwise
        (90, False, (64, 48), (True, False)),
        (180, False, (48, 64), (True, True)),
        (0, True, (48, 64), (False, True)),
        (90, True, (64, 48), None),
        (-90, True, (64, 48), None),
    ],
)
def test_a_video_is_turned_and_mirrored_as_it_says(tmp_path, degrees, mirrored, size, red):
    turn = lambda stream: stream.set_display_rotation(degrees, hflip=mirrored)  # noqa: E731
    path = encode(
        tmp_path / "a.mp4", [CORNERS] * 3, codec="libx264rgb", pix="rgb24", options={"crf": "1"}, setup=turn
    )
    frame = decode(path)[1][0]
    assert frame.shape[:2] == size
    found_red, found_blue = red_and_blue(frame)
    assert found_blue == tuple(not at for at in found_red)  # opposite corners stay opposite
    if red is not None:
        assert found_red == red
    else:  # a diagonal flip keeps two corners and exchanges the others
        assert found_red[0] == found_red[1]


def test_a_video_turned_askew_is_refused(tmp_path):
    askew = lambda stream: stream.set_display_rotation(30)  # noqa: E731
    path = encode(tmp_path / "a.mp4", [CORNERS] * 3, codec="mpeg4", pix="yuv420p", setup=askew)
    with pytest.raises(SlimvidError, match=r"a\.mp4: is to be shown turned by no quarter turn"):
        decode(path)


@pytest.mark.parametrize(("aspect", "size"), [((2, 1), (48, 128)), ((1, 2), (96, 64)), ((16, 15), (48, 68))])
def test_pixels_become_square(tmp_path, aspect, size):
    def stretch(stream):
        stream.sample_aspect_ratio = Fraction(*aspect)

    path = encode(
        tmp_path / "a.mp4",
        [CORNERS] * 2,
        codec="libx264rgb",
        pix="rgb24",
        options={"crf": "1"},
        setup=stretch,
    )
    file, frames = decode(path)
    assert frames[0].shape[:2] == size
    assert not file.square
    assert red_and_blue(frames[0]) == ((False, False), (True, True))
    assert "not square" in file.notes[0]


def yuv(rgb: np.ndarray, *, red: float, blue: float, full: bool, fmt: str = "yuv444p") -> av.VideoFrame:
    """RGB by the definition of a matrix with these luma weights, in 8 bits, or in 10 for a 10-bit format."""
    r, g, b = (rgb[..., k] / 255 for k in range(3))
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    bits = 10 if "10" in fmt else 8
    unit, top = 2 ** (bits - 8), 2**bits - 1
    planes = [luma * top] if full else [(16 + 219 * luma) * unit]
    planes += [128 * unit + (c * top if full else c * 224 * unit) for c in chroma]
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        kind = np.uint16 if bits > 8 else np.uint8
        rows = np.zeros((frame.height, plane.line_size // kind().itemsize), kind)
        rows[:, : frame.width] = np.clip(np.rint(values), 0, top)
        plane.update(rows.tobytes())
    frame.color_range = 2 if full else 1
    return frame


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "red", "blue", "columns"),
    [
        (1, 0.2126, 0.0722, 64),
        (5, 0.299, 0.114, 64),
        (6, 0.299, 0.114, 64),
        (7, 0.212, 0.087, 64),
        (9, 0.2627, 0.0593, 64),
        (2, 0.299, 0.114, 64),
        (2, 0.2126, 0.0722, 1280),
    ],
)
@pytest.mark.parametrize("fmt", ["yuv444p", "yuv444p10le"])
def test_matrix_range_and_depth_are_followed(tmp_path, full, matrix, red, blue, columns, fmt):
    """2 is "unspecified": players take BT.601 for small frames and BT.709 for large ones."""
    rgb = np.repeat(CORNERS, columns // 64, axis=1)
    frame = yuv(rgb, red=red, blue=blue, full=full, fmt=fmt)
    frame.colorspace = matrix

    def say(stream):
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1

    seen = decode(encode(tmp_path / "a.mkv", [frame], pix=fmt, setup=say))[1][0]
    assert np.abs(seen.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_mapped_to_an_ordinary_screen(tmp_path, transfer, name):
    ramp = np.repeat(np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None], 48, 0)[..., None], 3, 2)

    def say(stream):
        context = stream.codec_context
        context.color_trc, context.color_primaries = transfer, 9
        context.colorspace, context.color_range = 9, 1

    frame = yuv(ramp, red=0.2627, blue=0.0593, full=False, fmt="yuv444p10le")
    frame.color_trc, frame.color_primaries, frame.colorspace = transfer, 9, 9
    file, frames = decode(encode(tmp_path / "a.mkv", [frame], pix="yuv444p10le", setup=say))
    grey = frames[0][24].astype(int)
    assert np.ptp(grey, axis=1).max() <= 2
    assert (np.diff(grey[:, 0]) >= 0).all()
    assert np.abs(grey - ramp[24]).max() > 20  # the code values are not shown as they are
    assert grey[0, 0] <= 2 and grey[-1, 0] >= 250
    assert file.notes == [f"it is HDR ({name}): mapped to an ordinary screen"]


def test_an_unknown_transfer_is_refused(tmp_path):
    def say(stream):
        stream.codec_context.color_trc = 8  # linear light

    frame = yuv(CORNERS, red=0.299, blue=0.114, full=False)
    frame.color_trc = 8
    with pytest.raises(SlimvidError, match=r"a\.mkv: its light is coded in an unusual way"):
        decode(encode(tmp_path / "a.mkv", [frame], pix="yuv444p", setup=say))


def test_what_is_transparent_lies_over_black(tmp_path):
    rgba = np.dstack([CORNERS, np.full((48, 64), 255, np.uint8)])
    rgba[:24, :32, 3], rgba[24:, 32:, 3] = 0, 128
    file, frames = decode(encode(tmp_path / "a.mkv", [rgba] * 2, pix="bgra"))
    assert (frames[0][:24, :32] == 0).all()
    assert np.abs(frames[0][40, 40] - np.float32([30, 50, 210]) * 128 / 255).max() <= 1
    assert "transparent" in file.notes[0]


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_interlaced_video_is_deinterlaced(tmp_path, codec):
    whole = moving(12, 64, 96, step=6)
    woven = [whole[t].copy() for t in range(11)]
    for t in range(11):
        woven[t][1::2] = whole[t + 1][1::2]
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1:log=-1", "b": "8000000"}
    path = encode(tmp_path / "a.mkv", woven, codec=codec, pix="yuv420p", options=options)
    file = VideoFile(path=path)
    stamps, frames = zip(*file.frames(), strict=True)
    assert len(frames) == 11
    assert np.allclose(np.diff(presented(stamps)), 0.04, atol=0.002)
    comb = lambda f: np.abs(2 * f[1:-1].astype(int) - f[:-2] - f[2:]).mean()  # noqa: E731
    for t in range(2, 9):
        assert comb(frames[t]) < 0.5 * comb(woven[t])
        nearest = [np.abs(frames[t].astype(int) - other).mean() for other in whole]
        assert np.argmin(nearest) in (t, t + 1)
    assert "interlaced" in file.notes[0]


def test_damage_that_the_decoder_conceals_is_named(tmp_path):
    path = encode(tmp_path / "a.mkv", moving(12, 64, 96))
    assert len(decode(path)[1]) == 12
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(SlimvidError, match=r"a\.mkv: frame \d+ or one near it is damaged"):
        decode(path)


def test_a_cover_picture_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 48, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        beep = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        beep.sample_rate = 16000
        container.mux(sound.encode(beep))
        container.mux(cover.encode(av.VideoFrame.from_ndarray(CORNERS, format="rgb24")))
        container.mux(cover.encode())
        container.mux(sound.encode())
    with pytest.raises(SlimvidError, match=r"song\.mp4: holds no video stream"):
        decode(path)


LATE = [t + (t >= 10) + 2 * (t >= 20) for t in range(24)]  # a recorder that dropped one frame, and then two


@pytest.mark.parametrize("ticks", [(), LATE])
@pytest.mark.parametrize(
    ("codec", "pix"), [("mjpeg", "yuvj420p"), ("mpeg4", "yuv420p"), ("libx264", "yuv420p")]
)
@pytest.mark.parametrize("later", [0, 3])  # B-frames in a row
def test_avi_is_seen_in_order_at_its_rate(tmp_path, codec, pix, later, ticks):
    scene = moving(24, 64, 96, step=4)
    own = {"options": {"bf": str(later)} if codec != "mjpeg" else {}, "ticks": ticks}
    path = encode(tmp_path / "a.avi", scene, codec=codec, pix=pix, **own)
    stamps, frames = zip(*VideoFile(path=path).frames(), strict=True)
    assert [int(np.abs(scene.astype(int) - f).mean((1, 2, 3)).argmin()) for f in frames] == list(range(24))
    steps, true = np.rint(np.diff(presented(stamps)) * 25), np.diff(ticks or range(24))
    if later == 0 or codec == "mjpeg":
        assert (steps == true).all()
    else:  # a dropped frame is known to those that the decoder holds back
        assert (np.sort(steps) == np.sort(true)).all()
    assert timeline(presented(stamps), tick=0.04).fps == 25


def test_an_avi_with_dropped_frames_that_ends_too_early_is_truncated(tmp_path):
    path = encode(tmp_path / "a.avi", moving(24, 64, 96), codec="mjpeg", pix="yuvj420p", ticks=LATE)
    assert len(decode(path)[1]) == 24
    with av.open(str(path)) as container:
        start = [packet.pos for packet in container.demux(video=0) if packet.size][15]
    path.write_bytes(path.read_bytes()[:start])
    with pytest.raises(SlimvidError, match=r"a\.avi: truncated: 15 of 27 frames"):
        decode(path)


@pytest.mark.parametrize(
    ("name", "codec", "states"),
    [
        *(("a.m2v", "mpeg2video", True), ("a.m4v", "mpeg4", True), ("a.h264", "libx264", True)),
        ("a.mjpeg", "mjpeg", False),
    ],
)
def test_a_stream_without_a_container_has_the_rate_of_its_codec(tmp_path, name, codec, states):
    """FFmpeg stamps its frames at 25 a second, whatever they were made at."""
    pix = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = encode(tmp_path / name, moving(12, 64, 96), codec=codec, pix=pix, rate=50)
    times = presented([stamp for stamp, _ in VideoFile(path=path).frames()])
    assert times == (pytest.approx(np.arange(12) / 50) if states else None)

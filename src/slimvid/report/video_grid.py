"""Side-by-side clips: condition, each method and the truth in one video, for the eye and for MLflow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimvid.data.store import ClipInfo, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path
from slimvid.report import strips

BAR = 24  # height of the labels' bar in pixels, with labels of one line
CODECS = ("libx264", "mpeg4")  # the first that the FFmpeg in PyAV has


def write_comparison_video(prepared: Path, rows: strips.Rows, out: Path, *, clip: str | None = None) -> None:
    """Write one held-out clip side by side as MP4: condition, the rows, truth. Same inputs, same bytes.

    Args:
        prepared: the task's prepared store.
        rows: label and frame archive of complete test clips, left to right.
        out: the ``.mp4`` file.
        clip: which test clip; by default the one that the picture strip shows.

    Raises:
        SlimvidError: a store or archive is missing, or an archive lacks a frame of the clip.
    """
    task = PreparedTask(prepared, splits=("test",))
    name = clip or strips.choose(task)[0]
    info = next((c for c in task.clips("test") if c.name == name), None)
    if info is None:
        raise SlimvidError(f"{prepared}: no test clip {name!r}; choose one of its manifest")

    with atomic_path(out) as temporary:
        encode(temporary, _side_by_side(task, rows, info), fps=info.fps)


def _side_by_side(task: PreparedTask, rows: strips.Rows, clip: ClipInfo) -> Iterator[np.ndarray]:
    """Frames of the whole picture, uint8 [H, W, 3] with even sides."""
    archives = [strips.open_archive(path, [(clip.name, i) for i in range(clip.length)]) for _, path in rows]
    width, height = strips.cell_size((task.meta.height, task.meta.width))
    labels = ["condition", *(label for label, _ in rows), strips.truth_label(task)]
    bar = _bar(labels, width)
    for i in range(clip.length):
        cells = [task.picture("test", clip.name, i)]
        cells += [archive.frame(clip.name, i) for archive in archives]
        cells.append(task.frame("test", clip.name, i))
        picture = np.hstack([np.asarray(strips.fit(cell, width, height)) for cell in cells])
        yield _even(np.vstack([bar, picture]))


def _bar(labels: list[str], width: int) -> np.ndarray:
    from PIL import Image, ImageDraw

    wrapped = [strips.wrap(label, width - 4, strips.SMALL) for label in labels]
    height = BAR + (max(map(len, wrapped)) - 1) * strips.NORMAL
    canvas = Image.new("RGB", (width * len(labels), height), strips.PAPER)
    pen = ImageDraw.Draw(canvas)
    for k, lines in enumerate(wrapped):
        for i, line in enumerate(lines):
            y = height // 2 + round((i - (len(lines) - 1) / 2) * strips.NORMAL)
            where = (width * k + width // 2, y)
            pen.text(where, line, fill=strips.INK, font=strips.font(strips.SMALL), anchor="mm")
    return np.asarray(canvas)


def _even(picture: np.ndarray) -> np.ndarray:
    """Repeat the last row or column where a side is odd: 4:2:0 video has none."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def encode(path: Path, frames: Iterator[np.ndarray], *, fps: float) -> None:
    """Encode uint8 [H, W, 3] frames as MP4, with one thread so that the bytes are always the same."""
    from fractions import Fraction

    import av

    codec = next((name for name in CODECS if name in av.codecs_available), CODECS[-1])
    with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        stream = None
        for picture in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "18"} if codec == "libx264" else {"qscale": "3"}
                stream.codec_context.thread_count = 1
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))

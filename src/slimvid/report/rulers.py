"""The calibration page: what the rulers say of damage whose amount is known, on footage that one gives."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slimvid.data.crop import Crop
from slimvid.data.decode import VideoFile
from slimvid.data.pictures import read_picture
from slimvid.data.sequence import list_files
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path
from slimvid.measure.damage import SPATIAL, TEMPORAL
from slimvid.report.columns import plain, significant
from slimvid.report.frame import write_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, WIDTH = 64, 96
FRAMES = 120  # at most, of each footage: the first half calibrates, the second is damaged
PICTURES = (".png", ".jpg", ".jpeg")
RULERS = {  # measure of `Rulers` -> heading
    "frame_distance": "Frame distance",
    "frame_kernel": "Its kernel form",
    "perceptual": "Perceptual distance",
    "video_distance": "Video distance",
    "temporal_perceptual": "Temporal perceptual distance",
}
PLOTTED = ("frame_distance", "perceptual", "video_distance")  # those with a floor
INTRODUCTION = """\
# What the quality columns say of known damage

Five figures compare a row's frames with the true ones. Two networks with released weights take them; both are
pinned packages of the installation, and neither is trained further.

- `frame_distance_lite0`: Fréchet distance of single frames, as sets, on cells of EfficientNet-Lite0's inner
  channels. It does not see time, nor which frame is which. `frame_kernel_lite0` is its kernel form (MMD²),
  without the bias of small sets.
- `perceptual_st_lpips`: shift-tolerant LPIPS of each frame to the true one, taught by people's judgements. It
  does not see time, and little of brightness.
- `video_distance_lite0`: Fréchet distance of three frames at a time: cells, their change, the change of that,
  and mean colours. It does not see which clip is which.
- `temporal_perceptual_st_lpips`: shift-tolerant LPIPS of two neighbours, set against that of the true ones.
  Of brightness it sees little, of holding that it is there and hardly how long.

Floors: two random halves of the undamaged frames against each other (the distances, which therefore are not 0
for a perfect generator on *other* content), and a true frame against the one before it (the perceptual
distance). A value below its floor is still damage here, because the same content stands on both sides.
"""
COMMAND = "slimvid calibrate FOOTAGE ... --out docs/rulers.md"

Curves = dict[str, dict[str, list[float]]]


def write_calibration(footage: Sequence[Path], out: Path) -> None:
    """Measure graded damage on each footage; writes the page, and the curves as ``.svg`` beside it.

    Args:
        footage: video files, or folders of pictures in the order of their names.
        out: the Markdown page.

    Raises:
        SlimvidError: footage that is missing, damaged, too short, or does not move.
    """
    from slimvid.measure.calibration import damage_curves, fit_rulers

    parts, plotted = [], {}
    for path in footage:
        frames = _read(path)
        half = len(frames) // 2
        rulers = fit_rulers(frames[:half], frames[half:])
        curves = {ruler: damage_curves(rulers, ruler) for ruler in RULERS}
        floors = rulers.floors()
        plotted[path.stem] = (curves, floors)
        parts += ["", f"## {path.stem}: {len(frames) - half} frames, {HEIGHT} x {WIDTH}"]
        parts += _tables(curves, floors)
    drawing = out.with_suffix(".svg")
    _plot(plotted, drawing)
    head = [INTRODUCTION, f"Made by `{COMMAND}`.", "", f"![value over floor, by damage]({drawing.name})"]
    write_texts({out: "\n".join([*head, *parts]) + "\n"})


def _read(path: Path) -> np.ndarray:
    """The first frames of footage, cut to the middle and scaled: uint8 T x 64 x 96 x 3."""
    found = []
    for frame in islice(_frames(path), FRAMES):
        crop = Crop.centre(frame.shape[:2], height=HEIGHT, width=WIDTH)
        found.append(crop.picture(frame))
    least = 2 * (max(TEMPORAL["temporal_blur"][1]) + 9)
    if len(found) < least:
        raise SlimvidError(f"{path}: {len(found)} frames, a calibration takes {least}; give longer footage")
    return np.stack(found)


def _frames(path: Path) -> Iterator[np.ndarray]:
    if path.is_dir():
        yield from (read_picture(file) for file in list_files(path, PICTURES))
        return
    yield from (frame for _, frame in VideoFile(path=path).frames())


def _tables(curves: Curves, floors: dict[str, float]) -> list[str]:
    """A table for damage in space and one for damage in time, and which kinds are not graded throughout."""
    lines = []
    for kinds, title in ((SPATIAL, "Damage of frames"), (TEMPORAL, "Damage in time")):
        rulers = [ruler for ruler in RULERS if set(curves[ruler]) == set(kinds)]
        headings = [f"{RULERS[r]} ({_floor(floors, r)})" for r in rulers]
        lines += ["", "| " + " | ".join([title, "levels", *headings]) + " |"]
        lines += ["| --- | --- |" + " --- |" * len(rulers)]
        for kind, (_, levels) in kinds.items():
            values = [", ".join(plain(significant(v, 2)) for v in curves[r][kind]) for r in rulers]
            cells = [kind.replace("_", " "), ", ".join(f"{level:g}" for level in levels), *values]
            lines.append("| " + " | ".join(cells) + " |")
        graded = (f"{RULERS[r].lower()} {_graded(curves[r])} of {len(kinds)}" for r in rulers)
        lines += ["", f"More damage measures as more throughout: {', '.join(graded)} kinds."]
    return lines


def _floor(floors: dict[str, float], ruler: str) -> str:
    return f"floor {plain(significant(floors[ruler], 2))}" if ruler in floors else "no floor"


def _graded(curves: dict[str, list[float]]) -> int:
    """Kinds of which each level measures as more than the one before, and the first as more than nothing."""
    return sum(bool(np.all(np.diff([0.0, *values]) > 0)) for values in curves.values())


def _plot(found: dict[str, tuple[Curves, dict[str, float]]], out: Path) -> None:
    """A row of panels for each footage, a column for each ruler that has a floor."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "slimvid", "font.size": 8}):
        figure = Figure(figsize=(10.5, 3.1 * len(found)), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(found), len(PLOTTED), squeeze=False)
        for row, (name, (curves, floors)) in zip(panels, found.items(), strict=True):
            for axes, ruler in zip(row, PLOTTED, strict=True):
                _panel(axes, curves[ruler], floors[ruler])
                axes.set_title(f"{name}: {RULERS[ruler].lower()}")
        with atomic_path(out) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _panel(axes: "Axes", curves: dict[str, list[float]], floor: float) -> None:
    levels = range(1, 5)
    for kind, values in curves.items():
        axes.plot(levels, np.array(values) / floor, marker="o", markersize=3, label=kind.replace("_", " "))
    axes.set_yscale("log")
    axes.set_xticks(list(levels))
    axes.set_xlabel("level of damage")
    axes.set_ylabel("value over floor")
    axes.axhline(1, color="0.5", linewidth=0.8)
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.legend(fontsize=6, ncols=2, frameon=False)

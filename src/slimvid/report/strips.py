"""Picture strips: the same frames of one held-out clip for the condition, each method and the truth."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slimvid.data.store import FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, read_json
from slimvid.settings import PlanSettings

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

FRAMES = 8
LARGEST_STEP = 4  # frames between neighbours in a strip: more hides what happens between them
CELL = (128, 320)  # least height and largest width of a cell in pixels
LABEL = 170  # widest label in pixels: longer names go on below
GAP, PAD, MARK = 4, 10, 4
INK, MUTED, PAPER, KEY = (20, 20, 20), (110, 110, 110), (255, 255, 255), (230, 120, 0)
SMALL, NORMAL = 13, 15
PITCH = NORMAL + 3  # from line to line of a label
LEGEND = 2 * NORMAL + PAD  # from the mark in the legend to its text

Rows = Sequence[tuple[str, Path]]
Marks = Mapping[str, Mapping[str, Path]]


@dataclass(frozen=True, kw_only=True)
class Strip:
    """What a strip shows: frames ``indices`` of ``clip``, one list of uint8 [H, W, 3] pictures per row.

    Of a task of single pictures there is no clip (""), and ``indices`` number the pictures. ``keys`` maps a
    row's label to the frames, among all of the clip, that its whole network drew; ``legend`` says what the
    others of such a row are.
    """

    title: str
    source: str
    clip: str
    indices: list[int]
    rows: list[tuple[str, list[np.ndarray]]]
    keys: Mapping[str, frozenset[int]]
    legend: str = ""


def write_strip(
    prepared: Path,
    rows: Rows,
    out: Path,
    *,
    marks: Marks | None = None,
) -> None:
    """Draw a task's strip as PNG: condition, the rows, truth. The same inputs give the same bytes.

    Args:
        prepared: the task's prepared store.
        rows: label and frame archive of complete test clips, in the order to draw them.
        marks: for rows of which the whole network drew some frames only. What the others are (a key of
            ``others``) -> label -> the file that names the drawn ones; those get a mark.

    Raises:
        SlimvidError: a store, archive or key-frame file is missing, or an archive lacks the clip.
    """
    picture = draw(gather(prepared, rows, marks=marks))
    with atomic_path(out) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def gather(
    prepared: Path,
    rows: Rows,
    *,
    marks: Marks | None = None,
) -> Strip:
    """Choose the clip and frames (see :func:`choose`) and read them for every row."""
    task = PreparedTask(prepared, splits=("test",))
    if single_pictures(task):
        clip, indices = "", spread(len(task.clips("test")))
        places = [(task.clips("test")[i].name, 0) for i in indices]
        marks = None
    else:
        clip, indices = choose(task)
        places = [(clip, i) for i in indices]
    pictures = [("condition", [task.picture("test", *place) for place in places])]
    for label, path in rows:
        archive = open_archive(path, places)
        pictures.append((label, [archive.frame(*place) for place in places]))
    pictures.append((truth_label(task), [task.frame("test", *place) for place in places]))
    marks = marks or {}
    files = {label: path for of_kind in marks.values() for label, path in of_kind.items()}
    return Strip(
        title=f"{task.meta.task}: held-out clip {clip}" if clip else f"{task.meta.task}: held-out pictures",
        source=task.meta.source,
        clip=clip,
        indices=indices,
        rows=pictures,
        keys={label: _keys(path, clip) for label, path in files.items()},
        legend=_legend(marks),
    )


def single_pictures(task: PreparedTask) -> bool:
    """Whether every test clip is one picture."""
    return all(info.length == 1 for info in task.clips("test"))


def spread(count: int, *, pictures: int = FRAMES) -> list[int]:
    """Numbers of at most ``pictures`` of ``count`` pictures, evenly spread, the first among them."""
    shown = min(count, pictures)
    return [i * count // shown for i in range(shown)]


def truth_label(task: PreparedTask) -> str:
    """What stored frames are beside their conditions: their truth, or only the domain to look like."""
    return "truth" if "test" in task.meta.aligned else "target domain"


def others(plan: PlanSettings) -> str:
    """What the frames are that a plan does not draw by the whole network; "" where there are none."""
    if plan.kind == "shortcut":
        return "shortcut frames"
    if plan.kind != "keyframes":
        return ""
    return "held" if plan.interpolation == "hold" else "interpolated"


def _legend(marks: Marks) -> str:
    """What a mark means: the kinds of the other frames, with the rows' names where there are several."""
    kinds = {kind: ", ".join(labels) for kind, labels in marks.items() if labels}
    named = " or ".join(kind if len(kinds) == 1 else f"{kind} ({rows})" for kind, rows in kinds.items())
    return f"drawn by the whole network; the others of its row are {named}" if named else ""


def choose(task: PreparedTask, *, frames: int = FRAMES) -> tuple[str, list[int]]:
    """The clip and frame numbers to show, by a rule that looks only at the truth.

    Of all windows of ``frames`` evenly spaced frames (at most four apart, so that a strip shows motion and
    not a summary) in all test clips it takes the one whose neighbours differ most; the first of equals.
    """
    best: tuple[float, str, list[int]] | None = None
    for clip in task.clips("test"):
        step = max(1, min(LARGEST_STEP, (clip.length - 1) // max(1, frames - 1)))
        for start in range(0, max(1, clip.length - step * (frames - 1)), max(1, step)):
            indices = list(range(start, min(clip.length, start + step * frames), step))[:frames]
            motion = _motion(task, clip.name, indices)
            if best is None or motion > best[0]:
                best = (motion, clip.name, indices)
    if best is None:
        raise SlimvidError(f"{task.root}: the test split has no clip; prepare the task with at least one")
    return best[1], best[2]


def _motion(task: PreparedTask, clip: str, indices: list[int]) -> float:
    """Median absolute difference between neighbours: of the typical pair, so that one cut does not win."""
    shown = [task.frame("test", clip, i).astype(np.int16) for i in indices]
    differences = [float(np.abs(b - a).mean()) for a, b in pairwise(shown)]
    return float(np.median(differences)) if differences else 0.0


def open_archive(path: Path, places: Sequence[tuple[str, int]]) -> FrameArchive:
    """Open an archive of generated frames and see that it holds these, (clip, frame) each.

    Raises:
        SlimvidError: the archive is missing, or lacks one of them; names it and the mend.
    """
    if not path.is_file():
        raise SlimvidError(f"{path}: missing; run `snakemake {path}` first")
    archive = FrameArchive(path)
    known = set(archive.clips())
    held = {clip: set(archive.indices(clip)) for clip in {clip for clip, _ in places} & known}
    for clip, index in places:
        if index not in held.get(clip, ()):
            raise SlimvidError(
                f"{path}: lacks frame {index} of clip {clip}; translate (and interpolate) again"
            )
    return archive


def _keys(path: Path, clip: str) -> frozenset[int]:
    clips = read_json(path).get("clips", {})
    if clip not in clips:
        raise SlimvidError(f"{path}: has no clip {clip}; select key-frames anew")
    return frozenset(clips[clip])


def draw(strip: Strip) -> "Image.Image":
    """Lay a strip out: labels on the left, frame numbers above, frames of the whole network marked."""
    from PIL import Image, ImageDraw

    width, height = cell_size(strip.rows[0][1][0].shape)
    labels = [label_lines(label, height) for label, _ in strip.rows]
    left = max(text_width(line, NORMAL) for lines in labels for line in lines) + 2 * PAD
    top = 3 * PAD + 3 * NORMAL
    pitch_x, pitch_y = width + GAP, height + GAP + MARK
    head = max(text_width(strip.title, NORMAL), text_width(strip.source, SMALL)) + PAD
    right = max(left + pitch_x * len(strip.indices), head)
    bottom = top + pitch_y * len(strip.rows) + PAD
    legend = wrap(strip.legend, right - left - LEGEND, SMALL)
    canvas = Image.new("RGB", (right + PAD, bottom + len(legend) * NORMAL + (PAD if legend else 0)), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((PAD, PAD), strip.title, fill=INK, font=font(NORMAL))
    pen.text((PAD, PAD + NORMAL + MARK), strip.source, fill=MUTED, font=font(SMALL))
    pen.text(
        (left - PAD, top - SMALL),
        "frame" if strip.clip else "picture",
        fill=MUTED,
        font=font(SMALL),
        anchor="rm",
    )
    for k, index in enumerate(strip.indices):
        middle = left + pitch_x * k + width // 2
        pen.text((middle, top - SMALL), f"{index}", fill=MUTED, font=font(SMALL), anchor="mm")
    for j, (label, pictures) in enumerate(strip.rows):
        y = top + pitch_y * j + MARK
        draw_label(pen, labels[j], (left - PAD, y + height // 2))
        for k, picture in enumerate(pictures):
            canvas.paste(fit(picture, width, height), (left + pitch_x * k, y))
        _mark(pen, strip, label, (left, y - MARK), (width, pitch_x))
    _draw_legend(pen, legend, left, bottom)
    return canvas


def _mark(
    pen: "ImageDraw.ImageDraw", strip: Strip, label: str, corner: tuple[int, int], pitch: tuple[int, int]
) -> None:
    """A bar above each frame that the row's whole network drew."""
    x, y = corner
    for k, index in enumerate(strip.indices):
        if index in strip.keys.get(label, ()):
            start = x + pitch[1] * k
            pen.rectangle((start, y, start + pitch[0] - 1, y + MARK - 2), fill=KEY)


def _draw_legend(pen: "ImageDraw.ImageDraw", lines: list[str], x: int, y: int) -> None:
    if lines:
        pen.rectangle((x, y + SMALL // 2, x + 2 * NORMAL, y + SMALL // 2 + MARK - 2), fill=KEY)
    for i, line in enumerate(lines):
        pen.text((x + LEGEND, y + i * NORMAL), line, fill=MUTED, font=font(SMALL))


def draw_label(pen: "ImageDraw.ImageDraw", lines: list[str], middle: tuple[int, int]) -> None:
    """Lines of a label, right-aligned, around the middle of its row."""
    x, y = middle
    for i, line in enumerate(lines):
        at = y + round((i - (len(lines) - 1) / 2) * PITCH)
        pen.text((x, at), line, fill=INK, font=font(NORMAL), anchor="rm")


def label_lines(label: str, height: int) -> list[str]:
    """A row's name in lines no wider than ``LABEL`` and no more than fit its height; the last may end in …"""
    lines = wrap(label, LABEL, NORMAL)
    room = max(1, height // PITCH)
    return lines if len(lines) <= room else [*lines[: room - 1], lines[room - 1][:-1] + "…"]


def wrap(text: str, width: int, size: int) -> list[str]:
    """Lines of at most ``width`` pixels, broken after spaces and underscores, else anywhere."""
    lines = [""]
    for piece in re.findall(r"[^\s_]*(?:[\s_]+|$)", text):
        if lines[-1] and text_width((lines[-1] + piece).rstrip(), size) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > 1 and text_width(lines[-1].rstrip(), size) > width:
            line = lines[-1]
            fits = (n for n in range(len(line) - 1, 1, -1) if text_width(line[:n], size) <= width)
            cut = next(fits, 1)
            lines[-1:] = [line[:cut], line[cut:]]
    return [line.rstrip() for line in lines if line.strip()]


def cell_size(shape: tuple[int, ...], *, bounds: tuple[int, int] = CELL) -> tuple[int, int]:
    """Width and height of a cell for frames of ``shape`` (H, W, ...): enlarged by a whole number to be seen,
    or reduced to the largest width. ``bounds`` are the least height and the largest width."""
    height, width = shape[:2]
    scale = max(1, math.ceil(bounds[0] / height))
    if width * scale <= bounds[1]:
        return width * scale, height * scale
    return bounds[1], round(height * bounds[1] / width)


def fit(picture: np.ndarray, width: int, height: int) -> "Image.Image":
    """Enlarge by repeating pixels, so that nothing is smoothed away; reduce by Lanczos."""
    from PIL import Image

    image = Image.fromarray(picture)
    if image.size == (width, height):
        return image
    whole = width % image.width == 0 and height % image.height == 0
    return image.resize((width, height), Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS)


def font(size: int) -> "ImageFont.FreeTypeFont":
    """Pillow's own scalable font: the same on every machine."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> int:
    """Pixels that a text takes."""
    return math.ceil(font(size).getlength(text))

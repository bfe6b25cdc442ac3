"""What a Shortcut block aligns and blends, drawn on frames (Chung et al. 2023, 4.4 and Figure 4).

Points are those of :mod:`slimvid.report.sampling`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slimvid.data.store import ClipInfo, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path
from slimvid.report import strips
from slimvid.report.sampling import Fields, output_points, positions, summary, to_picture, watched
from slimvid.settings import PlanSettings

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from slimvid.infer.translator import Translator

COLUMNS = 4
CELL = (256, 480)  # least height and largest width of a cell in pixels
OUTPUT, READ = (0, 190, 60), (235, 30, 30)  # the paper's green and red
VEIL = 0.25  # how much paper lies over a frame that points are drawn on
TINT = 0.6  # of the mask's colour where the mask is brightest
LEGEND = (
    "green: output points; red: where the reference is read for them, small ones by each tap; "
    "mask: the brighter, the more of the current frame"
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A shortcut frame: its number and its reference's, and what the block found for it."""

    index: int
    reference: int
    fields: Fields


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What is drawn: for each of ``columns`` its condition, frame and reference, uint8 [H, W, 3]."""

    title: str
    source: str
    columns: list[Shown]
    conditions: list[np.ndarray]
    frames: list[np.ndarray]
    references: list[np.ndarray]


def write_offsets(
    artifact: Path, prepared: Path, out: Path, *, name: str, device: str = "auto", threads: int = 1
) -> None:
    """Walk a test clip under an artifact's plan and draw Figure 4 of it as PNG. Same inputs, same bytes.

    Args:
        artifact: a translator with a Shortcut block. name: what the title calls it.
        prepared: the task's prepared store.

    Raises:
        SlimvidError: the artifact has no such block, its block no reference, or its plan no shortcut frame.
    """
    from slimvid.infer.translator import load

    translator = load(artifact, device=device, threads=threads)
    picture = draw(gather(translator, PreparedTask(prepared, splits=("test",)), name=name))
    with atomic_path(out) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def gather(translator: "Translator", task: PreparedTask, *, name: str) -> Figure:
    """Choose clip and frames (see :func:`choose`) and read what the block found for them."""
    check(translator, name)
    chosen, _ = strips.choose(task)
    clip = next(c for c in task.clips("test") if c.name == chosen)
    frames, shown = walk(translator, task, clip)
    if not shown:
        raise SlimvidError(
            f"{name}: clip {clip.name} has no shortcut frame under its plan ({interval(translator.plan)}); "
            "offsets are there from an interval of 2 and for clips of 2 frames on"
        )
    columns = choose(task, clip.name, shown)
    listed = ", ".join(str(c.index) for c in columns)
    return Figure(
        title=f"{name}: held-out clip {clip.name}, frames {listed}; {interval(translator.plan)}",
        source=task.meta.source,
        columns=columns,
        conditions=[task.picture("test", clip.name, c.index) for c in columns],
        frames=[frames[c.index] for c in columns],
        references=[frames[c.reference] for c in columns],
    )


def check(translator: "Translator", name: str) -> None:
    """Raise SlimvidError unless the artifact has a block that aligns a reference."""
    kind = translator.source.spec["kind"]
    if kind != "shortcut":
        raise SlimvidError(f"{name}: a network of kind {kind!r} has no Shortcut block; give a row with one")
    if translator.net.block.form == "without_reference":
        raise SlimvidError(
            f"{name}: form 'without_reference' aligns and blends nothing, so there is nothing to draw; "
            "give a row of another form"
        )


def interval(plan: PlanSettings) -> str:
    """How often a plan renews its reference, in words."""
    if plan.budget_interval is not None:
        return f"a reference by content, in the mean every {plan.budget_interval:g} frames"
    if plan.budget_macs_g is not None:
        return f"a reference by content, at {plan.budget_macs_g:g} GMACs per frame"
    if plan.max_interval is None:
        return f"plan {plan.kind}"
    return f"a reference every {plan.max_interval} frames" if plan.max_interval > 1 else "every frame in full"


def choose(task: PreparedTask, clip: str, shown: list[Shown]) -> list[Shown]:
    """Of the last shortcut frames of each reference, those whose truth differs most from their reference's.

    So the frames are chosen by the truth and the plan, whatever the block makes of them. First of equals.
    """

    def moved(item: Shown) -> float:
        now, before = (task.frame("test", clip, i).astype(np.int16) for i in (item.index, item.reference))
        return float(np.abs(now - before).mean())

    last = list({item.reference: item for item in shown}.values())
    return sorted(sorted(last, key=moved, reverse=True)[:COLUMNS], key=lambda item: item.index)


def walk(
    translator: "Translator", task: PreparedTask, clip: ClipInfo
) -> tuple[list[np.ndarray], list[Shown]]:
    """A clip's frames under the plan, uint8 [H, W, 3], and the last shortcut frame of each reference."""
    first = [task.frame("test", clip.name, i) for i in range(translator.given)]
    conditions = (task.condition("test", clip.name, i) for i in range(clip.length))
    frames, full = [], []
    shown: dict[int, Shown] = {}
    with watched(translator.net.block) as found:
        for frame in translator.draw(conditions, first_frames=first, in_full=full):
            if found:
                at = full[-1]
                shown[at] = Shown(index=len(frames), reference=at, fields=found.pop())
            frames.append(frame)
    return frames, list(shown.values())


Row = tuple[str, list["Image.Image"]]


def draw(figure: Figure) -> "Image.Image":
    """Lay the figure out: a column for every frame; numbers and means above, rows named on the left."""
    from PIL import Image, ImageDraw

    font, normal, small = strips.font, strips.NORMAL, strips.SMALL
    width, height = strips.cell_size(figure.frames[0].shape, bounds=CELL)
    rows = _rows(figure, width, height)
    heads = [
        (f"frame {c.index}, reference {c.reference}", summary(c.fields, figure.frames[0].shape[:2]))
        for c in figure.columns
    ]
    labels = [strips.label_lines(label, height) for label, _ in rows]
    left = max(strips.text_width(line, normal) for lines in labels for line in lines) + 2 * strips.PAD
    pitch_x = max(width, *(strips.text_width(line, small) + strips.PAD for head in heads for line in head))
    pitch_x, pitch_y = pitch_x + strips.GAP, height + strips.GAP
    title = strips.wrap(figure.title, max(left + pitch_x * len(heads), CELL[1]) - strips.PAD, normal)
    top = 2 * strips.PAD + strips.PITCH * len(title) + 4 * normal
    right = max(left + pitch_x * len(heads), CELL[1], strips.text_width(figure.source, small) + strips.PAD)
    bottom = top + pitch_y * len(rows) + strips.PAD
    legend = strips.wrap(LEGEND, right - left, small)
    canvas = Image.new("RGB", (right + strips.PAD, bottom + normal * len(legend) + strips.PAD), strips.PAPER)
    pen = ImageDraw.Draw(canvas)
    for i, line in enumerate([*title, figure.source]):
        ink, size = (strips.INK, normal) if i < len(title) else (strips.MUTED, small)
        pen.text((strips.PAD, strips.PAD + strips.PITCH * i), line, fill=ink, font=font(size))
    for k, head in enumerate(heads):
        for i, line in enumerate(head):
            where = (left + pitch_x * k + width // 2, top - 2 * normal + i * normal)
            pen.text(where, line, fill=strips.MUTED, font=font(small), anchor="mm")
    for j, (_, pictures) in enumerate(rows):
        y = top + pitch_y * j
        strips.draw_label(pen, labels[j], (left - strips.PAD, y + height // 2))
        for k, picture in enumerate(pictures):
            canvas.paste(picture, (left + pitch_x * k, y))
    for i, line in enumerate(legend):
        pen.text((left, bottom + normal * i), line, fill=strips.MUTED, font=font(small))
    return canvas


def _rows(figure: Figure, width: int, height: int) -> list[Row]:
    """Label and a picture per column for every row that the block's form has something to show for."""
    size, columns = figure.frames[0].shape[:2], figure.columns
    cell = (width, height)
    read = []
    for column in columns:
        points = output_points(column.fields.fine.shape[-2:])
        alone, taps = positions(column.fields, points, size)
        read.append((to_picture(points, column.fields.fine.shape, size), alone, taps))
    rows: list[Row] = [
        ("condition", [strips.fit(p, *cell) for p in figure.conditions]),
        ("frame, output points", [_pointed(p, cell, r[0]) for p, r in zip(figure.frames, read, strict=True)]),
        ("its reference", [strips.fit(p, *cell) for p in figure.references]),
    ]
    pairs = list(zip(figure.references, read, strict=True))
    if columns[0].fields.coarse is not None:
        rows.append(("reference, global offsets", [_pointed(p, cell, r[0], r[1]) for p, r in pairs]))
    both = "local offsets" if columns[0].fields.coarse is None else "global + local offsets"
    rows.append((f"reference, {both}", [_pointed(p, cell, r[0], r[2].mean(1), taps=r[2]) for p, r in pairs]))
    return rows + _mask_rows(figure, cell)


def _pointed(
    picture: np.ndarray,
    cell: tuple[int, int],
    output: np.ndarray,
    read: np.ndarray | None = None,
    *,
    taps: np.ndarray | None = None,
) -> "Image.Image":
    """A picture with points on it (P x 2, taps P x K x 2, in its pixels).

    Green is where the output is, red where the reference is read, joined by a line; taps are small.
    """
    from PIL import Image, ImageDraw

    image = strips.fit(picture, *cell)
    image = Image.blend(image, Image.new("RGB", image.size, strips.PAPER), VEIL)
    pen = ImageDraw.Draw(image)
    scale = np.array(cell[::-1]) / np.array(picture.shape[:2])

    def at(points: np.ndarray) -> np.ndarray:
        return points.reshape(-1, 2) * scale - 0.5  # Pillow counts from the middle of the first pixel

    for point in at(taps) if taps is not None else ():
        _dot(pen, point, 1, READ)
    for i, point in enumerate(at(output)):
        if read is not None:
            end = at(read)[i]
            pen.line((*point[::-1], *end[::-1]), fill=READ)
        _dot(pen, point, 4, OUTPUT)
        if read is not None:
            _dot(pen, end, 2, READ)
    return image


def _dot(pen: "ImageDraw.ImageDraw", at: np.ndarray, radius: int, fill: tuple[int, int, int]) -> None:
    y, x = map(float, at)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _mask_rows(figure: Figure, cell: tuple[int, int]) -> list[Row]:
    """Masks in grey, from the least to the greatest value of the figure, and the same as a tint on frames."""
    masks = [c.fields.mask for c in figure.columns if c.fields.mask is not None]
    if not masks:
        return []
    low, high = min(m.min() for m in masks), max(m.max() for m in masks)
    shares = [(m - low) / (high - low) if high > low else m for m in masks]
    grey = [np.repeat(np.rint(s * 255).astype(np.uint8)[..., None], 3, axis=2) for s in shares]
    tinted = [_tinted(p, s, cell) for p, s in zip(figure.frames, shares, strict=True)]
    label = f"mask, mean of the taps: black {low:.2f}, white {high:.2f}"
    return [(label, [strips.fit(g, *cell) for g in grey]), ("frame, tinted by the mask", tinted)]


def _tinted(picture: np.ndarray, share: np.ndarray, cell: tuple[int, int]) -> "Image.Image":
    """A frame in grey with the mark's colour laid on it, as much as ``share`` (H x W in [0, 1]) says."""
    from PIL import Image

    frame = strips.fit(picture, *cell).convert("L").convert("RGB")
    alpha = Image.fromarray(np.rint(share * TINT * 255).astype(np.uint8)).resize(
        cell, Image.Resampling.BILINEAR
    )
    return Image.composite(Image.new("RGB", cell, strips.KEY), frame, alpha)

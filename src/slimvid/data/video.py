"""``source: video``: any video file or folder of frames, with edges computed from it.

Landmarks, label maps or OpenPose files may lie beside it, one a frame of the footage, in the order of names.
What is given decides the condition: labels, else poses, else edges (the face protocol where there are
landmarks).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import VOID, ConditionSpec
from slimvid.data.crop import Crop
from slimvid.data.decode import VideoFile
from slimvid.data.drawing import canny_edges, face_edges
from slimvid.data.footage import Shot, assemble, rate, split_shots
from slimvid.data.layout import clean
from slimvid.data.pictures import PICTURES, read_ids, read_picture
from slimvid.data.points import read_landmarks, read_openpose
from slimvid.data.sequence import check_numbering, list_files
from slimvid.data.timing import Stamp, Timeline, presented, timeline
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

log = logging.getLogger("slimvid")

CUT_LEAST = 16.0  # mean absolute difference of thumbnails, 0..255
CUT_RATIO = 2.5  # ... and so many times the median of the differences around it
_THUMBNAIL = (32, 24)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one pass over the footage tells.

    Attributes:
        count: frames in the file or folder.
        size: (rows, columns) as shown.
        square: whether its pixels are stored square; else they were scaled.
        cuts: numbers of the frames at which the picture cuts.
        times: its rate, and which frames are seen when.
        notes: what was done to the pictures that a user should know.
    """

    count: int
    size: tuple[int, int]
    square: bool
    cuts: list[int]
    times: Timeline
    notes: tuple[str, ...]

    @property
    def fps(self) -> float | None:
        """Frames per second; None where the footage does not say."""
        return self.times.fps


def condition_spec(settings: TaskSettings) -> ConditionSpec:
    """Labels, pose or edges, by what the task gives.

    Raises:
        SlimvidError: labels without names, an unknown foreground class.
    """
    if settings.labels is not None:
        if not settings.label_names:
            raise SlimvidError(
                f"{settings.labels}: give the task `label_names:`, the classes in the order of ids"
            )
        unknown = [name for name in settings.foreground if name not in settings.label_names]
        if unknown:
            raise SlimvidError(
                f"task field foreground: no class {unknown[0]!r} in label_names; name one of them"
            )
        foreground = tuple(settings.label_names.index(name) for name in settings.foreground)
        return ConditionSpec(kind="labels", label_names=settings.label_names, foreground=foreground)
    if settings.poses is not None:
        return ConditionSpec(kind="pose")
    return ConditionSpec(kind="edges", distance_maps=settings.distance_maps)


def clips(settings: TaskSettings) -> dict[str, Iterator[Clip]]:
    """Clips of the footage, centre-cropped to the task's aspect and scaled, cut where the picture cuts.

    Frames ``train_frames`` train and ``test_frames`` test; by default the first 70 % and the rest. To choose
    by, there are ``val_frames``, or the end of what would train (`split_shots`).

    Raises:
        SlimvidError: footage that is missing, damaged, truncated or changes its size; files beside it whose
            number, size or content does not fit.
    """
    footage = probe(Path(settings.path))
    beside = _beside(settings, footage)
    for note in (*footage.notes, *(footage.times.notes if settings.fps is None else ())):
        log.info("%s: %s", settings.path, note)
    pieces = split_shots(_shots(settings, footage), settings)
    crop = Crop.centre(footage.size, height=settings.height, width=settings.width)
    return {split: _clips(settings, found, beside, crop, footage) for split, found in pieces.items()}


def probe(path: Path) -> Probe:
    """Decode all footage once: it is whole, of one size, and its hard cuts are known.

    Of a frame only some numbers are kept: no pictures, of which an hour would fill memory.

    Raises:
        SlimvidError: missing, no video, damaged, truncated, of changing size, or see `VideoFile`.
    """
    import cv2

    size: tuple[int, int] | None = None
    count, before = 0, None
    changes: list[float] = []
    stamps: list[Stamp] = []
    file = VideoFile(path=path)
    for number, (stamp, frame) in enumerate(_pictures(path) if path.is_dir() else file.frames()):
        size = size or frame.shape[:2]
        if frame.shape[:2] != size:
            raise SlimvidError(
                f"{path}: frame {number} is {frame.shape[1]}x{frame.shape[0]}, the first "
                f"{size[1]}x{size[0]}; make all frames the same size"
            )
        small = cv2.resize(frame, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        changes += [] if before is None else [float(np.abs(small - before).mean())]
        count, before = number + 1, small
        stamps.append(stamp)
    if size is None:
        raise SlimvidError(f"{path}: no frame can be decoded; export the video again")
    times = presented(stamps)
    return Probe(
        count=count,
        size=size,
        square=file.square,
        cuts=find_cuts(changes),
        times=timeline(times, tick=file.tick) if times else Timeline(fps=None, runs=[range(count)]),
        notes=tuple(file.notes),
    )


def find_cuts(changes: Sequence[float]) -> list[int]:
    """Frames at which a new shot begins.

    A cut's change is large, and far above the eight ones around it, which fast motion's is not.

    Args:
        changes: mean absolute difference of each frame's thumbnail to the one before, 0..255; N - 1 of N
            frames.
    """
    cuts = []
    for i, value in enumerate(changes):
        around = [*changes[max(0, i - 4) : i], *changes[i + 1 : i + 5]]
        usual = float(np.median(around)) if around else 0.0
        if value > max(CUT_LEAST, CUT_RATIO * usual):
            cuts.append(i + 1)
    return cuts


def _shots(settings: TaskSettings, footage: Probe) -> list[Shot]:
    """Stretches without a cut or pause; where the task gives its rate, the stamps do not count."""
    name, fps = clean(Path(settings.path).stem), rate(settings, footage.fps)
    shots = []
    for run in footage.times.runs if settings.fps is None else [range(footage.count)]:
        numbers = np.asarray(run)
        for part in np.split(numbers, np.searchsorted(numbers, footage.cuts)):
            if len(part):
                start = name if part[0] == 0 else f"{name}_cut{part[0]:05d}"
                shots.append(Shot(name=start, fps=fps, frames=part.tolist()))
    return shots


def _clips(
    settings: TaskSettings, pieces: Sequence[Shot], beside: dict[str, list[Path]], crop: Crop, footage: Probe
) -> Iterator[Clip]:
    """Decode once more, keeping only the frames of the piece at hand."""
    wanted = [number for piece in pieces for number in piece.frames]
    decoded = _pick(Path(settings.path), wanted)
    for piece in pieces:
        maps = []
        for number in piece.frames:
            files = {kind: paths[number] for kind, paths in beside.items()}
            maps.append(frame_maps(settings, next(decoded), files, crop, footage.size))
        yield assemble(piece, maps)


def frame_maps(
    settings: TaskSettings, frame: np.ndarray, files: dict[str, Path], crop: Crop, size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """One frame's picture, edges, and what the files beside it hold, at the task's size."""
    picture = crop.picture(frame)
    low, high = settings.canny
    maps = {"frames": picture, "edges": canny_edges(picture, low=low, high=high)}
    if "landmarks" in files:
        maps["landmarks"] = crop.points(read_landmarks(files["landmarks"], size=size))
        rows, columns = picture.shape[:2]
        maps["edges"] = face_edges(maps["landmarks"], height=rows, width=columns, background=maps["edges"])
    if "labels" in files:
        maps["labels"] = crop.ids(_read_labels(files["labels"], size, len(settings.label_names)))
    if "poses" in files:
        people = read_openpose(files["poses"], size=size)
        people[..., :2] = crop.points(people[..., :2])
        maps["keypoints"] = people
        maps["densepose"] = np.zeros_like(
            picture
        )  # no surface map beside a plain video: three black channels
    return maps


def _read_labels(path: Path, size: tuple[int, int], count: int) -> np.ndarray:
    labels = read_ids(path, size=size)
    unknown = labels[(labels >= count) & (labels != VOID)]
    if unknown.size:
        raise SlimvidError(
            f"{path}: holds id {int(unknown[0])}, but label_names has {count} (0..{count - 1}; 255 is void); "
            "correct the map or the names"
        )
    return labels.astype(np.uint8)


def _beside(settings: TaskSettings, footage: Probe) -> dict[str, list[Path]]:
    """The files beside the footage by kind, one a frame.

    Raises:
        SlimvidError: another number of files than of frames, a hole in their numbers, names that do not go
            with the frames', or frames that were scaled.
    """
    kinds = {"landmarks": (".json", ".txt"), "labels": (".png",), "poses": (".json",)}
    beside = {}
    for kind, suffixes in kinds.items():
        folder = getattr(settings, kind)
        if folder is None:
            continue
        if not footage.square:
            raise SlimvidError(
                f"{settings.path}: its pixels are not square, so it is unclear what `{kind}:` belongs to; "
                "export it with square pixels and make them from that"
            )
        files = list_files(Path(folder), suffixes, field=kind)
        check_numbering(files)
        if len(files) != footage.count:
            raise SlimvidError(
                f"{folder}: {len(files)} files, but {settings.path} has {footage.count} frames; "
                "give one a frame"
            )
        if Path(settings.path).is_dir():
            for frame, file in zip(list_files(Path(settings.path), PICTURES), files, strict=True):
                rest = file.stem.removeprefix(frame.stem)
                if not file.stem.startswith(frame.stem) or rest[:1].isdigit():
                    raise SlimvidError(f"{file}: does not go with frame {frame.name}; name both alike")
        beside[kind] = files
    return beside


def _pick(path: Path, wanted: Iterable[int]) -> Iterator[np.ndarray]:
    """The frames of numbers ``wanted`` (never falling), decoded in one pass."""
    if path.is_dir():
        files = list_files(path, PICTURES)
        yield from (read_picture(files[number]) for number in wanted)
        return
    wanted = iter(wanted)
    number = next(wanted, None)
    for at, (_, frame) in enumerate(VideoFile(path=path).frames()):
        while at == number:
            yield frame
            number = next(wanted, None)
        if number is None:
            return


def _pictures(folder: Path) -> Iterator[tuple[Stamp, np.ndarray]]:
    """The pictures of a folder, in order; they have no time."""
    files = list_files(folder, PICTURES)
    check_numbering(files)
    yield from ((Stamp(None), read_picture(file)) for file in files)

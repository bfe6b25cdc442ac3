"""Writing the prepared store: all of it or nothing, the same bytes every time."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slimvid.data.clip import Clip
from slimvid.data.manifest import MANIFEST, SPLITS, ManifestRows, TaskMeta
from slimvid.data.rows import MAPS, encode_row, row_hash
from slimvid.errors import SlimvidError
from slimvid.files import system_errors
from slimvid.leftovers import remove_leftovers, temporary_sibling


def write_prepared(root: Path | str, meta: TaskMeta, splits: Mapping[str, Iterable[Clip]]) -> None:
    """Write a task's store into folder ``root``; nothing of it is visible before all of it is written.

    Several processes may write the same store at once: their rows are the same, and the last one's stay.

    Args:
        root: ``data/prepared/<task>``; files of an earlier preparation are replaced.
        meta: the task's description.
        splits: the clips of each of `SPLITS`; they are drawn lazily, one clip in memory at a time.

    Raises:
        SlimvidError: no clip to train or to test on, a clip name used twice, a clip of another size, one that
            lacks a map that the condition needs, or a folder or disk that cannot be written.
    """
    root = Path(root)
    if set(splits) != set(SPLITS):
        raise SlimvidError(f"task {meta.task}: splits {sorted(splits)}; give exactly {', '.join(SPLITS)}")
    with system_errors(root):
        _write(root, meta, splits)


def _write(root: Path, meta: TaskMeta, splits: Mapping[str, Iterable[Clip]]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with _own_folder(root) as work:
        rows, taken, files = ManifestRows(), set[str](), {}
        for split in SPLITS:
            count = 0
            for row in _write_split(work / f"{split}.arrow", meta, split, splits[split], taken):
                rows.add(row)
                count += 1
            if not count and split != "val":  # of short footage nothing is held back to choose by
                raise SlimvidError(
                    f"task {meta.task}: no clip in split {split!r}; widen its range or add data"
                )
            files[split] = {"rows": count, "bytes": (work / f"{split}.arrow").stat().st_size}
        rows.write(work / MANIFEST, meta, files)
        _publish(work, root)


@contextmanager
def _own_folder(root: Path) -> Iterator[Path]:
    """A hidden folder in ``root`` of this process alone; what killed ones left there goes."""
    remove_leftovers(root)
    work = temporary_sibling(root / "partial")
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, root: Path) -> None:
    """Move a whole store to its place; an old manifest never describes new files.

    One that describes the same rows may stay meanwhile: another process that prepared them reads it now.
    """
    manifest = root / MANIFEST
    try:
        same = manifest.read_bytes() == (work / MANIFEST).read_bytes()
    except FileNotFoundError:
        same = False
    if not same:
        manifest.unlink(missing_ok=True)
    for file in (*(f"{split}.arrow" for split in SPLITS), MANIFEST):
        (work / file).replace(root / file)


def _write_split(
    path: Path, meta: TaskMeta, split: str, clips: Iterable[Clip], taken: set[str]
) -> Iterator[dict[str, Any]]:
    """Write one split's Arrow file, one record batch per frame; gives its manifest rows one by one."""
    import pyarrow as pa

    maps = [(name, pa.binary()) for name in ("frame", *MAPS)]
    schema = pa.schema([("clip", pa.string()), ("index", pa.int32()), *maps])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for clip in clips:
            _check_clip(meta, clip, taken)
            taken.add(clip.name)
            for t in range(len(clip)):
                row = encode_row(clip, t)
                columns = {"clip": clip.name, "index": t, **row}
                writer.write_batch(pa.RecordBatch.from_pylist([columns], schema=schema))
                yield _manifest_row(clip, t, split, row)


def _check_clip(meta: TaskMeta, clip: Clip, taken: set[str]) -> None:
    if clip.name in taken:
        raise SlimvidError(f"task {meta.task}: two clips are called {clip.name!r}; give each its own name")
    height, width = clip.frames.shape[1:3]
    if (height, width) != (meta.height, meta.width):
        raise SlimvidError(
            f"task {meta.task}: clip {clip.name} is {width}x{height}; "
            f"the task's size is {meta.width}x{meta.height}: make both the same"
        )
    for name in meta.condition.needs:
        if getattr(clip, name) is None:
            raise SlimvidError(
                f"task {meta.task}: clip {clip.name} has no {name}, which condition "
                f"{meta.condition.kind!r} needs; add the files or choose another condition"
            )
    if clip.labels is not None and meta.classes:
        count = len(meta.classes)
        unknown = clip.labels[(clip.labels >= count) & (clip.labels != 255)]
        if unknown.size:
            raise SlimvidError(
                f"task {meta.task}: clip {clip.name} has label id {int(unknown[0])}, but only 0..{count - 1} "
                "(and 255, void) have names; correct the maps or label_names"
            )


def _manifest_row(clip: Clip, t: int, split: str, row: dict[str, bytes | None]) -> dict[str, Any]:
    return {
        "split": split,
        "clip": clip.name,
        "index": t,
        "timestamp": t / clip.fps,
        "fps": clip.fps,
        "height": clip.frames.shape[1],
        "width": clip.frames.shape[2],
        "sha256": row_hash(row),
        **{f"has_{name}": row[name] is not None for name in MAPS},
    }

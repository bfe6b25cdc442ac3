"""The manifest of a prepared task: one row per frame, and what the task says about itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimvid.data.condition import ConditionSpec
from slimvid.data.rows import MAPS
from slimvid.errors import SlimvidError

FORMAT = 2
SPLITS = ("train", "val", "test")  # to learn from, to choose by, to report
MANIFEST = "manifest.parquet"
_KEY = b"slimvid"
_READ = ("split", "clip", "fps", "sha256")  # the other columns are for whoever looks into the file


@dataclass(frozen=True, kw_only=True)
class TaskMeta:
    """What a prepared task is: its name, the data that made it (for people), its condition, size and rate.

    Attributes:
        aligned: the splits in which a row's frame is the truth of its condition; elsewhere (the training
            split of an unpaired task; two datasets that share nothing) the frames only show what the target
            domain looks like, and nothing may compare frame with frame. Maps that are no part of the
            condition (flow, and labels beside pictures) belong to the frame.
        label_names, palette: the classes of the stored label maps, where the condition is not made of them.
        label_frames: the frames are themselves label maps, in the palette's colours.
    """

    task: str
    source: str
    condition: ConditionSpec
    height: int
    width: int
    fps: float
    aligned: tuple[str, ...] = SPLITS
    label_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    label_frames: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the stored label maps' classes, in id order; empty where there are none."""
        return self.condition.label_names or self.label_names

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable form; `from_dict` inverts it."""
        return {**self.__dict__, "condition": self.condition.to_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TaskMeta":
        """Build from `to_dict`'s form."""
        own = {**document, "condition": ConditionSpec.from_dict(document["condition"])}
        own["aligned"] = tuple(own.get("aligned", SPLITS))
        own["label_names"] = tuple(own.get("label_names", ()))
        own["palette"] = tuple(tuple(colour) for colour in own.get("palette", ()))
        return cls(**own)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipInfo:
    """A clip's entry in the store: name, number of frames, frames per second."""

    name: str
    length: int
    fps: float


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest as read.

    Attributes:
        meta: the task's description.
        files: for each split, the ``rows`` and ``bytes`` of its Arrow file.
        clips: for each split, clip name -> (first row, `ClipInfo`), in writing order.
        hashes: for each split, the content hash of every row.
    """

    meta: TaskMeta
    files: dict[str, dict[str, int]]
    clips: dict[str, dict[str, tuple[int, ClipInfo]]]
    hashes: dict[str, list[str]]


class ManifestRows:
    """The rows of a manifest that is being written, one a frame, kept as columns: 48,000 take 5.4 MiB."""

    _AT_ONCE = 1024  # rows that are kept as dicts, each of which takes 1.2 kB

    def __init__(self) -> None:
        import pyarrow as pa

        self._schema = pa.schema(
            [
                *(("split", pa.string()), ("clip", pa.string()), ("index", pa.int32())),
                *(("timestamp", pa.float64()), ("fps", pa.float64())),
                *(("height", pa.int32()), ("width", pa.int32())),
                *(("sha256", pa.string()), *((f"has_{name}", pa.bool_()) for name in MAPS)),
            ]
        )
        self._tables = [self._schema.empty_table()]
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        """Add a row: a value for every column."""
        self._rows.append(row)
        if len(self._rows) == self._AT_ONCE:
            self._fold()

    def write(self, path: Path, meta: TaskMeta, files: dict[str, Any]) -> None:
        """Write the rows, and the description in the schema's metadata."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._fold()
        document = {"format": FORMAT, "meta": meta.to_dict(), "splits": files}
        text = json.dumps(document, sort_keys=True, allow_nan=False)
        # in one piece: where tables begin changes the file's bytes
        table = pa.concat_tables(self._tables).combine_chunks()
        pq.write_table(table.replace_schema_metadata({_KEY: text.encode()}), path, compression="zstd")

    def _fold(self) -> None:
        import pyarrow as pa

        self._tables.append(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def read_manifest(root: Path) -> Manifest:
    """Read and check ``root``'s manifest.

    Raises:
        SlimvidError: missing, damaged, of another format version, or with gaps.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = root / MANIFEST
    mend = f"run `slimvid prepare {root.name}` again"
    if not path.is_file():
        raise SlimvidError(f"{path}: missing; run `slimvid prepare {root.name}` first")
    try:
        table = pq.ParquetFile(path).read(columns=list(_READ))  # read_table would import pandas (1 s)
        document = json.loads((table.schema.metadata or {})[_KEY])
        version = document["format"]
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise SlimvidError(f"{path}: damaged, or not a manifest ({one_line(error)}); {mend}") from None
    if version != FORMAT:
        raise SlimvidError(f"{path}: format {version}, but this version reads {FORMAT}; {mend}")
    files = document["splits"]
    clips, hashes = _index(table.to_pydict())
    if any(len(hashes[split]) != files[split]["rows"] for split in SPLITS):
        raise SlimvidError(f"{path}: rows are missing; {mend}")
    return Manifest(meta=TaskMeta.from_dict(document["meta"]), files=files, clips=clips, hashes=hashes)


def one_line(error: Exception) -> str:
    """An exception's text on one line, without what follows the first sentence of a library's report."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def _index(
    columns: dict[str, list],
) -> tuple[dict[str, dict[str, tuple[int, ClipInfo]]], dict[str, list[str]]]:
    clips: dict[str, dict[str, tuple[int, ClipInfo]]] = {split: {} for split in SPLITS}
    hashes: dict[str, list[str]] = {split: [] for split in SPLITS}
    for split, clip, fps, digest in zip(*(columns[name] for name in _READ), strict=True):
        first, info = clips[split].get(clip, (len(hashes[split]), None))
        clips[split][clip] = first, ClipInfo(name=clip, length=1 + (info.length if info else 0), fps=fps)
        hashes[split].append(digest)
    return clips, hashes

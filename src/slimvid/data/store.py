"""The prepared store: one Parquet manifest and one memory-mapped Arrow file per split.

Everything after `prepare` reads only this. A split's file is an Arrow IPC file with one record batch per
frame, so reading frame i of clip c touches only its bytes. The manifest has one row per frame and, in its
schema's metadata, the task's description. Preparing twice gives the same bytes.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from slimvid.data.archive import FrameArchive, write_frames
from slimvid.data.flow import compose
from slimvid.data.manifest import SPLITS, ClipInfo, TaskMeta, one_line, read_manifest
from slimvid.data.rows import MAPS, decode_map, row_hash
from slimvid.data.writer import write_prepared
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json

__all__ = ["ClipInfo", "FrameArchive", "PreparedTask", "TaskMeta", "Window", "write_frames", "write_prepared"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """n frames of one clip, decoded for training.

    Attributes:
        frames: float32 [n, 3, H, W] in [-1, 1].
        conditions: float32 [n, C, H, W] in [0, 1].
        flow: float32 [n, 2, H, W] pixels, from each frame back to the one before it *in the window* (steps of
            more than one frame are chained); the first one's goes to the frame before it in the clip.
        valid: float32 [n, 1, H, W], 1 where the flow can be trusted.
    """

    frames: np.ndarray
    conditions: np.ndarray
    flow: np.ndarray | None
    valid: np.ndarray | None


class PreparedTask:
    """A task's store, opened for reading.

    Args:
        root: ``data/prepared/<task>``.
        splits: those that may be read; the files of the others need not be there. A step names the ones that
            it needs, so that none that chooses anything can read the test split.
        cache_mb: bound of the memory that decoded frames may take (training reads each thousands of times).

    Attributes:
        meta: the task's description.

    Raises:
        SlimvidError: a file is missing, truncated, of another version, or does not belong to the manifest. A
            row whose bytes changed is found, and named, when it is first read; so is a read of another split.
    """

    def __init__(self, root: Path | str, *, splits: Sequence[str] = SPLITS, cache_mb: int = 256) -> None:
        self.root, self.splits = Path(root), tuple(splits)
        self._manifest = read_manifest(self.root)
        self.meta: TaskMeta = self._manifest.meta
        self._mend = f"run `slimvid prepare {self.meta.task}` again"
        self._readers = {split: self._open_split(split) for split in self.splits}
        self._verified: set[tuple[str, int]] = set()
        self._infos: dict[str, list[ClipInfo]] = {}
        self._cache = _Cache(cache_mb << 20)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the description and of every frame's content hash, in order."""
        clips = self._manifest.clips
        names = {s: [(i.name, i.length, i.fps) for _, i in clips[s].values()] for s in SPLITS}
        return sha256_json({"meta": self.meta.to_dict(), "clips": names, "rows": self._manifest.hashes})

    def clips(self, split: str) -> list[ClipInfo]:
        """The clips of a split, in the order in which they were written."""
        self._check_opened(split)
        if split not in self._infos:  # once: there may be 48,000 pictures, and every step asks
            self._infos[split] = [info for _, info in self._manifest.clips[split].values()]
        return self._infos[split]

    def frame(self, split: str, clip: str, index: int) -> np.ndarray:
        """A true frame: uint8 [H, W, 3] RGB, read-only."""
        return self._part("frame", split, self._row(split, clip, index))

    def condition(self, split: str, clip: str, index: int) -> np.ndarray:
        """A frame's condition: float32 [C, H, W] in [0, 1]."""
        stored = self._part("condition", split, self._row(split, clip, index))
        return stored.astype(np.float32) / np.float32(255)

    def picture(self, split: str, clip: str, index: int) -> np.ndarray:
        """A frame's condition as a picture: uint8 [H, W, 3] RGB."""
        return self.meta.condition.picture(self.condition(split, clip, index))

    def flow(self, split: str, clip: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Backward flow to the frame before, float32 [2, H, W] pixels, and its validity, float32 [H, W]."""
        row = self._row(split, clip, index)
        flow, valid = self._part("flow", split, row), self._part("flow_valid", split, row)
        if flow is None or valid is None:
            raise SlimvidError(
                f"{self.root}: clip {clip} has no optical flow; give its source flow and prepare it again"
            )
        return flow, valid.astype(np.float32)

    def labels(self, split: str, clip: str, index: int) -> np.ndarray | None:
        """Class ids, uint8 [H, W] (255 is void); None where the task has none."""
        return self._part("labels", split, self._row(split, clip, index))

    def keypoints(self, split: str, clip: str, index: int) -> np.ndarray | None:
        """Body points, float32 [P, 25, 3] (x, y, confidence); None where the task has none."""
        return self._part("keypoints", split, self._row(split, clip, index))

    def landmarks(self, split: str, clip: str, index: int) -> np.ndarray | None:
        """Face landmarks, float32 [68, 2] (x, y) in pixels; None where the task has none."""
        return self._part("landmarks", split, self._row(split, clip, index))

    def window(self, split: str, clip: str, indices: Sequence[int], *, flow: bool = True) -> Window:
        """Several frames of one clip, decoded (from memory when they were read before).

        Args:
            split: one of `splits`.
            clip: its name.
            indices: frame numbers, not falling; a frame may be repeated (its flow is then 0 and not valid).
            flow: also give the flow; without it ``flow`` and ``valid`` are None.

        Raises:
            SlimvidError: no such clip or frame, falling indices, no flow in the store, or a damaged row.
        """
        indices = [int(i) for i in indices]
        if not indices or any(b < a for a, b in pairwise(indices)):
            raise SlimvidError(f"{self.root}: window {indices} of clip {clip}; give indices in rising order")
        rows = [self._row(split, clip, i) for i in indices]
        n, height, width = len(rows), self.meta.height, self.meta.width
        frames = np.empty((n, 3, height, width), np.float32)
        conditions = np.empty((n, self.meta.condition.channels, height, width), np.float32)
        for k, row in enumerate(rows):
            frames[k] = self._part("frame", split, row).transpose(2, 0, 1)
            np.divide(self._part("condition", split, row), np.float32(255), out=conditions[k])
        frames /= np.float32(127.5)
        frames -= np.float32(1)
        if not flow:
            return Window(frames=frames, conditions=conditions, flow=None, valid=None)
        flows = np.empty((n, 2, height, width), np.float32)
        valid = np.empty((n, 1, height, width), np.float32)
        for k, index in enumerate(indices):
            before = indices[k - 1] if k else index - 1
            flows[k], valid[k, 0] = self._flow_between(split, clip, index, before)
        return Window(frames=frames, conditions=conditions, flow=flows, valid=valid)

    def _flow_between(self, split: str, clip: str, index: int, before: int) -> tuple[np.ndarray, np.ndarray]:
        """Backward flow from frame ``index`` to ``before`` <= index, chained over the frames between."""
        if before == index:
            empty = np.zeros((2, self.meta.height, self.meta.width), np.float32)
            return empty, empty[0]
        if index - before == 1:
            return self.flow(split, clip, index)
        key = (split, clip, index, before)
        chained = self._cache.get(key)
        if chained is None:
            total = self.flow(split, clip, index)
            for middle in range(index - 1, before, -1):
                total = compose(total, self.flow(split, clip, middle))
            chained = self._cache.put(key, np.concatenate([total[0], total[1][None]]))
        return chained[:2], chained[2]

    def _check_opened(self, split: str) -> None:
        if split not in self.splits:
            opened = ", ".join(self.splits) if split in SPLITS else ", ".join(SPLITS)
            why = "was not opened for reading" if split in SPLITS else "is no split"
            raise SlimvidError(f"{self.root}: {split!r} {why}; there are {opened}")

    def _open_split(self, split: str) -> Any:
        import pyarrow as pa

        path, recorded = self.root / f"{split}.arrow", self._manifest.files[split]
        if not path.is_file():
            raise SlimvidError(f"{path}: missing; {self._mend}")
        size = path.stat().st_size
        if size != recorded["bytes"]:
            raise SlimvidError(f"{path}: {size} bytes, the manifest says {recorded['bytes']}; {self._mend}")
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            rows = reader.num_record_batches
        except (pa.ArrowException, OSError) as error:
            raise SlimvidError(f"{path}: damaged ({one_line(error)}); {self._mend}") from None
        if rows != recorded["rows"]:
            raise SlimvidError(f"{path}: {rows} frames, the manifest says {recorded['rows']}; {self._mend}")
        return reader

    def _row(self, split: str, clip: str, index: int) -> int:
        """The row of a frame in its split's file."""
        self._check_opened(split)
        found = self._manifest.clips[split].get(clip)
        if found is None:
            known = ", ".join(info.name for info in self.clips(split)[:4])
            raise SlimvidError(f"{self.root}: no clip {clip!r} in split {split!r}; it begins with {known}")
        first, info = found
        if not 0 <= index < info.length:
            raise SlimvidError(
                f"{self.root}: clip {clip} has no frame {index}; its frames are 0..{info.length - 1}"
            )
        return first + index

    def _part(self, name: str, split: str, row: int) -> np.ndarray | None:
        """One decoded map of a row (or "condition", uint8 [C, H, W]), from the cache when it is there."""
        key = (name, split, row)
        value = self._cache.get(key)
        if value is None:
            if name == "condition":
                value = self._encode_condition(split, row)
            else:
                value = self._decode(name, split, row)
            if value is not None:
                self._cache.put(key, value)
        return value

    def _encode_condition(self, split: str, row: int) -> np.ndarray:
        """uint8 [C, H, W]."""
        spec = self.meta.condition
        return spec.encode_bytes(**{name: self._decode(name, split, row) for name in spec.needs})

    def _decode(self, name: str, split: str, row: int) -> np.ndarray | None:
        import pyarrow as pa

        path = self.root / f"{split}.arrow"
        try:
            batch = self._readers[split].get_batch(row)
            if (split, row) not in self._verified:
                stored = {n: batch[n][0].as_py() for n in ("frame", *MAPS)}
                if row_hash(stored) != self._manifest.hashes[split][row]:
                    raise SlimvidError(f"{path}: frame {row} does not match its content hash; {self._mend}")
                self._verified.add((split, row))
            data = batch[name][0].as_py()
            if data is None:
                return None
            value = decode_map(name, data, height=self.meta.height, width=self.meta.width)
            return value.astype(np.float32) if name == "flow" else value  # half floats convert slowly
        except (ValueError, OSError, KeyError, pa.ArrowException) as error:
            raise SlimvidError(f"{path}: frame {row} is damaged ({one_line(error)}); {self._mend}") from None


class _Cache:
    """Arrays by key, the least recently used dropped first, never more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._items: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def get(self, key: Hashable) -> np.ndarray | None:
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: Hashable, value: np.ndarray) -> np.ndarray:
        value.flags.writeable = False
        self._items[key] = value
        self._held += value.nbytes
        while self._held > self._limit and self._items:
            _, old = self._items.popitem(last=False)
            self._held -= old.nbytes
        return value

"""Frame archives: generated (or interpolated) frames of a run, in the store's Arrow layout."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slimvid.data.manifest import one_line
from slimvid.data.rows import decode_png, encode_png
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa


def write_frames(path: Path | str, frames: Iterable[tuple[str, int, np.ndarray]]) -> None:
    """Write an archive atomically, one record batch per frame.

    Args:
        path: the ``.arrow`` file.
        frames: (clip name, frame index, uint8 [H, W, 3] RGB), drawn lazily.

    Raises:
        SlimvidError: a frame that is not uint8 RGB, a frame given twice, or no frame at all.
    """
    import pyarrow as pa

    schema = pa.schema([("clip", pa.string()), ("index", pa.int32()), ("frame", pa.binary())])
    seen: set[tuple[str, int]] = set()
    with atomic_path(path) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for clip, index, frame in frames:
                if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                    raise SlimvidError(
                        f"{path}: frame {index} of clip {clip} is {frame.dtype}{list(frame.shape)}; "
                        "give uint8[H,W,3]"
                    )
                if (clip, index) in seen:
                    raise SlimvidError(f"{path}: frame {index} of clip {clip} given twice; give each once")
                seen.add((clip, int(index)))
                row = (_one(pa.string(), clip.encode()), _one(pa.int32(), int(index)))
                row += (_one(pa.binary(), encode_png(frame)),)
                writer.write_batch(pa.RecordBatch.from_arrays(list(row), schema=schema))
        if not seen:
            raise SlimvidError(f"{path}: no frames to write; check the run that should have made them")


def _one(kind: "pa.DataType", value: bytes | int) -> "pa.Array":
    """An array of one value; ``pa.array`` would import pandas (2 s of CPU in a job of 8)."""
    import pyarrow as pa

    if isinstance(value, int):
        return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(np.int32(value).tobytes())])
    offsets = np.array([0, len(value)], np.int32).tobytes()
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(offsets), pa.py_buffer(value)])


class FrameArchive:
    """An archive opened for reading; a frame's bytes are touched only when it is read.

    Raises:
        SlimvidError: the file is missing, truncated, or not an archive.
    """

    def __init__(self, path: Path | str) -> None:
        import pyarrow as pa

        self.path = Path(path)
        if not self.path.is_file():
            raise SlimvidError(f"{self.path}: missing; run the step that makes it first")
        try:
            self._reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
            batches = (self._reader.get_batch(row) for row in range(self._reader.num_record_batches))
            keys = [(b["clip"][0].as_py(), b["index"][0].as_py()) for b in batches]
        except (pa.ArrowException, OSError, KeyError) as error:
            raise SlimvidError(
                f"{self.path}: damaged ({one_line(error)}); delete it and make it anew"
            ) from None
        self._rows: dict[str, dict[int, int]] = {}
        for row, (clip, index) in enumerate(keys):
            self._rows.setdefault(clip, {})[index] = row

    def clips(self) -> list[str]:
        """Clip names, in writing order."""
        return list(self._rows)

    def indices(self, clip: str) -> list[int]:
        """The frame indices that a clip has, rising.

        Raises:
            SlimvidError: no such clip.
        """
        if clip not in self._rows:
            raise SlimvidError(f"{self.path}: no clip {clip!r}; it has {', '.join(list(self._rows)[:4])}")
        return sorted(self._rows[clip])

    def frame(self, clip: str, index: int) -> np.ndarray:
        """One frame: uint8 [H, W, 3] RGB.

        Raises:
            SlimvidError: no such frame, or its bytes are damaged.
        """
        if index not in self._rows.get(clip, {}):
            raise SlimvidError(
                f"{self.path}: no frame {index} of clip {clip!r}; it has {self.indices(clip)[:8]}"
            )
        try:
            return decode_png(self._reader.get_batch(self._rows[clip][index])["frame"][0].as_py())
        except (ValueError, OSError) as error:
            raise SlimvidError(
                f"{self.path}: frame {index} of clip {clip} is damaged ({one_line(error)}); make it anew"
            ) from None

"""The step `translate`: a translator draws the test clips of a prepared task."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimvid.data.store import PreparedTask, write_frames
from slimvid.errors import SlimvidError
from slimvid.files import read_json, write_json
from slimvid.infer.translator import load, with_given
from slimvid.runtime import Progress


def translate(
    artifact: Path,
    prepared: Path,
    keyframes: Path | None,
    out: Path,
    drawn_in_full: Path,
    *,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Draw every test clip (with ``keyframes``: its key-frames only) in fp32 and write a frame archive.

    Args:
        keyframes: the file of ``select_keyframes``; needed by a plan of key-frames, refused by others.
        out: the archive. drawn_in_full: JSON, per clip the frames that the whole network drew: all of them,
            the key-frames, or the references of a shortcut plan. Given first frames are left out.

    Raises:
        SlimvidError: a key-frame file where none belongs or none where one does, or one of other clips.
    """
    translator = load(artifact, device=device, threads=threads)
    data = PreparedTask(prepared, splits=("test",))
    if (translator.plan.kind == "keyframes") != (keyframes is not None):
        need = "needs its key-frame file" if keyframes is None else "draws every frame; give no key-frames"
        raise SlimvidError(f"{artifact}: plan {translator.plan.kind} {need}")
    chosen = read_json(keyframes)["clips"] if keyframes is not None else {}
    clips = data.clips("test")
    if keyframes is not None and set(chosen) != {clip.name for clip in clips}:
        raise SlimvidError(f"{keyframes}: holds other clips than {prepared}; select key-frames again")

    full: dict[str, list[int]] = {}

    def frames() -> Iterator[tuple[str, int, np.ndarray]]:
        progress = Progress(f"translate {data.meta.task}", len(clips))
        for done, clip in enumerate(clips):
            wanted = chosen.get(clip.name, range(clip.length))
            keys = with_given(wanted, translator.given)
            first = [data.frame("test", clip.name, i) for i in keys[: translator.given]]
            conditions = (data.condition("test", clip.name, i) for i in keys)
            in_full: list[int] = []
            drawn = translator.draw(conditions, first_frames=first, in_full=in_full)
            for index, frame in zip(keys, drawn, strict=True):
                yield clip.name, index, frame
            full[clip.name] = [keys[i] for i in in_full]
            progress.update(done + 1)
        progress.close()

    write_frames(out, frames())
    fraction = sum(map(len, full.values())) / sum(clip.length for clip in clips)
    write_json(drawn_in_full, {"clips": full, "fraction": fraction})

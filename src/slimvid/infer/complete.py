"""The step `translate`: a row's test clips, drawn and completed in one process."""

from pathlib import Path

from slimvid.infer.interpolate import interpolate
from slimvid.infer.translate import translate
from slimvid.leftovers import temporary_sibling
from slimvid.runtime import set_threads
from slimvid.settings import PlanSettings


def translate_whole(
    artifact: Path,
    prepared: Path,
    plan: PlanSettings,
    keyframes: Path | None,
    out: Path,
    *,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Draw every test clip and, where the plan draws key-frames only, the frames between them.

    Args:
        plan: the row's. keyframes: the file of ``select_keyframes``; needed by a plan of key-frames alone.
        out: archive of all frames of every test clip. ``drawn_in_full.json`` beside it says which of them
            the whole network drew.

    Raises:
        SlimvidError: see `translate` and `interpolate`.
    """
    drawn_in_full = out.with_name("drawn_in_full.json")
    if plan.kind != "keyframes":
        translate(artifact, prepared, keyframes, out, drawn_in_full, device=device, threads=threads)
        return
    keys = temporary_sibling(out)
    try:
        translate(artifact, prepared, keyframes, keys, drawn_in_full, device=device, threads=threads)
        set_threads(threads)
        interpolate(keys, prepared, plan, out)
    finally:
        keys.unlink(missing_ok=True)  # nobody reads key-frames alone

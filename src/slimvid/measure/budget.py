"""What a row's trainings spent: its own and those of the students that it is put over, not the original's."""

from collections.abc import Sequence
from pathlib import Path

from slimvid.files import read_json
from slimvid.paths import BUDGET, CLOCK

PROTOCOL = (
    "of this row and of the students that it is put over, beyond the original: updates of generators, frames "
    "that they learned from"
)


def training_budget(checkpoints: Sequence[Path]) -> dict[str, float]:
    """Updates and frames of the trainings that lie in these folders, summed; empty for one from elsewhere."""
    return _sum(checkpoints, BUDGET, ("updates", "samples"))


def training_clock(checkpoints: Sequence[Path]) -> dict[str, float]:
    """CPU-seconds of these trainings' processes, summed; empty for one from elsewhere."""
    return _sum(checkpoints, CLOCK, ("cpu_seconds",))


def _sum(checkpoints: Sequence[Path], file: str, fields: Sequence[str]) -> dict[str, float]:
    if not all((folder / file).is_file() for folder in checkpoints):
        return {}
    spent = [read_json(folder / file) for folder in checkpoints]
    return {f"training_{name}": sum(one[name] for one in spent) for name in fields if spent}

"""What one training is told: made once by the command that starts it, handed on whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimvid.data.store import PreparedTask
from slimvid.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of one row.

    Attributes:
        task, row, seed: its names in the config and in every path; an original's row is ``original``.
        data: the prepared task, of which it may open the training clips alone.
        plan: how the artifact is to walk a clip, as ``translator.json`` says it.
        out: the artifact's folder. runtime: device, precision, threads.
    """

    task: str
    row: str
    seed: int
    data: PreparedTask
    plan: Mapping[str, Any]
    out: Path
    runtime: Runtime

    @property
    def label(self) -> str:
        """How log lines and error messages name it."""
        return f"{self.task}/{self.row}/{self.seed}"

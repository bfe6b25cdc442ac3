"""What one training is told: made once by the command that starts it, handed on whole."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from slimvid.data.store import PreparedTask
from slimvid.nets import build
from slimvid.runtime import Runtime

if TYPE_CHECKING:
    from slimvid.training.loop import Trained

STATE = "state"  # folder of the resume state, in the artifact's


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of one row.

    Attributes:
        task, row, seed: its names in the config and in every path; an original's row is ``original``.
        data: the prepared task, of which it may open the training clips alone.
        plan: how the artifact is to walk a clip, as ``translator.json`` says it.
        out: the artifact's folder. runtime: device, precision, threads.
        part: the stage of the training that this is, see `stage`; none: the training has one. after: what
            came of the stage before.
    """

    task: str
    row: str
    seed: int
    data: PreparedTask
    plan: Mapping[str, Any]
    out: Path
    runtime: Runtime
    part: str | None = None
    after: "Trained | None" = None

    def stage(self, name: str, *, after: "Trained | None" = None) -> "Run":
        """One stage of a training of several: its own length and state to resume from.

        Killed in a later stage, a training takes up what the earlier ones left, if they were of the same
        settings and data; `save` writes the artifact of the last, with the curves and budgets of all.
        """
        return replace(self, part=name, after=after)

    @property
    def state(self) -> Path:
        """Folder of the state to resume from."""
        return self.out / STATE / self.part if self.part else self.out / STATE

    @property
    def label(self) -> str:
        """How log lines and error messages name it."""
        return f"{self.task}/{self.row}/{self.seed}" + (f" {self.part}" if self.part else "")

    @property
    def longest(self) -> int:
        """Frames of the longest training clip."""
        return max(clip.length for clip in self.data.clips("train"))

    def network(self, spec: Mapping[str, Any]) -> nn.Module:
        """The network of a spec; its initial weights, and of what is built after it, follow from the seed.

        Raises:
            SlimvidError: there is none of that spec, or it cannot draw frames of the task's size.
        """
        torch.manual_seed(int(np.random.SeedSequence([self.seed, 1]).generate_state(1)[0]))
        net = build(dict(spec))
        net.check_size(self.data.meta.height, self.data.meta.width)
        return net

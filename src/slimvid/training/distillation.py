"""What a student learns from its frozen teacher, besides the original's objective."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from slimvid.training.frozen import FrozenTeacher
from slimvid.training.objective import View
from slimvid.training.sequences import Batch


class Distillation(nn.Module):
    """Base of all distillations: override `losses`.

    What it owns that learns (adaptors from the student's features to the teacher's) learns
    with the student, by an optimiser of its own at the student's rate, and is saved and resumed.

    Args:
        teacher: the original, or the row below.
        layers: pairs of names, the student's layer and the teacher's, as in ``net.named_modules()``; what
            they give is in ``features`` of both views.
    """

    def __init__(self, teacher: FrozenTeacher, *, layers: Sequence[tuple[str, str]] = ()):
        super().__init__()
        self.teacher, self.layers = teacher, tuple(layers)
        teacher.tap([theirs for _, theirs in self.layers])
        self._drawn: list[View] = []

    def begin(self, batch: Batch, *, index: int) -> None:
        """Once a step, before the student draws: let the teacher draw the same samples."""
        self._drawn = self.teacher.views(batch)

    def beside(self, view: View) -> View:
        """The teacher's view of the picture that the student has just drawn; no gradient."""
        return self._drawn[view.t]

    def losses(self, view: View, teacher: View) -> dict[str, Tensor]:
        """Named losses of a picture that the student has just drawn, beside the teacher's."""
        raise NotImplementedError

    def provenance(self) -> dict[str, Any]:
        """What the artifact says of it."""
        return self.teacher.provenance()

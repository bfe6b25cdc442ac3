"""A frozen original beside its student."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from slimvid import artifact
from slimvid.nets.framewise import FrameWise
from slimvid.nets.quick import quicken
from slimvid.training.run import Run
from slimvid.training.sequences import Batch


class FrozenTeacher:
    """The original, full-time: it generates every frame of a training sequence, from the sequence's start on.

    It starts where the student starts and as the student does (``first`` of its plan): from zeros, from true
    frames, or from its first-frame branch. A stream that began at the clip's start instead would have drifted
    from the truth by the time the sequence begins, and would pull the student away from it.
    """

    def __init__(self, path: Path, run: Run):
        self.source, self.data, self.runtime = artifact.read(path), run.data, run.runtime
        self.net = self.source.module(run.runtime.device).requires_grad_(False)
        if run.runtime.device == "cpu":
            quicken(self.net)
        self.first = self.source.plan.get("first", "zero")
        self.given = self.net.past if self.first == "real" else 0

    def frames(self, batch: Batch) -> Tensor:
        """The teacher's frames at the time stamps of the batch: B x n x 3 x H x W in [-1, 1], no gradient.

        Frames that are given to the student are the true ones. An original without memory translates the
        batch's own conditions, so a student may see them cropped.
        """
        if isinstance(self.net, FrameWise):
            return self._frame_wise(batch.conditions)
        indices = batch.places[0][1]
        own = [index - indices[0] for index in indices]  # the same in all sequences
        close = own[-1] == len(own) - 1
        conditions = batch.conditions if close else self._every_condition(batch)
        frames = self._stream(conditions, batch.frames[:, : self.given])[:, own]
        return torch.cat((batch.frames[:, : self.given], frames[:, self.given :]), dim=1)

    def provenance(self) -> dict[str, str]:
        """What a student says of its teacher."""
        return {"teacher_sha256": self.source.digest(), "teacher": self.source.method}

    @torch.no_grad()
    def _frame_wise(self, conditions: Tensor) -> Tensor:
        with self.runtime.autocast():
            generated = self.net.rollout().step(conditions.flatten(0, 1)).image.float()
        return generated.unflatten(0, conditions.shape[:2])

    @torch.no_grad()
    def _stream(self, conditions: Tensor, truth: Tensor) -> Tensor:
        """Every frame of a batch of sequences in step; ``truth`` holds at least the given first frames."""
        rollout = self.net.rollout(first=self.first)
        out = [truth[:, t] for t in range(self.given)]
        for t, frame in enumerate(out):
            rollout.prime(conditions[:, t], frame)
        for t in range(self.given, conditions.shape[1]):
            with self.runtime.autocast():
                frame = rollout.step(conditions[:, t]).image.float()
            rollout.push(frame)
            out.append(frame)
        return torch.stack(out, 1)

    def _every_condition(self, batch: Batch) -> Tensor:
        """Conditions of all frames from the sequences' first to their last: also those the student skips."""
        spans = [(name, range(indices[0], indices[-1] + 1)) for name, indices in batch.places]
        read = [self.data.window("train", name, span, flow=False).conditions for name, span in spans]
        return torch.from_numpy(np.stack(read)).to(self.runtime.device)

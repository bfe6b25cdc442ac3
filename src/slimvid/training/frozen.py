"""A frozen original beside its student."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from slimvid import artifact
from slimvid.nets.framewise import Drawn, FrameWise
from slimvid.nets.quick import quicken
from slimvid.training.objective import View
from slimvid.training.run import Run
from slimvid.training.sequences import Batch
from slimvid.training.taps import Taps


class FrozenTeacher:
    """The original, full-time: it generates every frame of a training sequence, from the sequence's start on.

    It starts where the student starts and as the student does (``first`` of its plan): from zeros, from true
    frames, or from its first-frame branch. A stream that began at the clip's start instead would have drifted
    from the truth by the time the sequence begins, and would pull the student away from it.

    Args:
        path: the original's artifact. net: another network that walks a clip as the original does, in its
            place; it is frozen, and its layers made quicker.
    """

    def __init__(self, path: Path, run: Run, *, net: nn.Module | None = None):
        self.source, self.data, self.runtime = artifact.read(path), run.data, run.runtime
        net = self.source.module() if net is None else net.eval()
        self.net = net.to(run.runtime.device).requires_grad_(False)
        if run.runtime.device == "cpu":
            quicken(self.net)
        self.first = self.source.plan.get("first", "zero")
        self.given = self.net.past if self.first == "real" else 0
        self.taps = Taps(self.net, (), whose="teacher")

    def tap(self, layers: Sequence[str]) -> None:
        """Let `views` give the outputs of these layers, too."""
        self.taps = Taps(self.net, layers, whose="teacher")

    def views(self, batch: Batch) -> list[View]:
        """The teacher's pictures at the time stamps of the batch, one view each, without gradient.

        Frames that are given to the student are the true ones. An original without memory translates the
        batch's own conditions, so a student may see them cropped.
        """
        if isinstance(self.net, FrameWise):
            frames, features = self._frame_wise(batch.conditions)
        else:
            indices = batch.places[0][1]
            own = [index - indices[0] for index in indices]  # the same in all sequences
            close = own[-1] == len(own) - 1
            conditions = batch.conditions if close else self._every_condition(batch)
            every, every_features = self._stream(conditions, batch.frames[:, : self.given])
            frames = [every[place] for place in own]
            frames[: self.given] = batch.frames[:, : self.given].unbind(1)
            features = [every_features[place] for place in own]
        return [
            View(t=t, batch=batch, drawn=frames[:t], out=Drawn(frame), features=seen)
            for t, (frame, seen) in enumerate(zip(frames, features, strict=True))
        ]

    def provenance(self) -> dict[str, str]:
        """What a student says of its teacher."""
        return {"teacher_sha256": self.source.digest(), "teacher": self.source.method}

    @torch.no_grad()
    def _frame_wise(self, conditions: Tensor) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        times = conditions.shape[:2]
        with self.runtime.autocast():
            generated = self.net.rollout().step(conditions.flatten(0, 1)).image.float()
        seen = {layer: x.unflatten(0, times).unbind(1) for layer, x in self.taps.take().items()}
        features = [{layer: x[t] for layer, x in seen.items()} for t in range(times[1])]
        return list(generated.unflatten(0, times).unbind(1)), features

    @torch.no_grad()
    def _stream(self, conditions: Tensor, truth: Tensor) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        """Every frame of B x m conditions, the given ones (B x k) first, and what the layers gave there."""
        rollout = self.net.rollout(first=self.first)
        out = [truth[:, t] for t in range(self.given)]
        features: list[dict[str, Tensor]] = [{} for _ in out]
        for t, frame in enumerate(out):
            rollout.prime(conditions[:, t], frame)
        for t in range(self.given, conditions.shape[1]):
            with self.runtime.autocast():
                frame = rollout.step(conditions[:, t]).image.float()
            rollout.push(frame)
            out.append(frame)
            features.append(self.taps.take())
        return out, features

    def _every_condition(self, batch: Batch) -> Tensor:
        """Conditions of all frames from the sequences' first to their last: also those the student skips."""
        spans = [(name, range(indices[0], indices[-1] + 1)) for name, indices in batch.places]
        read = [self.data.window("train", name, span, flow=False).conditions for name, span in spans]
        return torch.from_numpy(np.stack(read)).to(self.runtime.device)

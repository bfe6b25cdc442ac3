"""A frozen original at work beside its student."""

import torch
from torch import Tensor

from slimvid import artifact
from slimvid.artifact import Artifact
from slimvid.runtime import Runtime
from slimvid.teachers.sequences import Batch


class FrozenTeacher:
    """The original, full-time: it draws every frame of a sequence from its own previous ones; no gradient."""

    def __init__(self, source: Artifact, runtime: Runtime):
        self.source, self.runtime = source, runtime
        self.net = source.module(runtime.device).requires_grad_(False)
        self.first = source.plan["first"]

    @torch.no_grad()
    def frames(self, batch: Batch) -> list[Tensor]:
        """The teacher's frames at the sequence's time stamps (every ``gap``-th of those it draws), n of them,
        each B x 3 x H x W in [-1, 1]. Where true first frames are given, they stand in the list."""
        rollout = self.net.rollout(first=self.first)
        given = self.net.past if self.first == "real" else 0
        out = []
        for i in range(batch.dense_conditions.shape[1]):
            condition = batch.dense_conditions[:, i]
            if i < given:
                frame = batch.dense_frames[:, i]
                rollout.prime(condition, frame)
            else:
                with self.runtime.autocast():
                    frame = rollout.step(condition).image.float()
                rollout.push(frame)
            if i % batch.gap == 0:
                out.append(frame)
        return out

    def provenance(self) -> dict[str, str]:
        """What a student says of its teacher."""
        return {"teacher_sha256": self.source.digest(), "teacher": self.source.method}


def load_teacher(path, runtime: Runtime) -> FrozenTeacher:
    """The original in folder ``path``, ready."""
    return FrozenTeacher(artifact.read(path), runtime)

"""A frozen original beside its student."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from slimvid import artifact
from slimvid.data.store import PreparedTask
from slimvid.nets.framewise import FrameWise
from slimvid.nets.quick import quicken
from slimvid.runtime import Runtime
from slimvid.teachers.sequences import Batch

CACHE_MB = 2048


class FrozenTeacher:
    """The original, full-time: it draws each training clip from its first frame on, frame after frame.

    A clip is drawn once, when a sequence first falls into it, and kept as bytes (so targets are multiples of
    1/127.5); beyond ``cache_mb`` the clips unused longest are forgotten and drawn again when needed.

    An original without memory draws the batch's own conditions each time, so a student may see them cropped.
    """

    def __init__(self, path: Path, data: PreparedTask, runtime: Runtime, *, cache_mb: int = CACHE_MB):
        self.source, self.data, self.runtime = artifact.read(path), data, runtime
        self.net = self.source.module(runtime.device).requires_grad_(False)
        if runtime.device == "cpu":
            quicken(self.net)
        self.first = self.source.plan.get("first", "zero")
        self.limit = cache_mb * 2**20
        self.kept: OrderedDict[str, Tensor] = OrderedDict()

    def frames(self, batch: Batch) -> Tensor:
        """The teacher's frames at the time stamps of the batch: B x n x 3 x H x W in [-1, 1], no gradient."""
        if isinstance(self.net, FrameWise):
            return self._frame_wise(batch.conditions)
        picked = torch.stack([self._clip(name)[list(indices)] for name, indices in batch.places])
        return picked.to(self.runtime.device).float() / 127.5 - 1

    def provenance(self) -> dict[str, str]:
        """What a student says of its teacher."""
        return {"teacher_sha256": self.source.digest(), "teacher": self.source.method}

    @torch.no_grad()
    def _frame_wise(self, conditions: Tensor) -> Tensor:
        with self.runtime.autocast():
            drawn = self.net.rollout().step(conditions.flatten(0, 1)).image.float()
        return drawn.unflatten(0, conditions.shape[:2])

    def _clip(self, name: str) -> Tensor:
        if name in self.kept:
            self.kept.move_to_end(name)
            return self.kept[name]
        self.kept[name] = self._draw(name)
        while len(self.kept) > 1 and sum(t.numel() for t in self.kept.values()) > self.limit:
            self.kept.popitem(last=False)
        return self.kept[name]

    @torch.no_grad()
    def _draw(self, name: str) -> Tensor:
        length = next(clip.length for clip in self.data.clips("train") if clip.name == name)
        rollout = self.net.rollout(first=self.first)
        given = self.net.past if self.first == "real" else 0
        out = []
        for i in range(length):
            window = self.data.window("train", name, [i], flow=False)
            condition = torch.from_numpy(window.conditions).to(self.runtime.device)
            if i < given:
                frame = torch.from_numpy(window.frames).to(self.runtime.device)
                rollout.prime(condition, frame)
            else:
                with self.runtime.autocast():
                    frame = rollout.step(condition).image.float()
                rollout.push(frame)
            out.append(((frame[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu())
        return torch.stack(out)

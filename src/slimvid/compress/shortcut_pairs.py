"""Pairs of frames for Shortcut-V2V's training, each with what its network reads there."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.compress.frozen import FrozenTeacher
from slimvid.data.store import ClipInfo, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.teachers.sequences import Batch


class Pair(NamedTuple):
    """A batch of windows: the frames that a reference's network sees before it, the reference, and on.

    Attributes:
        net, first: the original, and where its first frames come from.
        conditions: B x n x C x H x W. frames: B x n x 3 x H x W, the original's own (B x n x 0 where it sees
            none). reference, end: the pair's places among the n.
    """

    net: nn.Module
    first: str
    conditions: Tensor
    frames: Tensor
    reference: int
    end: int

    def inputs(self, at: int) -> tuple[Tensor, ...]:
        """What the network reads at place ``at``, its previous frames being those in ``frames``."""
        rollout = self.net.rollout(first=self.first)
        rollout.draw = lambda *inputs: inputs
        for before in range(at - self.net.past, at):
            rollout.prime(self.conditions[:, before], self.frames[:, before])
        return rollout.step(self.conditions[:, at])


class Pairs:
    """Draws random pairs (i, i+k), k uniform in 1..interval-1, from the training clips.

    Raises:
        SlimvidError: no training clip has two frames that the original draws.
    """

    def __init__(self, teacher: FrozenTeacher, data: PreparedTask, *, batch: int, interval: int, device: str):
        self.teacher, self.data, self.batch, self.device = teacher, data, batch, device
        net = teacher.net
        # frames that the original's middle does not draw: given ones, or one by a branch of its own
        self.begin = {"real": net.past, "generator": 1}.get(teacher.first, 0)
        clips = data.clips("train")
        most = max(clip.length for clip in clips) - 1 - self.begin
        if most < 1:
            raise SlimvidError(
                f"{data.meta.task}: training clips of {most + 1 + self.begin} frames hold no pair; raise "
                "`clip_frames`"
            )
        self.longest = min(max(interval - 1, 1), most)  # interval 1 never uses the block; train it for 2

    def draw(self, rng: np.random.Generator) -> Pair:
        """A batch of pairs at one distance."""
        apart = int(rng.integers(1, self.longest + 1))
        clips = [c for c in self.data.clips("train") if c.length > apart + self.begin]
        room = np.array([c.length - apart - self.begin for c in clips], float)
        chosen = [clips[i] for i in rng.choice(len(clips), size=self.batch, p=room / room.sum())]
        starts = [self.begin + int(rng.integers(c.length - apart - self.begin)) for c in chosen]
        past = self.teacher.net.past
        # without memory the network reads nothing but the two frames themselves
        steps = range(-past, apart + 1) if past else (0, apart)
        places = [[start + step for step in steps] for start in starts]
        conditions = torch.from_numpy(
            np.stack([self._conditions(clip, at) for clip, at in zip(chosen, places, strict=True)])
        ).to(self.device)
        frames = self._frames(chosen, places, conditions) if past else conditions[:, :, :0]
        return Pair(self.teacher.net, self.teacher.first, conditions, frames, past, conditions.shape[1] - 1)

    def _conditions(self, clip: ClipInfo, places: list[int]) -> np.ndarray:
        """n x C x H x W; before the first frame its condition stands."""
        return self.data.window("train", clip.name, [max(i, 0) for i in places], flow=False).conditions

    def _frames(self, clips: list[ClipInfo], places: list[list[int]], conditions: Tensor) -> Tensor:
        """The original's own frames; before the first there is nothing (zeros)."""
        at = [(clip.name, [max(i, 0) for i in p]) for clip, p in zip(clips, places, strict=True)]
        frames = self.teacher.frames(Batch(conditions, conditions, conditions, conditions, at))
        there = torch.tensor(places, device=frames.device) >= 0
        return frames * there[:, :, None, None, None]

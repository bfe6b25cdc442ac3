"""The stretches of footage that Shortcut-V2V trains on."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError


class Window(NamedTuple):
    """A batch of streams in step: ``begin`` first frames, then a full frame after every ``interval``.

    Attributes:
        conditions: B x n x C x H x W. truth: true frames of at least the given first ones, B x . x 3 x H x W.
        begin: frames that no cycle holds: given ones, or one that the original draws by a branch of its own.
    """

    conditions: Tensor
    truth: Tensor
    begin: int
    interval: int


class Windows:
    """Draws windows from the training clips.

    An original without memory gets pairs (i, i+k), k uniform in 1..interval-1, as the release trains. One
    that sees its own frames gets streams that hold ``learned`` shortcut frames and begin a second cycle,
    because at inference full frames, too, follow shortcut frames.

    Args:
        net: the original. first: how its streams begin. interval: alpha, frames from one full one to the
            next. learned: shortcut frames of a stream.

    Raises:
        SlimvidError: no training clip holds a full frame and a shortcut frame.
    """

    def __init__(
        self, net: nn.Module, data: PreparedTask, *, first: str, batch: int, interval: int, learned: int
    ):
        self.data, self.batch, self.device = data, batch, next(net.parameters()).device
        self.interval = max(interval, 2)  # interval 1 never uses the block; train it for 2
        self.paired = not net.past
        self.given = net.past if first == "real" else 0
        self.begin = 1 if first == "generator" else self.given
        longest = max(clip.length for clip in data.clips("train"))
        if longest == 1:
            raise SlimvidError(
                f"{data.meta.task}: single pictures hold no shortcut frame; put `shortcut` over originals of "
                "videos"
            )
        if longest < self.begin + 2:
            raise SlimvidError(
                f"{data.meta.task}: training clips of {longest} frames hold no shortcut frame (they need "
                f"{self.begin + 2}); raise `clip_frames`"
            )
        if self.paired:
            self.interval = min(self.interval, longest)
        self.length = min(self.begin + self._frames(max(learned, self.interval)), longest)

    def _frames(self, learned: int) -> int:
        """Frames of a stream that ends with its shortcut frame number ``learned``."""
        return learned + -(-learned // (self.interval - 1))

    def draw(self, rng: np.random.Generator) -> Window:
        """One batch."""
        step, count = (int(rng.integers(1, self.interval)), 2) if self.paired else (1, self.length)
        span = (count - 1) * step + 1
        clips = [clip for clip in self.data.clips("train") if clip.length >= span]
        room = np.array([clip.length - span + 1 for clip in clips], float)
        chosen = [clips[i] for i in rng.choice(len(clips), size=self.batch, p=room / room.sum())]
        windows = []
        for clip in chosen:
            start = int(rng.integers(clip.length - span + 1))
            indices = range(start, start + span, step)
            windows.append(self.data.window("train", clip.name, indices, flow=False))
        conditions, truth = (
            torch.from_numpy(np.stack([getattr(w, name) for w in windows])).to(self.device)
            for name in ("conditions", "frames")
        )
        return Window(conditions, truth, self.begin, 2 if self.paired else self.interval)

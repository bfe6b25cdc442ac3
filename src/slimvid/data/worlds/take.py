"""What a clip shows of a scene's motion: all of its frames, or (``stills``) moments of it.

A still is one of the frames of the clip that the same settings without ``stills`` would give at `FRAMES`
frames and `RATE` frames a second. The motion is worked out, which is cheap; only the frames shown are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.images import FPS as STILL_FPS

FRAMES, RATE = 60, 30.0  # the two seconds of which stills are moments
_OF_MOTION = ("flow", "flow_valid")  # a picture has no frame before it


@dataclass(frozen=True, kw_only=True)
class Take:
    """The frames of a scene's motion, and those that are drawn.

    Attributes:
        frames: how many the motion has.
        fps: frames per second of the motion.
        shown: numbers of the frames that are drawn, in order.
        still: whether they are pictures by themselves.
    """

    frames: int
    fps: float
    shown: Sequence[int]
    still: bool

    @classmethod
    def of(cls, settings, rng: np.random.Generator, *, moments: int = 1) -> "Take":
        """The take of a clip; stills are ``moments`` evenly apart. A video draws nothing from ``rng``."""
        if not settings.stills:
            frames = settings.clip_frames
            return cls(frames=frames, fps=settings.fps, shown=range(frames), still=False)
        apart = FRAMES // moments
        shown = range(int(rng.integers(apart)), apart * moments, apart)
        return cls(frames=FRAMES, fps=RATE, shown=shown, still=True)

    @property
    def times(self) -> np.ndarray:
        """Seconds from the motion's start, float [frames]."""
        return np.arange(self.frames) / self.fps

    def clip(self, name: str, shots: Sequence[Mapping[str, np.ndarray]]) -> Clip:
        """The clip of the frames drawn: their maps by `Clip`'s names; stills keep no flow."""
        kept = [key for key in shots[0] if not (self.still and key in _OF_MOTION)]
        maps = {key: np.stack([shot[key] for shot in shots]) for key in kept}
        return Clip(name=name, fps=STILL_FPS if self.still else self.fps, **maps)

"""Generators without memory, as a stream sees them: each frame from its own condition, nothing kept."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from slimvid.errors import SlimvidError


class Drawn(NamedTuple):
    """What a frame-wise generator draws for one frame: ``image`` N x 3 x H x W in [-1, 1]."""

    image: Tensor


class FrameWise:
    """Gives a network that draws each frame from its own condition the rollout that every stream asks for."""

    past = 0  # previous frames that the network sees

    @staticmethod
    def reads(condition: Tensor) -> Tensor:
        """What the network reads of a condition in [0, 1]: an image-to-image network takes [-1, 1]."""
        return condition * 2 - 1

    def rollout(self, first: str = "zero") -> "FrameRollout":
        """A stream over this network.

        Raises:
            SlimvidError: ``first`` asks for given or specially drawn first frames, which have no use here.
        """
        if first != "zero":
            raise SlimvidError(f"first {first!r}: a generator without memory starts from nothing ('zero')")
        return FrameRollout(self)


class FrameRollout:
    """The stream's state: none.

    ``draw`` takes what the network reads and gives what ``step`` returns; a plan may put its own there.
    """

    def __init__(self, net: FrameWise):
        self.net = net
        self.draw: Callable[[Tensor], Any] = lambda x: Drawn(net(x))

    def prime(self, condition: Tensor, frame: Tensor) -> None:
        """Later frames do not depend on given ones."""

    def step(self, condition: Tensor) -> Drawn:
        """Draw a frame from its condition, N x C x H x W in [0, 1]."""
        return self.draw(self.net.reads(condition))

    def push(self, frame: Tensor) -> None:
        """Later frames do not depend on earlier ones."""

"""A translator with a Shortcut block attached (Chung et al. 2023, Algorithm 1), whatever the translator is.

    reference frame:  a_ref = encode(inputs);  out, f_ref = complete(a_ref)
    shortcut frame:   a_t = encode(inputs);    out = decode(block(f_ref, a_ref, a_t))

Weights of both lie in one module, so that one artifact holds all that a stream needs. The teacher is frozen
and always in evaluation mode.
"""

import json
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from slimvid.nets import build
from slimvid.nets.choices import Form, Level
from slimvid.nets.cuts import Cut, CutPoint, attach, find
from slimvid.nets.shortcut import PARTS, Reference, ShortcutBlock

SMALL = 20e6  # parameters: shapes of such a net are found by running it; meta kernels are seconds of import


class Schedule(Protocol):
    """When a stream renews its reference. The first frame that the network draws always is one."""

    def refresh(self, a_t: Tensor, a_ref: Tensor) -> bool:
        """Whether this frame, not the stream's first, shall be a full one; asked once per frame, in order."""


def shortcut_spec(
    teacher: dict[str, Any],
    *,
    cut: Level | tuple[int, int] = "medium",
    width: float = 0.5,
    hidden: int | None = None,
    form: Form = "full",
    blended: bool | None = None,
) -> dict[str, Any]:
    """Spec of a teacher with a block.

    Args:
        teacher: the translator's spec. cut: a level of dependence, or a pair of indices.
        width: h as a share of the decoder's channels at the cut (the paper: 1/2 of RecycleGAN's medium cut
            and of vid2vid's), rounded to a multiple of 4. hidden: h itself. blended: decode flow and weight,
            too (see ``cuts.CutPoint``); none: where the teacher blends.

    Raises:
        SlimvidError: a cut that the teacher does not have, or whose features differ in size.
    """
    point = _point(json.dumps(teacher), cut if isinstance(cut, str) else tuple(cut), blended)
    h = hidden if hidden is not None else max(PARTS, round(point.branch_channels * width / PARTS) * PARTS)
    return {"kind": "shortcut", "teacher": teacher, "point": point._asdict(), "hidden": h, "form": form}


@lru_cache(64)  # many rows cut one original at one place
def _point(teacher: str, cut: Level | tuple[int, int], blended: bool | None) -> CutPoint:
    """Where the translator of a spec (as JSON) is cut."""
    with torch.device("meta"):
        twin = build(json.loads(teacher)).eval()
    if sum(p.numel() for p in twin.parameters()) < SMALL:
        # what `to_empty` does, which imports sympy (4 s) to do it
        twin = twin._apply(lambda t: torch.zeros(t.shape, dtype=t.dtype))
    return find(twin, cut, blended=getattr(twin, "blends", False) if blended is None else blended)


class ShortcutGenerator(nn.Module):
    """Teacher and block.

    Args:
        teacher: architecture spec of the translator.
        point: where it is cut, the fields of ``cuts.CutPoint``.
        hidden: h, the block's width. form: an ablation of the block.
    """

    def __init__(self, *, teacher: dict[str, Any], point: dict[str, int], hidden: int, form: Form = "full"):
        super().__init__()
        self.where = CutPoint(**point)
        self.teacher = build(teacher).requires_grad_(False)
        self.block = ShortcutBlock(
            self.where.encoder_channels, self.where.decoder_channels, hidden, form=form
        )
        self.train(self.training)

    def train(self, mode: bool = True) -> "ShortcutGenerator":
        """Training mode is the block's; the teacher's statistics stay."""
        super().train(mode)
        self.teacher.eval()
        return self

    @property
    def past(self) -> int:
        return self.teacher.past

    @property
    def parts(self) -> Cut:
        """The teacher in two."""
        return attach(self.teacher, self.where)

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless the teacher can draw the size."""
        self.teacher.check_size(height, width)

    def forward(self, *inputs: Tensor) -> Any:
        """A full frame: the teacher's."""
        return self.teacher(*inputs)

    def keep(self, a_ref: Tensor, f_ref: Tensor) -> Reference | None:
        """What the block keeps of a reference frame; done once per reference."""
        return self.block.reference(a_ref, f_ref)

    def shortcut_frame(self, a_ref: Tensor, f_ref: Tensor, *inputs: Tensor) -> Any:
        """A frame without the middle of the teacher: the first one after its reference (with ``keep``)."""
        a_t = self.parts.encode(*inputs)
        return self.parts.decode(self.block.predict(self.keep(a_ref, f_ref), a_t), *inputs)

    def rollout(self, *, first: str = "zero", schedule: Schedule | None = None) -> "ShortcutRollout":
        """Start of a clip. Without a schedule every frame is a full one."""
        return ShortcutRollout(self, first=first, schedule=schedule)

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """The teacher's inputs of one frame at batch 1, for counting and timing."""
        return self.teacher.example_inputs(height, width, device=device)

    def reference_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """a_ref and f_ref of such a frame: the inputs of ``keep``, and the first of ``shortcut_frame``."""
        size = height // self.where.scale, width // self.where.scale
        channels = self.where.encoder_channels, self.where.decoder_channels
        return tuple(torch.zeros(1, c, *size, device=device) for c in channels)


class ShortcutRollout:
    """The teacher's stream state, and the reference.

    Attributes:
        full_frames, shortcut_frames: how many of each the stream has drawn so far.
    """

    def __init__(self, net: ShortcutGenerator, *, first: str, schedule: Schedule | None):
        self.net, self.schedule, self.parts = net, schedule, net.parts
        self.inner = net.teacher.rollout(first=first)
        self.inner.draw = self._draw
        self.a_ref: Tensor | None = None
        self.f_ref: Tensor | None = None
        self.kept: Reference | None = None
        self.full_frames = self.shortcut_frames = 0

    def prime(self, condition: Tensor, frame: Tensor) -> None:
        """Take a true frame (N x 3 x H x W in [-1, 1]) in place of drawing it."""
        self.inner.prime(condition, frame)

    def step(self, condition: Tensor) -> Any:
        """Draw the next frame from its condition; gives something with ``image``."""
        return self.inner.step(condition)

    def push(self, frame: Tensor) -> None:
        """Remember a frame as the previous one."""
        self.inner.push(frame)

    def _draw(self, *inputs: Tensor) -> Any:
        """Algorithm 1 for one frame."""
        a_t = self.parts.encode(*inputs)
        first = self.a_ref is None or self.schedule is None
        if first or self.schedule.refresh(a_t, self.a_ref):
            out, f_t = self.parts.complete(a_t, *inputs)
            self.a_ref, self.f_ref, self.kept = a_t, f_t, None
            self.full_frames += 1
            return out
        if self.kept is None:  # with the first shortcut frame: a reference that is not used costs nothing
            self.kept = self.net.keep(self.a_ref, self.f_ref)
        self.shortcut_frames += 1
        return self.parts.decode(self.net.block.predict(self.kept, a_t), *inputs)

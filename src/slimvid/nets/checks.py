"""Errors for architectures that cannot be and sizes that cannot be drawn: which value, and what would do."""

import itertools
from collections.abc import Sequence

from torch import Tensor

from slimvid.errors import SlimvidError


def check_widths(where: str, **widths: int | Sequence[int]) -> None:
    """Every named channel count (or each of a sequence) is a whole number of at least 1.

    Raises:
        SlimvidError: names the architecture, the argument and the value.
    """
    for name, value in widths.items():
        values = (value,) if isinstance(value, int) else value
        for i, width in enumerate(values):
            if not isinstance(width, int) or isinstance(width, bool) or width < 1:
                place = name if isinstance(value, int) else f"{name}[{i}]"
                raise SlimvidError(f"{where}: {place} is {width!r}; channel counts are whole numbers from 1")


def check_length(where: str, name: str, values: Sequence, length: int) -> None:
    """``values`` has ``length`` entries.

    Raises:
        SlimvidError: names the architecture, the argument and both lengths.
    """
    if len(values) != length:
        raise SlimvidError(f"{where}: {name} has {len(values)} entries; it needs {length}")


def check_size(where: str, height: int, width: int, *, step: int, least: int) -> None:
    """``height`` and ``width`` are multiples of ``step``, and at least ``least``.

    Raises:
        SlimvidError: names the size, and the nearest one that would do.
    """
    if height % step or width % step or min(height, width) < least:
        near = [max(round(size / step) * step, least) for size in (height, width)]
        raise SlimvidError(
            f"{where}: input size {height}x{width} does not fit; it needs multiples of {step}, "
            f"at least {least} (nearest: {near[0]}x{near[1]})"
        )


def check_image(where: str, image: Tensor, channels: int) -> None:
    """``image`` is N x ``channels`` x H x W.

    Raises:
        SlimvidError: names the shape found and the one wanted.
    """
    if image.dim() != 4 or image.shape[1] != channels:
        found = "x".join(map(str, image.shape))
        raise SlimvidError(f"{where}: input is {found}; it needs N x {channels} x H x W")


def check_chain(where: str, ends: Sequence[tuple[int, int]]) -> None:
    """Blocks of (channels in, channels out) follow each other.

    Raises:
        SlimvidError: names the block that takes another width than the one before gives.
    """
    for i, ((_, given), (taken, _)) in enumerate(itertools.pairwise(ends)):
        if given != taken:
            raise SlimvidError(
                f"{where}: block {i} gives {given} channels but block {i + 1} takes {taken}; make them equal"
            )

"""What CAT's networks cost, as arithmetic on their widths: a search then counts in microseconds.

The forms agree to the unit with counts of the built modules (tests hold it). A *part* is a chain of layers
with its widths: ``stem`` (after the 7x7 convolution and each down-sampling), ``blocks`` (for each the six
branches), ``up`` (after each up-sampling).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slimvid.errors import SlimvidError
from slimvid.nets.inception import BRANCHES, KERNELS

Part = Mapping[str, Sequence]
_SQUARES = np.array([k * k for k in KERNELS])
KINDS = ("inception", "inception_vid2vid")


def parts(spec: Mapping[str, Any]) -> dict[str, Part]:
    """The parts of a video or image generator with inception blocks, by name.

    Raises:
        SlimvidError: a spec of another kind.
    """
    if spec.get("kind") not in KINDS:
        raise SlimvidError(
            f"architecture kind {spec.get('kind')!r} has no inception blocks; these have: {', '.join(KINDS)}"
        )
    if spec["kind"] == "inception_vid2vid":
        return dict(spec["widths"])
    return {"all": {"stem": spec["stem"], "blocks": spec["widths"], "up": spec["up"]}}


def with_parts(spec: Mapping[str, Any], found: Mapping[str, Part]) -> dict[str, Any]:
    """The spec of the same network with the widths of these parts."""
    if spec["kind"] == "inception_vid2vid":
        return {**spec, "widths": dict(found)}
    own = found["all"]
    return {**spec, "stem": own["stem"], "widths": own["blocks"], "up": own["up"]}


def branch_products(fin: Any, widths: np.ndarray, fout: Any) -> Any:
    """Products a pixel of the six branches, widths ... x 6: Conv k twice, or Conv1, depthwise k, Conv1."""
    conventional, depthwise = widths[..., :3], widths[..., 3:]
    ends = np.asarray(fin)[..., None] + np.asarray(fout)[..., None]
    return (_SQUARES * conventional * ends).sum(-1) + (depthwise * (ends + _SQUARES)).sum(-1)


def true_macs(spec: Mapping[str, Any], *, height: int, width: int) -> int:
    """True MACs of one generated frame (transposed convolutions on their input grid).

    A branch that draws the first frame alone is not in it, as in ``measure``.
    """
    if spec["kind"] == "inception_spade":
        return _spade_macs(spec, height * width)
    pixels, found = height * width, parts(spec)
    if spec["kind"] == "inception":
        ends = spec.get("in_channels", 3), spec.get("out_channels", 3)
        return part_macs(found["all"], enters=ends[0], draws=ends[1], pixels=pixels)
    past, trunk = spec.get("past", 2), found["conditions"]["stem"][-1]
    stacked, levels = spec["condition_channels"] * (past + 1), len(found["conditions"]["stem"]) - 1
    macs = part_macs(found["conditions"], enters=stacked, pixels=pixels)
    macs += part_macs(found["previous"], enters=3 * past, pixels=pixels)
    for name, draws in (("image", 3), ("flow", 2 + 1)):
        inner = {"pixels": pixels, "level": levels}
        macs += part_macs({**found[name], "stem": ()}, enters=trunk, draws=draws, **inner)
    if "foreground" in found:
        macs += part_macs(found["foreground"], enters=stacked, draws=3, pixels=pixels)
    return macs


def part_macs(
    part: Part, *, enters: int, draws: int = 0, pixels: int, level: int = 0, transposed: int = 1
) -> int:
    """MACs of a part.

    Args:
        enters: channels that it reads. draws: channels of its 7x7 heads together; 0: none.
        pixels: of a frame. level: down-samplings before a part without a stem.
        transposed: 1 counts a transposed convolution on its input grid, 4 on its output grid.
    """
    stem = [enters, *part["stem"]]
    macs = pixels * 49 * enters * stem[1] if part["stem"] else 0
    for a, b in itertools.pairwise(stem[1:]):
        level += 1
        macs += pixels // 4**level * 9 * a * b
    widths = np.asarray(part["blocks"], np.int64).reshape(-1, BRANCHES)
    macs += pixels // 4**level * int(branch_products(stem[-1], widths, stem[-1]).sum())
    for a, b in itertools.pairwise([stem[-1], *part.get("up", ())]):
        macs += transposed * pixels // 4**level * 9 * a * b
        level -= 1
    return macs + pixels * 49 * [stem[-1], *part.get("up", ())][-1] * draws


def published_macs(spec: Mapping[str, Any], *, height: int = 256, width: int = 256) -> int:
    """MACs of CAT's image generator as its release counts them: transposed convolutions on their output grid.

    Its pruner adds an element of each normalisation's output where that has no running statistics
    (horse2zebra, zebra2horse).
    """
    p, part = height * width, parts(spec)["all"]
    ends = {"enters": spec.get("in_channels", 3), "draws": spec.get("out_channels", 3)}
    macs = part_macs(part, **ends, pixels=p, transposed=4)
    if spec.get("norm", "instance_affine") == "batch":
        return macs
    (s0, s1, s2), (u0, u1) = part["stem"], part["up"]
    widths = np.asarray(part["blocks"], np.int64).reshape(-1, BRANCHES)
    inner = widths[:, :3].sum() + 2 * widths[:, 3:].sum() + s2 * np.count_nonzero(widths.any(axis=1))
    return macs + p * (s0 + u1) + p // 4 * (s1 + u0) + p // 16 * (s2 + int(inner))


def _spade_macs(spec: Mapping[str, Any], pixels: int) -> int:
    """Of an inception SPADE: the map's convolution, the blocks, the picture's convolution."""
    condition, draws = spec.get("condition_channels", 36), spec.get("out_channels", 3)
    fin, fout, widths, spades = (np.asarray(each, np.int64) for each in zip(*spec["blocks"], strict=True))
    levels = np.array((6, 5, 4, 3, 2, 1, 0) if spec.get("more", True) else (5, 4, 4, 3, 2, 1, 0))
    products = branch_products(fin, widths, fout)
    # a block without branches has no use for its normalisation
    products = products + branch_products(condition, spades, 2 * fin) * widths.any(axis=1)
    products = products + np.where(fin != fout, fin * fout, 0)
    products[0] += 9 * condition * fin[0]
    products[-1] += 9 * fout[-1] * draws
    return int((products * (pixels // 4**levels)).sum())

"""Which channels of a CAT teacher fit a budget (CAT 3.2, Algorithm 1; release).

One threshold on the normalisation scales decides every width at once, and is found by bisection. The scales
are those after the stem, the down- and up-samplings, and after the first convolution of every branch of every
block (release: not a depthwise branch's second, not the block's last). What a choice costs is asked of a
function: arithmetic on its widths (``inception_macs``) makes the search a matter of milliseconds, a measured
latency takes as long as measuring does.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.nets.inception import BRANCHES, IncResBlock
from slimvid.nets.inception_macs import parts, with_parts
from slimvid.nets.inception_spade import with_widths
from slimvid.nets.spade import BLOCKS, STREAM

LEAST = 16  # channels that the stem, the down- and the up-samplings keep at least (release)
TOLERANCE = 1e-3
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)
Scales = Mapping[
    str, Mapping[str, list]
]  # a part's name -> stem, blocks, up -> rising magnitudes of each layer


@dataclass(frozen=True)
class Choice:
    """The outcome: the threshold, the spec of what it leaves, and what that costs."""

    threshold: float
    left: dict[str, Any]
    cost: float


def bisect(
    scales: np.ndarray,
    left_at: Callable[[float], dict[str, Any]],
    cost_of: Callable[[dict[str, Any]], float],
    budget: float,
) -> Choice:
    """Bisect the threshold between the least and the greatest scale until its cost fits ``budget``.

    The paper's loop ends where the bounds meet; as in the release it ends where they are within 0.1 %.

    Args:
        scales: all prunable scales' magnitudes. left_at: what stays above a threshold, strictly.
        cost_of: cost of that, in the budget's unit; the same for the same widths.

    Raises:
        SlimvidError: even with everything prunable gone the network costs more than ``budget``.
    """
    low, high = float(scales.min()), float(scales.max())
    floor = cost_of(left_at(high))
    if floor > budget:
        raise SlimvidError(f"budget {budget:.4g}: {out_of_reach(floor, cost_of(left_at(-1.0)))}")
    cost, threshold = float("inf"), low
    while abs(high - low) > TOLERANCE * low or cost > budget:
        threshold = (low + high) / 2
        cost = cost_of(left_at(threshold))
        if threshold in (low, high) and cost <= budget:
            break
        low, high = (threshold, high) if cost > budget else (low, threshold)
    return Choice(threshold, left_at(threshold), cost)


def out_of_reach(floor: float, whole: float) -> str:
    """Why a budget cannot be met, and which can: the floor rounded up, what is there before anything goes."""
    digit = 10.0 ** (math.floor(math.log10(floor)) - 3)
    return (
        f"pruned to the floor it still costs {floor:.4g}; "
        f"give at least {math.ceil(floor / digit) * digit:.4g}; without pruning it costs {whole:.4g}"
    )


def prune(
    net: nn.Module, budget: float, *, cost_of: Callable[[dict[str, Any]], float], least: int = LEAST
) -> Choice:
    """Spec of the student that a trained CAT teacher is pruned to.

    Args:
        net: a teacher of images (``inception``, ``inception_spade``) or of video (``inception_vid2vid``),
            nothing pruned yet.
        budget: in the unit of ``cost_of``, which is asked for specs.
        least: channels that layers outside the blocks keep (c_lb); of a SPADE, whose stream widths are all
            multiples of one, that one (ngf).

    Raises:
        SlimvidError: a budget below what is left at the least; a teacher that cannot be pruned.
    """
    if net.spec["kind"] == "inception_spade":
        return _prune_spade(net, budget, cost_of=cost_of, least=least)
    scales = part_scales(net)
    rows = [row for part in scales.values() for row in (part["stem"], *part["blocks"], part["up"])]

    def left_at(threshold: float) -> dict[str, Any]:
        return with_parts(net.spec, {n: _left(part, threshold, least) for n, part in scales.items()})

    return bisect(np.concatenate([s for row in rows for s in row]), left_at, cost_of, budget)


def _prune_spade(
    net: nn.Module, budget: float, *, cost_of: Callable[[dict[str, Any]], float], least: int
) -> Choice:
    """By the scales after fc and in both kinds of branches. What stays of fc, over 16, is ngf (release)."""
    first = _sorted(_magnitudes(net.fc[1], "batch"))
    blocks, spades = (
        [_sorted(_branch_magnitudes(owner.branches, "batch")) for owner in owners]
        for owners in (net.blocks, [block.spade for block in net.blocks])
    )
    fewest = min(least, len(first) // STREAM[0])

    def left_at(threshold: float) -> dict[str, Any]:
        widths, inside = ([[_above(s, threshold) for s in row] for row in rows] for rows in (blocks, spades))
        ngf = max(_above(first, threshold) // STREAM[0], fewest)
        return with_widths(net.spec, width=ngf, widths=widths, spades=inside)

    every = [first, *(scales for row in (*blocks, *spades) for scales in row)]
    return bisect(np.concatenate(every), left_at, cost_of, budget)


def floor(spec: Mapping[str, Any], *, least: int = LEAST) -> dict[str, Any]:
    """What is left of a teacher where everything prunable is gone."""
    if spec["kind"] == "inception_spade":
        nothing = [(0,) * BRANCHES] * BLOCKS
        ngf = min(least, spec["blocks"][0][0] // STREAM[0])
        return with_widths(spec, width=ngf, widths=nothing, spades=nothing)
    return with_parts(spec, {name: _floor(part, least) for name, part in parts(spec).items()})


def _floor(part: Mapping[str, Sequence], least: int) -> dict[str, list]:
    ends = {key: [min(width, least) for width in part[key]] for key in ("stem", "up") if key in part}
    return {**ends, "blocks": [[0] * BRANCHES for _ in part["blocks"]]}


def _left(part: Mapping[str, list], threshold: float, least: int) -> dict[str, list]:
    ends = {
        key: [max(_above(s, threshold), min(least, len(s))) for s in part[key]]
        for key in ("stem", "up")
        if part[key]
    }
    return {**ends, "blocks": [[_above(s, threshold) for s in row] for row in part["blocks"]]}


def part_scales(net: nn.Module) -> Scales:
    """The scales that decide, by part.

    The encoders of vid2vid end in one sum: there a channel's scale is the larger one, so it goes only where
    neither encoder has a use for it.

    Raises:
        SlimvidError: a normalisation without scales, or a block that was pruned already.
    """
    norm = net.spec.get("norm", "instance_affine")
    scales = {name: _part(layers, norm) for name, layers in _layers(net).items()}
    if "conditions" in scales:
        ends = [scales[name]["stem"] for name in ("conditions", "previous")]
        shared = np.maximum(ends[0][-1], ends[1][-1])
        for stem in ends:
            stem[-1] = shared
    return {name: {key: _sorted(found) for key, found in part.items()} for name, part in scales.items()}


def _sorted(found: Any) -> Any:
    return np.sort(found) if isinstance(found, np.ndarray) else [_sorted(each) for each in found]


def _layers(net: nn.Module) -> dict[str, list[nn.Module]]:
    """The layers of each part, in order."""
    if net.spec["kind"] == "inception":
        return {"all": list(net.model)}
    parts(net.spec)  # another kind has none
    found = {
        "conditions": list(net.down_seg),
        "previous": list(net.down_img),
        "image": [*net.res_img, *net.up_img],
        "flow": [*net.res_flow, *net.up_flow],
    }
    more = {name: getattr(net, name) for name in ("foreground", "first_frame")}
    return found | {name: list(part) for name, part in more.items() if part is not None}


def _part(layers: list[nn.Module], norm: str) -> dict[str, list]:
    """Magnitudes of a part's scales, in the order of the channels."""
    found: dict[str, list] = {"stem": [], "blocks": [], "up": []}
    key = "stem"
    for layer in layers:
        if isinstance(layer, nn.ConvTranspose2d):
            key = "up"
        elif isinstance(layer, NORMS):
            found[key].append(_magnitudes(layer, norm))
        elif isinstance(layer, IncResBlock):
            found["blocks"].append(_branch_magnitudes(layer.branches, norm))
    return found


def _magnitudes(layer: nn.Module, norm: str) -> np.ndarray:
    if layer.weight is None:
        raise SlimvidError(
            f"norm {norm!r}: a normalisation of the teacher has no scales to prune by; "
            "use 'instance_affine' or 'batch'"
        )
    return layer.weight.detach().abs().double().cpu().numpy()


def _branch_magnitudes(branches: nn.ModuleList, norm: str) -> list[np.ndarray]:
    """Scales of the normalisation after each branch's first convolution."""
    found = [_magnitudes(next(m for m in branch if isinstance(m, NORMS)), norm) for branch in branches]
    if len(found) != BRANCHES:
        raise SlimvidError(
            f"inception block with {len(found)} branches: the search starts from a teacher's {BRANCHES}"
        )
    return found


def _above(scales: np.ndarray, threshold: float) -> int:
    """How many of the rising ``scales`` are strictly greater."""
    return len(scales) - int(np.searchsorted(scales, threshold, side="right"))

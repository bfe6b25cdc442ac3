"""What a translator costs: multiply-accumulates, parameters and peak activation memory per output frame.

Counting happens on the meta device (`trace`), pricing by named conventions (`conventions`). The true count is
the column that methods are compared by: the mean per output frame of a clip under the translator's plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from slimvid.measure.conventions import Count

GIGA, MEGA = 1e9, 1e6
INTERPOLATION = {
    "mci": "motion-compensated interpolation (block matching) multiplies no weights: 0 MACs; see latency",
    "dis": "DIS optical flow and warping multiply no weights: 0 MACs; see latency",
    "linear": "linear blending multiplies no weights: 0 MACs; see latency",
    "hold": "none: a key-frame is held until the next",
}


def count(
    module: "nn.Module", *inputs: "Tensor", convention: str = "true", method: str | None = None
) -> "Count":
    """Count one call of ``module`` by a named convention, without computing it.

    Args:
        module: on any device; it is left as it was.
        inputs: tensors of the wanted sizes; only shape and dtype matter.
        convention: "true", "thop", "torchprofile-0.0.1" or "conv-only" (see `conventions`).
        method: name of the method to call instead of ``forward``.

    Returns:
        MACs, parameters, peak bytes of activations, and the names of operations that no rule covers.

    Raises:
        SlimvidError: no such convention.
    """
    from slimvid.measure.conventions import price
    from slimvid.measure.trace import trace

    return price(trace(module, *inputs, method=method), convention)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of a translator under a plan.

    Attributes:
        macs: true MACs, mean per output frame of a clip.
        macs_per_generated_frame: true MACs of a frame that the network draws.
        key_fraction: share of output frames that the network draws.
        params: resident at inference. activation_bytes: peak of one network call at batch 1.
        macs_thop, params_thop: one generated frame as pytorch-OpCounter prints it.
        macs_shortcut_frame: true MACs of a frame between references (plan ``shortcut``), else None; there
            the thop figures are a shortcut frame's, as Shortcut-V2V prints them.
        full_share: share of full frames under that plan.
        unknown: operations that no rule covers (not in any figure above).
    """

    macs: float
    macs_per_generated_frame: int
    key_fraction: float
    params: int
    activation_bytes: int
    macs_thop: int
    params_thop: int
    unknown: tuple[str, ...]
    macs_shortcut_frame: int | None = None
    full_share: float | None = None


def translator_cost(
    module: "nn.Module", *, height: int, width: int, key_fraction: float = 1.0, first_fraction: float = 0.0
) -> Cost:
    """Cost of the network behind a translator at ``height`` x ``width``.

    Args:
        module: offers ``example_inputs(height, width)``; one with a ``first_frame`` branch draws the first
            frame of a clip by ``draw_first``.
        key_fraction: share of a clip's output frames that the network draws (1: every frame).
        first_fraction: share of output frames that are a clip's first (used with a first-frame branch).

    Raises:
        SlimvidError: a fraction outside (0, 1], or a size that the network's strides do not divide.
    """
    from slimvid.measure.conventions import price
    from slimvid.measure.trace import quickest_device, trace

    if not 0 < key_fraction <= 1 or not 0 <= first_fraction <= key_fraction:
        raise SlimvidError(
            f"key_fraction {key_fraction}, first_fraction {first_fraction}: shares of a clip's frames; "
            "they must fit 0 <= first_fraction <= key_fraction <= 1 with key_fraction above 0"
        )
    inputs = module.example_inputs(height, width)
    device = quickest_device(module, *inputs)
    frame = trace(module, *inputs, device=device)
    true, thop = price(frame), price(frame, "thop")
    macs = true.macs * key_fraction
    if first_fraction and getattr(module, "first_frame", None) is not None:
        condition = inputs[0][:, : module.condition_channels]
        first = price(trace(module, condition, method="draw_first", device=device))
        macs += (first.macs - true.macs) * first_fraction
    return Cost(
        macs=macs,
        macs_per_generated_frame=true.macs,
        key_fraction=key_fraction,
        params=true.params,
        activation_bytes=true.activation_bytes,
        macs_thop=thop.macs,
        params_thop=thop.params,
        unknown=true.unknown,
    )


def shortcut_cost(
    module: "nn.Module", *, height: int, width: int, share: Callable[[float, float], float]
) -> Cost:
    """Cost of a translator that draws some frames in full and shortcuts the others (Shortcut-V2V).

    Args:
        module: a ``ShortcutGenerator``: full frames, what it keeps of a reference, and shortcut frames.
        share: of full frames, from the true MACs (1e9) of a full frame, with what is kept of it, and of a
            shortcut frame.
    """
    from slimvid.measure.conventions import price
    from slimvid.measure.trace import quickest_device, trace

    plain = translator_cost(module, height=height, width=width)
    inputs, reference = module.example_inputs(height, width), module.reference_inputs(height, width)
    device = quickest_device(module, *inputs)
    first = trace(module, *reference, *inputs, method="shortcut_frame", device=device)
    keep = price(trace(module, *reference, method="keep", device=device)).macs
    shortcut = price(first).macs - keep  # the first frame after a reference also does what is kept of it
    full = plain.macs_per_generated_frame
    part = share((full + keep) / GIGA, shortcut / GIGA)
    thop = price(first, "thop")
    return replace(
        plain,
        macs=part * (full + keep) + (1 - part) * shortcut if part < 1 else full,
        macs_shortcut_frame=shortcut,
        full_share=part,
        macs_thop=thop.macs,
        params_thop=thop.params,
        activation_bytes=max(plain.activation_bytes, first.activation_bytes),
        unknown=tuple(dict.fromkeys((*plain.unknown, *price(first).unknown))),
    )


def cycle_mean(full: float, shortcut: float, interval: int) -> float:
    """Mean MACs per frame of a cycle: one full frame, then ``interval - 1`` shortcut frames.

    This is Algorithm 1 of Shortcut-V2V; ``interval`` is its maximum interval, alpha.
    """
    if interval < 1:
        raise SlimvidError(f"max interval {interval}: a cycle has at least its full frame; give 1 or more")
    return (full + (interval - 1) * shortcut) / interval


def measure_cost(
    artifact: Path, prepared: Path, drawn: Path | None, out: Path, *, below: Sequence[Path] = ()
) -> None:
    """Write ``cost.json`` of an artifact at the size of a prepared task.

    Args:
        artifact: folder of ``translator.json``.
        prepared: the task's prepared store: frame size, and the test clips that the mean is over.
        drawn: which frames the whole network draws: the key-frame file of a plan of key-frames, what
            ``translate`` wrote beside the frames of a shortcut plan, else None.
        out: the JSON document to write.
        below: folders of the students that this one was put over, whose training budget counts, too.

    Raises:
        SlimvidError: a plan that skips frames without that file, or an input file that does not fit.
    """
    from slimvid import artifact as artifacts
    from slimvid.data.store import PreparedTask
    from slimvid.files import write_json
    from slimvid.measure.budget import training_budget
    from slimvid.measure.trace import shapes_only

    found = artifacts.read(artifact)
    task = PreparedTask(prepared, splits=("test",))
    lengths = {clip.name: clip.length for clip in task.clips("test")}
    keys = _keys(found.plan, lengths, drawn, artifact)
    with shapes_only():
        module = found.network()
    size = {"height": task.meta.height, "width": task.meta.width}
    cost = _under_plan(module, found.plan, keys, sum(lengths.values()), size)
    seed = found.provenance.get("seed")
    document = {"task": found.task, "method": found.method, "seed": seed}
    reads = {"condition_channels": task.meta.condition.channels}
    values = {**_values(cost), **training_budget([artifact, *below])}
    write_json(out, {**document, "protocol": _protocol(found.plan, cost, **size) | reads, "values": values})


def _under_plan(
    module: "nn.Module",
    plan: dict[str, Any],
    keys: dict[str, Sequence[int]],
    frames: int,
    size: dict[str, int],
) -> Cost:
    """Cost of the module under a plan over ``frames`` frames, of which ``keys`` are drawn per clip."""
    if plan.get("kind") == "shortcut":
        given = len(keys) * module.past if plan.get("first") == "real" else 0
        share = sum(map(len, keys.values())) / (frames - given)
        cost = shortcut_cost(module, **size, share=lambda full, shortcut: share)
        return replace(cost, macs=cost.macs * (1 - given / frames))
    first = plan.get("first", "zero")
    given = module.past if first == "real" else 0
    drawn = sum(index >= given for indices in keys.values() for index in indices)
    starts = len(keys) / frames if first == "generator" else 0.0
    return translator_cost(module, **size, key_fraction=drawn / frames, first_fraction=starts)


def _keys(
    plan: dict[str, Any], lengths: dict[str, int], drawn: Path | None, artifact: Path
) -> dict[str, Sequence[int]]:
    """Per clip, the frames that the whole network draws under the plan."""
    from slimvid.files import read_json

    if plan.get("kind", "every_frame") == "every_frame":
        return {name: range(length) for name, length in lengths.items()}
    if drawn is None:
        raise SlimvidError(
            f"{artifact}: its plan draws some frames only in full; give the key-frame file of the plan, or "
            "what `translate` wrote beside the frames"
        )
    clips = read_json(drawn).get("clips", {})
    if set(clips) != set(lengths):
        raise SlimvidError(f"{drawn}: holds other clips than the prepared task; make it again")
    return clips


FIRST = {
    "zero": "drawn like every other frame, from zeros as previous frames",
    "generator": "the first frame of a clip is drawn by its own branch and counted as that",
    "real": "the first frames of a clip are given and cost nothing",
}


def _protocol(plan: dict[str, Any], cost: Cost, height: int, width: int) -> dict[str, Any]:
    from slimvid.measure.budget import PROTOCOL

    keyed = plan.get("kind") == "keyframes"
    interpolation = plan.get("interpolation", "mci")
    none = "none: the network draws every frame"
    return {
        "height": height,
        "width": width,
        "batch": 1,
        "macs_g": "true MACs (transposed convolutions on their input grid), mean per output frame of the "
        "test clips under the plan, 1e9",
        "macs_g_thop": "one generated (shortcut: one shortcut) frame as pytorch-OpCounter 0.1 counts it, 1e9",
        "activation_mb": "peak of live float32 activations of one network call, 1e6 bytes, weights excluded",
        "plan": plan,
        "key_fraction": cost.key_fraction,
        "first_frames": FIRST.get(plan.get("first", "zero"), plan.get("first")),
        "interpolation": INTERPOLATION.get(interpolation, interpolation) if keyed else none,
        "uncounted_operations": list(cost.unknown),
        "training": PROTOCOL,
    }


def _values(cost: Cost) -> dict[str, float]:
    shortcut = cost.macs_shortcut_frame
    extra = {}
    if shortcut is not None:
        extra = {"macs_g_shortcut_frame": shortcut / GIGA, "full_frame_share": cost.full_share}
    return {
        "macs_g": cost.macs / GIGA,
        "macs_g_per_generated_frame": cost.macs_per_generated_frame / GIGA,
        "params_m": cost.params / MEGA,
        "activation_mb": cost.activation_bytes / MEGA,
        "macs_g_thop": cost.macs_thop / GIGA,
        "params_m_thop": cost.params_thop / MEGA,
        **extra,
    }

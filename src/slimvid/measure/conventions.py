"""How papers count multiply-accumulates, and how they round what they print.

No two papers' MACs columns measure the same thing. A convention here is a table from the kind of an
operation to its price; ``price`` applies one to a trace.

- ``true``: convolutions, transposed convolutions on their *input* grid (each input element meets each tap of
  the kernel once), deformable convolutions, matrix products. The column that methods are compared by.
- ``thop``: forward hooks of pytorch-OpCounter 0.1 on leaf modules. Transposed convolutions on the *output*
  grid (4 times the truth at stride 2), 4 an element for BatchNorm with parameters, 2 for InstanceNorm
  without; whatever is called as a function is not seen. Parameters: of the leaves whose forward ran.
- ``torchprofile-0.0.1``: traced operations. Transposed convolutions on the output grid, InstanceNorm and
  elementwise products 1 an element, BatchNorm 0.
- ``conv-only``: convolutions and matrix products, transposed ones on the output grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Literal

from slimvid.errors import SlimvidError
from slimvid.measure.trace import Op, Trace

Price = Callable[[Op], int]
Rounding = Literal["double", "half_up", "truncate"]


def _true(op: Op) -> int:
    return op.macs


def _grid(op: Op) -> int:
    return op.grid


def _nothing(op: Op) -> int:
    return 0


def _elements(op: Op) -> int:
    return op.numel


def _hooked_grid(op: Op) -> int:
    return op.grid if op.hooked else 0


def _hooked_norm(op: Op) -> int:
    return op.numel * (4 if op.affine else 2) if op.hooked else 0


def _table(*, weighted: Price, norm: Price = _nothing, instance: Price = _nothing, mul: Price = _nothing):
    products = dict.fromkeys(("conv", "conv_transpose", "deform_conv", "linear"), weighted)
    return {**products, "batch_norm": norm, "instance_norm": instance, "mul": mul}


CONVENTIONS: dict[str, dict[str, Price]] = {
    "true": _table(weighted=_true),
    "thop": _table(weighted=_hooked_grid, norm=_hooked_norm, instance=_hooked_norm),
    "torchprofile-0.0.1": _table(weighted=_grid, instance=_elements, mul=_elements),
    "conv-only": _table(weighted=_grid),
}
# Neither published counter has a handler for deformable convolutions.
for _name in ("torchprofile-0.0.1", "conv-only"):
    CONVENTIONS[_name]["deform_conv"] = _nothing


@dataclass(frozen=True)
class Count:
    """A module's cost by one convention.

    Attributes:
        macs: multiply-accumulates of the traced call.
        params: all parameters held; by ``thop`` those of the leaf modules that ran.
        activation_bytes: peak of live inputs and activations.
        unknown: operations that no rule covers, by name and layer; their cost is *not* in ``macs``.
        omitted: products of weights that the convention prices at nothing, by name and layer.
        by_layer: macs per module, zero entries left out.
    """

    macs: int
    params: int
    activation_bytes: int
    unknown: tuple[str, ...]
    omitted: tuple[str, ...]
    by_layer: dict[str, int]


def price(trace: Trace, convention: str = "true") -> Count:
    """Price a trace by a named convention.

    Raises:
        SlimvidError: no such convention.
    """
    if convention not in CONVENTIONS:
        raise SlimvidError(f"convention {convention!r}: unknown; known are {', '.join(CONVENTIONS)}")
    table = CONVENTIONS[convention]
    by_layer: dict[str, int] = {}
    unknown, omitted = [], []
    for op in trace.ops:
        where = f"{op.name} in {op.layer or '(root)'}"
        if op.kind not in table:
            unknown.append(where)
            continue
        macs = table[op.kind](op)
        if macs:
            by_layer[op.layer] = by_layer.get(op.layer, 0) + macs
        elif op.macs:
            omitted.append(where)
    return Count(
        macs=sum(by_layer.values()),
        params=trace.hooked_params if convention == "thop" else trace.params,
        activation_bytes=trace.activation_bytes,
        unknown=tuple(dict.fromkeys(unknown)),
        omitted=tuple(dict.fromkeys(omitted)),
        by_layer=by_layer,
    )


def rounded(value: float, digits: int, rounding: Rounding = "half_up") -> str:
    """``value`` with ``digits`` decimals, as a paper prints it.

    "double": the counter prints three decimals and the paper rounds that text half up (2066.684576 becomes
    2066.685 becomes 2066.69: Shortcut-V2V); "half_up": once; "truncate": digits cut off (Fast-Vid2Vid).
    """
    exact = Decimal(f"{value:.3f}") if rounding == "double" else Decimal(repr(value))
    mode = ROUND_DOWN if rounding == "truncate" else ROUND_HALF_UP
    return str(exact.quantize(Decimal(1).scaleb(-digits), mode))

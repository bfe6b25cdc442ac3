"""One forward pass on the meta device, written down operation by operation.

A trace lists facts (which layer ran which operation, on how many elements); `conventions` prices them. Since
nothing is computed, networks of the papers' full size are traced in a fraction of a second, without weights.
"""

import copy
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Leaf modules that hook-based counters (thop) have a rule with multiplications for, by exact type.
HOOKED = frozenset(
    getattr(nn, f"{kind}{d}d")
    for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm")
    for d in (1, 2, 3)
) | {nn.SyncBatchNorm, nn.Linear}

# Operations without multiply-accumulates between feature maps and weights, in every convention here:
# elementwise functions, padding, resampling and sampling (a few fixed operations an element; a bag of table
# rows is a bilinear reading), pooling, reductions, moving and creating data.
FREE_GROUPS = {
    "elementwise": """
        add sub rsub neg div reciprocal abs sign exp expm1 log log1p sqrt rsqrt pow square sin cos tan atan2
        floor ceil round trunc frac remainder fmod clamp clamp_min clamp_max minimum maximum where masked_fill
        lerp relu relu6 leaky_relu elu gelu silu softplus hardtanh hardswish hardsigmoid tanh sigmoid softmax
        _softmax log_softmax _log_softmax erf isnan isfinite nan_to_num logical_and logical_or logical_not
        bitwise_and bitwise_or bitwise_not eq ne lt le gt ge dropout alpha_dropout feature_dropout
        native_dropout""",
    "padding": """
        pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
        replication_pad2d replication_pad3d""",
    "resampling and sampling": """
        upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d
        upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler
        grid_sampler_2d grid_sampler_3d affine_grid_generator pixel_shuffle pixel_unshuffle channel_shuffle
        unfold im2col fold col2im embedding embedding_bag _embedding_bag""",
    "pooling": """
        avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d max_pool2d_with_indices
        adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d""",
    "reductions": """
        sum mean amax amin max min argmax argmin var std var_mean std_mean norm linalg_vector_norm prod cumsum
        any all topk sort nonzero bincount""",
    "moving data": """
        view _unsafe_view view_as reshape reshape_as permute transpose t numpy_T mT expand expand_as slice
        select narrow cat concat stack split split_with_sizes chunk unbind unflatten flatten squeeze unsqueeze
        index gather index_select take scatter scatter_add index_put index_add masked_select repeat
        repeat_interleave tile roll flip rot90 tril triu meshgrid as_strided diagonal movedim swapaxes clone
        copy detach alias lift_fresh lift contiguous to _to_copy type_as float half bfloat16 fill zero
        resolve_conj resolve_neg item _local_scalar_dense is_nonzero broadcast_tensors""",
    "creating data": """
        zeros ones empty full eye arange linspace logspace scalar_tensor tensor empty_strided zeros_like
        ones_like empty_like full_like new_zeros new_ones new_empty new_full new_empty_strided rand randn
        randint rand_like randn_like normal uniform bernoulli one_hot""",
}
FREE = frozenset(name for group in FREE_GROUPS.values() for name in group.split())


@dataclass(frozen=True)
class Op:
    """One operation that is not free.

    Attributes:
        layer: dotted name of the innermost module it ran in ("" is the traced module itself).
        name: the operation, as PyTorch names it.
        kind: row of a convention's table: conv, conv_transpose, deform_conv, linear, batch_norm,
            instance_norm, mul, or unknown where this module has no rule.
        macs: true multiply-accumulates (a transposed convolution's on its input grid).
        grid: multiply-accumulates as if every product fell on the output grid.
        numel: output elements. affine: a normalisation with parameters.
        hooked: it is the work of a leaf module that hook-based counters see.
    """

    layer: str
    name: str
    kind: str
    macs: int = 0
    grid: int = 0
    numel: int = 0
    affine: bool = False
    hooked: bool = False


@dataclass(frozen=True)
class Trace:
    """One pass: its priced operations, the parameters held and touched, the peak of live activations."""

    ops: tuple[Op, ...]
    params: int
    hooked_params: int
    activation_bytes: int


def _conv(args: tuple, out: Tensor, transposed: bool, groups: int) -> dict[str, Any]:
    x, weight = args[0], args[1]
    taps = prod(weight.shape[2:])
    inputs = (weight.shape[0] if transposed else weight.shape[1] * groups) // groups
    grid = out.numel() * inputs * taps
    if transposed:
        return {"kind": "conv_transpose", "macs": x.numel() * weight.shape[1] * taps, "grid": grid}
    return {"kind": "conv", "macs": grid, "grid": grid}


def _argument(args: tuple, kwargs: dict, position: int, name: str, default: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def _plain_conv(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
    return _conv(args, out, False, _argument(args, kwargs, 6, "groups", 1))


def _transposed_conv(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
    return _conv(args, out, True, _argument(args, kwargs, 6, "groups", 1))


def _any_conv(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
    return _conv(args, out, args[6], args[8])


def _deform_conv(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
    macs = out.numel() * prod(args[1].shape[1:])
    return {"kind": "deform_conv", "macs": macs, "grid": macs}


def _product(left: int) -> Callable[[tuple, dict, Tensor], dict[str, Any]]:
    """Matrix products: every output element sums over the last axis of the factor at position ``left``."""

    def rule(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
        macs = out.numel() * args[left].shape[-1]
        return {"kind": "linear", "macs": macs, "grid": macs}

    return rule


def _norm(kind: str) -> Callable[[tuple, dict, Tensor], dict[str, Any]]:
    def rule(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
        return {"kind": kind, "affine": _argument(args, kwargs, 1, "weight", None) is not None}

    return rule


def _mul(args: tuple, kwargs: dict, out: Tensor) -> dict[str, Any]:
    return {"kind": "mul"}


RULES: dict[str, Callable[[tuple, dict, Tensor], dict[str, Any]]] = {
    **{f"aten.conv{d}d": _plain_conv for d in (1, 2, 3)},
    **{f"aten.conv_transpose{d}d": _transposed_conv for d in (1, 2, 3)},
    "aten.convolution": _any_conv,
    "aten._convolution": _any_conv,
    "torchvision.deform_conv2d": _deform_conv,
    **{f"aten.{name}": _product(0) for name in ("linear", "mm", "bmm", "mv", "dot", "vdot")},
    **{f"aten.{name}": _product(1) for name in ("addmm", "baddbmm", "addmv")},
    "aten.batch_norm": _norm("batch_norm"),
    "aten.instance_norm": _norm("instance_norm"),
    "aten.mul": _mul,
}


# Operations whose meta kernels are written in Python, and slow: their output has the shape of their input.
SAME_SHAPE = frozenset({"aten.batch_norm", "aten.instance_norm"})


class _Recorder(TorchDispatchMode):
    """Writes down every operation, and how many bytes of activations live at once."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True would import PyTorch's compiler

    def __init__(self, weights: set[int]):
        super().__init__()
        self.ops: list[Op] = []
        self.stack: list[tuple[str, nn.Module]] = []
        self.weights, self.live, self.peak = weights, {}, 0

    def hold(self, value: Any) -> None:
        """Follow the storages of all tensors in ``value`` until Python lets go of them."""
        for tensor in tree_leaves(value):
            if not isinstance(tensor, Tensor):
                continue
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key in self.weights or key in self.live:
                continue
            self.live[key] = storage.nbytes()
            weakref.finalize(storage, self.live.pop, key, None).atexit = False
        self.peak = max(self.peak, sum(self.live.values()))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        namespace, _, name = func._schema.name.partition("::")
        plain = name if name.startswith("__") else name.rstrip("_")
        rule = RULES.get(f"{namespace}.{plain}")
        free = plain in FREE or namespace in ("prim", "prims")
        if rule is None and not free:
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        name = f"{namespace}.{plain}"
        if name in SAME_SHAPE and args[0].is_meta:
            out = torch.empty(args[0].shape, dtype=args[0].dtype, device="meta")
        else:
            out = func(*args, **kwargs)
        if not free:
            self._note(name, rule, args, kwargs, out)
        self.hold(out)
        return out

    def _note(self, name: str, rule: Callable | None, args: tuple, kwargs: dict, out: Any) -> None:
        layer, module = self.stack[-1]
        if rule is None:
            self.ops.append(Op(layer, name, "unknown"))
            return
        facts = rule(args, kwargs, out)
        hooked = type(module) in HOOKED and facts["kind"] != "mul"
        self.ops.append(Op(layer, name, numel=out.numel(), hooked=hooked, **facts))


@contextmanager
def _watched(module: nn.Module, recorder: _Recorder, ran: dict[int, nn.Module]):
    """Hooks that keep the stack of running modules, and the set of hooked leaves that ran."""
    handles = []
    for name, part in module.named_modules():

        def enter(part, _args, name=name):
            recorder.stack.append((name, part))
            if type(part) in HOOKED:
                ran[id(part)] = part

        handles.append(part.register_forward_pre_hook(enter))
        handles.append(part.register_forward_hook(lambda *_: recorder.stack.pop() and None))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _NoFilling(TorchFunctionMode):
    """Leaves out random initialisation, which has no meaning for tensors without values."""

    FILLS = frozenset(
        getattr(place, name)
        for place in (torch.Tensor, nn.init)
        for name in ("normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_")
        if hasattr(place, name)
    )

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in self.FILLS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def shapes_only():
    """Modules made in this context are on the meta device: shapes without values, at no cost in memory."""
    with torch.device("meta"), _NoFilling():
        yield


def without_values(module: nn.Module, device: str) -> nn.Module:
    """A copy of ``module`` in evaluation mode with weights of zeros, or (on "meta") of shapes alone."""
    memo: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        blank = torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(blank, tensor.requires_grad) if is_parameter else blank
    return copy.deepcopy(module, memo).eval()


SMALL_PIXELS, SMALL_PARAMS = 128 * 256, 20e6


def quickest_device(module: nn.Module, *inputs: Tensor) -> str:
    """ "cpu" where computing the pass takes less than the seconds that meta kernels take to import."""
    pixels = max(t.shape[-1] * t.shape[-2] for t in inputs)
    small = pixels <= SMALL_PIXELS and sum(p.numel() for p in module.parameters()) <= SMALL_PARAMS
    return "cpu" if small else "meta"


def trace(module: nn.Module, *inputs: Tensor, method: str | None = None, device: str = "meta") -> Trace:
    """Run ``module`` in evaluation mode and write down what it does.

    Args:
        module: any module, on any device; it is left as it was.
        inputs: tensors of the sizes wanted; only shape and dtype matter.
        method: name of the method to call instead of ``forward``.
        device: "meta" computes nothing; "cpu" computes with zeros. The outcome is the same.

    Returns:
        The operations that are not free, with the facts that conventions price; parameters; the peak number
        of bytes of inputs and activations alive at once, as eager PyTorch executes it (weights and the
        workspace of convolution kernels not included).
    """
    module = without_values(module, device)
    weights = {t.untyped_storage()._cdata for t in (*module.parameters(), *module.buffers())}
    recorder, ran = _Recorder(weights), {}
    recorder.stack.append(("", module))
    with torch.inference_mode():
        arguments = [torch.zeros(t.shape, dtype=t.dtype, device=device) for t in inputs]
        recorder.hold(arguments)
        with _watched(module, recorder, ran), recorder:
            getattr(module, method)(*arguments) if method else module(*arguments)
    return Trace(
        ops=tuple(recorder.ops),
        params=sum(p.numel() for p in module.parameters()),
        hooked_params=sum(p.numel() for leaf in ran.values() for p in leaf.parameters()),
        activation_bytes=recorder.peak,
    )

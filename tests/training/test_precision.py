"""Mixed precision: every trained layer and every whole step against fp32, on whatever device runs the tests.

``pytest -s tests/training/test_precision.py`` prints the worst relative error of each kind of layer.
"""

import copy
from collections import defaultdict
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch.nn.utils import parametrize

from slimvid.compress.fast_vid2vid import STKD
from slimvid.compress.fast_vid2vid_options import Options as FastOptions
from slimvid.compress.gan_compression import channel_space
from slimvid.compress.gan_compression_distillation import SupernetDistillation
from slimvid.compress.gan_compression_options import Options as GanOptions
from slimvid.compress.shortcut import ShortcutObjective
from slimvid.compress.shortcut import student_spec as shortcut_spec
from slimvid.compress.shortcut_options import Options as ShortcutOptions
from slimvid.compress.uniform import OutputDistillation
from slimvid.nets import shortcut, shortcut_net
from slimvid.nets.choices import Form
from slimvid.nets.elastic import Elastic
from slimvid.nets.shortcut import AdaBD
from slimvid.runtime import COMPARED, Runtime, layer_kind, layer_kinds
from slimvid.teachers import recyclegan, student_objective, teacher_module, train_original, vid2vid
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import Training

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]
# Whole steps are taken of these; of CORNERS the layers are compared, and two real steps taken.
IMAGES = ("pix2pix", "pix2pix resnet", "cyclegan", "gaugan")
TRAININGS = (
    *("vid2vid", "vid2vid batch norm", "recyclegan", "uniform", "fast_vid2vid"),
    *("shortcut vid2vid", "shortcut vid2vid raw", "shortcut recyclegan"),
    *("gan_compression", "gan_compression recyclegan"),
    *IMAGES,
)
CORNERS = (
    *("vid2vid foreground", "vid2vid first frame", "vid2vid two scales", "gan_compression batch norm"),
    *(f"shortcut recyclegan {form}" for form in get_args(Form) if form != "full"),
)
SETTINGS = {
    "batch norm": {"norm": "batch"},
    "first frame": {"first": "generator"},
    "two scales": {"disc_scales": 2, "temporal_scales": 2, "sequence": 7, "sequence_max": 7},
}
OFFSET = {(AdaBD, 4): 2, (AdaBD, 2): 1}  # which input of AdaBD, and of its `align`, is the offset
LAYER_ERROR, COSINE = 0.03, 0.95
WARM = 10  # steps in fp32 first: untrained networks draw nearly constant maps, whose rounding norms enlarge


@pytest.fixture(scope="module")
def images(
    looks_task, labels_task, pix2pix_settings, pix2pix_resnet, cyclegan_settings, gaugan_settings, told
):
    """Originals of images: settings and store by name."""
    settings = dict(
        zip(IMAGES, (pix2pix_settings, pix2pix_resnet, cyclegan_settings, gaugan_settings), strict=True)
    )
    tasks = {"gaugan": labels_task}
    return {name: (own, told(tasks.get(name, looks_task)), None) for name, own in settings.items()}


@pytest.fixture(scope="module")
def teachers(tiny_task, looks_task, tiny_settings, recyclegan_settings, images, told, tmp_path_factory):
    """Originals at the default profile's widths; settings, store and artifact by kind.

    vid2vid's has 40 steps: after one, its flow branch draws nearly constant maps, and the gradient of a
    blended shortcut frame through them is rounding (cosine .59; after 40 steps .993).
    """
    root = tmp_path_factory.mktemp("originals")
    wide = {"width": 16, "disc_width": 16, "iterations": 1}
    composite = tiny_settings.model_copy(update={**wide, "norm": "instance", "iterations": 40})
    cyclic = recyclegan_settings.model_copy(update=wide)
    for settings, prepared in ((composite, tiny_task), (cyclic, looks_task)):
        out = root / settings.teacher
        train_original(told(prepared, out), settings)
    return images | {
        "vid2vid": (composite, told(tiny_task), root / "vid2vid"),
        "recyclegan": (cyclic, told(looks_task), root / "recyclegan"),
    }


def training(name: str, teachers, runtime: Runtime):
    """A training as its teacher or method sets it up, from seeded weights."""
    if name in IMAGES:
        settings, run, _ = teachers[name]
        run, module = replace(run, runtime=runtime), teacher_module(settings)
        net = run.network(module.generator_spec(settings, run.data.meta.condition))
        return Training(run, net, module.Objective(run, settings))
    method, _, rest = name.partition(" ")
    kind = "recyclegan" if "recyclegan" in name else "vid2vid"
    settings, run, below = teachers[kind]
    run = replace(run, runtime=runtime)
    module = recyclegan if kind == "recyclegan" else vid2vid
    settings = settings.model_copy(update=SETTINGS.get(rest, {}))
    condition = run.data.meta.condition
    if method == kind:
        # the tiny task's only channel: its edges
        changes = {"foreground": [0]} if rest == "foreground" else {}
        net = run.network(module.generator_spec(settings, condition, **changes))
        return Training(run, net, module.Objective(run, settings))
    teacher = FrozenTeacher(below, run)
    if method == "gan_compression":
        options = GanOptions(stem=(0.5, 0.25), trunk=(0.5, 0.25), up=(0.75, 0.5)).filled(kind, {})
        space = channel_space(module.generator_spec(settings, condition), settings.width, options)
        net = run.network(space.spec(space.largest))
        objective = student_objective(run, settings)
        elastic = Elastic(net, space)
        distillation = SupernetDistillation(options, teacher, objective, elastic=elastic)
        return Training(run, net, objective, distillation=distillation)
    if method == "shortcut":
        form = rest.partition(" ")[2]
        options = ShortcutOptions(
            start="fitted",
            interval=3,
            decode="raw" if form == "raw" else None,
            form=form if form in get_args(Form) else "full",
        )
        net = run.network(shortcut_spec(settings, condition, options, teacher.source.spec))
        objective = ShortcutObjective(run, settings, net=net, options=options, teacher=teacher)
        return Training(run, net, objective)
    if method == "uniform":
        changes, distillation = {"width": 8}, OutputDistillation(teacher, weight=10)
    else:
        changes = {"decomposed": True, "low_demand": True}
        distillation = STKD(FastOptions(), teacher, vgg=None, spatial_until=0)
    net = run.network(module.generator_spec(settings, condition, **changes))
    return Training(run, net, module.Objective(run, settings), distillation=distillation)


def runtime(device: str, precision: str) -> Runtime:
    return Runtime(device=device, precision=precision, threads=1)


def captured(step, modules, monkeypatch):
    """Layers with weights and the inputs that one step in bf16 gives them, one of each kind and shape."""
    found = {}

    def hook(layer, args, _):
        shapes = tuple((tuple(x.shape), x.dtype) for x in args)
        found.setdefault((layer_kind(layer), layer.extra_repr(), shapes), (layer, args))

    def spread(features, weight):
        found.setdefault(("ShortcutBlock", "coarse", tuple(features.shape)), (weight, (features,)))
        return plain(features, weight)

    plain = shortcut.spread
    monkeypatch.setattr(shortcut, "spread", spread)
    layers = [
        m
        for net in modules
        for m in net.modules()
        if m._parameters and not isinstance(m, shortcut.ShortcutBlock)
    ]
    handles = [
        m.register_forward_hook(hook) for m in layers if not isinstance(m, parametrize.ParametrizationList)
    ]
    step(0)
    for handle in handles:
        handle.remove()
    monkeypatch.undo()
    return [(key[0], layer, args) for key, (layer, args) in found.items()]


def gradients(call, weights, args, precision):
    """Gradients of ``call(*args)`` for a fixed random gradient of its output, in weights and in args."""
    args = [
        x.detach().to(x.dtype if precision.precision == "bf16" else torch.float32).requires_grad_()
        for x in args
    ]
    with precision.autocast():
        out = call(*args)
    g = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out.device, out.dtype)
    return [x.float() for x in torch.autograd.grad(out, [*weights, *args], g, materialize_grads=True)]


def relative(a, b):
    return float((a - b).norm() / b.norm().clamp(min=1e-12))


def layer_errors(layer, args, device):
    """Largest relative error of the gradients in bf16; infinite where one is not finite."""
    calls = []
    if isinstance(layer, torch.nn.Parameter):
        weight = layer.detach().clone().requires_grad_()
        calls.append((lambda x: shortcut.spread(x, weight), [weight], args))
    else:
        layer = copy.deepcopy(layer).requires_grad_()
        # a spectral norm that trains takes another step towards its vectors with every call
        layer.train(not parametrize.is_parametrized(layer))
        weights = list(layer.parameters())
        calls.append((layer, weights, args))
        if isinstance(layer, AdaBD):
            calls.append((layer.align, weights, args[1:3]))
    worst = 0.0
    for call, weights, given in calls:
        exact, mixed = (gradients(call, weights, given, runtime(device, p)) for p in ("fp32", "bf16"))
        errors = [
            relative(m, e) if m.isfinite().all() else float("inf") for m, e in zip(mixed, exact, strict=True)
        ]
        # an offset's gradient is a difference of neighbouring pixels, which bf16 rounds: the step judges it
        offset = OFFSET.get((type(layer), len(given)))
        worst = max(worst, *(e for i, e in enumerate(errors) if i != len(weights) + (offset or len(errors))))
    return worst


@pytest.mark.parametrize("device", DEVICES)
def test_every_trained_layers_gradients_in_bf16_are_those_of_fp32(teachers, device, monkeypatch):
    worst, kinds = defaultdict(float), set()
    for name in (*TRAININGS, *CORNERS):
        t = training(name, teachers, runtime(device, "bf16"))
        trained = [
            m.block if isinstance(m, shortcut_net.ShortcutGenerator) else m for m in t.networks.values()
        ]
        kinds |= layer_kinds(trained)
        for kind, layer, args in captured(t.step, trained, monkeypatch):
            worst[kind] = max(worst[kind], layer_errors(layer, args, device))
            assert worst[kind] < LAYER_ERROR, (name, kind, layer, [x.shape for x in args])
    print("\nworst relative error of a gradient in bf16 on", device)
    for kind, error in sorted(worst.items()):
        print(f"  {kind:16} {error:.4f}")
    print(f'COMPARED["{device}"] =', sorted(kinds))
    assert set(worst) == kinds
    # what `auto` may use is what was compared on such a device, no more; nothing before one was seen
    assert kinds == COMPARED[device] or (device == "cuda" and not COMPARED[device])


def like(other, name, teachers, precision):
    """A training with the weights of another."""
    t = training(name, teachers, precision)
    for network, module in t.networks.items():
        module.load_state_dict(other.networks[network].state_dict())
    return t


def accumulated(t):
    """The gradient of every network summed over the updates of one step, weights left as they are."""
    total = {name: [torch.zeros_like(p) for p in m.parameters()] for name, m in t.networks.items()}
    for optimiser in t.optimisers.values():
        optimiser.step = lambda: None
    zero = next(iter(t.optimisers.values())).zero_grad

    def collect(set_to_none=True):
        for name, module in t.networks.items():
            for slot, p in zip(total[name], module.parameters(), strict=True):
                if p.grad is not None:
                    slot += p.grad
        zero(set_to_none=set_to_none)

    next(iter(t.optimisers.values())).zero_grad = collect
    losses = t.step(0)
    collect()
    return losses, {name: torch.cat([g.flatten() for g in grads]) for name, grads in total.items()}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TRAININGS)
def test_a_whole_step_in_bf16_points_where_fp32_points(teachers, name, device):
    warm = training(name, teachers, runtime(device, "fp32"))
    for index in range(1, WARM + 1):
        warm.step(index)
    exact, mixed = (accumulated(like(warm, name, teachers, runtime(device, p))) for p in ("fp32", "bf16"))
    assert all(torch.isfinite(v) for v in mixed[0].values())
    for network, gradient in exact[1].items():
        other = mixed[1][network]
        assert other.isfinite().all() and gradient.abs().sum() > 0, network
        cosine = float(torch.nn.functional.cosine_similarity(gradient, other, dim=0))
        print(f"{name} {network} {cosine:.4f}")
        assert cosine > COSINE, network


@pytest.mark.parametrize("name", (*TRAININGS, *CORNERS))
def test_two_real_steps_in_bf16_leave_finite_weights(teachers, name):
    t = training(name, teachers, runtime("cpu", "bf16"))
    for index in range(2):
        assert all(torch.isfinite(v) for v in t.step(index).values())
    assert all(p.isfinite().all() for m in t.networks.values() for p in m.parameters())


@pytest.mark.parametrize(
    ("layer", "automatic", "unknown"),
    [
        (torch.nn.Conv2d(1, 1, 1), True, None),
        (torch.nn.Conv2d(2, 2, 3, groups=2), True, None),
        (torch.nn.PReLU(), True, "PReLU"),
        (torch.nn.PReLU(), False, None),
        (torch.nn.Conv2d(1, 1, 3, dilation=2), True, "Conv2d dilated"),
        # the call whose weight gradient torch 2.15 gets wrong; the discriminator pads time by hand
        (torch.nn.Conv3d(3, 8, 3, padding=1), True, "Conv3d that pads time"),
        (torch.nn.Conv3d(3, 8, 3, padding="same"), True, "Conv3d that pads time"),
        (torch.nn.Conv3d(3, 8, 3, padding=(0, 1, 1)), True, None),
    ],
)
def test_auto_leaves_mixed_precision_where_a_layer_was_not_compared(layer, automatic, unknown, caplog):
    chosen = Runtime(device="cpu", precision="bf16", threads=1, automatic=automatic)
    chosen.settle([torch.nn.Sequential(layer)])
    assert (chosen.precision == "fp32") == (unknown is not None)
    lines = [r.message for r in caplog.records]
    said = f"mixed precision off: {unknown} not compared with fp32 on cpu; fp32 from here"
    assert lines == ([said] if unknown else [])


def test_no_device_is_trusted_that_no_test_ran_on(caplog):
    cuda = Runtime(device="cuda:0", precision="bf16", threads=1, automatic=True)
    cuda.settle([torch.nn.Conv2d(1, 1, 1)])
    assert cuda.precision == ("fp32" if not COMPARED["cuda"] else "bf16")
    if not COMPARED["cuda"]:
        (line,) = [r.message for r in caplog.records]
        assert line == "mixed precision off: no layer was ever compared with fp32 on cuda; fp32 from here"

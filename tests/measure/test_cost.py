"""Counting: hand-made modules with known costs, each convention's rules, plans, and the JSON document."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import CONVENTIONS, price, rounded
from slimvid.measure.cost import (
    count,
    cycle_mean,
    measure_cost,
    shortcut_cost,
    translator_cost,
)
from slimvid.measure.trace import quickest_device, shapes_only, trace
from slimvid.nets import build
from slimvid.nets.vid2vid import CompositeGenerator


def _image(channels: int = 4, size: int = 8) -> torch.Tensor:
    return torch.zeros(1, channels, size, size)


@pytest.mark.parametrize(
    ("convention", "macs"),
    [("true", 4 * 64 * 6 * 9), ("thop", 6 * 256 * 4 * 9), ("torchprofile-0.0.1", 6 * 256 * 4 * 9)],
)
def test_transposed_convolution_counts_on_the_grid_of_the_convention(convention, macs):
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)
    assert count(layer, _image(), convention=convention).macs == macs


def test_grouped_and_strided_convolution():
    layer = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
    for convention in CONVENTIONS:
        assert count(layer, _image(), convention=convention).macs == 8 * 16 * 2 * 9
    assert count(layer, _image()).params == 8 * 2 * 9 + 8


@pytest.mark.parametrize(
    ("layer", "thop", "torchprofile"),
    [
        (nn.BatchNorm2d(4), 4 * 256, 0),
        (nn.BatchNorm2d(4, affine=False), 2 * 256, 0),
        (nn.BatchNorm2d(4, track_running_stats=False), 4 * 256, 0),
        (nn.InstanceNorm2d(4), 2 * 256, 256),
        (nn.InstanceNorm2d(4, affine=True), 4 * 256, 256),
    ],
)
def test_normalisations(layer, thop, torchprofile):
    facts = trace(layer, _image())
    counts = {name: price(facts, name).macs for name in CONVENTIONS}
    assert counts == {"true": 0, "thop": thop, "torchprofile-0.0.1": torchprofile, "conv-only": 0}


class _Products(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 5)

    def forward(self, x):
        flat = x.flatten(2)  # 1 x 4 x 64
        gram = flat @ flat.transpose(1, 2)  # 4 * 4 * 64
        mixed = torch.einsum("ncd,de->nce", gram, torch.ones(4, 3, device=x.device))  # 4 * 3 * 4
        return self.linear(x) * 2, mixed  # 4 * 8 * 5 * 8


def test_matrix_products_are_counted_and_hooks_see_only_modules():
    module = _Products()
    assert count(module, _image()).macs == 1024 + 48 + 1280
    thop = count(module, _image(), convention="thop")
    assert thop.macs == 1280
    assert thop.omitted == ("aten.bmm in (root)",) and not thop.unknown
    assert count(module, _image(), convention="torchprofile-0.0.1").macs == 1024 + 48 + 1280 + 160


class _Functional(nn.Module):
    """A convolution whose weight is used by a function, beside a layer that never runs."""

    def __init__(self):
        super().__init__()
        self.conv, self.unused = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return F.conv2d(x, self.conv.weight)


def test_thop_sees_neither_functional_calls_nor_their_parameters():
    true, thop = count(_Functional(), _image()), count(_Functional(), _image(), convention="thop")
    assert (true.macs, true.params) == (4 * 4 * 64, 40)
    assert (thop.macs, thop.params) == (0, 0)
    assert thop.omitted == ("aten.conv2d in (root)",)


def test_a_module_called_twice_costs_twice_but_weighs_once():
    layer = nn.Conv2d(4, 4, 1)
    thop = count(nn.Sequential(layer, layer), _image(), convention="thop")
    assert (thop.macs, thop.params) == (2 * 4 * 4 * 64, 20)


class _Deformable(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6, 4, 3, 3))

    def forward(self, x):
        from torchvision.ops import deform_conv2d

        return deform_conv2d(x, x.new_zeros(1, 18, 8, 8), self.weight, padding=1)


def test_deformable_convolution_is_work_that_published_counters_miss():
    facts = trace(_Deformable(), _image())
    assert price(facts).macs == 6 * 64 * 4 * 9
    for name in ("thop", "torchprofile-0.0.1", "conv-only"):
        assert price(facts, name).macs == 0
        assert price(facts, name).omitted


class _Exotic(nn.Module):
    def forward(self, x):
        return torch.linalg.qr(x)[0]


def test_what_no_rule_covers_is_reported_by_name():
    counted = count(nn.Sequential(nn.Conv2d(4, 4, 1), _Exotic()), _image())
    assert counted.unknown == ("aten.linalg_qr in 1",)
    assert counted.macs == 4 * 4 * 64


def test_by_layer_sums_to_the_whole():
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.InstanceNorm2d(8), nn.ReLU(True), nn.Conv2d(8, 2, 1))
    counted = count(module, _image(), convention="thop")
    assert counted.by_layer == {"0": 8 * 36 * 36, "1": 2 * 8 * 36, "3": 2 * 36 * 8}
    assert sum(counted.by_layer.values()) == counted.macs


def test_peak_activation_bytes_by_hand():
    elements = 4 * 64
    chain = nn.Sequential(nn.Conv2d(4, 8, 1), nn.ReLU(True), nn.Conv2d(8, 2, 1))
    # the caller holds the input; the second convolution reads 8 channels and writes 2
    assert count(chain, _image()).activation_bytes == 4 * (elements + 2 * elements + elements // 2)
    separate = nn.Sequential(nn.Conv2d(4, 8, 1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    assert count(separate, _image()).activation_bytes == 4 * (elements + 4 * elements)


def test_counting_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    count(module, _image())
    assert module.training and not module[0]._forward_hooks and not module[0]._forward_pre_hooks
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize("decomposed", [False, True])
def test_computing_and_not_computing_give_one_trace(decomposed):
    module = _small(first_frame=True, decomposed=decomposed, low_demand=decomposed, foreground=(1,))
    inputs = module.example_inputs(32, 48)
    assert quickest_device(module, *inputs) == "cpu"
    assert trace(module, *inputs, device="cpu") == trace(module, *inputs, device="meta")
    assert quickest_device(module, torch.zeros(1, 3, 512, 512)) == "meta"


def test_unknown_convention_names_the_known_ones():
    with pytest.raises(SlimvidError, match="conv-only"):
        count(nn.Conv2d(4, 4, 1), _image(), convention="ptflops")


@pytest.mark.parametrize(
    ("value", "digits", "rounding", "text"),
    [
        (2066.684576, 2, "double", "2066.69"),
        (2066.684576, 2, "half_up", "2066.68"),
        (767.624741, 2, "double", "767.63"),
        (0.134560, 2, "double", "0.14"),
        (0.134560, 2, "half_up", "0.13"),
        (2066.684576, 0, "truncate", "2066"),
        (1769.505554, 0, "truncate", "1769"),
        (364.996230, 0, "half_up", "365"),
        (2.5, 0, "half_up", "3"),
    ],
)
def test_rounding_of_the_papers(value, digits, rounding, text):
    assert rounded(value, digits, rounding) == text


def _small(**kwargs) -> CompositeGenerator:
    with shapes_only():
        return CompositeGenerator(3, width=4, downs=2, blocks=2, **kwargs)


def test_key_frames_scale_the_mean_and_not_the_frame():
    every, keyed = (translator_cost(_small(), height=32, width=32, key_fraction=f) for f in (1.0, 0.25))
    assert keyed.macs_per_generated_frame == every.macs_per_generated_frame == every.macs
    assert keyed.macs == every.macs / 4
    assert keyed.params == every.params and keyed.unknown == ()


def test_the_first_frame_branch_counts_once_a_clip():
    module = _small(first_frame=True)
    plain = translator_cost(module, height=32, width=32)
    first = price(trace(module, torch.zeros(1, 3, 32, 32), method="draw_first")).macs
    mixed = translator_cost(module, height=32, width=32, first_fraction=0.1)
    assert mixed.macs == pytest.approx(0.9 * plain.macs + 0.1 * first)
    assert plain.params > plain.params_thop  # the branch is resident although a later frame does not run it


@pytest.mark.parametrize("fractions", [(0.0, 0.0), (1.5, 0.0), (0.2, 0.3)])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(SlimvidError, match="key_fraction"):
        translator_cost(_small(), height=32, width=32, key_fraction=fractions[0], first_fraction=fractions[1])


def test_sizes_that_the_strides_do_not_divide_are_refused():
    with pytest.raises(SlimvidError, match="30x32"):
        translator_cost(_small(), height=30, width=32)


def test_cycle_mean_of_shortcut_v2v():
    assert cycle_mean(84.71, 18.19, 3) == pytest.approx(40.363, abs=1e-3)
    assert cycle_mean(10.0, 1.0, 1) == 10.0
    with pytest.raises(SlimvidError, match="interval"):
        cycle_mean(1.0, 1.0, 0)


def _prepared(root, height=32, width=48):
    """A prepared task of two test clips, 6 and 4 frames long, with one edge map a frame."""
    from slimvid.data.clip import Clip
    from slimvid.data.condition import ConditionSpec
    from slimvid.data.store import TaskMeta, write_prepared

    def clip(name, length):
        frames = np.zeros((length, height, width, 3), np.uint8)
        return Clip(name=name, fps=10.0, frames=frames, edges=frames[..., 0])

    condition = ConditionSpec(kind="edges")
    meta = TaskMeta(task="toy", source="made", condition=condition, height=height, width=width, fps=10.0)
    splits = {"train": [clip("c", 4)], "val": [clip("v", 4)], "test": [clip("a", 6), clip("b", 4)]}
    write_prepared(root, meta, splits)
    return root


TINY = {"kind": "vid2vid", "condition_channels": 1, "width": 4, "downs": 2, "blocks": 2}


def _artifact(root, plan, spec=TINY, **changes):
    from slimvid import artifact

    spec = {**spec, **changes}
    state = build(spec).state_dict()
    condition = {"kind": "edges"}
    rest = {"condition": condition, "provenance": {"seed": 3}, "state": state}
    artifact.save(root, task="toy", method="tiny", spec=spec, plan=plan, **rest)
    return root


def _measured(tmp_path, plan, clips=None, **changes):
    keyframes = None
    if clips is not None:
        keyframes = tmp_path / "keys.json"
        keyframes.write_text(json.dumps({"clips": clips}))
    out = tmp_path / "cost.json"
    measure_cost(_artifact(tmp_path / "art", plan, **changes), _prepared(tmp_path / "toy"), keyframes, out)
    return json.loads(out.read_text())


def test_the_document_of_a_translator_that_draws_every_frame(tmp_path):
    document = _measured(tmp_path, {"kind": "every_frame"})
    module = build({"kind": "vid2vid", "condition_channels": 1, "width": 4, "downs": 2, "blocks": 2})
    true, thop = (count(module, *module.example_inputs(32, 48), convention=c) for c in ("true", "thop"))
    assert (document["task"], document["method"], document["seed"]) == ("toy", "tiny", 3)
    values = document["values"]
    assert values["macs_g"] == values["macs_g_per_generated_frame"] == true.macs / 1e9
    assert values["macs_g_thop"] == thop.macs / 1e9 and values["params_m"] == true.params / 1e6
    assert values["activation_mb"] == true.activation_bytes / 1e6
    protocol = document["protocol"]
    assert (protocol["height"], protocol["width"], protocol["key_fraction"]) == (32, 48, 1.0)
    assert protocol["uncounted_operations"] == [] and protocol["condition_channels"] == 1


def test_the_document_of_a_key_frame_plan(tmp_path):
    plan = {"kind": "keyframes", "interpolation": "dis"}
    document = _measured(tmp_path, plan, {"a": [0, 2, 5], "b": [0, 3]})
    values = document["values"]
    assert values["macs_g"] == pytest.approx(0.5 * values["macs_g_per_generated_frame"])
    assert "DIS" in document["protocol"]["interpolation"]


def test_given_first_frames_cost_nothing(tmp_path):
    values = _measured(tmp_path, {"kind": "every_frame", "first": "real"})["values"]
    assert values["macs_g"] == pytest.approx(0.6 * values["macs_g_per_generated_frame"])  # 2 + 2 of 10 given


def test_a_first_frame_branch_is_counted_as_itself(tmp_path):
    values = _measured(tmp_path, {"kind": "every_frame", "first": "generator"}, first_frame=True)["values"]
    assert (
        0.8 * values["macs_g_per_generated_frame"] < values["macs_g"] < values["macs_g_per_generated_frame"]
    )


def test_a_shortcut_translator_pays_for_its_references():
    from slimvid.nets.resnet import resnet_spec
    from slimvid.nets.shortcut_net import ShortcutGenerator, shortcut_spec

    spec = shortcut_spec(resnet_spec(8, blocks=6))
    with shapes_only():
        net = ShortcutGenerator(**{key: value for key, value in spec.items() if key != "kind"})
    full = translator_cost(net, height=32, width=48)
    costs = {}
    for interval in (1, 2, 4):
        costs[interval] = shortcut_cost(net, height=32, width=48, share=lambda f, s, n=interval: 1 / n)
    frame = costs[2].macs_shortcut_frame
    keep = count(net, *net.reference_inputs(32, 48), method="keep").macs
    assert 0 < keep < frame < full.macs
    assert costs[1].macs == full.macs  # without shortcut frames nothing is kept
    for interval in (2, 4):
        assert costs[interval].macs == pytest.approx(cycle_mean(full.macs + keep, frame, interval))
    assert costs[4].full_share == 0.25
    assert costs[4].params_thop < full.params_thop
    assert costs[4].params == full.params and costs[4].unknown == ()


def test_a_shortcut_row_costs_what_its_clips_had_drawn_in_full(tmp_path):
    from slimvid.nets.shortcut_net import shortcut_spec

    spec, plan = shortcut_spec(TINY), {"kind": "shortcut", "budget_interval": 3.0}
    values = _measured(tmp_path, plan, {"a": [0, 3], "b": [0]}, spec=spec)["values"]
    assert values["full_frame_share"] == 0.3
    cost = shortcut_cost(build(spec), height=32, width=48, share=lambda full, shortcut: 0.3)
    assert values["macs_g"] * 1e9 == pytest.approx(cost.macs)
    with pytest.raises(SlimvidError, match="beside the frames"):
        _measured(tmp_path, plan, spec=spec)
    given = _measured(tmp_path, {**plan, "first": "real"}, {"a": [2, 5], "b": [2]}, spec=spec)["values"]
    assert given["full_frame_share"] == 0.5  # of the six frames that were not given
    cost = shortcut_cost(build(spec), height=32, width=48, share=lambda full, shortcut: 0.5)
    assert given["macs_g"] * 1e9 == pytest.approx(0.6 * cost.macs)


def test_key_frame_plans_need_the_key_frames_of_their_clips(tmp_path):
    with pytest.raises(SlimvidError, match="key-frame file"):
        _measured(tmp_path, {"kind": "keyframes"})
    with pytest.raises(SlimvidError, match="other clips"):
        _measured(tmp_path, {"kind": "keyframes"}, {"a": [0]})

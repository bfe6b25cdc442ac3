"""CAT's budget search: closed form against built networks, and against a search that prunes and counts."""

import re

import pytest
import torch
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import price
from slimvid.measure.trace import shapes_only, trace
from slimvid.nets import build
from slimvid.nets.inception import inception_spec
from slimvid.nets.inception_budget import floor, prune
from slimvid.nets.inception_macs import published_macs, true_macs
from slimvid.nets.inception_spade import inception_spade_spec, with_widths
from slimvid.nets.inception_vid2vid import inception_vid2vid_spec
from slimvid.nets.resnet import resnet_spec


def _counted(spec, convention, size):
    with shapes_only():
        net = build(spec)
    return price(trace(net, *net.example_inputs(*size)), convention).macs


def _teacher(spec, deviation=0.02):
    """A full-size teacher with random scales: all that the search looks at."""
    net = build(spec)
    generator = torch.Generator().manual_seed(0)
    for norm in net.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.InstanceNorm2d)) and norm.affine:
            nn.init.normal_(norm.weight, 1.0, deviation, generator=generator)
    return net


STEM, UP = (7, 18, 20), (9, 5)
ROWS = ((3, 0, 5, 1, 2, 0), (0, 0, 0, 0, 0, 0), (4, 4, 4, 4, 4, 4))


@pytest.mark.parametrize("norm", ["instance_affine", "batch"])
def test_closed_form_of_a_pruned_generator(norm):
    spec = {"kind": "inception", "stem": STEM, "widths": ROWS, "up": UP, "norm": norm, "in_channels": 5}
    assert published_macs(spec, height=64, width=96) == _counted(spec, "torchprofile-0.0.1", (64, 96))
    assert true_macs(spec, height=64, width=96) == _counted(spec, "true", (64, 96))


@pytest.mark.parametrize("more", [True, False])
def test_closed_form_of_a_pruned_spade(more):
    widths = [(3, 0, 2, 1, 0, 5)] * 3 + [(0,) * 6, (1, 2, 3, 4, 5, 6), (2,) * 6, (0, 0, 1, 0, 0, 0)]
    spades = [(2, 1, 0, 0, 3, 1)] * 5 + [(0,) * 6, (1,) * 6]
    spec = with_widths(inception_spade_spec(more=more), width=16, widths=widths, spades=spades)
    assert true_macs(spec, height=128, width=192) == _counted(spec, "true", (128, 192))


@pytest.mark.parametrize(
    ("spec", "convention", "size", "macs"),
    [
        (inception_spec(), "conv-only", (256, 256), 43_490_402_304),
        (inception_spec(), "torchprofile-0.0.1", (256, 256), 43_527_405_568),
        (inception_spade_spec(), "conv-only", (256, 512), 109_773_614_880),
    ],
)
def test_teachers_of_the_paper(spec, convention, size, macs):
    assert _counted(spec, convention, size) == macs


def test_arithmetic_search_ends_where_pruning_and_counting_ends():
    net, target = _teacher(inception_spec()), 2.6e9

    def counted(spec):
        return _counted(spec, "torchprofile-0.0.1", (256, 256))

    fast, slow = (prune(net, target, cost_of=cost) for cost in (published_macs, counted))
    assert fast == slow
    assert 0.9 * target < fast.cost <= target


def test_arithmetic_search_of_spade_ends_where_pruning_and_counting_ends():
    with shapes_only():
        shape = build(inception_spade_spec())
    net = shape.to_empty(device="cpu")  # the convolutions' values do not matter
    generator = torch.Generator().manual_seed(0)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.normal_(norm.weight, 1.0, 0.3, generator=generator)

    size = {"height": 256, "width": 512}

    def counted(spec):
        return _counted(spec, "true", tuple(size.values()))

    fast, slow = (
        prune(net, 3e10, cost_of=lambda spec: true_macs(spec, **size)),
        prune(net, 3e10, cost_of=counted),
    )
    assert fast == slow
    assert 0.9 * 3e10 < fast.cost <= 3e10
    kept = int((net.fc[1].weight.abs() > fast.threshold).sum())
    assert 16 <= fast.left["blocks"][-1][1] == max(16, kept // 16) <= 64
    block = net.blocks[3]
    for row, owner in ((fast.left["blocks"][3][2], block), (fast.left["blocks"][3][3], block.spade)):
        norms = [next(m for m in branch if isinstance(m, nn.BatchNorm2d)) for branch in owner.branches]
        assert list(row) == [int((norm.weight.abs() > fast.threshold).sum()) for norm in norms]


def test_a_spade_is_pruned_to_the_floor_and_no_further():
    net = _teacher(inception_spade_spec(4, condition_channels=5), deviation=0.0)
    size = {"height": 64, "width": 64}
    left = prune(net, 1e12, cost_of=lambda spec: true_macs(spec, **size), least=3).left
    assert left == floor(net.spec, least=3) and left["blocks"][0][:2] == (48, 48)
    build(left)


def test_equal_scales_prune_to_the_floor():
    net = _teacher(inception_spec(), deviation=0.0)
    choice = prune(net, 2.6e9, cost_of=published_macs)
    assert choice.left == floor(net.spec)
    assert choice.left["stem"] == [16, 16, 16] and choice.left["up"] == [16, 16]
    assert round(choice.cost / 1e9, 3) == 0.547


def test_a_target_below_the_floor_is_refused():
    net = _teacher(inception_spec(12, blocks=1))
    with pytest.raises(SlimvidError, match=r"budget 1e\+06: pruned to the floor it still costs") as error:
        prune(net, 1e6, cost_of=published_macs)
    least, whole = re.search(r"at least (\S+); without pruning it costs (\S+)$", str(error.value)).groups()
    assert float(whole) == pytest.approx(published_macs(net.spec), rel=1e-3)
    assert prune(net, float(least), cost_of=published_macs).left == floor(net.spec)


def test_a_target_above_the_whole_keeps_nearly_everything():
    net = _teacher(inception_spec(12, blocks=2))
    whole = published_macs(net.spec)
    choice = prune(net, 1e12, cost_of=published_macs)
    assert 0.9 * whole < choice.cost < whole


def test_the_search_starts_from_a_teacher():
    pruned = {**inception_spec(12, blocks=1), "widths": ((8, 8, 0, 8, 8, 8),)}
    with pytest.raises(SlimvidError, match="5 branches"):
        prune(build(pruned), 1e9, cost_of=published_macs)


def test_a_teacher_without_scales_is_refused_by_its_norm():
    net = build({**inception_spec(12, blocks=1), "norm": "instance"})
    with pytest.raises(SlimvidError, match=r"norm 'instance': .* no scales .* 'instance_affine' or 'batch'"):
        prune(net, 1e9, cost_of=published_macs)
    with pytest.raises(SlimvidError, match="kind 'resnet' has no inception blocks"):
        prune(build(resnet_spec(8)), 1e9, cost_of=published_macs)


@pytest.mark.parametrize("first_frame", [False, True])
@pytest.mark.parametrize("foreground", [[], [1]])
def test_closed_form_of_a_pruned_video_generator(foreground, first_frame):
    """Of a generated frame: a branch that draws first frames alone costs nothing here."""
    widths = {
        "conditions": {"stem": [5, 7, 11], "blocks": [[1, 2, 3, 4, 5, 6], [0, 0, 2, 0, 1, 0]]},
        "previous": {"stem": [4, 9, 11], "blocks": [[0] * 6]},
        "image": {"blocks": [[2, 0, 0, 0, 0, 3]], "up": [8, 6]},
        "flow": {"blocks": [], "up": [3, 2]},
    }
    own = {"stem": [2, 3, 4], "blocks": [[1] * 6], "up": [5, 4]}
    widths |= {"foreground": own} if foreground else {}
    widths |= {"first_frame": own} if first_frame else {}
    spec = {"kind": "inception_vid2vid", "condition_channels": 3, "past": 1, "foreground": foreground}
    assert true_macs({**spec, "widths": widths}, height=32, width=48) == _counted(
        {**spec, "widths": widths}, "true", (32, 48)
    )


def _video(**changes):
    original = {"kind": "vid2vid", "condition_channels": 3, "past": 2, "width": 12, "downs": 2, "blocks": 3}
    original |= {"norm": "batch", "foreground": [1], "first_frame": True}
    return inception_vid2vid_spec({**original, **changes})


def _macs(spec):
    return true_macs(spec, height=64, width=64)


def test_a_video_teacher_is_pruned_to_its_budget_in_every_part():
    net = _teacher(_video(), deviation=0.3)
    budget = 0.3 * _macs(net.spec)
    choice = prune(net, budget, cost_of=_macs, least=3)
    assert 0.9 * budget < choice.cost <= budget
    assert choice.cost == _counted(choice.left, "true", (64, 64))
    kept = choice.left["widths"]
    for name, part in net.spec["widths"].items():  # by the same threshold, whatever a part costs
        for key in set(part) - {"blocks"}:
            layers = zip(kept[name][key], part[key], strict=True)
            assert all(3 <= left < whole for left, whole in layers), (name, key)
        assert all(0 <= left <= 8 for row in kept[name]["blocks"] for left in row)
        assert sum(map(sum, kept[name]["blocks"])) < sum(map(sum, part["blocks"]))
    build(choice.left)


def test_the_scales_that_count_are_those_above_the_threshold():
    """Written by hand into one layer of each kind; a summed channel counts by the larger of its scales."""
    net = build(_video(blocks=2, first_frame=False))
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.weight.data.fill_(-0.5)
    with torch.no_grad():
        net.down_seg[5].weight[:4] = 2.0  # stem.1
        net.down_seg[8].weight[:6] = 2.0  # the trunk, of which six channels are in either encoder
        net.down_img[8].weight[4:10] = -2.0
        block = net.res_flow[0]
        norms = [next(m for m in branch if isinstance(m, nn.BatchNorm2d)) for branch in block.branches]
        for count, norm in enumerate(norms):
            norm.weight[:count] = 2.0
        block.norm.weight.fill_(9.0)  # prunes nothing
        block.branches[5][5].weight.fill_(9.0)
        net.up_flow[4].weight[:7] = 2.0
    left = prune(net, _macs(floor(net.spec, least=1)) * 3, cost_of=_macs, least=1).left["widths"]
    assert left["conditions"] == {"stem": [1, 4, 10], "blocks": [[0] * 6]}
    assert left["previous"] == {"stem": [1, 1, 10], "blocks": [[0] * 6]}
    assert left["flow"] == {"blocks": [[0, 1, 2, 3, 4, 5]], "up": [1, 7]}
    assert left["image"] == {"blocks": [[0] * 6], "up": [1, 1]}


def test_a_cost_that_is_not_monotonous_still_ends_below_the_budget():
    net, asked = _teacher(_video(), deviation=0.3), []

    def measured(spec):  # latencies of networks that hardly differ
        asked.append(spec)
        return _macs(spec) * (1.1 if len(asked) % 2 else 0.9)

    budget = 0.4 * _macs(net.spec)
    assert prune(net, budget, cost_of=measured, least=3).cost <= budget and len(asked) < 40

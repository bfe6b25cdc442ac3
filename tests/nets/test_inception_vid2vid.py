"""CAT's form of vid2vid's generator: what stays of the original, widths of every part, what cannot be."""

import copy
import json

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import price
from slimvid.measure.trace import shapes_only, trace
from slimvid.nets import build
from slimvid.nets.cuts import LEVELS, find
from slimvid.nets.inception import IncResBlock
from slimvid.nets.inception_vid2vid import inception_vid2vid_spec
from slimvid.nets.pruning import streams

ORIGINAL = {
    "kind": "vid2vid",
    "condition_channels": 3,
    "past": 2,
    "width": 12,
    "downs": 2,
    "blocks": 5,
    "norm": "instance",
    "foreground": [1],
    "first_frame": True,
}
SPEC = inception_vid2vid_spec(ORIGINAL)
UNEVEN = {
    **SPEC,
    "widths": {
        "conditions": {"stem": [5, 7, 11], "blocks": [[1, 2, 3, 4, 5, 6], [0, 0, 2, 0, 1, 0]]},
        "previous": {"stem": [4, 9, 11], "blocks": [[0] * 6]},
        "image": {"blocks": [[2, 0, 0, 0, 0, 3]], "up": [8, 6]},
        "flow": {"blocks": [], "up": [3, 2]},
        "foreground": {"stem": [2, 3, 4], "blocks": [[1] * 6], "up": [5, 4]},
        "first_frame": {"stem": [3, 3, 3], "blocks": [], "up": [2, 2]},
    },
}


def made(spec):
    torch.manual_seed(0)
    return build(spec).eval()


@pytest.mark.parametrize("spec", [SPEC, UNEVEN, json.loads(json.dumps(UNEVEN)), {**SPEC, "norm": "batch"}])
def test_it_draws_what_the_composite_draws(spec):
    net = made(spec)
    out = net(torch.rand(2, 9, 16, 24), torch.rand(2, 6, 16, 24))
    assert out.image.shape == out.raw.shape == (2, 3, 16, 24) and out.flow.shape == (2, 2, 16, 24)
    assert out.image.std() > 0 and out.raw.abs().max() <= 1
    rollout = net.rollout(first="generator")
    first = rollout.step(torch.rand(1, 3, 16, 24)).image
    rollout.push(first)
    assert first.shape == rollout.step(torch.rand(1, 3, 16, 24)).image.shape == (1, 3, 16, 24)


def test_every_residual_block_became_one_of_six_branches_with_a_sixth_of_the_channels():
    with shapes_only():
        old, new = build(ORIGINAL), build(SPEC)
    kinds = [[type(m).__name__ for m in net.modules()] for net in (old, new)]
    assert kinds[0].count("ResBlock") == kinds[1].count("IncResBlock") == 3 + 3 + 2 + 2 + 5 + 3
    blocks = [m for m in new.modules() if isinstance(m, IncResBlock)]
    assert {len(b.branches) for b in blocks} == {6}
    assert all(b.branches[1][1].weight.shape == (8, 48, 3, 3) for b in blocks)
    theirs = {key: t.shape for key, t in old.state_dict().items()}
    ours = new.state_dict()
    same = [key for key in theirs if key in ours and ours[key].shape == theirs[key]]
    assert len(same) == sum("body" not in key for key in theirs)  # all but the blocks
    assert all(m.affine for m in new.modules() if isinstance(m, torch.nn.InstanceNorm2d))


@pytest.mark.parametrize("spec", [SPEC, UNEVEN])
def test_all_operations_are_counted_and_all_weights_learn(spec):
    net = made(spec).train()
    assert price(trace(net, *net.example_inputs(16, 24))).unknown == ()
    out = net(torch.rand(1, 9, 16, 24), torch.rand(1, 6, 16, 24))
    shown = out.image.square().sum() + out.flow.sum() + out.weight.sum() + out.raw.sum()
    (
        shown
        + net.foreground(torch.rand(1, 9, 16, 24)).sum()
        + net.draw_first(torch.rand(1, 3, 16, 24)).sum()
    ).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_a_past_of_zeros_gives_no_gradient():
    """Scales of one and biases of zero are where an affine instance norm begins: constant maps."""
    net = made(SPEC).train()
    conditions, past = torch.rand(1, 9, 16, 16), torch.rand(1, 6, 16, 16)
    net(conditions, torch.zeros_like(past)).raw.sum().backward()
    assert all(p.grad.abs().max() == 0 for p in net.down_img.parameters())
    net(conditions, past).raw.sum().backward()
    assert sum(p.grad.abs().sum() for p in net.down_img.parameters()) > 0


@pytest.mark.parametrize("level", LEVELS)
def test_it_is_cut_where_the_original_is(level):
    with shapes_only():
        points = [find(build(spec), level) for spec in (ORIGINAL, SPEC)]
    assert points[0] == points[1]


def test_five_pixel_branches_need_three_pixels_a_side():
    with shapes_only():
        net = build(SPEC)
    net.check_size(12, 16)
    with pytest.raises(SlimvidError, match=r"8x16.*at least 12"):
        net.check_size(8, 16)


def broken(part, key, value):
    spec = copy.deepcopy(UNEVEN)
    if value is None:
        del spec["widths"][part]
    else:
        spec["widths"].setdefault(part, {})[key] = value
    return spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (broken("image", "", None), r"part 'image' needs blocks, up"),
        (broken("image", "stem", [1]), r"part 'image' needs blocks, up"),
        (broken("sky", "up", [1]), r"a part 'sky'; parts are conditions, .*foreground"),
        (broken("previous", "stem", [4, 9, 10]), r"end with 11 and 10 channels"),
        (broken("previous", "stem", [4, 11]), r"previous\.stem has 2 entries; it needs 3"),
        (broken("flow", "up", [3, 2, 1]), r"flow\.up has 3 entries; it needs 2"),
        (broken("flow", "up", [3, 0]), r"flow\.up\[1\] is 0"),
        (broken("flow", "blocks", [[1, 2]]), r"flow: branch widths has 2 entries; it needs 6"),
        (broken("foreground", "", None), r"foreground classes and a part `foreground`, or neither"),
    ],
)
def test_what_cannot_be_built_says_which_part(spec, message):
    with pytest.raises(SlimvidError, match=message):
        build(spec)


def test_channel_removal_of_other_methods_does_not_follow_it():
    with shapes_only():
        net = build(SPEC)
    with pytest.raises(SlimvidError, match="IncResBlock"):
        streams(net)

"""A translator with a block attached: Algorithm 1, whatever the translator."""

import pytest
import torch

from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.shortcut_net import shortcut_spec

VID2VID = {"kind": "vid2vid", "condition_channels": 3, "width": 4, "downs": 2, "blocks": 2}
TEACHERS = {"recyclegan": resnet_spec(4, blocks=2), "vid2vid": VID2VID}


@pytest.fixture(params=[("recyclegan", False), ("vid2vid", False), ("vid2vid", True)], ids=str)
def net(request):
    teacher, blended = request.param
    torch.manual_seed(0)
    spec = shortcut_spec(TEACHERS[teacher], hidden=4, blended=blended)
    net = build(spec).eval().requires_grad_(False)
    for layer in net.block.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return net


class Every:
    """A full frame at every ``interval``-th frame."""

    def __init__(self, interval):
        self.interval, self.count = interval, 0

    def refresh(self, a_t, a_ref):
        self.count += 1
        return self.count % self.interval == 0


def conditions(count, size=(16, 16)):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(1, 3, *size, generator=generator) for _ in range(count)]


def walk(rollout, frames):
    out = []
    for condition in frames:
        out.append(rollout.step(condition).image)
        rollout.push(out[-1])
    return out


def test_without_a_schedule_it_is_the_teacher(net):
    frames = conditions(4)
    ours, theirs = walk(net.rollout(), frames), walk(net.teacher.rollout(), frames)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_algorithm_1(net):
    """Frame by frame from the paper's listing, with nothing kept but a_ref and f_ref."""
    parts, inner, expected = net.parts, net.teacher.rollout(), []

    def draw(*inputs):
        a_t = parts.encode(*inputs)
        if len(expected) % 3 == 0:
            out, state["f"] = parts.complete(a_t, *inputs)
            state["a"] = a_t
            return out
        return parts.decode(net.block(state["a"], a_t, state["f"]), *inputs)

    state, inner.draw = {}, draw
    frames = conditions(8)
    for condition in frames:
        expected.append(inner.step(condition).image)
        inner.push(expected[-1])
    rollout = net.rollout(schedule=Every(3))
    got = walk(rollout, frames)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    assert (rollout.full_frames, rollout.shortcut_frames) == (3, 5)


def test_no_teacher_work_on_shortcut_frames(net):
    """Of the teacher only layers outside the cut run between references; the reference is worked on once."""
    calls, kept = {}, []
    for name, part in net.teacher.named_modules():
        if not list(part.children()):
            part.register_forward_hook(lambda *_, name=name: calls.update({name: calls.get(name, 0) + 1}))
    original = net.block.reference
    net.block.reference = lambda *a: kept.append(1) or original(*a)
    walk(net.rollout(schedule=Every(3)), conditions(7))
    point = net.where
    inside = {"res_img", "res_flow"} | (set() if point.blended else {"up_flow", "final_flow", "final_w"})
    decoders = {"up_img", "up_flow"} if point.blended else {"up_img"}
    for name, count in calls.items():
        part, index = [*name.split("."), "0"][:2]
        if part == "model":
            middle = point.encoder <= int(index) < point.decoder
        elif part in ("down_seg", "down_img"):
            middle = int(index) >= point.encoder
        else:
            middle = part in inside or (part in decoders and int(index) < point.decoder)
        assert count == (3 if middle else 7), name
    assert set(calls.values()) == {3, 7} and len(kept) == 2  # the last reference serves no frame


def test_streams_have_their_own_state(net):
    frames = conditions(5)
    alone = walk(net.rollout(schedule=Every(2)), frames)
    one, two, out = net.rollout(schedule=Every(2)), net.rollout(schedule=Every(2)), []
    for a, b in zip(frames, frames[::-1], strict=True):
        out.append(one.step(a).image)
        one.push(out[-1])
        two.push(two.step(b).image)
    assert all(torch.equal(a, b) for a, b in zip(alone, out, strict=True))


def test_the_teacher_stays_as_it_is_in_training(net):
    net.train()
    assert net.block.training and not any(m.training for m in net.teacher.modules())


def test_a_shortcut_frame_in_one_call_is_the_streams(net):
    inputs = [torch.rand_like(x) for x in net.example_inputs(16, 16, device="cpu")]
    a, f = (torch.rand_like(x) for x in net.reference_inputs(16, 16, device="cpu"))
    drawn = net.shortcut_frame(a, f, *inputs).image
    expected = net.parts.decode(net.block(a, net.parts.encode(*inputs), f), *inputs).image
    assert torch.equal(drawn, expected)
    real = net.parts.encode(*inputs)
    assert real.shape == a.shape and net.parts.complete(real, *inputs)[1].shape == f.shape


def test_block_width_is_a_share_of_the_cut():
    assert shortcut_spec(resnet_spec(64, blocks=6))["hidden"] == 64
    assert shortcut_spec(resnet_spec(64, blocks=6), width=0.125)["hidden"] == 16
    assert shortcut_spec(resnet_spec(2, blocks=2), width=0.1)["hidden"] == 4


def test_what_a_shortcut_frame_shows_is_blended_where_the_teacher_blends():
    assert shortcut_spec(VID2VID)["point"]["blended"]
    assert not shortcut_spec(VID2VID, blended=False)["point"]["blended"]
    assert not shortcut_spec(TEACHERS["recyclegan"])["point"]["blended"]

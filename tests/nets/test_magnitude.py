"""A narrow network begins with the strongest channels of a wide one."""

import pytest
import torch

from slimvid.nets import build
from slimvid.nets.channel_space import configured, positions
from slimvid.nets.magnitude import inherit_strongest, strongest_channels
from slimvid.nets.pruning import streams
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.spade import spade_spec

VIDEO = {
    **{"kind": "vid2vid", "condition_channels": 2, "past": 2, "width": 8, "downs": 2, "blocks": 4},
    **{"norm": "batch", "foreground": [0], "first_frame": True},
}
RESNET = resnet_spec(8, blocks=3)
SPADE = spade_spec(8, condition_channels=3, more=False)


def wide_and_narrow(original, narrow=4):
    torch.manual_seed(0)
    count = len(positions(original))
    nets = [build(configured(original, [width] * count)).eval() for width in (8, narrow)]
    for name, value in nets[0].state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if "var" in name else torch.randn_like(value) * 0.3)
    return nets


@pytest.mark.parametrize(
    ("original", "size"),
    [(VIDEO, (16, 24)), (RESNET, (16, 24)), (SPADE, (64, 96))],
    ids=["vid2vid", "resnet", "spade"],
)
def test_channels_that_are_zero_go_first_and_the_picture_stays(original, size):
    """Half of every stream is made zero; what is left draws the same pictures."""
    wide, narrow = wide_and_narrow(original)
    state = wide.state_dict()
    for stream in streams(wide):
        generator = torch.Generator().manual_seed(len(stream.read))
        dead = torch.randperm(stream.channels(state), generator=generator)[::2]
        for name, dim in (*stream.written, *stream.scaled):
            if "running" not in name or name.endswith("mean"):
                state[name].index_fill_(dim, dead, 0)
    inherit_strongest(wide, narrow)
    given = [torch.rand(1, *x.shape[1:]) for x in wide.example_inputs(*size)]
    with torch.no_grad():
        for own, theirs in zip(flat(narrow(*given)), flat(wide(*given)), strict=True):
            torch.testing.assert_close(own, theirs, rtol=1e-3, atol=1e-4)
            assert own.std() > 1e-4


def flat(out):
    return [out] if isinstance(out, torch.Tensor) else list(out)


def test_the_same_width_keeps_every_channel_strongest_first():
    wide, same = wide_and_narrow(RESNET, narrow=8)
    inherit_strongest(wide, same)
    first = same.model[1].weight.abs().sum((1, 2, 3))
    assert torch.equal(first, first.sort(descending=True).values)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(same(x), wide(x), rtol=1e-3, atol=1e-4)


def test_a_layer_is_judged_by_the_inputs_that_stayed():
    """Reference values by hand: the second layer's norm counts the kept channels of the first alone."""
    wide, _ = wide_and_narrow(RESNET)
    found = streams(wide)
    kept = strongest_channels(wide, found, [2] * len(found))
    one, two = wide.model[1].weight, wide.model[4].weight
    first = one.abs().sum((1, 2, 3)).argsort(descending=True)[:2]
    second = two[:, first].abs().sum((1, 2, 3)).argsort(descending=True)[:2]
    assert [k.tolist() for k in kept[:2]] == [first.tolist(), second.tolist()]
    assert second.tolist() != two.abs().sum((1, 2, 3)).argsort(descending=True)[:2].tolist()


def test_a_residual_stream_is_chosen_by_what_leads_to_it():
    """In vid2vid both encoders' last down-samplings do; blocks add to what is there and have no say."""
    wide, _ = wide_and_narrow(VIDEO)
    found = streams(wide)
    trunk = next(i for i, s in enumerate(found) if ("down_img.7.weight", 0) in s.written)
    assert ("down_seg.7.weight", 0) in found[trunk].written
    counts = [s.channels(wide.state_dict()) for s in found]
    before = strongest_channels(wide, found, counts)[trunk]
    with torch.no_grad():
        for name in ("down_seg.10.body.5.2", "res_img.0.body.5.2"):
            wide.get_submodule(name).weight[before[-1]] += 9
    assert torch.equal(strongest_channels(wide, found, counts)[trunk], before)
    for name in ("down_seg.7", "down_img.7"):
        with torch.no_grad():
            wide.get_submodule(name).weight[before[-1]] += 9
        changed = strongest_channels(wide, found, counts)[trunk]
        assert changed[0] == before[-1]
        with torch.no_grad():
            wide.get_submodule(name).weight[before[-1]] -= 9


def test_what_scales_a_stream_has_no_say_in_it():
    """GauGAN's first stream is chosen by the first convolution alone; gamma and beta follow (release)."""
    wide, narrow = wide_and_narrow(SPADE)
    first = wide.fc.weight.abs().sum((1, 2, 3)).argsort(descending=True)[:64]
    inherit_strongest(wide, narrow)
    assert torch.equal(narrow.fc.weight, wide.fc.weight[first])
    assert torch.equal(narrow.blocks[0].spade_0.beta[2].bias, wide.blocks[0].spade_0.beta[2].bias[first])

"""Every image generator at a small size: shapes, ranges, determinism, odd ratios, and clear errors."""

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.nets.expansion import DeepResnetGenerator
from slimvid.nets.inception import InceptionGenerator, inception_spec
from slimvid.nets.inception_spade import InceptionSpadeGenerator, inception_spade_spec
from slimvid.nets.resnet import ResnetGenerator, parse_config, resnet_spec, subnet_spec
from slimvid.nets.spade import SpadeGenerator, spade_spec, spade_subnet_spec
from slimvid.nets.unet import UnetGenerator


def _made(cls, spec):
    torch.manual_seed(0)
    return cls(**{key: value for key, value in spec.items() if key != "kind"}).eval()


GENERATORS = {  # name: class, spec, size
    "resnet9": (ResnetGenerator, resnet_spec(4), (20, 36)),
    "resnet6": (ResnetGenerator, resnet_spec(4, blocks=6), (20, 36)),
    "resnet_one_channel": (ResnetGenerator, resnet_spec(4, blocks=2, in_channels=1), (8, 12)),
    "mobile": (ResnetGenerator, resnet_spec(4, separable=("blocks",)), (20, 36)),
    "all_separable": (ResnetGenerator, resnet_spec(4, separable=("down", "blocks", "up")), (20, 36)),
    "subnet": (ResnetGenerator, subnet_spec("4_5_3_2_3_4_2_3"), (20, 36)),
    "batch_norm": (ResnetGenerator, resnet_spec(4, blocks=2, norm="batch"), (20, 36)),
    "deep_resnet": (DeepResnetGenerator, {"width": 4, "blocks": 3}, (20, 36)),
    "unet": (UnetGenerator, {"width": 4, "downs": 4}, (48, 80)),
    "unet_dropout": (UnetGenerator, {"width": 4, "downs": 5, "dropout": 0.5}, (32, 96)),
    "deep_unet": (UnetGenerator, {"width": 4, "downs": 4, "expansions": 2}, (32, 48)),
    "inception": (InceptionGenerator, inception_spec(6, blocks=2), (20, 36)),
    "inception_batch": (InceptionGenerator, inception_spec(6, blocks=1, norm="batch"), (20, 36)),
    "spade": (SpadeGenerator, spade_spec(2, condition_channels=5), (64, 128)),
    "spade_five_ups": (SpadeGenerator, spade_spec(2, condition_channels=5, more=False), (32, 96)),
    "mobile_spade": (SpadeGenerator, spade_spec(2, condition_channels=5, separable=True), (128, 192)),
    "spade_subnet": (SpadeGenerator, spade_subnet_spec("1_2_1_2_2_2_3_2", condition_channels=5), (128, 192)),
    "inception_spade": (InceptionSpadeGenerator, inception_spade_spec(6, condition_channels=5), (64, 128)),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_draws_an_image_of_the_same_size_deterministically(name):
    cls, spec, (h, w) = GENERATORS[name]
    net = _made(cls, spec)
    (example,) = net.example_inputs(h, w, device="cpu")
    x = torch.rand(2, *example.shape[1:], generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        first, second = net(x), net(x)
    assert first.shape == (2, 3, h, w)
    assert first.abs().max() <= 1 and torch.isfinite(first).all()
    assert torch.equal(first, second)
    assert torch.equal(first, _made(cls, spec)(x))  # the seed fixes the weights
    assert first[0].std() > 0 or name.startswith("spade")


@pytest.mark.parametrize("name", GENERATORS)
def test_all_weights_learn(name):
    cls, spec, (h, w) = GENERATORS[name]
    net = _made(cls, spec).train()
    (example,) = net.example_inputs(h, w, device="cpu")
    net(torch.rand(2, *example.shape[1:])).square().sum().backward()
    idle = [key for key, p in net.named_parameters() if p.grad is None]
    assert not idle


@pytest.mark.parametrize("name", GENERATORS)
def test_sizes_that_the_strides_do_not_divide(name):
    cls, spec, (h, w) = GENERATORS[name]
    net = _made(cls, spec)
    (example,) = net.example_inputs(h, w, device="cpu")
    with pytest.raises(SlimvidError, match=rf"{h}x{w + 1}.*nearest: {h}x{w}"):
        net(torch.zeros(1, example.shape[1], h, w + 1))
    with pytest.raises(SlimvidError, match=f"{h}x{w + 1}"):
        net.example_inputs(h, w + 1)
    with pytest.raises(SlimvidError, match="N x"):
        net(torch.zeros(1, example.shape[1] + 1, h, w))


def test_layer_indices_that_distillation_and_cut_points_name():
    model = _made(ResnetGenerator, resnet_spec(4, blocks=6)).model
    assert len(model) == 25
    kinds = {0: "ReflectionPad2d", 1: "Conv2d", 4: "Conv2d", 7: "Conv2d", 9: "ReLU", 10: "ResBlock"}
    kinds |= {15: "ResBlock", 16: "ConvTranspose2d", 19: "ConvTranspose2d", 23: "Conv2d", 24: "Tanh"}
    assert {i: type(model[i]).__name__ for i in kinds} == kinds


def test_config_strings_say_the_widths_of_every_layer():
    spec = subnet_spec("16_24_32_40_48_56_64_72")
    assert spec["stem"] == (16, 48, 128) and spec["up"] == (128, 72)
    assert spec["inner"] == (160,) * 3 + (192,) * 3 + (224,) * 3
    assert subnet_spec("16_24_32_40_64_72")["inner"] == (160,) * 9
    legacy = subnet_spec("16_24_32_40_64_72", legacy=True)["inner"]
    assert legacy == (160, 128, 128) * 3


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("16_16_16", "3 numbers"),
        ("16_16_16_16_16_16_16", "7 numbers"),
        ("16_-8_16_16_16_16", "whole numbers"),
    ],
)
def test_bad_config_strings(config, says):
    with pytest.raises(SlimvidError, match=says):
        subnet_spec(config)


def test_more_bad_config_strings():
    with pytest.raises(SlimvidError, match="legacy"):
        subnet_spec("16_16_16_16_16_16_16_16", legacy=True)
    with pytest.raises(SlimvidError, match="space has 8"):
        spade_subnet_spec("16_16_16_16_16_16")
    with pytest.raises(SlimvidError, match="whole numbers"):
        parse_config("16__16", lengths=(2,))


@pytest.mark.parametrize(
    ("cls", "arguments", "says"),
    [
        (ResnetGenerator, {"stem": (4, -8, 16)}, r"stem\[1\] is -8"),
        (ResnetGenerator, {"stem": (4, 8)}, "2 entries; it needs 3"),
        (ResnetGenerator, {"inner": (16, 0)}, r"inner\[1\] is 0"),
        (ResnetGenerator, {"separable": ("block",)}, "known parts are down, blocks, up"),
        (DeepResnetGenerator, {"width": 0}, "width is 0"),
        (UnetGenerator, {"width": -1}, "width is -1"),
        (UnetGenerator, {"downs": 1}, "at least 2"),
        (
            InceptionGenerator,
            {**inception_spec(6), "widths": ((1, 1, 1),), "kind": ""},
            "3 entries; it needs 6",
        ),
        (
            InceptionGenerator,
            {**inception_spec(6), "widths": ((1, 1, -2, 1, 1, 1),)},
            "branch 2 has width -2",
        ),
        (SpadeGenerator, {"blocks": ((4, 4, 4, 4),) * 6}, "6 entries; it needs 7"),
        (SpadeGenerator, {"blocks": ((4, 4, 4, 4),) * 3 + ((5, 4, 4, 4),) * 4}, "block 2 gives 4"),
        (SpadeGenerator, {"blocks": ((4, 4, 4),) * 7}, "3 entries; it needs 4"),
        (SpadeGenerator, {"blocks": ((4, 4, 5, 4),) * 7}, "block 0 gives 5"),
        (SpadeGenerator, {"blocks": ((4, 4, 5, 4), *((5, 4, 5, 4),) * 6)}, "must keep"),
        (InceptionSpadeGenerator, {"blocks": ((4, 5, (1,) * 6, (1,) * 6),) * 7}, "block 0 gives 5"),
        (InceptionSpadeGenerator, inception_spade_spec(6, activation="elu"), "'elu' is unknown; choose relu"),
    ],
)
def test_architectures_that_cannot_be(cls, arguments, says):
    with pytest.raises(SlimvidError, match=says):
        cls(**{key: value for key, value in arguments.items() if key != "kind"})


def test_pruned_branches_vanish():
    spec = inception_spec(6, blocks=2)
    rows = ((3, 0, 0, 0, 2, 0), (0,) * 6)
    net = _made(InceptionGenerator, {**spec, "widths": rows})
    assert len(net.model[10].branches) == 2
    x = torch.rand(1, 24, 6, 6)
    assert torch.equal(net.model[11](x), x)
    with torch.inference_mode():
        assert net(torch.rand(1, 3, 16, 16)).shape == (1, 3, 16, 16)


def test_a_spade_without_branches_only_normalises():
    row = (8, 8, (0, 2, 0, 0, 0, 1), (0,) * 6)
    net = _made(InceptionSpadeGenerator, {"blocks": (row,) * 7, "condition_channels": 3})
    with torch.inference_mode():
        assert torch.isfinite(net(torch.rand(1, 3, 64, 64))).all()


def test_unet_keeps_a_path_for_every_level():
    net = _made(UnetGenerator, {"width": 4, "downs": 3})
    skip = net.model.inner  # the level below the outermost returns its input first
    x = torch.rand(1, 4, 8, 8)
    with torch.inference_mode():
        assert torch.equal(skip(x)[:, :4], x)


@pytest.mark.parametrize(
    ("cls", "arguments", "signed"),
    [
        (UnetGenerator, {"width": 4, "downs": 3}, True),
        (DeepResnetGenerator, {"width": 4, "blocks": 2}, True),
        (SpadeGenerator, {**spade_spec(2), "condition_channels": 3}, False),
    ],
)
def test_every_generator_streams(cls, arguments, signed):
    net, condition = _made(cls, arguments), torch.rand(1, 3, 64, 64)
    wanted = net(condition * 2 - 1 if signed else condition)  # SPADE reads a label map as it is
    rollout = net.rollout()
    for _ in range(2):  # nothing is kept
        drawn = rollout.step(condition).image
        rollout.push(drawn)
        assert torch.equal(drawn, wanted)
    assert net.past == 0
    with pytest.raises(SlimvidError, match="multiple"):
        net.check_size(63, 64)


def test_a_stream_draws_with_cats_generator_as_with_the_original():
    net, condition = _made(InceptionGenerator, inception_spec(6, blocks=1)), torch.rand(1, 3, 16, 20)
    assert torch.equal(net.rollout().step(condition).image, net(condition * 2 - 1))
    with pytest.raises(SlimvidError, match="without memory"):
        net.rollout(first="real")

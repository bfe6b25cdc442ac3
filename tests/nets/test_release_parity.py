"""Generators against the releases' forward, written here once more from its description, weights copied.

Double precision, normalisations on the batch at hand, so that a difference is one of structure.
"""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from slimvid.nets import build
from slimvid.nets.inception_spade import inception_spade_spec

CLOSE = 1e-9


def _made(spec, seed=0):
    """A generator in double precision whose scales, shifts and biases are not those of the start."""
    net = build(spec).double().train()
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        spread = 0.3 if parameter.dim() == 1 else 0.1
        noise = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        parameter.data += spread * noise
    return net


def _picture(*shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _normal(w, at, x):
    """Batch normalisation by the batch's own statistics, affine where the weights have it."""
    return F.batch_norm(x, None, None, w.get(f"{at}.weight"), w.get(f"{at}.bias"), training=True)


def _conv(w, at, x, **how):
    return F.conv2d(x, w[f"{at}.weight"], w.get(f"{at}.bias"), **how)


def _expansion(w, at, x):
    """OMGD's block; the padding comes before the 1x1 convolution."""
    at = f"{at}.body"
    y = F.relu(_normal(w, f"{at}.2", _conv(w, f"{at}.1", F.pad(x, (1, 1, 1, 1), mode="reflect"))))
    y = F.relu(_normal(w, f"{at}.5", _conv(w, f"{at}.4", y)))
    y = F.relu(_normal(w, f"{at}.8", _conv(w, f"{at}.7", y)))
    return x + _normal(w, f"{at}.12", _conv(w, f"{at}.11", F.pad(y, (1, 1, 1, 1), mode="reflect")))


def _transposed(w, at, x):
    return F.conv_transpose2d(x, w[f"{at}.weight"], w.get(f"{at}.bias"), stride=2, padding=1)


def _deep_unet_level(w, at, x, depth):
    """A level of OMGD's deep U-Net and all below it. Its LeakyReLU works in place, as released."""
    y = F.leaky_relu_(x, 0.2)
    y = _conv(w, f"{at}.down.0", y, stride=2, padding=1)
    if depth > 0:
        y = _normal(w, f"{at}.down.1", y)
        y = _expansion(w, f"{at}.down.3", _expansion(w, f"{at}.down.2", y))
        y = _deep_unet_level(w, f"{at}.inner", y, depth - 1)
    y = _normal(w, f"{at}.up.2", _transposed(w, f"{at}.up.1", F.relu(y)))
    if depth > 0:
        y = _expansion(w, f"{at}.up.4", _expansion(w, f"{at}.up.3", y))
    return torch.cat([x, y], dim=1)  # x has been changed by now


def _deep_unet(w, x, *, downs):
    y = _conv(w, "model.down.0", x, stride=2, padding=1)
    y = _expansion(w, "model.down.2", _expansion(w, "model.down.1", y))
    y = _deep_unet_level(w, "model.inner", y, downs - 2)
    y = _expansion(w, "model.up.1", _expansion(w, "model.up.0", y))
    return torch.tanh(_transposed(w, "model.up.3", F.relu(y)))


def _conventional(w, at, x, kernel, activate):
    pad = kernel // 2
    y = activate(_normal(w, f"{at}.1", _conv(w, f"{at}.0", x, padding=pad)))
    return _conv(w, f"{at}.3", y, padding=pad)


def _depthwise(w, at, x, kernel, activate):
    y = activate(_normal(w, f"{at}.1", _conv(w, f"{at}.0", x)))
    y = _conv(w, f"{at}.3", y, padding=kernel // 2, groups=y.shape[1])
    return _conv(w, f"{at}.6", activate(_normal(w, f"{at}.4", y)))


def _six(w, at, x, activate):
    branches = (_conventional,) * 3 + (_depthwise,) * 3
    places = enumerate(zip(branches, (1, 3, 5, 1, 3, 5), strict=True))
    return sum(branch(w, f"{at}.branches.{i}", x, kernel, activate) for i, (branch, kernel) in places)


def _spade_block(w, at, x, labels, activate):
    small = F.interpolate(labels, size=x.shape[2:], mode="nearest")
    gamma, beta = _six(w, f"{at}.spade", small, F.relu).chunk(2, dim=1)  # ReLU, whatever the block has
    y = activate(_normal({}, "", x) * (1 + gamma) + beta)
    y = _six(w, at, y, activate)
    if f"{at}.shortcut.1.weight" in w:
        x = _conv(w, f"{at}.shortcut.1", _normal(w, f"{at}.shortcut.0", x))
    return x + y


def _inception_spade(w, labels, *, activate):
    height, width = labels.shape[2:]
    x = F.interpolate(labels, size=(height // 64, width // 64), mode="nearest")
    x = _normal(w, "fc.1", _conv(w, "fc.0", x, padding=1))
    for i in range(7):
        x = x if i == 0 else F.interpolate(x, scale_factor=2, mode="nearest")
        x = _spade_block(w, f"blocks.{i}", x, labels, activate)
    return torch.tanh(_conv(w, "last", F.leaky_relu(x, 0.2), padding=1))


CAT = partial(inception_spade_spec, 6, condition_channels=5)
CASES = {
    "deep_unet": (
        {"kind": "unet", "width": 3, "downs": 4, "expansions": 2},
        (2, 3, 32, 48),
        partial(_deep_unet, downs=4),
    ),
    "inception_spade": (CAT(), (2, 5, 64, 128), partial(_inception_spade, activate=F.leaky_relu)),
    "inception_spade_distilled": (
        CAT(activation="relu"),
        (2, 5, 64, 128),
        partial(_inception_spade, activate=F.relu),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_images_and_gradients_are_the_releases(name):
    spec, shape, reference = CASES[name]
    net = _made(spec)
    weights = {key: value.detach().clone().requires_grad_() for key, value in net.named_parameters()}
    x, same = (_picture(*shape).requires_grad_() for _ in range(2))
    ours, theirs = net(x), reference(weights, same)
    assert (ours - theirs).abs().max() < CLOSE
    assert ours.std() > 0.05  # not an image at rest, where everything agrees

    aim = _picture(*ours.shape)
    for image in (ours, theirs):
        (image * aim).mean().backward()
    assert (x.grad - same.grad).abs().max() < CLOSE
    assert all((p.grad - weights[key].grad).abs().max() < CLOSE for key, p in net.named_parameters())


def test_the_skip_of_a_plain_unet_may_be_activated_or_not():
    """A ReLU reads it at once, so that this U-Net is pix2pix's whichever it carries."""
    net = _made({"kind": "unet", "width": 3, "downs": 4})
    x = _picture(2, 3, 32, 48)
    activated = net(x)

    def bare(_, given, out):
        return torch.cat([given[0], out[:, given[0].shape[1] :]], dim=1)

    level = net.model.inner
    while level is not None:
        level.register_forward_hook(bare)
        level = level.inner
    assert torch.equal(net(x), activated)


def test_the_two_activations_are_two_networks_of_one_set_of_weights():
    leaky = _made(CAT())
    relu = build(CAT(activation="relu")).double().train()
    relu.load_state_dict(leaky.state_dict())
    labels = _picture(2, 5, 64, 128)
    assert (leaky(labels) - relu(labels)).abs().max() > 1e-3

"""A once-for-all network: one set of weights that runs at any of its configurations (GAN Compression 3.3).

`Elastic` swaps the layers of a plain network in place. Each then takes the first channels of its weights, as
views: as many input channels as it is given, as many output channels as its configuration says. Nothing is
built or copied from step to step, and names and shapes of the weights are the plain network's, so that
``slicing.first_channels`` gives the weights of any sub-network.

The gradient of what a step leaves out is 0, not missing. Adam therefore moves these weights by the momentum
of earlier steps; so does the release.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.nets.channel_space import ChannelSpace


def _first(value: Tensor | None, channels: int) -> Tensor | None:
    return None if value is None else value[:channels]


class ElasticConv2d(nn.Conv2d):
    """A convolution, dense or depthwise. ``out``: output channels of a dense one."""

    out: int

    def forward(self, x: Tensor) -> Tensor:
        given = x.shape[1]
        how = self.stride, self.padding, self.dilation
        if self.groups > 1:
            return F.conv2d(x, self.weight[:given], _first(self.bias, given), *how, given)
        return F.conv2d(x, self.weight[: self.out, :given], _first(self.bias, self.out), *how)


class ElasticConvTranspose2d(nn.ConvTranspose2d):
    """A dense transposed convolution. ``out``: output channels."""

    out: int

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight[: x.shape[1], : self.out], _first(self.bias, self.out)
        return F.conv_transpose2d(x, weight, bias, self.stride, self.padding, self.output_padding)


class ElasticInstanceNorm2d(nn.InstanceNorm2d):
    """An instance normalisation without running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        given = x.shape[1]
        return F.instance_norm(
            x, weight=_first(self.weight, given), bias=_first(self.bias, given), eps=self.eps
        )


class ElasticBatchNorm2d(nn.BatchNorm2d):
    """A batch normalisation.

    Its running statistics are of all configurations together: they are taken anew for a sub-network.
    """

    def forward(self, x: Tensor) -> Tensor:
        given = x.shape[1]
        kept = self.running_mean, self.running_var
        mean, var, weight, bias = (_first(t, given) for t in (*kept, self.weight, self.bias))
        batch = self.training or mean is None
        return F.batch_norm(x, mean, var, weight, bias, batch, self.momentum, self.eps)


FORMS = {
    nn.Conv2d: ElasticConv2d,
    nn.ConvTranspose2d: ElasticConvTranspose2d,
    nn.InstanceNorm2d: ElasticInstanceNorm2d,
    nn.BatchNorm2d: ElasticBatchNorm2d,
}


def make_elastic(net: nn.Module) -> nn.Module:
    """Give the layers of a plain network their elastic forms, in place; at first each writes all channels."""
    for layer in net.modules():
        if type(layer) in FORMS:
            layer.__class__ = FORMS[type(layer)]  # the same object: hooks, optimisers and names go on
        if isinstance(layer, ElasticConv2d | ElasticConvTranspose2d):
            layer.out = layer.out_channels
    return net


class Elastic:
    """A plain network, made elastic in place, and the configuration that it runs at.

    Args:
        net: the network of a configuration of ``space``; at first it runs as a whole.
    """

    def __init__(self, net: nn.Module, space: ChannelSpace):
        make_elastic(net)
        self.net, self.space = net, space
        layers = dict(net.named_modules())
        self._written = [(layers[layer.name], layer.writes) for layer in space.layers if not layer.depthwise]

    def choose(self, config: Sequence[int]) -> None:
        """Run at a configuration, no number of which is above the network's own."""
        for layer, width in self._written:
            layer.out = width.of(config)

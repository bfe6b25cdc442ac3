"""Removing channels from a trained network: which belong together, which stay, and the weights that are left.

Channels that meet in a sum are one: where channel 3 of a residual stream goes, it goes from every layer that
writes the stream and from every one that reads it. `streams` finds these groups; a network without some
channels is a plain network of the same kind, narrower, with `pruned` as its weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import DecomposedBlock, ResBlock
from slimvid.nets.resnet import ResnetGenerator
from slimvid.nets.separable import SeparableBlock
from slimvid.nets.spade import Spade, SpadeBlock, SpadeGenerator
from slimvid.nets.vid2vid import Composite

Place = tuple[str, int]
"""A tensor of the state dict, and the dimension along which it has a stream's channels."""


@dataclass(kw_only=True)
class Stream:
    """Hidden channels that several layers share.

    Attributes:
        written: what makes them: output dimensions of convolutions, depthwise ones, biases, normalisations.
        scaled: what scales and shifts them from elsewhere: output dimensions of a SPADE's gamma and beta.
        read: the weights of the convolutions that take them in, with their input dimension.
    """

    written: list[Place] = field(default_factory=list)
    scaled: list[Place] = field(default_factory=list)
    read: list[Place] = field(default_factory=list)

    def channels(self, state: Mapping[str, Tensor]) -> int:
        """How many there are in a network's state dict."""
        name, dim = self.read[0]
        return state[name].shape[dim]


def streams(net: nn.Module) -> list[Stream]:
    """The hidden streams of a generator, in the order in which they are first written.

    What it takes in and what it draws are no streams: their channels stay.

    Args:
        net: a composite (vid2vid), ResNet or SPADE generator; its layers must be as it was built.

    Raises:
        SlimvidError: a generator of another kind, or a layer whose channels cannot be followed.
    """
    walk = _Walk(net)
    if isinstance(net, Composite):
        _composite(walk, net)
    elif isinstance(net, ResnetGenerator):
        walk.through(net.model, None)
    elif isinstance(net, SpadeGenerator):
        stream = walk.through(net.fc, None)
        for block in net.blocks:
            stream = walk.through(block, stream)
        walk.through(net.last, stream)
    else:
        raise SlimvidError(
            f"pruning: cannot follow the channels of a {type(net).__name__}; those of vid2vid, resnet "
            "and spade generators can be"
        )
    return [stream for stream in walk.found if stream.read]


def outgoing(found: Sequence[Stream], values: Mapping[str, Tensor]) -> list[Tensor]:
    """L1 norm of what leads out of every channel: a float64 [channels] for each stream, on the CPU.

    Args:
        values: one tensor for each weight that a stream is ``read`` by, of the weight's shape.
    """
    return [sum(_l1(values[name], dim) for name, dim in stream.read) for stream in found]


def _l1(value: Tensor, dim: int) -> Tensor:
    others = [d for d in range(value.dim()) if d != dim]
    return value.detach().double().abs().sum(others).cpu()


def strongest(scores: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` highest scores, rising, int64; of equal scores the first ones."""
    return scores.argsort(descending=True, stable=True)[:count].sort().values


def pruned(state: Mapping[str, Tensor], found: Sequence[Stream], kept: Sequence[Tensor]) -> dict[str, Tensor]:
    """The state dict of the network that has the ``kept`` channels of every stream alone.

    Every value is one of ``state``, in the order of before.
    """
    left = dict(state)
    for stream, channels in zip(found, kept, strict=True):
        for name, dim in (*stream.written, *stream.scaled, *stream.read):
            left[name] = left[name].index_select(dim, channels.to(left[name].device))
    return left


def _composite(walk: "_Walk", net: Composite) -> None:
    """vid2vid's generator: both encoders write the stream that both decoders' residual blocks go on with."""
    trunk = walk.tied(walk.through(net.down_seg, None), walk.through(net.down_img, None))
    image = walk.through(net.up_img, walk.through(net.res_img, trunk))
    walk.through(net.final_img, image)
    moving = walk.through(net.up_flow, walk.through(net.res_flow, trunk))
    for head in (net.final_flow, net.final_w):
        walk.through(head, moving)
    for branch in (net.foreground, net.first_frame):
        if branch is not None:
            walk.through(branch, None)


class _Walk:
    """Follows channels from layer to layer and notes where they are written and read.

    None in the place of a stream is the network's input, whose channels stay.
    """

    def __init__(self, net: nn.Module):
        self.names = {layer: name for name, layer in net.named_modules()}
        self.found: list[Stream] = []

    def through(self, layer: nn.Module, stream: Stream | None) -> Stream | None:
        """The stream that leaves a layer which ``stream`` enters."""
        if isinstance(layer, ResBlock | DecomposedBlock | SeparableBlock):
            return self.tied(stream, self.through(layer.body, stream))
        if isinstance(layer, SpadeBlock):
            return self._spade_block(layer, stream)
        if isinstance(layer, Spade):
            return self._spade(layer, stream)
        if isinstance(layer, nn.Sequential):
            for part in layer:
                stream = self.through(part, stream)
            return stream
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            return self._convolution(layer, stream)
        own = [name for name, tensor in layer.state_dict().items() if tensor.dim()]
        if own and not isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d):
            raise SlimvidError(
                f"pruning: cannot follow channels through {self.names[layer]} ({type(layer).__name__})"
            )
        if stream is not None:
            stream.written += [(f"{self.names[layer]}.{name}", 0) for name in own]
        return stream

    def tied(self, one: Stream, other: Stream) -> Stream:
        """Two streams that are summed, as the one that they are."""
        one.written += other.written
        one.scaled += other.scaled
        one.read += other.read
        self.found = [stream for stream in self.found if stream is not other]
        return one

    def _spade_block(self, block: SpadeBlock, stream: Stream) -> Stream:
        inside = self.through(block.conv_0, self.through(block.spade_0, stream))
        out = self.through(block.conv_1, self.through(block.spade_1, inside))
        if block.conv_s is None:
            return self.tied(stream, out)
        return self.tied(out, self.through(block.conv_s, self.through(block.spade_s, stream)))

    def _spade(self, layer: Spade, stream: Stream) -> Stream:
        """Gamma and beta, of hidden channels that read the map, have the stream's channels."""
        self.through(layer.norm, stream)
        hidden = self.through(layer.shared, None)
        for modulation in (layer.gamma, layer.beta):
            stream.scaled += self.through(modulation, hidden).written
            self.found.pop()  # no stream of its own
        return stream

    def _convolution(self, layer: nn.Conv2d | nn.ConvTranspose2d, stream: Stream | None) -> Stream | None:
        name, transposed = self.names[layer], isinstance(layer, nn.ConvTranspose2d)
        bias = [(f"{name}.bias", 0)] if layer.bias is not None else []
        if layer.groups > 1:
            if not layer.groups == layer.in_channels == layer.out_channels:
                raise SlimvidError(f"pruning: cannot follow channels through {name} ({layer.groups} groups)")
            if stream is not None:
                stream.written += [(f"{name}.weight", 0), *bias]
            return stream
        if stream is not None:
            stream.read.append((f"{name}.weight", 0 if transposed else 1))
        self.found.append(Stream(written=[(f"{name}.weight", 1 if transposed else 0), *bias]))
        return self.found[-1]

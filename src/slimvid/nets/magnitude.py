"""Which channels of a trained network a narrower one begins with: those with the largest weights.

GAN Compression prunes the decomposed teacher once (its Table 3, "Pr."), layer by layer in the network's
order: the channels of a layer that stay are those of largest L1 norm over its weights, of which only the
inputs that stayed are counted (release). Channels that several layers share (``pruning.streams``) are chosen
by the layers that lead to them, not by the residual blocks, which add to what is there, nor by a SPADE's
gamma and beta, which only follow (release).
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from slimvid.nets.pruning import Place, Stream, pruned, streams

Entry = tuple[Place, int | None]
"""A convolution's weight and output dimension, and the number of the stream that it reads (None: input)."""


def inherit_strongest(net: nn.Module, narrow: nn.Module) -> None:
    """Give ``narrow``, a network of the same kind with fewer channels, the strongest channels of ``net``.

    The strongest become the first channels: those that every sub-network of a once-for-all network has.

    Raises:
        SlimvidError: a layer whose channels cannot be followed.
    """
    found, wanted = streams(net), narrow.state_dict()
    kept = strongest_channels(net, found, [stream.channels(wanted) for stream in found])
    narrow.load_state_dict(pruned(net.state_dict(), found, kept))


def strongest_channels(net: nn.Module, found: Sequence[Stream], counts: Sequence[int]) -> list[Tensor]:
    """Indices of the channels of each stream that stay, int64, the strongest first; of equal ones the first.

    Args:
        net: the network. found: its ``streams``. counts: how many channels of each are to stay.
    """
    weights = {name: p.detach().double().abs().cpu() for name, p in net.named_parameters()}
    waiting = _entries(net, found)
    kept: dict[int | None, Tensor | None] = {None: None}
    while waiting:
        number = next(n for n, entries in waiting.items() if all(source in kept for _, source in entries))
        entries = waiting.pop(number)
        score = sum(_norm(weights[name], dim, kept[source]) for (name, dim), source in entries)
        kept[number] = score.argsort(descending=True, stable=True)[: counts[number]]
    return [kept[number] for number in range(len(found))]


def _norm(weight: Tensor, dim: int, inputs: Tensor | None) -> Tensor:
    """L1 norm of each output channel's weights, of ``inputs`` alone where some were removed."""
    if inputs is not None:
        weight = weight.index_select(1 - dim, inputs)
    return weight.sum([d for d in range(weight.dim()) if d != dim])


def _entries(net: nn.Module, found: Sequence[Stream]) -> dict[int, list[Entry]]:
    """The layers that lead to each stream; not a block's last one, which reads what the stream fed."""
    layers = {f"{name}.weight": m for name, m in net.named_modules()}
    dense = {n for n, m in layers.items() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.groups == 1}
    reads = {name: number for number, stream in enumerate(found) for name, _ in stream.read}
    writers = [[place for place in stream.written if place[0] in dense] for stream in found]
    return {
        number: [
            ((name, dim), reads.get(name))
            for name, dim in own
            if not _comes_back(reads.get(name), number, writers, reads)
        ]
        for number, own in enumerate(writers)
    }


def _comes_back(
    source: int | None, number: int, writers: Sequence[Sequence[Place]], reads: Mapping[str, int]
) -> bool:
    """Whether stream ``source`` was made of stream ``number``: they are in the order of their writing."""
    later = source is not None and source > number
    return later and any(reads.get(name) == number for name, _ in writers[source])

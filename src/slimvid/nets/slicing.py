"""Weight sharing of once-for-all networks: a sub-network's weights are the first channels of the whole's."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets import build


def first_channels(whole: Mapping[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """State for ``part``: of every tensor of ``whole`` the leading block of the size that ``part`` has.

    Convolutions give W[:out, :in], transposed ones W[:in, :out], depthwise ones W[:in]; biases and running
    statistics their first entries (GAN Compression 3.3).

    Raises:
        SlimvidError: ``part`` has a tensor that ``whole`` lacks, or a larger one; names it.
    """
    state = {}
    for name, wanted in part.state_dict().items():
        if name not in whole:
            raise SlimvidError(f"sub-network: {name} is not in the whole network; build both of one kind")
        given = whole[name]
        if given.dim() != wanted.dim() or any(w > g for w, g in zip(wanted.shape, given.shape, strict=True)):
            shapes = f"{tuple(wanted.shape)} of {tuple(given.shape)}"
            raise SlimvidError(f"sub-network: {name} wants {shapes}; its widths must fit the whole network's")
        state[name] = given[tuple(slice(size) for size in wanted.shape)].clone()
    return state


def sub_network(whole: Mapping[str, Tensor], spec: Mapping[str, Any]) -> nn.Module:
    """The plain network of ``spec`` with the leading blocks of ``whole`` as its weights: a copy of its own.

    Raises:
        SlimvidError: see `first_channels`.
    """
    with torch.device("meta"):  # drawing initial weights would take most of the time
        part = build(dict(spec))
    part.load_state_dict(first_channels(whole, part), assign=True)
    return part

"""What the layers of a network give, by the layers' names: what a student is compared with its teacher by."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets import build


class Taps:
    """Keeps the outputs of some layers of a network, of each layer's last call.

    The outputs are copies in fp32: an in-place activation that follows a layer would overwrite what it gave.

    Args:
        layers: names as in ``net.named_modules()``, such as ``"model.4.conv"``.
        whose: how an error calls the network.

    Raises:
        SlimvidError: the network has no such layer; names those that it has.
    """

    def __init__(self, net: nn.Module, layers: Iterable[str], *, whose: str):
        # where padding was fused into the convolution after it (`nets.quick`), an identity is left: no layer
        known = {name: m for name, m in net.named_modules() if name and not isinstance(m, nn.Identity)}
        self.layers, self.seen = tuple(layers), {}
        for layer in self.layers:
            if layer not in known:
                raise SlimvidError(
                    f"layer {layer!r}: the {whose}'s network has none of that name; it has {', '.join(known)}"
                )
            known[layer].register_forward_hook(self._keeper(layer))

    def take(self) -> dict[str, Tensor]:
        """The outputs since the last call, N x C x H x W, by layer; layers that did not run are left out."""
        seen = {layer: self.seen[layer] for layer in self.layers if layer in self.seen}
        self.seen.clear()
        return seen

    def _keeper(self, layer: str):
        def keep(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            self.seen[layer] = output.to(torch.float32, copy=True)

        return keep


@torch.no_grad()
def tap_channels(spec: Mapping[str, Any], layers: Sequence[str], size: tuple[int, int]) -> list[int]:
    """How many channels each layer of a spec's network gives, found by drawing on the meta device."""
    with torch.device("meta"):
        twin = build(dict(spec)).eval()
    taps = Taps(twin, layers, whose="student")
    twin(*twin.example_inputs(*size, device="meta"))
    return [features.shape[1] for features in taps.take().values()]

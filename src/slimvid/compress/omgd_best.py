"""The best wide teacher so far (OMGD 4.1, for CycleGAN), which teaches in the current one's place."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from slimvid.compress import Evaluate

FID = "frame_distance_lite0"  # the paper takes FID, this project's frame distance stands for it


class Best(nn.Module):
    """A copy of the wide teacher as it was when its frames were nearest to the true ones.

    Its weights are buffers: a state holds them, and no optimiser moves them. It draws as the wide one does,
    by the statistics of its batch.

    Args:
        net: a network of the wide teacher's form. evaluate: as ``job.evaluate``.

    Attributes:
        distance: the copy's frame distance on "val"; infinite before the first evaluation.
    """

    def __init__(self, net: nn.Module, evaluate: "Evaluate"):
        super().__init__()
        self.evaluate, self.net = evaluate, net
        for module in net.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, weight.detach())
        self.register_buffer("distance", torch.tensor(float("inf"), dtype=torch.float64))

    def challenge(self, wide: nn.Module) -> None:
        """Take the current wide teacher's weights where its frames are nearer than the copy's.

        Raises:
            SlimvidError: the frame distance cannot be measured on "val".
        """
        found = self.evaluate(wide)[FID]
        if found is None:
            raise SlimvidError(
                f"options.best_every: {FID} is not measured on the validation clips; raise `val_clips`, or "
                "take the key away"
            )
        if found < self.distance:
            self.net.load_state_dict(wide.state_dict())
            self.distance.fill_(found)

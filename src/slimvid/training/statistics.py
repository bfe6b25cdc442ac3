"""Batch normalisation's running statistics, taken anew: what a network needs whose channels have changed."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from slimvid.training.objective import Objective
from slimvid.training.sequences import Batch

DRAWING = 1 << 27  # index of the random numbers of these samples, apart from those of any step


def needs_statistics(net: nn.Module) -> bool:
    """Whether a network has running statistics."""
    return any(isinstance(m, _BatchNorm) and m.track_running_stats for m in net.modules())


def drawn_batches(objective: Objective, frames: int) -> list[Batch]:
    """Training samples of at least so many frames, as the objective draws them for its first steps."""
    batches: list[Batch] = []
    while sum(len(b.conditions) * b.conditions.shape[1] for b in batches) < frames:
        batches.append(
            objective.sample(np.random.default_rng([objective.run.seed, DRAWING + len(batches)]), 0)
        )
    return batches


@torch.no_grad()
def take_statistics(net: nn.Module, objective: Objective, batches: Sequence[Batch]) -> None:
    """Replace the running statistics by the mean over all pictures that the network draws of these samples.

    It draws as in training, each picture normalised by its own batch. GAN Compression's release takes
    statistics anew, too, but with a momentum of 1 in every batch, which leaves those of the last one.

    Args:
        net: a plain network, on the run's device; left in eval mode.
    """
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    net.train()
    for batch in batches:
        for _ in objective.stream(net, batch):
            pass
    net.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum

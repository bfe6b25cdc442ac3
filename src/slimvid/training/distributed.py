"""Training on several processes (GPUs, nodes) under ``torchrun``.

    torchrun --nproc-per-node 4 -m slimvid train-teacher sketch2face 0 --config config/paper.yaml

Every process draws its own sequences and all average their gradients before a step, so ``batch`` is per
process. Networks begin and stay equal, but for BatchNorm's running statistics, of which the first process's
are kept. Without torchrun's environment nothing here does anything.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


def world() -> tuple[int, int]:
    """(rank, processes) of this run; (0, 1) alone."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


@contextmanager
def group(device: str) -> Iterator[str]:
    """Join the other processes for a training; yields the device of this one."""
    _, processes = world()
    if processes == 1:
        yield device
        return
    cuda = device.startswith("cuda")
    if cuda:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace every gradient by its mean over the processes (one message for all of them)."""
    if not dist.is_initialized():
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def any_process(answer: bool) -> bool:
    """Whether any process says yes; all of them must ask."""
    if not dist.is_initialized():
        return answer
    cuda = dist.get_backend() == "nccl"
    votes = torch.tensor(float(answer), device=torch.cuda.current_device() if cuda else "cpu")
    dist.all_reduce(votes)
    return bool(votes)

"""CAT's inception blocks one branch after another and side by side: ratios of CPU time of one core.

    python benchmarks/merged_branches.py [--height 32] [--width 64] [--repeats 30]

Of a block at the default profile's sizes: a training's forward and backward pass, and a forward pass in
channels-last memory, as ``quicken`` runs it. The two forms take turns, the quickest of each counts.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from slimvid.nets.inception import REDUCTION, IncResBlock, merge_branches


def blocks(width: int) -> list[nn.Module]:
    """The same block of CAT's teacher of ``width`` twice: as built, and merged."""
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        made.append(IncResBlock(4 * width, (4 * width // REDUCTION,) * 6, "instance_affine"))
    merge_branches(made[1])
    return made


def quickest(passes: list[Callable[[], object]], repeats: int) -> list[float]:
    """CPU-milliseconds of the quickest of each, taking turns."""
    times: list[list[float]] = [[] for _ in passes]
    for _ in range(repeats + 2):
        for run, seen in zip(passes, times, strict=True):
            begun = time.thread_time()
            run()
            seen.append(1e3 * (time.thread_time() - begun))
    return [min(seen[2:]) for seen in times]


def training(net: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    def run() -> None:
        given = x.clone().requires_grad_()
        net(given).float().square().sum().backward()

    return run


def forward(net: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            net(x)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=32, help="of the block's maps")
    parser.add_argument("--width", type=int, default=64, help="of the block's maps")
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for precision in (torch.float32, torch.bfloat16):
        for width, batch in ((10, 2), (8, 1)):
            x = torch.randn(batch, 4 * width, args.height, args.width)
            for kind in (training, forward):
                passes = [kind(net, x) for net in blocks(width)]
                with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
                    one, merged = quickest(passes, args.repeats)
                what = (
                    f"{kind.__name__}, width {width}, batch {batch}, {str(precision).removeprefix('torch.')}"
                )
                print(f"{what}: {one:.1f} -> {merged:.1f} ms, {one / merged:.2f} times", flush=True)


if __name__ == "__main__":
    main()

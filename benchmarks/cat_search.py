"""How long CAT's search takes at the papers' sizes: CPU time of one core, and what it finds.

    python benchmarks/cat_search.py [--share 0.1] [--repeats 5]

The teachers have random scales, N(1, 0.1), and no other weights: the search looks at nothing else. Every cost
is held against the count of the built network.
"""

import argparse
import time

import torch
from torch import nn

from slimvid.compress.cat import teacher_spec
from slimvid.measure.evaluate import network_cost
from slimvid.measure.paper_scale import SIZES, spec
from slimvid.measure.trace import shapes_only
from slimvid.nets import build
from slimvid.nets.inception_budget import floor, prune
from slimvid.nets.inception_macs import true_macs


def teacher(original: dict) -> nn.Module:
    """A full-size teacher without weights but its scales."""
    with shapes_only():
        net = build(teacher_spec(original))
    generator = torch.Generator().manual_seed(0)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d | nn.InstanceNorm2d):
            norm.weight = nn.Parameter(1 + 0.1 * torch.randn(norm.num_features, generator=generator))
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.1, help="of the original's true MACs")
    parser.add_argument("--repeats", type=int, default=5, help="searches, of which the slowest counts")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for task, (height, width) in SIZES.items():
        size = {"height": height, "width": width}
        original = spec(task, "original")
        whole = network_cost(original, **size).macs_per_generated_frame
        net, times = teacher(original), []
        for _ in range(args.repeats):
            begun = time.process_time()
            found = prune(net, args.share * whole, cost_of=lambda s, size=size: true_macs(s, **size))
            times.append(time.process_time() - begun)
        assert network_cost(found.left, **size).macs_per_generated_frame == found.cost
        least, own = (true_macs(s, **size) for s in (floor(net.spec), net.spec))
        figures = [f"{macs / 1e9:.4g}" for macs in (whole, own, least, found.cost)]
        print(f"| {task} | {' | '.join(figures)} | {1e3 * max(times):.1f} ms |")


if __name__ == "__main__":
    main()

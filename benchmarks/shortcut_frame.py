"""Where a shortcut frame's time goes: encoder, block, decoder of RecycleGAN's generator, and its full frame.

    python benchmarks/shortcut_frame.py [--height 256 --width 512] [--threads 2] [--repeats 7] [--cut medium]
                                        [--hidden 64] [--precision fp32|bf16]

Three ways: as released (torchvision's deformable convolutions, everything of the block on every frame),
the house's block in plain layers, and what a stream runs on a CPU (`nets.quick`). The full frame of each is
timed in the same run, so that gains hold whatever else the machine does; wall-clock is the best of
the repeats, CPU time is summed over threads. Gains are set against the ratio of true MACs.
"""

import argparse
import copy
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.measure.conventions import price
from slimvid.measure.trace import trace
from slimvid.nets import build
from slimvid.nets.quick import quicken
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.shortcut import ShortcutBlock
from slimvid.nets.shortcut_net import ShortcutGenerator, shortcut_spec
from slimvid.runtime import resolve

RELEASED = 22.5  # of h^2 MACs a pixel in deformable convolutions, where Eq. 6 is computed as it stands


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cut", default="medium", choices=("low", "medium", "high"))
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    args = parser.parse_args()
    runtime = resolve(device="cpu", precision=args.precision, threads=args.threads)
    net = build(shortcut_spec(resnet_spec(64, blocks=6), cut=args.cut, hidden=args.hidden)).eval()
    _wake(net.block)
    x = torch.rand(1, 3, args.height, args.width) * 2 - 1
    macs = _macs(net, args.height, args.width)
    print(f"{args.width}x{args.height}, batch 1, {args.threads} threads, {args.precision}, cut {args.cut}")
    print(f"{runtime.describe()['device_name']}, torch {torch.__version__}\n")
    with torch.inference_mode(), runtime.autocast():
        rows = {
            "as released": _stages(net, x, released=True),
            "plain layers": _stages(net, x),
            "quick": _stages(quicken(copy.deepcopy(net)), x),
        }
        times = _times(rows, args.repeats)
    _table(times, macs)


def _wake(block: ShortcutBlock) -> None:
    """Weights with which offsets and masks are not all the same."""
    torch.manual_seed(0)
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)


def _stages(net: ShortcutGenerator, x: Tensor, *, released: bool = False) -> dict[str, Callable[[], Tensor]]:
    """The parts of a frame, each ready to run on what the parts before it gave."""
    parts, block = net.parts, net.block
    a = parts.encode(x)
    _, f = parts.complete(a, x)
    stages = {"full frame": lambda: net(x), "encoder": lambda: parts.encode(x)}
    if released:
        stages["block"] = lambda: released_block(block, a, a, f)
    else:
        kept = block.reference(a, f)
        stages |= {"once a reference": lambda: block.reference(a, f)}
        stages |= {"block": lambda: block.predict(kept, a)}
    return stages | {"decoder": lambda: parts.decode(f).image}


def released_block(block: ShortcutBlock, a_ref: Tensor, a_t: Tensor, f_ref: Tensor) -> Tensor:
    """The block as Eq. 4 and 6 stand: four deformable convolutions (two in a batch), nothing kept."""
    from torchvision.ops import deform_conv2d

    def half(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)

    reduced_ref, now = block.reduce_a(torch.cat([a_ref, a_t])).chunk(2)
    f = block.reduce_f(f_ref)
    offset = block.global_offset(torch.cat([half(a_t), half(a_ref)], 1)).repeat(2, 9, 1, 1)
    moved = deform_conv2d(torch.cat([half(reduced_ref), half(f)]), offset, block.coarse_weight, padding=1)
    moved_a, moved_f = F.interpolate(moved, scale_factor=2, mode="bilinear", align_corners=False).chunk(2)
    fine = block.local_offset(torch.cat([now, moved_a], 1))
    offset, mask, weight = fine[:, :18], fine[:, 18:].sigmoid(), block.blend.weight
    blended = deform_conv2d(now, torch.zeros_like(offset), weight, padding=1, mask=mask)
    blended = blended + deform_conv2d(moved_f, offset, weight, padding=1, mask=1 - mask)
    return block.reconstruct(blended)


def _times(
    rows: dict[str, dict[str, Callable[[], Tensor]]], repeats: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Best wall-clock and CPU milliseconds of every stage; ways take turns, so that load falls on all."""
    best = {way: dict.fromkeys(stages, (float("inf"),) * 2) for way, stages in rows.items()}
    for repeat in range(repeats + 1):
        for way, stages in rows.items():
            for name, run in stages.items():
                wall, cpu = time.perf_counter(), time.process_time()
                run()
                spent = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
                if repeat:  # the first turn warms up
                    best[way][name] = tuple(map(min, best[way][name], spent))
    return best


def _macs(net: ShortcutGenerator, height: int, width: int) -> dict[str, float]:
    """True MACs of a full frame and of a shortcut frame as released and as run here, in 1e9."""
    inputs, reference = net.example_inputs(height, width), net.reference_inputs(height, width)
    full = price(trace(net, *inputs)).macs
    keep = price(trace(net, *reference, method="keep")).macs
    shortcut = trace(net, *reference, *inputs, method="shortcut_frame")
    h, area = net.block.blend.weight.shape[0], reference[0].shape[2] * reference[0].shape[3]
    own = sum(op.macs for op in shortcut.ops if op.kind == "deform_conv" or not op.hooked)
    released = price(shortcut).macs - own + RELEASED * h * h * area
    here = price(shortcut).macs - keep
    return {"full": full / 1e9, "keep": keep / 1e9, "released": released / 1e9, "here": here / 1e9}


def _table(times: dict[str, dict[str, tuple[float, float]]], macs: dict[str, float]) -> None:
    names = ["encoder", "block", "decoder", "once a reference", "full frame"]
    print(f"{'ms, wall (CPU)':<22}" + "".join(f"{way:>18}" for way in times))
    for name in names:
        cells = [times[way].get(name) for way in times]
        print(f"{name:<22}" + "".join(f"{f'{c[0]:.0f} ({c[1]:.0f})' if c else '-':>18}" for c in cells))
    frames = {way: [sum(t[n][i] for n in names[:3]) for i in (0, 1)] for way, t in times.items()}
    cells = (f"{f'{wall:.0f} ({cpu:.0f})':>18}" for wall, cpu in frames.values())
    print(f"{'shortcut frame':<22}" + "".join(cells))
    print(
        f"\ntrue MACs: full {macs['full']:.2f} G; shortcut frame {macs['here']:.2f} G and "
        f"{macs['keep']:.2f} G once a reference; as released {macs['released']:.2f} G"
    )
    for way, frame in frames.items():
        own = macs["released"] if way == "as released" else macs["here"]
        ratio, full = macs["full"] / own, times[way]["full frame"]
        keep = times[way].get("once a reference", (0.0, 0.0))
        gains = [full[i] / frame[i] for i in (0, 1)]
        line = f"{way:<14} gain {gains[0]:.2f}x wall, {gains[1]:.2f}x CPU, of {ratio:.2f}x MACs"
        line += f" = {gains[0] / ratio:.2f} ({gains[1] / ratio:.2f} CPU)"
        for alpha in (3, 6):
            cycle = (full[0] + keep[0] + (alpha - 1) * frame[0]) / alpha
            line += f"; cycle of {alpha}: {full[0] / cycle:.2f}x"
        print(line)
    plain, quick = times["plain layers"]["full frame"], frames["quick"]
    print(f"quick shortcut frame against the plain full frame: {plain[0] / quick[0]:.2f}x wall")


if __name__ == "__main__":
    main()

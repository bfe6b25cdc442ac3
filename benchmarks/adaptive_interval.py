"""The adaptive interval against the constant one at equal true MACs, over trained Shortcut blocks.

    python benchmarks/adaptive_interval.py --prepared data/prepared/viper2city \
        --evaluator results/evaluators/viper2city [--intervals 2 3 4 6] [--split val] [--joined] [--out F] \
        ARTIFACT...

One artifact a seed. For each interval n: the constant interval n, and the adaptive one that may spend as
much. What is compared: video distance from the truth, and mean absolute error and PSNR against the stream of
the same translator that draws every frame in full. Both realised shares of full frames are printed. An
adaptive stream may spend less than its budget; then the constant interval's figure is taken at *its* share,
on the line between the two constant intervals around it. Differences are paired over seeds.
"""

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from slimvid.files import read_json, write_json
from slimvid.infer.translator import load
from slimvid.measure.evaluator import DOCUMENT
from slimvid.measure.search import Point, Trial, open_trial, under, values, walk
from slimvid.settings import MeasureSettings, PlanSettings

LOSS = "video_distance_lite0"
FIGURES = {LOSS: "lower", "l1": "lower", "psnr_full": "higher"}
PEAK = 255.0
Values = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifacts", nargs="+", type=Path, metavar="ARTIFACT", help="a folder per seed")
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--evaluator", type=Path, required=True)
    parser.add_argument("--intervals", type=int, nargs="+", default=[2, 3, 4, 6])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--joined", action="store_true", help="one stream of all clips, with the cuts between them"
    )
    parser.add_argument(
        "--split", choices=("val", "test"), default="val", help="val to choose, test to report"
    )
    parser.add_argument("--out", type=Path, help="write all figures here as JSON, too")
    args = parser.parse_args()
    if min(args.intervals) < 2:
        parser.error("--intervals: from 2; at 1 every frame is a full one and there is nothing to compare")
    settings = settings_of(args.evaluator)
    seeds = []
    for path in args.artifacts:
        translator = load(path, device=args.device, threads=args.threads)
        trial = open_trial(args.prepared, args.evaluator, settings, skip=translator.given, split=args.split)
        seeds.append(measure(trial, translator, sorted(set(args.intervals)), joined=args.joined))
        print(f"\n{path} ({len(trial.lengths)} clips, {sum(trial.lengths)} frames)")
        print_seed(seeds[-1], args.intervals)
    print_all(seeds, args.intervals)
    if args.out:
        write_json(args.out, {"artifacts": list(map(str, args.artifacts)), "seeds": seeds})


def settings_of(evaluator: Path) -> MeasureSettings:
    """The settings that an evaluator was trained with, read off its document."""
    made = read_json(evaluator / DOCUMENT)["protocol"]
    sizes = {name: made[name] for name in ("dimensions", "window_stride")}
    return MeasureSettings(**sizes, segmenter_iterations=made["iterations"])


def measure(trial: Trial, translator, intervals: Sequence[int], *, joined: bool) -> dict[str, Values]:
    """Figures of one seed by plan: ``constant n`` (and longer ones to set against), ``adaptive n``."""
    longer = sorted({*intervals, *(n + 1 for n in intervals), 2 * max(intervals)})
    chosen = {"full": PlanSettings(kind="shortcut", max_interval=1)}
    chosen |= {f"constant {n}": PlanSettings(kind="shortcut", max_interval=n) for n in longer}
    chosen |= {f"adaptive {n}": PlanSettings(kind="shortcut", budget_interval=n) for n in intervals}
    points = [Point(row=name, translator=under(translator, plan)) for name, plan in chosen.items()]
    absolute, squared = (dict.fromkeys(chosen, 0.0) for _ in range(2))
    full, frames = np.empty(0), sum(trial.lengths) - trial.skip * len(trial.lengths)
    for point, drawn in walk(trial, points, joined=joined):
        own = drawn[trial.skip :].astype(np.float64)
        full = own if point.row == "full" else full  # it is the first at every clip
        absolute[point.row] += np.abs(own - full).mean(axis=(1, 2, 3)).sum()
        squared[point.row] += ((own - full) ** 2).mean(axis=(1, 2, 3)).sum()
    found = {}
    for point in points:
        each = values(trial, point)
        kept = {name: each[name] for name in ("macs_g", "full_frame_share", LOSS, f"{LOSS}_sd")}
        error = squared[point.row] / frames
        # of the mean error: a mean of dB would be ruled by the frames that are equal
        psnr = float(10 * np.log10(PEAK**2 / error)) if error else None
        found[point.row] = {**kept, "l1": absolute[point.row] / frames, "psnr_full": psnr}
    return found


def at_share(seed: Mapping[str, Values], share: float, figure: str) -> float:
    """What the constant interval comes to at a share of full frames, on the line between those measured.

    In short clips two intervals can have the same share; the shorter one stands for both.
    """
    constant = {int(name.split()[1]): v for name, v in seed.items() if name.startswith("constant ")}
    points = {v["full_frame_share"]: v[figure] for _, v in sorted(constant.items(), reverse=True)}
    shares = sorted(points)
    return float(np.interp(share, shares, [points[x] for x in shares]))


def differences(seed: Mapping[str, Values], n: int) -> Values:
    """Adaptive minus constant: the same interval where both cost the same, else at the adaptive's share."""
    own, same = seed[f"adaptive {n}"], seed[f"constant {n}"]
    share = own["full_frame_share"]
    equal = share == same["full_frame_share"]
    return {
        name: own[name] - (same[name] if equal else at_share(seed, share, name))
        for name in FIGURES
        if None not in (own[name], same[name])  # no PSNR where all frames are those of the full stream
    }


def print_seed(seed: Mapping[str, Values], intervals: Sequence[int]) -> None:
    print(f"{'plan':<12}{'full frames':>12}{'GMACs':>10}{'video':>10}{'L1':>8}{'PSNR to full':>14}")
    shown = [f"{kind} {n}" for n in intervals for kind in ("constant", "adaptive")]
    for name in ("full", *shown):
        v = seed[name]
        psnr = f"{v['psnr_full']:.2f}" if v["psnr_full"] is not None else "-"
        costs = f"{v['full_frame_share']:>12.4f}{v['macs_g']:>10.4g}"
        print(f"{name:<12}{costs}{v[LOSS]:>10.4f}{v['l1']:>8.3f}{psnr:>14}")


def print_all(seeds: Sequence[Mapping[str, Values]], intervals: Sequence[int]) -> None:
    """Means over seeds, and the paired differences at equal realised cost."""
    print(
        f"\nMean ± sd over {len(seeds)} seeds; differences, adaptive - constant, are paired and at equal cost"
    )
    for n in intervals:
        pair = {kind: [seed[f"{kind} {n}"] for seed in seeds] for kind in ("constant", "adaptive")}
        shares = {kind: statistics.fmean(v["full_frame_share"] for v in each) for kind, each in pair.items()}
        less = shares["constant"] - shares["adaptive"] > 5e-5
        note = ": it spent less, so the constant interval is taken at its share" if less else ""
        print(f"interval {n}: full frames {shares['constant']:.4f}, adaptive {shares['adaptive']:.4f}{note}")
        for name, better in FIGURES.items():
            change = [d[name] for d in (differences(seed, n) for seed in seeds) if name in d]
            if len(change) < len(seeds):
                continue
            columns = [f"{kind} {spread([v[name] for v in each])}" for kind, each in pair.items()]
            gains = sum((d < 0) == (better == "lower") and d != 0 for d in change)
            print(
                f"  {name:<10}{columns[0]}   {columns[1]}   difference {spread(change, sign='+')}, "
                f"better in {gains} of {len(change)}"
            )


def spread(found: Sequence[float], *, sign: str = "") -> str:
    sd = f" ± {statistics.stdev(found):.4f}" if len(found) > 1 else ""
    return f"{statistics.fmean(found):{sign}.4f}{sd}"


if __name__ == "__main__":
    main()

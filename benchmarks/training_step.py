"""How long a step of every kind of training takes, in two checkouts of this project: ratios of one run.

    python benchmarks/training_step.py OLD NEW RUN [--iterations 40] [--rounds 4]

OLD and NEW are checkouts, RUN a finished run of `.ci/smoke`, whose data and originals are used. The two take
turns, first one first, then the other, so that a machine that warms up or slows down favours neither. What
counts is the CPU time that a training states of its own steps (`clock.json`), without imports; the least of
the rounds, per iteration.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

TRAININGS = (
    *(("sketch2face", row) for row in ("original", "uniform", "fast_vid2vid", "shortcut")),
    *(("viper2city", row) for row in ("original", "uniform", "shortcut")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    checkouts = [path.resolve() for path in (args.old, args.new)]
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        shutil.copytree(args.run / "data", room / "data")
        for checkout in checkouts:  # each by its own revision of the configuration
            config = yaml.safe_dump(longer(checkout, args.iterations))
            (room / f"{checkout.name}.yaml").write_text(config, encoding="utf-8")
        print(f"CPU ms an iteration, least of {args.rounds} rounds\n{'':26}{'old':>9}{'new':>9}  new/old")
        for task, row in TRAININGS:
            took: dict[Path, list[float]] = {path: [] for path in checkouts}
            for number in range(args.rounds):
                for checkout in checkouts if number % 2 == 0 else checkouts[::-1]:
                    shutil.rmtree(room / "checkpoints", ignore_errors=True)
                    if row != "original":
                        below = Path("checkpoints", task, "original")
                        shutil.copytree(args.run / below, room / below)
                    took[checkout].append(seconds(checkout, room, task, row) / args.iterations)
            old, new = (1000 * min(took[path]) for path in checkouts)
            print(f"{task + ' ' + row:26}{old:9.1f}{new:9.1f}  {new / old:.3f}", flush=True)


def longer(checkout: Path, iterations: int) -> dict:
    """The smoke configuration with trainings of ``iterations`` steps in fp32 that save no state."""
    smoke = yaml.safe_load((checkout / "config/smoke.yaml").read_text(encoding="utf-8"))
    own = {"iterations": iterations, "save_every": iterations, "precision": "fp32"}
    smoke["teachers"] = {kind: {**section, **own} for kind, section in smoke["teachers"].items()}
    for row in (*smoke["methods"].values(), *smoke["variants"].values()):
        row.pop("per", None)
        if row.get("method", "replan") != "replan":
            options = row.setdefault("options", {})
            options["train"] = {**options.get("train", {}), "iterations": iterations}
    return smoke


def seconds(checkout: Path, room: Path, task: str, row: str) -> float:
    """CPU seconds of a training's steps."""
    step = ["train-teacher", task] if row == "original" else ["compress", task, row]
    subprocess.run(
        [sys.executable, "-m", "slimvid", *step, "0", "--config", f"{checkout.name}.yaml"],
        cwd=room,
        env={**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    clock = room / "checkpoints" / task / row / "0" / "clock.json"
    return json.loads(clock.read_text(encoding="utf-8"))["cpu_seconds"]


if __name__ == "__main__":
    main()

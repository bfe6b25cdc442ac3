"""Preparing and opening a store of many pictures: does memory or an opening grow with their number?

    python benchmarks/many_pictures.py [--counts 4800 48000] [--repeats 3]

Pairs of 64 x 64 pixels a side are written to a temporary folder, as PNG: `DRAWN` of them are drawn, the
others are links to these, which are read like any file. Every step has a process of its own. Memory is the
most that the process held (RSS), imports included; the time to open, and to read the first frame, is the
least of the repeats in CPU time, imports not counted. Ratios are to the first count. Edges2shoes has 49,825
training pairs, the most of the papers' tasks.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

DRAWN, SIZE = 480, 64


def write_pairs(root: Path, count: int) -> None:
    """``count`` pairs in train/, a tenth as many in test/, whose pictures hold some detail."""
    from PIL import Image

    draw, drawn = np.random.default_rng(0), root / "drawn"
    drawn.mkdir()
    for k in range(min(DRAWN, count)):
        coarse = Image.fromarray(draw.integers(0, 256, (8, 16, 3)).astype(np.uint8))
        coarse.resize((2 * SIZE, SIZE), Image.Resampling.BICUBIC).save(drawn / f"{k}.png")
    for split, pictures in (("train", count), ("test", count // 10)):
        (root / split).mkdir()
        for k in range(pictures):
            (root / split / f"{k}.png").hardlink_to(drawn / f"{k % DRAWN}.png")


def prepare_store(pairs: Path, store: Path) -> tuple[float, float]:
    """MiB that a preparation takes, and its CPU seconds."""
    from slimvid.data import prepare
    from slimvid.settings import TaskSettings

    task = TaskSettings(source="pairs", path=pairs, teacher="pix2pix", height=SIZE, width=SIZE, val_images=12)
    start = time.process_time()
    prepare.prepare("many", task, store)
    return peak(), time.process_time() - start


def open_store(store: Path, repeats: int) -> tuple[float, float]:
    """MiB that an opened store takes, and the least CPU milliseconds of an opening."""
    import pyarrow.parquet  # noqa: F401

    from slimvid.data.store import PreparedTask

    times = []
    for _ in range(repeats):
        start = time.process_time()
        task = PreparedTask(store)
        last = task.clips("train")[-1]
        task.frame("train", last.name, 0)
        times.append(1e3 * (time.process_time() - start))
    return peak(), min(times)


def peak() -> float:
    """The most memory that this process has held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[4800, 48000])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    print("pictures  prepare: MiB  ratio  CPU ms each  ratio   open: MiB  ratio  CPU ms  ratio")
    first: list[float] = []
    for count in args.counts:
        with tempfile.TemporaryDirectory() as folder, fresh.Pool(1, maxtasksperchild=1) as pool:
            pairs, store = Path(folder) / "pairs", Path(folder) / "store"
            pairs.mkdir()
            write_pairs(pairs, count)
            memory, seconds = pool.apply(prepare_store, (pairs, store))
            opened, milliseconds = pool.apply(open_store, (store, args.repeats))
        row = [memory, 1e3 * seconds / (1.1 * count), opened, milliseconds]
        first = first or row
        (a, p), (b, q), (c, r), (d, s) = ((x, x / y) for x, y in zip(row, first, strict=True))
        shown = f"{count:8} {a:13.1f} {p:6.2f} {b:12.2f} {q:6.2f} {c:11.1f} {r:6.2f} {d:7.0f} {s:6.2f}"
        print(shown, flush=True)


if __name__ == "__main__":
    main()

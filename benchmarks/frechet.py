"""Time and agreement of ways to a Fréchet distance: ours, the two routes it chooses from, and scipy's root.

    python benchmarks/frechet.py [--repeats 3]

Prints CPU milliseconds (the least of the repeats) and the difference from scipy's matrix square root. The
route by singular values is taken while there are no more samples than dimensions.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.linalg import sqrtm

from slimvid.measure.frechet import frechet_distance, frechet_from_moments, moments

SIZES = ((120, 96), (500, 96), (150, 400), (150, 1024), (500, 2048))  # (samples, dimensions)


def by_eigenvalues(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_from_moments(*moments(a), *moments(b))


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    (m1, s1), (m2, s2) = moments(a), moments(b)
    return float(((m1 - m2) ** 2).sum() + np.trace(s1 + s2) - 2 * np.real(np.trace(sqrtm(s1 @ s2))))


def least(call, repeats: int) -> tuple[float, float]:
    """The call's value and its least CPU time in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        value = call()
        times.append(1e3 * (time.process_time() - start))
    return value, min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    print("    n     d   ours ms   eigh ms  sqrtm ms  ours - sqrtm  relative")
    for n, d in SIZES:
        draw = np.random.default_rng(0)
        scale = 1 / np.sqrt(np.arange(1, d + 1))
        a, b = draw.standard_normal((n, d)) * scale, draw.standard_normal((n, d)) * scale + 0.05
        ours, t_ours = least(lambda a=a, b=b: frechet_distance(a, b), repeats)
        _, t_eigh = least(lambda a=a, b=b: by_eigenvalues(a, b), repeats)
        root, t_root = least(lambda a=a, b=b: by_matrix_root(a, b), repeats)
        gap = ours - root
        print(f"{n:5} {d:5} {t_ours:9.1f} {t_eigh:9.1f} {t_root:9.1f}  {gap:12.2e} {abs(gap) / root:9.1e}")


if __name__ == "__main__":
    main()

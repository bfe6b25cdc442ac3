"""Which of some choices nothing else beats in cost and in loss."""

from collections.abc import Iterable
from math import isfinite

from slimvid.errors import SlimvidError


def pareto_front(points: Iterable[tuple[float, float]]) -> list[bool]:
    """Which of the (cost, loss) pairs no other one beats; lower is better in both.

    A pair is beaten by one that costs at most as much and loses less, or loses at most as much and costs
    less. Equal pairs do not beat each other, so both may be on the front.

    Raises:
        SlimvidError: a value that is not finite: nothing can be said of its order.
    """
    pairs = list(points)
    for number, pair in enumerate(pairs):
        if not all(map(isfinite, pair)):
            raise SlimvidError(f"Pareto front: point {number} is {pair}; leave out what was not measured")
    return [
        not any(c <= cost and q <= loss and (c, q) != (cost, loss) for c, q in pairs) for cost, loss in pairs
    ]

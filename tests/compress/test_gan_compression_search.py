"""Which configurations a search asks for: all within the budget, or generations of children."""

from itertools import pairwise

import numpy as np
import pytest

from slimvid.compress.gan_compression_options import Evolution, Options
from slimvid.compress.gan_compression_search import Draw, evolve, plan, some_within, within
from slimvid.errors import SlimvidError
from slimvid.nets.channel_space import ChannelSpace
from slimvid.nets.resnet import resnet_spec

SPACE = ChannelSpace(resnet_spec(16), [(16, 12, 8, 4)] * 8)
SMALL = ChannelSpace(resnet_spec(16), [(12, 8)] * 4 + [(8,)] * 4)


def generations(settings, budget=0.1, seed=0):
    """What an evolution asks for, by generation; it wants narrow networks with a wide last layer."""
    asked = list(evolve(Draw(SPACE, budget, np.random.default_rng(seed)), settings, loss))
    return [[a for a in asked if a.generation == g] for g in range(settings.generations + 1)]


def loss(config):
    return sum(config[:-1]) - config[-1]


def test_every_configuration_within_the_budget_is_asked_for_once():
    budget = float(np.median(SMALL.share(list(SMALL))))
    way = plan(SMALL, Options(budget=budget))
    asked = [a.config for a in way.asks(loss, np.random.default_rng(0))]
    assert way.kind == "exhaustive" and len(asked) == len(set(asked)) == way.total == 8
    assert SMALL.share(asked).max() <= budget
    others = set(SMALL) - set(asked)
    assert SMALL.share(list(others)).min() > budget


def test_a_large_space_is_searched_by_evolution():
    assert plan(SPACE, Options(budget=0.2)).kind == "evolution"  # more than `most` are within
    few = SPACE.share(list(SPACE))
    budget = float(np.sort(few)[150])
    assert plan(SPACE, Options(budget=budget)).kind == "exhaustive"
    assert plan(SPACE, Options(budget=budget, most=100)).kind == "evolution"
    assert plan(SPACE, Options(budget=budget, most=100, search="exhaustive")).total == (few <= budget).sum()
    assert plan(SPACE, Options(budget=budget, search="evolution")).total == 100 * 501
    huge = ChannelSpace(resnet_spec(64), [range(16, 66, 2)] * 8)
    assert plan(huge, Options(budget=0.5)).kind == "evolution"
    with pytest.raises(SlimvidError, match=r"search: the space has 152,587,890,625 configurations, too many"):
        plan(huge, Options(search="exhaustive"))
    shares = huge.share(some_within(huge, 0.05))
    assert len(shares) > 100 and shares.max() <= 0.05


def test_children_are_of_the_best_and_within_the_budget():
    settings = Evolution(population=20, generations=6, parents=0.25, mutations=0.6, mutate=0.2)
    found = generations(settings)
    assert [len(g) for g in found] == [20] * 7
    assert [sum(a.origin == "mutation" for a in g) for g in found] == [0] + [12] * 6
    assert [sum(a.origin == "crossover" for a in g) for g in found] == [0] + [8] * 6
    assert SPACE.share([a.config for g in found for a in g]).max() <= 0.1
    parents: list = []
    for earlier, later in pairwise(found):
        parents = sorted({*parents, *(a.config for a in earlier)}, key=lambda c: (loss(c), c))[:5]
        for child in later:
            if child.origin == "crossover":  # every number is a parent's at its place
                assert all(n in {p[i] for p in parents} for i, n in enumerate(child.config))
    best = [min(loss(a.config) for a in g) for g in found]
    assert best[-1] < best[0]


def test_a_mutation_redraws_each_number_with_its_probability():
    draw = Draw(SPACE, 1.0, np.random.default_rng(3))
    parent = (16, 4, 8, 12, 16, 4, 8, 12)
    changed = np.array([draw.mutated(parent, 0.4) for _ in range(3000)]) != np.array(parent)
    assert np.abs(changed.mean(0) - 0.4 * 3 / 4).max() < 0.03  # a quarter of the new numbers is the old one
    crossed = np.array([draw.crossed(parent, (4,) * 8) for _ in range(3000)])
    differs = [i for i, n in enumerate(parent) if n != 4]
    assert np.abs((crossed == np.array(parent))[:, differs].mean(0) - 0.5).max() < 0.04


def test_the_same_seed_asks_for_the_same():
    settings = Evolution(population=6, generations=3)
    assert generations(settings) == generations(settings) != generations(settings, seed=1)


def test_a_budget_that_one_configuration_meets_ends():
    budget = float(SPACE.share([SPACE.smallest])[0])
    settings = Evolution(population=3, generations=2)
    assert {a.config for g in generations(settings, budget=budget) for a in g} == {SPACE.smallest}
    assert within(SPACE, budget) == [SPACE.smallest]

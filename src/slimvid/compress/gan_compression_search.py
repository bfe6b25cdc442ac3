"""Which configurations a search tries (GAN Compression 3.3): all within the budget, or generations of them.

The evolution is that of the release's fast pipeline: the best of a generation are kept, half of the others
are mutations of them and half cross two of them, and what is above the budget is drawn again.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from slimvid.compress.gan_compression_options import Evolution, Options
from slimvid.errors import SlimvidError
from slimvid.nets.channel_space import ChannelSpace, Config

ENUMERABLE = 200_000  # configurations: a space above that is never walked as a whole
SOME = 20_000  # of such a space are looked at where one has to stand for the others
TRIES = 200  # draws for one configuration within the budget before numbers are lowered


class Asked(NamedTuple):
    """A configuration that a search asks for. ``origin``: exhaustive, random, mutation or crossover."""

    config: Config
    generation: int
    origin: str


class Plan(NamedTuple):
    """How a space is searched: what it asks for, answered by the losses, and how often it asks."""

    kind: str
    asks: Callable[[Callable[[Config], float], np.random.Generator], Iterator[Asked]]
    total: int


def check_budget(space: ChannelSpace, budget: float) -> None:
    """Refuse a budget that not even the smallest sub-network meets.

    Raises:
        SlimvidError: names what can be reached.
    """
    least, most = space.share([space.smallest, space.largest])
    if least > budget:
        raise SlimvidError(
            f"budget: {budget:g} of the original's true MACs is below every sub-network of this space, which "
            f"costs {least:.4f} to {most:.4f}; raise it, or give smaller shares in stem, trunk and up"
        )


def some_within(space: ChannelSpace, budget: float) -> list[Config]:
    """All configurations within the budget, or of a space too large to walk some, the smallest among them.

    Raises:
        SlimvidError: there is none.
    """
    check_budget(space, budget)
    if space.size <= ENUMERABLE:
        return within(space, budget)
    rng = np.random.default_rng(0)
    drawn = np.stack([np.array(c)[rng.integers(len(c), size=SOME)] for c in space.candidates], axis=1)
    return [space.smallest, *map(tuple, drawn[space.share(drawn) <= budget].tolist())]


def within(space: ChannelSpace, budget: float) -> list[Config]:
    """All configurations of at most that share of the original's true MACs, in the space's order."""
    configs = list(space)
    return [configs[i] for i in np.flatnonzero(space.share(configs) <= budget)]


def plan(space: ChannelSpace, options: Options) -> Plan:
    """How to search a space.

    Raises:
        SlimvidError: it is too large for the search that is asked for.
    """
    walkable = space.size <= ENUMERABLE
    if options.search == "exhaustive" and not walkable:
        raise SlimvidError(
            f"search: the space has {space.size:,} configurations, too many for `exhaustive`; say `evolution`"
        )
    if walkable and options.search != "evolution":
        found = within(space, options.budget)
        if options.search == "exhaustive" or len(found) <= options.most:
            asked = [Asked(config, 0, "exhaustive") for config in found]
            return Plan("exhaustive", lambda loss, rng: iter(asked), len(asked))
    evolution = options.evolution

    def asks(loss: Callable[[Config], float], rng: np.random.Generator) -> Iterator[Asked]:
        return evolve(Draw(space, options.budget, rng), evolution, loss)

    return Plan("evolution", asks, evolution.population * (evolution.generations + 1))


class Draw:
    """Draws configurations within a budget."""

    def __init__(self, space: ChannelSpace, budget: float, rng: np.random.Generator):
        self.space, self.budget, self.rng = space, budget, rng

    def one(self) -> Config:
        """Each number uniformly."""
        return self._fitting(lambda: self.space.sample(self.rng))

    def mutated(self, parent: Config, probability: float) -> Config:
        """Each number drawn anew with that probability."""

        def changed() -> Config:
            return tuple(
                new if self.rng.random() < probability else old
                for old, new in zip(parent, self.space.sample(self.rng), strict=True)
            )

        return self._fitting(changed)

    def crossed(self, one: Config, other: Config) -> Config:
        """Each number from either parent."""
        return self._fitting(
            lambda: tuple(pair[self.rng.integers(2)] for pair in zip(one, other, strict=True))
        )

    def _fitting(self, draw: Callable[[], Config]) -> Config:
        """Draw until the budget holds (release); one that TRIES draws miss is met by lowering numbers."""
        for _ in range(TRIES):
            config = draw()
            if self._fits(config):
                return config
        while not self._fits(config):
            config = self._lowered(config)
        return config

    def _fits(self, config: Config) -> bool:
        return bool(self.space.share([config])[0] <= self.budget)

    def _lowered(self, config: Config) -> Config:
        """One random number that is not the smallest lowered by a step."""
        ranks = [numbers.index(n) for numbers, n in zip(self.space.candidates, config, strict=True)]
        movable = [i for i, rank in enumerate(ranks) if rank + 1 < len(self.space.candidates[i])]
        at = int(self.rng.choice(movable))
        return (*config[:at], self.space.candidates[at][ranks[at] + 1], *config[at + 1 :])


def evolve(draw: Draw, settings: Evolution, loss: Callable[[Config], float]) -> Iterator[Asked]:
    """Ask for a random generation, then for the children of each generation's best.

    Args:
        loss: of a configuration that was asked for; lower is better.
    """
    size, rng = settings.population, draw.rng
    parents: list[Config] = []
    children = [Asked(draw.one(), 0, "random") for _ in range(size)]
    for generation in range(1, settings.generations + 2):
        yield from children
        ranked = sorted({*parents, *(child.config for child in children)}, key=lambda c: (loss(c), c))
        parents = ranked[: max(1, round(settings.parents * size))]
        mutations = round(settings.mutations * size)
        children = [
            Asked(draw.mutated(parents[rng.integers(len(parents))], settings.mutate), generation, "mutation")
            for _ in range(mutations)
        ]
        children += [
            Asked(
                draw.crossed(*(parents[i] for i in rng.integers(len(parents), size=2))),
                generation,
                "crossover",
            )
            for _ in range(size - mutations)
        ]

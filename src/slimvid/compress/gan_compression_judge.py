"""Sub-networks judged by drawing the validation clips, each once (GAN Compression 3.3)."""

import hashlib
from functools import cached_property
from time import monotonic
from typing import Any

import numpy as np
from torch import nn

from slimvid.compress import Job
from slimvid.compress.gan_compression_cache import Cache, Values
from slimvid.compress.gan_compression_history import Point, write_history
from slimvid.compress.gan_compression_options import HIGHER_IS_BETTER, METRICS, Options
from slimvid.compress.gan_compression_search import plan
from slimvid.compress.gan_compression_stages import Chosen
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json
from slimvid.nets.channel_space import ChannelSpace, Config, text
from slimvid.nets.slicing import sub_network
from slimvid.runtime import Progress, log
from slimvid.training.distributed import world
from slimvid.training.loop import Trained
from slimvid.training.statistics import drawn_batches, needs_statistics, take_statistics

SEARCHING = 1 << 26  # index of the search's random numbers, apart from those of any step


def check_metric(job: Job, options: Options, original: Values) -> None:
    """Refuse a search for what is not measured on `val`, before anything is trained.

    Args:
        options: filled. original: the figures of the original.

    Raises:
        SlimvidError: names those that are.
    """
    if original.get(options.metric) is None:
        known = [name for name in METRICS if original.get(name) is not None]
        raise SlimvidError(
            f"methods.{job.run.row}.options.metric: {options.metric} is not measured on `val` of "
            f"{job.run.task}; give one of {', '.join(known)}"
        )


class Judge:
    """Judges configurations, and finds the best within the budget.

    Args:
        supernet: the stage that trained the once-for-all network. original: figures of the original.
    """

    def __init__(
        self, *, job: Job, options: Options, space: ChannelSpace, supernet: Trained, original: Values
    ):
        self.original = original
        self.job, self.options, self.space, self.supernet = job, options, space, supernet
        self.whole = supernet.generator.state_dict()
        self.run = job.run.stage("search", after=supernet)
        self.cache = Cache(self.run.state, self._identity())
        self.points: dict[Config, Point] = {}

    def search(self) -> Chosen:
        """Judge what the plan asks for; write the history and its plot beside the artifact."""
        way = plan(self.space, self.options)
        before, begun = len(self.cache.found), monotonic()
        progress, best = Progress(self.run.label, way.total), None
        for number, asked in enumerate(way.asks(self.loss, self._rng()), start=1):
            if asked.config not in self.points:
                share = float(self.space.share([asked.config])[0])
                self.points[asked.config] = Point(asked, share, self.values(asked.config))
                best = min((c for c in (best, asked.config) if c), key=self._order)
            progress.update(number, best=self.points[best].values[self.options.metric])
        progress.close()
        made = len(self.cache.found) - before
        log.info(
            "%s: %d configurations, %d of them evaluated now, %.1f a minute",
            *(self.run.label, len(self.points), made, made / max(monotonic() - begun, 1e-9) * 60),
        )
        if world()[0] == 0:
            write_history(self.job.run.out, list(self.points.values()), best, self.space, self.options)
        return Chosen(self.network(best), self._provenance(best, way.kind))

    def loss(self, config: Config) -> float:
        """What the search makes small: the metric, or its negative where more is better."""
        value = self.values(config)[self.options.metric]
        return -value if self.options.metric in HIGHER_IS_BETTER else value

    def _order(self, config: Config) -> tuple[float, float, Config]:
        """Least loss first; of equal ones the cheapest."""
        return self.loss(config), self.points[config].share, config

    def values(self, config: Config) -> Values:
        """What a configuration costs and how well it draws; measured once, also over kills."""
        name = text(config)
        if name not in self.cache.found:
            cost = self.job.cost(self.space.spec(config))
            drawn = self.job.evaluate(self.network(config))
            self.cache.add(name, {"macs": cost.macs, "params": cost.params, **drawn})
        return self.cache.found[name]

    def network(self, config: Config) -> nn.Module:
        """The plain network of a configuration, with statistics of its own."""
        net = sub_network(self.whole, self.space.spec(config)).to(self.run.runtime.device)
        if needs_statistics(net):
            take_statistics(net, self.supernet.objective, self._samples)
        return net.eval()

    @cached_property
    def _samples(self) -> list:
        return drawn_batches(self.supernet.objective, self.options.calibrate)

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.run.seed, SEARCHING])

    def _identity(self) -> str:
        """Hash of all that a configuration's figures depend on."""
        weights = hashlib.sha256()
        for name, tensor in self.whole.items():
            weights.update(name.encode())
            weights.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return sha256_json(
            {
                "weights": weights.hexdigest(),
                "data": self.run.data.digest,
                "plan": {**self.run.plan, **self.supernet.objective.walk},
                "evaluator": self.job.evaluate.identity(),
                "statistics": self._statistics(),
            }
        )

    def _statistics(self) -> int | None:
        return self.options.calibrate if needs_statistics(self.supernet.generator) else None

    def _provenance(self, best: Config, kind: str) -> dict[str, Any]:
        positions = (position.name for position in self.space.positions)
        return {
            "chosen": text(best),
            "by": kind,
            "evaluated": len(self.points),
            "budget": self.options.budget,
            "share_of_original_macs": self.points[best].share,
            "metric": self.options.metric,
            "values": self.points[best].values,
            "original": self.original,
            "space": dict(zip(positions, map(list, self.space.candidates), strict=True)),
            "evaluator": self.job.evaluate.identity(),
            "statistics_frames": self._statistics(),
        }

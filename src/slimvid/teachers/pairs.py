"""Originals that learn from pairs of single frames: how they are drawn, and what cannot be learned from."""

from collections.abc import Iterator

import numpy as np
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.nets.framewise import Drawn
from slimvid.originals import teachers_of_two_domains
from slimvid.settings import TeacherSettings
from slimvid.training import objective
from slimvid.training.objective import View
from slimvid.training.run import Run
from slimvid.training.singles import Singles, Views, sample_singles


class PairObjective(objective.Objective):
    """A generator without memory learns from single frames and their truth; override `losses`.

    Args:
        settings: with ``enlarge`` and ``flip``, how pairs are varied.

    Raises:
        SlimvidError: the task's training clips are of two domains, without pairs; names task and remedy.
    """

    def __init__(self, run: Run, settings: TeacherSettings):
        super().__init__(run, settings)
        meta = run.data.meta
        if "train" not in meta.aligned:
            raise SlimvidError(
                f"{meta.task}: its training frames are no truth of their conditions, and {settings.teacher} "
                "learns from pairs; give the task an original that learns from two domains: "
                f"{teachers_of_two_domains()}"
            )

    def sample(self, rng: np.random.Generator, index: int) -> Singles:
        views = Views(enlarge=self.settings.enlarge, flip=self.settings.flip)
        how = {"batch": self.settings.batch, "device": self.run.runtime.device}
        return sample_singles(self.run.data, rng, paired=True, views=views, **how)

    def unroll(self, generator: nn.Module, batch: Singles) -> Iterator[View]:
        with self.run.runtime.autocast():
            out = generator(generator.reads(batch.conditions[:, 0]))
        yield View(batch=batch, out=Drawn(out.float()))

"""What a method that searches may ask of a network in memory: how well it draws, and what it costs.

A method gets both as functions (``job.evaluate``, ``job.cost``), so that no method imports a measure. They
look at the validation clips alone: what is chosen is never chosen on the frames that a table reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from slimvid.infer.translator import in_memory
from slimvid.measure.cost import Cost, translator_cost
from slimvid.measure.search import Point, Trial, open_trial, quality, walk

if TYPE_CHECKING:
    from slimvid.settings import MeasureSettings
    from slimvid.training.run import Run


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a network of a row draws the task's validation clips.

    Attributes:
        run: the row's training; its plan says how a clip is walked. first: what the original's plan says of a
            stream's first frames; empty where that is nothing.
        prepared: the task's store. evaluator: the folder of its evaluator.
        given: true first frames of a stream, which no measure looks at.
    """

    run: "Run"
    prepared: Path
    evaluator: Path
    settings: "MeasureSettings"
    first: Mapping[str, Any] = field(default_factory=dict)
    given: int = 0

    def __call__(self, net: nn.Module) -> dict[str, float | None]:
        """Distances, PSNR and SSIM on "val", as the search takes them; None what the task has no truth for.

        Args:
            net: made by ``nets.build``; it is left as it was.

        Raises:
            SlimvidError: the evaluator is missing or of other data, or "val" has too few samples.
        """
        translator = in_memory(
            net,
            plan={**self.run.plan, **self.first},
            condition=self.run.data.meta.condition,
            runtime=self.run.runtime,
        )
        point = Point(row=self.run.row, translator=translator)
        trial = self.trial
        for _ in walk(trial, [point]):
            pass
        return quality(trial, point)

    @cached_property
    def trial(self) -> Trial:
        """The clips and their judge, read once."""
        return open_trial(self.prepared, self.evaluator, self.settings, skip=self.given)

    def identity(self) -> str:
        """What its figures depend on besides the network: for a method's provenance."""
        return self.trial.judge.identity


@dataclass(frozen=True)
class Costs:
    """What the network of an architecture spec costs on frames of the task's size; nothing is computed."""

    run: "Run"

    def __call__(self, spec: Mapping[str, Any]) -> Cost:
        """True MACs of a frame that it draws, parameters, activations.

        Raises:
            SlimvidError: there is no such network, or it cannot draw the size.
        """
        meta = self.run.data.meta
        return network_cost(spec, height=meta.height, width=meta.width)


def network_cost(spec: Mapping[str, Any], *, height: int, width: int) -> Cost:
    """What the network of an architecture spec costs on frames of a size."""
    from slimvid import nets
    from slimvid.measure.trace import shapes_only

    with shapes_only():
        net = nets.build(dict(spec))
    return translator_cost(net, height=height, width=width)

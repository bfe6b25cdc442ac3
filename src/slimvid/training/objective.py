"""What a training is made of: an objective, and what a student learns from its teacher besides.

An objective is one original's way to learn, whoever learns: the original itself or a student of it. It owns
its discriminators and whatever else learns with the generator; the loop (``training.loop``) knows neither by
name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from slimvid.training.run import Run
from slimvid.training.sequences import Batch


class Picture(Protocol):
    """What a generator gives: at least the picture that it shows, N x 3 x H x W in [-1, 1]."""

    image: Tensor


@dataclass(kw_only=True)
class View:
    """A picture that has just been drawn, and what it may be judged by.

    Attributes:
        t: its place in the sequence; 0 where there is none. drawn: the pictures before it, without gradient.
        batch: the samples of this step. out: what the generator gave. features: what the layers gave that a
            distillation names, by layer, fp32; those that did not run for this picture are missing.
    """

    t: int = 0
    batch: Batch
    drawn: Sequence[Tensor] = ()
    out: Picture
    features: Mapping[str, Tensor] = field(default_factory=dict)


def is_frozen(module: nn.Module) -> bool:
    """Whether a module has weights, none of which learns: it measures, and is nobody's state."""
    weights = list(module.parameters())
    return bool(weights) and not any(p.requires_grad for p in weights)


def learning(*modules: nn.Module) -> list[nn.Parameter]:
    """The weights of modules that learn."""
    return [p for module in modules for p in module.parameters() if p.requires_grad]


def adam(weights: Sequence[nn.Parameter], lr: float) -> Optimizer:
    """Adam with the family's betas (0.5, 0.999)."""
    return Adam(weights, lr=lr, betas=(0.5, 0.999), fused=True)


class Objective(nn.Module):
    """Base of all objectives: override `sample`, `unroll` and `losses`.

    ``discriminators`` learn by the second losses. Every other child learns with the generator, by the first,
    unless it is frozen. All of it is on the run's device, saved with the state and resumed.

    Args:
        run: what the training is told. settings: its section of the config; ``settings.lr`` is the rate.

    Attributes:
        walk: what the artifact's plan says besides the run's: where a stream's first frames come from.
    """

    def __init__(self, run: Run, settings: Any):
        super().__init__()
        self.run, self.settings = run, settings
        self.walk: Mapping[str, Any] = {}
        self.discriminators = nn.ModuleDict()

    def sample(self, rng: np.random.Generator, index: int) -> Batch:
        """Step ``index``'s samples. All of the step's randomness is drawn here, from ``rng``."""
        raise NotImplementedError

    def unroll(self, generator: nn.Module, batch: Batch) -> Iterator[View]:
        """Draw the samples; an update of all weights follows each picture that is given.

        A picture without memory is one view, a video one per frame. No autocast may be open where it yields.
        """
        raise NotImplementedError

    def stream(self, generator: nn.Module, batch: Batch) -> Iterator[View]:
        """The same pictures without what only these losses need, for a network that learns by others."""
        return self.unroll(generator, batch)

    def losses(self, view: View) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The named losses of a view: the generator's, and the discriminators'.

        One call gives both, so that a discriminator looks at a picture once: its graph serves both, and
        `descend` ends each backward pass at the weights that it is for.
        """
        raise NotImplementedError

    def provenance(self) -> dict[str, Any]:
        """What the artifact says of this training, beside data, settings, seed and versions."""
        return {}

    def other_way(self) -> nn.Module | None:
        """The generator from frames to conditions, where an original keeps it; made by ``nets.build``."""
        return None

    def networks(self, generator: nn.Module) -> dict[str, nn.Module]:
        """Everything that learns, by name; the generator first."""
        own = {n: m for n, m in self.named_children() if n != "discriminators" and learning(m)}
        return {"generator": generator, **own, **self.discriminators}

    def optimizers(self, generator: nn.Module) -> dict[str, Optimizer]:
        """An optimiser for each of `networks`: Adam at the settings' rate. What they share learns once."""
        made, taken = {}, set()
        for name, net in self.networks(generator).items():
            own = [p for p in learning(net) if id(p) not in taken]
            taken |= {id(p) for p in own}
            if own:
                made[name] = adam(own, self.settings.lr)
        return made

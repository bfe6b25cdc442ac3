"""Which channels of an original draw its content: the metric of content-aware compression (Liu et al. 2021).

Noise of salt and pepper falls on the content of a generated picture alone, and each weight's gradient of the
difference between the two pictures says how much the content hangs on it:

    L = | G - N(G) |_1 ,    score of a channel = mean over pictures of | dL / d(weights leading out of it) |_1

The noise is a constant, so pixels that it leaves alone, in the content and around it, have no gradient. What
leads out of a channel are the weights by which all layers read it: a residual stream has one score.

Where the release differs: it takes the mean over a channel's weights (here their L1 norm, which the paper
names the metric after; within one layer the order is the same), and sums the gradients of ten pictures before
it takes their absolute value (here each picture's own, whose expectation the metric is).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from slimvid.compress.content_aware_region import Content
from slimvid.errors import SlimvidError
from slimvid.nets.pruning import Stream, outgoing
from slimvid.training.objective import Objective
from slimvid.training.sequences import Batch

SCORING = 1 << 29  # index of the random numbers of samples that score, apart from those of any step


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How much the content hangs on each channel.

    Attributes:
        values: of each stream, float64 [channels] >= 0. frames: pictures that were generated for it.
        pixels: of the content, in all of them.
    """

    values: list[Tensor]
    frames: int
    pixels: int


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Scores the channels of an original on training sequences, in one pass and in fp32.

    Attributes:
        net: the original, in eval mode, with gradients. found: its streams. first: where a stream's first
        frames come from; given: how many of them are true ones. content: where the noise may fall. noise: the
        share of its pixels that it replaces.
    """

    net: nn.Module
    found: Sequence[Stream]
    first: str
    given: int
    content: Content
    noise: float

    def score(self, objective: Objective, *, samples: int) -> Scores:
        """The scores by ``samples`` sequences, as the objective draws them for its first step.

        Raises:
            SlimvidError: no noise fell on the content, or none of it hangs on some layer; names the option.
        """
        weights = dict(self.net.named_parameters())
        weights = {name: weights[name] for stream in self.found for name, _ in stream.read}
        total = [torch.zeros(stream.channels(weights), dtype=torch.float64) for stream in self.found]
        frames = pixels = 0
        for sequence, rng in _sequences(objective, samples):
            masks = self.content.masks(sequence)
            for t, image in self._pictures(sequence):
                frames, pixels = frames + 1, pixels + int(masks[:, t].sum())
                gradients = self._gradients(image, masks[:, t], weights, rng)
                if gradients is not None:
                    scores = outgoing(self.found, gradients)
                    total = [sum(pair) for pair in zip(total, scores, strict=True)]
        self._check(total, frames=frames)
        return Scores(values=[score / frames for score in total], frames=frames, pixels=pixels)

    def _pictures(self, sequence: Batch) -> Iterator[tuple[int, Tensor]]:
        """The original's frames of a sequence with their place, each with the graph of itself alone."""
        rollout = self.net.rollout(first=self.first)
        for t in range(self.given):
            rollout.prime(sequence.conditions[:, t], sequence.frames[:, t])
        for t in range(self.given, sequence.conditions.shape[1]):
            image = rollout.step(sequence.conditions[:, t]).image
            yield t, image
            rollout.push(image.detach())

    def _gradients(
        self, image: Tensor, mask: Tensor, weights: Mapping[str, Tensor], rng: np.random.Generator
    ) -> dict[str, Tensor] | None:
        """dL / d(weights) of a picture, 1 x 3 x H x W; None where no noise fell on it."""
        hit, value = (torch.from_numpy(x).to(image) for x in _salt_and_pepper(rng, mask.shape, self.noise))
        hit = hit * mask
        if not hit.any():
            return None
        difference = ((image - value).abs() * hit).sum()
        found = torch.autograd.grad(
            difference, list(weights.values()), allow_unused=True, materialize_grads=True
        )
        return dict(zip(weights, found, strict=True))

    def _check(self, total: Sequence[Tensor], *, frames: int) -> None:
        dead = [stream for stream, score in zip(self.found, total, strict=True) if not score.any()]
        if not dead:
            return
        layer = dead[0].read[0][0].removesuffix(".weight")
        what = "no noise fell on it" if len(dead) == len(total) else f"none of it hangs on {layer}"
        raise SlimvidError(
            f"content: {self.content.region!r}: {what} in the {frames} frames that score the channels; raise "
            "`samples` or give another `content`"
        )


def _sequences(objective: Objective, samples: int) -> Iterator[tuple[Batch, np.random.Generator]]:
    """Single sequences of training clips, each with the generator that goes on drawing its noise.

    Every process of a distributed run draws the same ones: they all train one student.
    """
    left, step = samples, 0
    while left:
        rng = np.random.default_rng([objective.run.seed, SCORING + step])
        batch = objective.sample(rng, 0)
        for i in range(min(left, len(batch.conditions))):
            one = batch.conditions[i : i + 1]
            yield (
                batch._replace(
                    conditions=one, frames=batch.frames[i : i + 1], places=batch.places[i : i + 1]
                ),
                rng,
            )
            left -= 1
        step += 1


def _salt_and_pepper(
    rng: np.random.Generator, shape: Sequence[int], share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels noise replaces, 0 or 1, and by what, -1 or 1 in all three colours; N x 1 x H x W each."""
    return (rng.random(shape) < share).astype(np.float32), rng.integers(2, size=shape) * 2.0 - 1

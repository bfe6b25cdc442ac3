"""The translator: what evaluation, latency, cost, strips and the command line know of any trained network.

    t = slimvid.load("checkpoints/sketch2face/fast_vid2vid/0")
    for frame in t.stream(conditions):
        ...

Networks hold no state; a stream does (``net.rollout``), so one translator serves many streams.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from slimvid import artifact
from slimvid.artifact import Artifact
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import system_errors
from slimvid.infer.given import checked
from slimvid.nets.quick import quicken
from slimvid.runtime import Runtime, resolve

if TYPE_CHECKING:
    from slimvid.measure.cost import Cost
    from slimvid.settings import PlanSettings


class Translator:
    """A trained network with its plan, ready on a device.

    Attributes:
        condition: what the network reads. plan: how a clip is walked.
        first: where first frames come from: "real" (given), "zero" (none) or "generator".

    Args:
        net: the network, where its weights are not those on disk.

    Raises:
        SlimvidError: the artifact's parts do not fit each other; names the field.
    """

    def __init__(self, source: Artifact, runtime: Runtime, *, net: torch.nn.Module | None = None):
        self.source, self.runtime = source, runtime
        self.plan, self.first = source.plan_settings(), source.first
        self.condition = _condition(source)
        net = source.module() if net is None else net.eval()
        self.net = net.to(runtime.device).requires_grad_(False)
        _check_parts(source, self.net, self.condition)
        runtime.settle([self.net])
        if runtime.device == "cpu":
            quicken(self.net)

    @property
    def given(self) -> int:
        """How many true first frames a stream needs."""
        return self.net.past if self.first == "real" else 0

    def draw(
        self,
        conditions: Iterable[np.ndarray],
        *,
        first_frames: Sequence[np.ndarray] = (),
        in_full: list[int] | None = None,
    ) -> Iterator[np.ndarray]:
        """Draw a frame for every condition, in order, with no look-ahead.

        A plan of key-frames is not applied: here are the conditions of its key-frames alone.

        Args:
            conditions: float32 C x H x W in [0, 1], one per frame to draw; all of one size.
            first_frames: true frames uint8 H x W x 3, as many as ``given``; they come out unchanged.
            in_full: the numbers of frames that the whole network drew are added to it, each before its frame
                comes out; frames of a shortcut are left out, and so are given ones.

        Yields:
            uint8 H x W x 3 RGB.

        Raises:
            SlimvidError: wrong number of first frames; a wrong type, range, size or number of channels of
                a condition or first frame; names the frame.
        """
        yield from self._draw(self._checked(conditions, first_frames), first_frames, in_full)

    def _checked(
        self, conditions: Iterable[np.ndarray], first_frames: Sequence[np.ndarray]
    ) -> Iterator[np.ndarray]:
        if len(first_frames) != self.given:
            raise SlimvidError(f"first_frames: {len(first_frames)} given, this translator needs {self.given}")
        yield from checked(conditions, first_frames, self.condition)

    def _draw(
        self,
        conditions: Iterable[np.ndarray],
        first_frames: Sequence[np.ndarray],
        in_full: list[int] | None = None,
    ) -> Iterator[np.ndarray]:
        """`draw` of what has been checked."""
        rollout = None
        for index, condition in enumerate(conditions):
            rollout = rollout or self.rollout(*condition.shape[1:])
            tensor = torch.from_numpy(condition)[None].to(self.runtime.device)
            if index < self.given:
                rollout.prime(tensor, to_tensor(first_frames[index]).to(self.runtime.device))
                yield first_frames[index]
                continue
            shortcuts = getattr(rollout, "shortcut_frames", 0)
            with torch.inference_mode(), self.runtime.autocast():
                image = rollout.step(tensor).image.float()
            rollout.push(image)
            if in_full is not None and getattr(rollout, "shortcut_frames", 0) == shortcuts:
                in_full.append(index)
            yield to_picture(image)

    def rollout(self, height: int, width: int) -> Any:
        """Start of a stream of that size, walked by the plan as far as the plan is causal.

        Gives an object with ``prime(condition, frame)``, ``step(condition)`` (something with ``image``) and
        ``push(frame)``.

        Raises:
            SlimvidError: a size that the network cannot draw.
        """
        self._check_size(height, width)
        if self.plan.kind != "shortcut":
            return self.net.rollout(first=self.first)
        from slimvid.infer.shortcut import schedule

        chosen = schedule(self.plan, share=lambda: self._full_share(self.plan, height, width))
        return self.net.rollout(first=self.first, schedule=chosen)

    @cache  # noqa: B019  a translator lives as long as its streams
    def _full_share(self, plan: "PlanSettings", height: int, width: int) -> float:
        return self.cost(height=height, width=width).full_share

    def _plain(self) -> torch.nn.Module:
        """The network as its spec says, without weights, for counting: what runs may be a quicker form."""
        with torch.device("meta"):
            return self.source.network()

    def stream(
        self, conditions: Iterable[np.ndarray], *, first_frames: Sequence[np.ndarray] = ()
    ) -> Iterator[np.ndarray]:
        """Translate a clip under the plan: one uint8 H x W x 3 RGB frame per condition, lazily.

        ``every_frame`` and ``shortcut`` are causal: a frame comes out before the next condition is read. So
        are key-frames at an interval that are held; interpolated, a frame waits for the next key-frame, or
        with ``mci`` for the one after it. Other ``keyframes`` read the clip to its end first: a peak of the
        motion curve is known only against the whole curve.
        Arguments and errors as in ``draw``.
        """
        conditions = self._checked(conditions, first_frames)
        if self.plan.kind != "keyframes":
            yield from self._draw(conditions, first_frames)
        elif self.plan.interval is None:
            yield from self._chosen(list(conditions), first_frames)
        elif self.plan.interpolation == "hold":
            yield from self._held(conditions, first_frames)
        else:
            yield from self._every_nth(conditions, first_frames)

    def _held(
        self, conditions: Iterable[np.ndarray], first_frames: Sequence[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Every n-th frame, shown until the next one is due."""
        waiting: list[np.ndarray] = []

        def one_by_one() -> Iterator[np.ndarray]:
            while True:
                yield waiting.pop()

        drawn = self._draw(one_by_one(), first_frames)
        frame = None
        for index, condition in enumerate(conditions):
            if index % self.plan.interval == 0 or index < self.given:
                waiting.append(condition)
                frame = next(drawn)
            yield frame

    def _every_nth(
        self, conditions: Iterable[np.ndarray], first_frames: Sequence[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Every n-th frame, and the frames between two as soon as both are there."""
        from slimvid.infer.interpolate import interpolate_stream
        from slimvid.infer.keyframes import every_nth

        places: list[int] = []

        def keys() -> Iterator[np.ndarray]:
            for place, condition in every_nth(conditions, self.plan, given=self.given):
                places.append(place)
                yield condition

        drawn = ((places.pop(), frame) for frame in self._draw(keys(), first_frames))
        yield from interpolate_stream(drawn, mode=self.plan.interpolation)

    def _chosen(self, kept: Sequence[np.ndarray], first_frames: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """The key-frames that the whole clip's motion names, and the frames between them."""
        from slimvid.infer.interpolate import interpolate_clip, interpolate_stream
        from slimvid.infer.keyframes import select

        chosen = select((self.condition.picture(c) for c in kept), self.plan)
        keys = with_given(chosen, self.given)
        drawn = zip(keys, self._draw((kept[i] for i in keys), first_frames), strict=True)
        mode, timing = self.plan.interpolation, self.plan.timing
        if timing == "exact":
            yield from interpolate_stream(drawn, length=len(kept), mode=mode)
        else:
            yield from interpolate_clip(dict(drawn), length=len(kept), mode=mode, timing=timing)

    def cost(self, *, height: int, width: int, key_fraction: float | None = None) -> "Cost":
        """MACs, parameters and activation bytes per frame and in the clip mean, at any size.

        Args:
            key_fraction: share of a clip's frames that a ``keyframes`` plan draws. It depends on the clip:
                the key-frame file of a run gives it (``fraction``). None with an ``interval``: that of a long
                clip.

        Raises:
            SlimvidError: a plan of key-frames without its share, a share outside (0, 1], or a size that the
                network cannot draw.
        """
        from slimvid.measure import cost  # the one door from here into a later room

        self._check_size(height, width)
        size = {"height": height, "width": width}
        if self.plan.kind == "shortcut":
            from slimvid.infer.shortcut import full_share

            return cost.shortcut_cost(self._plain(), **size, share=partial(full_share, self.plan))
        if key_fraction is None and self.plan.interval is not None:
            key_fraction = 1 / self.plan.interval
        if key_fraction is None and self.plan.kind == "keyframes":
            raise SlimvidError(
                "key_fraction: the cost of a plan of key-frames depends on their share of the clip; give it "
                "(`fraction` in results/keyframes/<task>/<method>.json)"
            )
        return cost.translator_cost(
            self._plain(), **size, key_fraction=1.0 if key_fraction is None else key_fraction
        )

    def _check_size(self, height: int, width: int) -> None:
        if not all(isinstance(side, Integral) and side > 0 for side in (height, width)):
            raise SlimvidError(f"frame size {height!r} x {width!r}: give height and width in whole pixels")
        self.net.check_size(height, width)


def with_given(keys: Sequence[int], given: int) -> list[int]:
    """Key-frame indices with those of the given first frames among them."""
    return sorted({*range(given), *keys})


def to_tensor(picture: np.ndarray) -> torch.Tensor:
    """uint8 H x W x 3 -> float32 1 x 3 x H x W in [-1, 1]."""
    return torch.tensor(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_picture(image: torch.Tensor) -> np.ndarray:
    """1 x 3 x H x W in [-1, 1] -> uint8 H x W x 3, rounded."""
    scaled = ((image[0] + 1) * 127.5).round_().clamp_(0, 255)
    return scaled.permute(1, 2, 0).to(torch.uint8).cpu().numpy()


def load(
    path: Path | str,
    *,
    device: str = "auto",
    precision: str = "fp32",
    threads: int = 1,
    back: bool = False,
) -> Translator:
    """A ready translator from an artifact's folder.

    Args:
        precision: "fp32" (measures are made in it), "bf16" or "auto".
        back: the other way, from frames to conditions, of an original that kept it.

    Raises:
        SlimvidError: the artifact is missing or damaged, its parts do not fit each other, it kept no way back
            to pictures, or the device or precision cannot be used.
    """
    runtime = resolve(device=str(device), precision=precision, threads=threads)
    with system_errors(path):
        source = artifact.read(path)
        return _way_back(source, runtime) if back else Translator(source, runtime)


def _way_back(source: Artifact, runtime: Runtime) -> Translator:
    net, pictures = source.way_back(), ConditionSpec(kind="image")
    if _condition(source).channels != pictures.channels:
        raise SlimvidError(
            f"{source.path}: its way back draws {source.condition['kind']}, which are no pictures; "
            "`slimvid.artifact.read(path).way_back()` is its network"
        )
    reverse = replace(source, spec=dict(source.back), condition=pictures.to_dict(), back=None)
    return Translator(reverse, runtime, net=net)


def in_memory(
    net: torch.nn.Module, *, plan: Mapping[str, Any], condition: ConditionSpec, runtime: Runtime
) -> Translator:
    """A translator of a network that ``nets.build`` made, with its weights as they are now; it is left alone.

    Args:
        plan: as ``translator.json`` would say it.
    """
    parts = {"spec": net.spec, "plan": dict(plan), "condition": condition.to_dict(), "provenance": {}}
    source = Artifact(path=Path("(in memory)"), task="", method="", **parts)
    twin = source.network()  # not a copy: hooks of a training would come along
    twin.load_state_dict(net.state_dict())
    return Translator(source, runtime, net=twin)


def _condition(source: Artifact) -> ConditionSpec:
    try:
        return ConditionSpec.from_dict(source.condition)
    except (SlimvidError, TypeError, ValueError) as error:
        raise source.damaged(f"condition: {error}") from None


def _check_parts(source: Artifact, net: torch.nn.Module, condition: ConditionSpec) -> None:
    """Whether the network draws streams of these conditions under this plan."""
    kind = source.spec["kind"]
    if not hasattr(net, "rollout"):
        raise source.damaged(f"spec.kind: {kind!r} draws no streams")
    if source.plan_settings().kind == "shortcut" and kind != "shortcut":
        raise source.damaged(f"plan.kind: 'shortcut' needs a Shortcut block, spec.kind is {kind!r}")
    if source.first == "generator" and getattr(net, "first_frame", None) is None:
        raise source.damaged("plan.first: 'generator', but spec has no first_frame branch")
    if source.first == "real" and not net.past:
        raise source.damaged("plan.first: 'real', but the network sees no previous frames")
    channels = net.example_inputs(256, 256)[0].shape[1] // (net.past + 1)
    if channels != condition.channels:
        raise source.damaged(f"condition: has {condition.channels} channels, the network reads {channels}")

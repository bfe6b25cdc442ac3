"""Procedural video worlds: task families that are always there, with exact ground truth.

Three worlds, chosen by ``settings.world``:

* ``face`` (sketch2face): a talking head; 68 landmarks and the edge map of the vid2vid face protocol.
* ``city`` (segmentation2city): a drive through a street; label maps, instances. With ``translation`` it is
  also drawn as a game would (viper2city), or goes between the game's frames and label maps.
* ``body`` (pose2body): a dancing person; BODY_25 key-points and the exact body-part map.

All give backward optical flow that is exact by construction, with a validity mask. The look is drawn from
small families that the condition shows (each world's module says how), so that a held-out clip can be drawn.
Everything follows from (seed, world, split, clip number); the same settings give the same bytes.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError

_WORLDS = ("face", "city", "body")
_FPS = 15.0  # where the settings name no frame rate
_SPLITS = ("train", "test")
_FIRST = {"train": 0, "test": 15}  # where a split starts to deal the families: other combinations in the test


def _module(world: str | None):
    """The module of a world, imported when it is needed (they import OpenCV)."""
    if world not in _WORLDS:
        raise SlimvidError(f"world {world!r}: choose one of {', '.join(_WORLDS)}")
    return import_module(f"slimvid.data.worlds.{world}")


def condition_spec(settings) -> ConditionSpec:
    """What the condition of a world's task is made of (settings: `slimvid.config.TaskSettings`)."""
    if settings.translation is not None:
        return _second_look().condition_spec()
    if settings.world == "city":
        return _module("city").condition_spec()
    _module(settings.world)
    return ConditionSpec(kind={"face": "edges", "body": "pose"}[settings.world])


def task_facts(settings) -> dict[str, Any]:
    """Fields of `slimvid.data.store.TaskMeta` beyond the common ones."""
    return {} if settings.translation is None else _second_look().task_facts(settings.translation)


def _second_look():
    return import_module("slimvid.data.worlds.city_game")


def clips(settings) -> dict[str, Iterator[Clip]]:
    """Render a task: ``{"train": ..., "test": ...}``, clips one by one as they are asked for.

    Args:
        settings: `slimvid.config.TaskSettings` with world, height and width (the worlds are made for
            64..512 px, which need not be equal), fps (default 15), clip_frames, train_clips, test_clips,
            seed.

    Raises:
        SlimvidError: unknown world.
    """
    module = _module(settings.world)
    counts = {"train": settings.train_clips, "test": settings.test_clips}

    def split(name: str) -> Iterator[Clip]:
        for number in range(counts[name]):
            key = (_WORLDS.index(settings.world), _SPLITS.index(name), number)
            rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=key))
            title = f"{settings.world}_{name}_{number:04d}"
            yield module.render(
                rng, settings=settings, fps=settings.fps or _FPS, name=title, number=number + _FIRST[name]
            )

    return {name: split(name) for name in _SPLITS}

"""Procedural video worlds: task families that are always there, with exact ground truth.

Three worlds that move, chosen by ``settings.world``:

* ``face`` (sketch2face): a talking head; 68 landmarks and the edge map of the vid2vid face protocol.
* ``city`` (segmentation2city): a drive through a street; label maps, instances. With ``translation`` it is
  also drawn as a game would (viper2city), or goes between the game's frames and label maps.
* ``body`` (pose2body): a dancing person; BODY_25 key-points and the exact body-part map.

These give backward optical flow that is exact by construction, with a validity mask. The look is drawn from
small families that the condition shows (each world's module says how), so that a held-out clip can be drawn.
Everything follows from (seed, world, split, clip number); the same settings give the same bytes. Motion is
defined per second: at 30 frames a second things move half as far from frame to frame as at 15.

A task whose original learns without pairs (``settings.unpaired``) trains on two streets a clip: conditions
show one and frames another, so that no scene is ever seen in both looks. Its other clips keep the truth of
every condition, because a world can draw one street in both looks, and measures need it.

With ``stills`` a clip is one picture, some moment of a scene (`slimvid.data.worlds.take`). Scenes are never
shared by splits; a world's ``MOMENTS`` (none: 1) says how many pictures of a split come from one scene. In
two more worlds nothing moves, so they have pictures only:

* ``aerial`` (map2aerial): a street map's tile, and the place from above.
* ``object`` (edges2objects): the edges of a single thing, and the thing.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from importlib import import_module
from typing import Any, Literal

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError

_WORLDS = ("face", "city", "body", "aerial", "object")  # the order is part of the seed
_KINDS: dict[str, Literal["edges", "pose", "image"]] = {
    "face": "edges", "body": "pose", "aerial": "image", "object": "edges"
}  # fmt: skip
_STREAMS = ("train", "test", "val", "train conditions")  # of random numbers; the last one's of unpaired tasks
FIRST = {"train": 0, "val": 147, "test": 180}  # where a split starts to deal the 216 sets of families
OWN = {"train": 147, "val": 33, "test": 36}  # how many of them are a split's own


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
    return ConditionSpec(kind=_KINDS[settings.world])


def task_facts(settings) -> dict[str, Any]:
    """Fields of `slimvid.data.store.TaskMeta` beyond the common ones."""
    return {} if settings.translation is None else _second_look().task_facts(settings)


def _second_look():
    return import_module("slimvid.data.worlds.city_game")


def clips(settings) -> dict[str, Iterator[Clip]]:
    """Render a task: ``{"train": ..., "val": ..., "test": ...}``, clips one by one as they are asked for.

    Args:
        settings: `slimvid.config.TaskSettings` with world, height and width (the worlds are made for
            64..512 px, which need not be equal), fps, clip_frames (or stills), train_clips, val_clips,
            test_clips, seed.

    Raises:
        SlimvidError: unknown world.
    """
    module = _module(settings.world)
    moments = getattr(module, "MOMENTS", 1) if settings.stills else 1
    counts = {"train": settings.train_clips, "val": settings.val_clips, "test": settings.test_clips}

    def random(stream: str, number: int) -> np.random.Generator:
        key = (_WORLDS.index(settings.world), _STREAMS.index(stream), number)
        return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=key))

    def dealt(name: str, number: int) -> int:
        """Pictures are many: those of a split stay among its own sets of families, round and round."""
        return FIRST[name] + (number % OWN[name] if settings.stills else number)

    def split(name: str) -> Iterator[Clip]:
        label = f"{settings.world}_{name}"
        for begin in range(0, counts[name], moments):
            number = begin // moments
            apart = name == "train" and settings.unpaired  # two streets a clip
            own: dict[str, Any] = {"conditions": random("train conditions", number)} if apart else {}
            own |= {"name": f"{label}_{begin:04d}", "number": dealt(name, number)}
            scene = module.render(random(name, number), settings=settings, **own)
            if moments == 1:
                yield scene
                continue
            for k in range(min(moments, counts[name] - begin)):
                yield _picture(scene, k, name=f"{label}_{begin + k:04d}")

    return {name: split(name) for name in counts}


def _picture(scene: Clip, k: int, *, name: str) -> Clip:
    """Frame ``k`` of a scene as a clip by itself."""
    found = {field.name: getattr(scene, field.name) for field in fields(scene)}
    maps = {key: value[k : k + 1] for key, value in found.items() if isinstance(value, np.ndarray)}
    return replace(scene, name=name, **maps)

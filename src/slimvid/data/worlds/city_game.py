"""The city's second look, as an old game would draw the same street, and tasks between looks and labels.

Tasks (``translation``). A row's frame is the truth of its condition, but for the training rows of a task that
is learnt without pairs: those show two streets.

* ``game2camera`` (viper2city): the game's frame is to become the camera's.
* ``game2label`` (viper2label): the game's frame is to become its label map, in the palette's colours.
* ``label2game`` (label2viper): the other way round.

The game has the camera's geometry, but flat saturated surfaces in few tones, edges without anti-aliasing,
hard shadows, the sun on the other side, clear air, and a banded sky.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.manifest import SPLITS
from slimvid.data.palette import paint
from slimvid.data.worlds.canvas import Atlas, Renderer
from slimvid.data.worlds.city_street import NAMES, PALETTE

_TONES = 20  # distance between two tones of a surface
_SKY = ((38, 110, 235), (64, 140, 245), (96, 172, 252), (140, 204, 255), (190, 232, 255))  # zenith first
_SHADOW = 0.55
_LOOKS = {  # of conditions, and of frames
    "game2camera": ("game", "camera"),
    "game2label": ("game", "labels"),
    "label2game": ("labels", "game"),
}


def condition_spec() -> ConditionSpec:
    """Conditions are pictures: frames of the game, or label maps in the palette's colours."""
    return ConditionSpec(kind="image")


def task_facts(settings) -> dict[str, Any]:
    """The fields of `TaskMeta` that say what labels and frames are, and which rows are pairs."""
    return {
        "label_names": NAMES,
        "palette": PALETTE,
        "label_frames": settings.translation == "game2label",
        "aligned": tuple(split for split in SPLITS if split != "train" or not settings.unpaired),
    }


class Game:
    """Draws the scenes of a town (`slimvid.data.worlds.city`) in the game's look."""

    def __init__(self, town):
        self.facets = town.set.facets
        self.renderer = Renderer(
            height=town.height,
            width=town.width,
            atlas=game_atlas(town.stage.atlas, sky=int(self.facets.texture[0])),
            facets=self.facets,
            samples=1,
        )

    def draw(self, scene: dict[str, Any]):
        """Render a scene: view, flow, validity, as `Renderer.frame` gives them."""
        light = scene["light"].copy()
        walls = (light[:, 0] > 0.7) & (light[:, 0] < 1.2)  # the others are dark or bright by themselves
        light[walls, 0] = 1 + 1.6 * (0.95 - light[walls, 0])
        shade = np.where(scene["shade"] < 0.8, _SHADOW, 1.0).astype(np.float32)
        return self.renderer.frame(**{**scene, "light": light, "shade": shade, "haze": None})


def game_atlas(atlas: Atlas, *, sky: int) -> Atlas:
    """The atlas with every texture flattened, and with bands for a ``sky`` (its number)."""
    textures = [flatten(texture) for texture in atlas.textures]
    rows, columns = textures[sky].shape[:2]
    bands = np.array(_SKY, np.uint8)[np.arange(rows) * len(_SKY) // rows]
    textures[sky] = np.repeat(bands[:, None], columns, axis=1)
    return Atlas(textures, list(atlas.levels))


def flatten(texture: np.ndarray) -> np.ndarray:
    """Grain smoothed away, colours saturated, few tones: uint8 [h, w, 3] to the same."""
    import cv2

    for _ in range(2):
        texture = cv2.bilateralFilter(texture, 7, 45, 3)
    hsv = cv2.cvtColor(texture, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] = np.clip(1.7 * hsv[..., 1] + 18, 0, 255)
    hsv[..., 2] = np.clip(1.12 * hsv[..., 2] + 8, 0, 255)
    vivid = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return (np.rint(vivid / _TONES) * _TONES).clip(0, 255).astype(np.uint8)


class _Shown(NamedTuple):
    """A scene in one look: picture [H, W, 3], class ids [H, W], flow and its validity."""

    picture: np.ndarray
    labels: np.ndarray
    flow: np.ndarray
    valid: np.ndarray


def _film(town, look: str) -> Iterator[_Shown]:
    """A town's scenes, one after another, in the game's look, the camera's, or as the game's label maps."""
    game = None if look == "camera" else Game(town)
    for k in town.take.shown:
        scene = town.scene(k)
        view, flow, valid = town.renderer.frame(**scene) if game is None else game.draw(scene)
        labels = town.set.facets.label[view.ids]
        yield _Shown(paint(labels, PALETTE) if look == "labels" else view.colour, labels, flow, valid)


def render(source, town, *, translation: str, name: str) -> Clip:
    """One drive as the condition and the frames of ``translation``; labels and flow are the frames'.

    Args:
        source: the town that the conditions show. town: the one of the frames; the same where frames are the
            truth of their conditions.
    """
    films = (_film(place, look) for place, look in zip((source, town), _LOOKS[translation], strict=True))
    shots = [
        {
            "image": condition.picture,
            "frames": frame.picture,
            "labels": frame.labels,
            "flow": frame.flow,
            "flow_valid": frame.valid,
        }
        for condition, frame in zip(*films, strict=True)
    ]
    return town.take.clip(name, shots)

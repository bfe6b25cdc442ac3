"""The aerial world (map2aerial): a street map's tile, and the same place from above. Single pictures only.

What the map tells about the look: a district is a colour of its ground, footprints and trees stand where they
are, and every place is another set of three families:

=====================  ==========================================================================
family (6 of each)     is tied to (visible on the map)
=====================  ==========================================================================
network                the streets themselves: grid, tee, bend, fork, ring, avenue
district               colour of the ground: roofs (form and colour), gardens, yards, fields
feature                river, pond, park, railway, pitch, forest: each has its colour or line
=====================  ==========================================================================

The sun stands in the upper left. What stays free: cars, the tone of a roof or a crown within a few percent,
patches of a lawn.
"""

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.images import FPS
from slimvid.data.worlds.aerial_look import draw_view
from slimvid.data.worlds.aerial_map import draw_map
from slimvid.data.worlds.aerial_plan import plan


def render(rng: np.random.Generator, *, settings, name: str, number: int) -> Clip:
    """One place; see `slimvid.data.worlds.clips`."""
    h, w = settings.height, settings.width
    rng, paint = rng.spawn(2)  # a place is the same at every size, textures are not
    place = plan(rng, number=number, aspect=w / h)
    tile, view = draw_map(place, height=h, width=w), draw_view(paint, place, height=h, width=w)
    return Clip(name=name, fps=FPS, image=tile[None], frames=view[None])

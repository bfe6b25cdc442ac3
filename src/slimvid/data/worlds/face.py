"""The face world (sketch2face): a talking head in front of a wall, with exact landmarks.

What the condition tells about the look, so that held-out people can be drawn at all: every cue of the look
comes from a small family, and each family member has an outline of its own in the edge map.

=====================  ==========================================================================
look                   is tied to (visible in the edge map)
=====================  ==========================================================================
skin tone (ramp)       width of the face relative to its height (broad: dark)
redness of the lips    fullness of the lips
eye colour (3)         size of the eyes
hair colour (6)        hair style, by its outline: crop, part, bob, long, curls, updo
beard                  square jaw together with a short hair style
clothes (6 outfits)    fabric pattern (plain, stripes, check, dots, knit, zigzag) and neckline
room (6)               its own edges: bricks, books, window, planks, pictures, tiles
=====================  ==========================================================================

What stays free is small: tone within +-3 %, the grain of textures, the books' order.
"""

import numpy as np

from slimvid.data.clip import Clip
from slimvid.data.drawing import canny_edges, face_edges
from slimvid.data.worlds.face_head import Head, Person
from slimvid.data.worlds.face_look import ROOMS, WARDROBE
from slimvid.data.worlds.face_shape import HAIR_STYLES, Build, Pose
from slimvid.data.worlds.motion import blinks, speech, wander
from slimvid.data.worlds.take import Take


def person(rng: np.random.Generator, *, number: int) -> Person:
    """Identity ``number``: families are dealt round, so that few clips still show all of them.

    Style, outfit and room together are another set for each of 216 numbers in a row.
    """
    width, jaw, lips, eyes = rng.uniform(-1, 1, 4)
    free = rng.uniform(-1, 1, 6)
    build = Build(
        width=width,
        jaw=jaw,
        lips=lips,
        eyes=eyes,
        chin=free[0],
        gap=free[1],
        tilt=free[2],
        nose=0.5 * width + 0.5 * free[3],
        mouth=free[4],
        brow=free[5],
    )
    turn = number // 6
    style, outfit = HAIR_STYLES[number % 6], WARDROBE[(number + turn + 2) % 6]
    room = ROOMS[(5 * number + 2 * turn + 1 + number // 36) % 6]
    return Person(build, style, outfit, room, float(rng.uniform(0.97, 1.03)))


def poses(rng: np.random.Generator, frames: int, fps: float) -> list[Pose]:
    """Head motion, speech, blinks and mood of one clip."""
    t = np.arange(frames) / fps
    yaw, pitch, roll = wander(rng, t, 0.36, 0.42), wander(rng, t, 0.15, 0.45), wander(rng, t, 0.10, 0.3)
    x, y = wander(rng, t, 0.20, 0.25), wander(rng, t, 0.09, 0.3)
    scale = 1 + wander(rng, t, 0.035, 0.2)
    mouth, smile = speech(rng, t), np.clip(0.3 + wander(rng, t, 0.7, 0.3), 0, 1)
    raise_, shut = np.clip(wander(rng, t, 1.0, 0.5), -0.2, 1), blinks(rng, t)
    gx, gy = wander(rng, t, 1.0, 0.6), wander(rng, t, 0.5, 0.5)
    sway = wander(rng, t, 0.08, 0.3)
    return [
        Pose(
            yaw=yaw[k],
            pitch=pitch[k],
            roll=roll[k] + 0.25 * x[k],
            x=x[k],
            y=y[k],
            scale=scale[k],
            open=mouth[k],
            smile=smile[k] * (1 - 0.5 * mouth[k]),
            raise_=raise_[k],
            blink=shut[k],
            gaze=(gx[k], gy[k]),
            sway=sway[k],
        )
        for k in range(frames)
    ]


def render(rng: np.random.Generator, *, settings, name: str, number: int) -> Clip:
    """One clip of one person; see `slimvid.data.worlds.clips`."""
    h, w, take = settings.height, settings.width, Take.of(settings, rng)
    rng, paint = rng.spawn(2)  # person and motion are the same at every size, textures are not
    who = person(rng, number=number)
    head = Head(paint, who, height=h, width=w)
    t = take.times
    glow = 1 + wander(rng, t, 0.03, 0.3)
    drift = np.column_stack([wander(rng, t, 0.07, 0.2), wander(rng, t, 0.035, 0.2)])
    low, high = settings.canny
    course, shots = poses(rng, take.frames, take.fps), []
    for k in take.shown:
        view, flow, valid, marks = head.draw(course[k], brightness=glow[k], drift=drift[k])
        background = canny_edges(view.colour, low=low, high=high)
        edges = face_edges(marks, height=h, width=w, background=background)
        maps = {"frames": view.colour, "edges": edges, "landmarks": marks}
        shots.append({**maps, "flow": flow, "flow_valid": valid})
    return take.clip(name, shots)

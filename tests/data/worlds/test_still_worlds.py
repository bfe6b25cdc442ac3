"""The worlds that have pictures only: places from above with their maps, things with their edges."""

import cv2
import numpy as np
import pytest

from slimvid.data.worlds import FIRST, OWN, aerial_plan, clips
from slimvid.data.worlds.aerial_map import draw_map
from slimvid.data.worlds.aerial_plan import Area, Building, Plan
from slimvid.data.worlds.aerial_streets import box
from slimvid.data.worlds.object import clean_edges, families
from slimvid.settings import TaskSettings

WORLDS = {"aerial": ("image", aerial_plan.families), "object": ("edges", families)}


def settings(world: str, **changes) -> TaskSettings:
    small = {"height": 64, "width": 64, "seed": 3, "train_clips": 12, "val_clips": 1, "test_clips": 1}
    own = {"source": "world", "world": world, "teacher": "pix2pix", "stills": True}
    return TaskSettings(**(own | small | changes))


def pictures(world: str, **changes) -> list[tuple[np.ndarray, np.ndarray]]:
    """(condition, frame) of the training pictures."""
    condition = WORLDS[world][0]
    found = clips(settings(world, **changes))["train"]
    return [(getattr(clip, condition)[0], clip.frames[0]) for clip in found]


@pytest.fixture(scope="module")
def things():
    return pictures("object", height=128, width=128)


@pytest.mark.parametrize("world", WORLDS)
def test_a_video_is_refused_in_one_line(world):
    with pytest.raises(ValueError, match=rf"world '{world}' has no motion, only single pictures; add"):
        settings(world, stills=False)


@pytest.mark.parametrize("world", WORLDS)
def test_no_two_splits_share_a_set_of_families(world):
    sets = [WORLDS[world][1](number) for number in range(216)]
    assert len(set(sets)) == 216
    for k in range(3):
        for split, count in OWN.items():  # every member of a family is seen in every split
            assert len({found[k] for found in sets[FIRST[split] : FIRST[split] + count]}) == 6


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 131), (150, 70), (256, 256)])
def test_any_size(world, height, width):
    condition, frame = pictures(world, height=height, width=width, train_clips=1)[0]
    assert frame.shape == (height, width, 3) and frame.dtype == condition.dtype == np.uint8
    assert condition.shape == (frame.shape if world == "aerial" else frame.shape[:2])
    assert frame.std() > 15 and condition.std() > 5


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_scene_at_every_size(world):
    small, large = (pictures(world, height=n, width=n) for n in (64, 128))
    shrunk = [cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA).astype(float) for _, frame in large]
    apart = np.array([[np.abs(a - b).mean() for b in shrunk] for _, a in small])
    assert (np.diag(apart) < 0.5 * np.where(np.eye(len(apart)), np.inf, apart).min(axis=1)).all()


@pytest.mark.parametrize("seed", range(3))
def test_every_place_has_its_feature_and_streets_that_nothing_stands_on(seed):
    water = 0
    for number in range(36):
        place = aerial_plan.plan(np.random.default_rng([seed, number]), number=number, aspect=1.0)
        kinds = {area.kind for area in place.areas} | {way.kind for way in place.ways}
        name = aerial_plan.families(number)[2]
        assert {"railway": "rail", "pond": "water"}.get(name, name) in kinds
        assert kinds & {"minor", "main"}
        streets = aerial_plan.Taken(place)
        for way in place.ways:
            if way.kind in ("minor", "main", "river", "rail"):
                streets.line(way.points, 1.0)
        corners = np.concatenate([house.corners for house in place.buildings] or [np.zeros((0, 2))])
        inside = ((corners > 0) & (corners < (place.width, place.height))).all(axis=1)
        assert not streets.at(corners[inside]).any()
        water += "water" in kinds
    assert water == 6


def test_a_map_shows_what_the_view_shows_at_the_same_spot():
    spots = {"water": [], "park": []}
    for tile, view in pictures("aerial", height=128, width=128, train_clips=36):
        for name, colour in (("water", (170, 211, 223)), ("park", (200, 250, 204))):
            plain = cv2.erode((tile == colour).all(axis=2).astype(np.uint8), np.ones((5, 5))) > 0
            spots[name] += [view[plain].mean(axis=0)] if plain.sum() > 50 else []
    assert len(spots["water"]) > 3 and len(spots["park"]) > 3
    assert all(r < g < b for r, g, b in spots["water"])  # bluish, and dark
    assert all(b < r < g for r, g, b in spots["park"])


def test_a_map_is_its_plan_in_flat_colours():
    house = Building(corners=box(np.array([24.0, 48.0]), np.array([1.0, 0.0]), 20, 12), roof="flat", height=9)
    lake = Area(kind="water", corners=box(np.array([72.0, 48.0]), np.array([1.0, 0.0]), 20, 40))
    place = Plan(width=96, height=96, district="houses", areas=[lake], buildings=[house])
    tile = draw_map(place, height=96, width=96)
    assert tile[48, 24].tolist() == [196, 182, 170] and tile[48, 72].tolist() == [170, 211, 223]
    assert tile[5, 5].tolist() == [224, 223, 223] == tile[60, 24].tolist()


def test_a_thing_stands_on_white_and_its_edges_surround_it(things):
    for edges, frame in things:
        assert set(np.unique(edges)) == {0, 255} and 0.01 < (edges > 0).mean() < 0.25
        border = np.concatenate([frame[:2].ravel(), frame[-2:].ravel(), frame[:, :2].ravel()])
        assert border.min() > 200
        coloured = np.ptp(frame.astype(int), axis=2) > 40
        y, x = np.nonzero(edges)
        ys, xs = np.nonzero(coloured)
        assert y.min() <= ys.min() + 2 and y.max() >= ys.max() - 2
        assert x.min() <= xs.min() + 2 and x.max() >= xs.max() - 2


def test_edges_follow_the_thresholds_and_have_no_short_pieces(things):
    few = pictures("object", height=128, width=128, canny=(300, 600))
    assert all((a > 0).sum() < (b > 0).sum() for (a, _), (b, _) in zip(few, things, strict=True))
    field = np.full((192, 192, 3), 255, np.uint8)
    field[80:82, 20:22] = 0  # a speck
    field[40:160, 80:160] = 0
    edges = clean_edges(field, low=100, high=200)
    assert not edges[:, :60].any() and (edges[:, 60:] > 0).sum() > 380

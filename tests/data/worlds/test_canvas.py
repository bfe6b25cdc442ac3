"""The renderer that the worlds share: flow and validity of simple scenes with known answers."""

import numpy as np
import pytest

from slimvid.data.worlds.canvas import Atlas, Facets, Renderer, clip_near, inverse

SIZE = 40


def scene():
    """A textured wall (facet 0) and a card of 12 x 12 px in front of it (facet 1)."""
    rng = np.random.default_rng(0)
    atlas = Atlas()
    wall = atlas.add(
        np.repeat(np.repeat(rng.integers(0, 255, (10, 10, 3), dtype=np.uint8), 8, 0), 8, 1), levels=1
    )
    card = atlas.add(np.full((16, 16, 3), 200, np.uint8))
    zero = np.zeros(2, int)
    to_texture = np.stack([np.diag([1 / 80, 1 / 80, 1.0]), np.diag([1 / 12, 1 / 12, 1.0])])
    facets = Facets(texture=np.array([wall, card]), to_texture=to_texture, surface=np.array([0, 1]),
                    label=np.array([5, 7]), instance=zero)  # fmt: skip
    return Renderer(height=SIZE, width=SIZE, atlas=atlas, facets=facets, samples=2)


def place(x: float, y: float, wall_x: float = 0.0):
    matrices = np.array([[[1, 0, wall_x - 20], [0, 1, -20], [0, 0, 1]], [[1, 0, x], [0, 1, y], [0, 0, 1.0]]])
    square = np.array([(0, 0), (12, 0), (12, 12), (0, 12)], float)
    polygons = [(0, np.array([(-2, -2), (SIZE + 2, -2), (SIZE + 2, SIZE + 2), (-2, SIZE + 2)], float))]
    return {
        "matrices": matrices,
        "polygons": [*polygons, (1, square + np.array([x, y]))],
        "light": np.array([[1.0, 0, 0]] * 2),
    }


def test_a_moved_card_has_its_motion_as_flow_and_uncovers_invalid_pixels():
    renderer = scene()
    _, flow, valid = renderer.frame(**place(8.0, 10.0))
    assert not flow.any() and not valid.any()
    view, flow, valid = renderer.frame(**place(13.0, 9.0))
    assert view.ids[15, 20] == 1
    assert np.allclose(flow[:, 15, 20], (-5, 1))
    assert valid[15, 20] == 1
    assert view.ids[15, 10] == 0 and valid[15, 10] == 0  # the wall that the card covered
    assert np.allclose(flow[:, 2, 2], 0) and valid[2, 2] == 1


def test_flow_that_leaves_the_picture_is_invalid():
    renderer = scene()
    renderer.frame(**place(20, 20))
    _, flow, valid = renderer.frame(**place(20, 20, wall_x=-3.0))
    assert np.allclose(flow[0, 5], 3)
    assert not valid[5, -3:].any()
    assert valid[5, 1:-5].all()


def test_light_scales_the_texture_and_its_change_is_invalid():
    renderer = scene()
    bright, _, _ = renderer.frame(**place(8, 8))
    dim, _, valid = renderer.frame(**(place(8, 8) | {"light": np.array([[0.5, 0, 0], [1, 0, 0]])}))
    assert np.allclose(dim.colour[2, 2], bright.colour[2, 2] * 0.5, atol=1)
    assert valid[2, 2] == 0 and valid[14, 14] == 1


def test_depth_of_a_tilted_plane_is_in_its_flow():
    """A floor seen in perspective: the flow of forward motion grows towards the viewer."""
    atlas = Atlas()
    atlas.add(np.random.default_rng(1).integers(60, 200, (64, 64, 3), dtype=np.uint8), levels=3)
    one = np.zeros(1, int)
    facets = Facets(
        texture=one, to_texture=np.diag([1 / 8, 1 / 8, 1.0])[None], surface=one, label=one, instance=one
    )
    renderer = Renderer(height=SIZE, width=SIZE, atlas=atlas, facets=facets)
    lens = np.array([[30, 0, 20], [0, 30, 5], [0, 0, 1.0]])
    whole = np.array([(-2, -2), (SIZE + 2, -2), (SIZE + 2, SIZE + 2), (-2, SIZE + 2)], float)

    def frame(ahead: float):
        plane = lens @ np.array([[1, 0, 0], [0, 0, 1.5], [0, 1, ahead]])
        return renderer.frame(matrices=plane[None], polygons=[(0, whole)], light=np.array([[1.0, 0, 0]]))

    frame(6.0)
    _, flow, _ = frame(5.7)
    column = flow[1, 8:, 20].astype(float)
    assert (column < 0).all()  # the floor was nearer to the horizon before
    assert (np.diff(column) < 0).all()
    z = 30 * 1.5 / (30 - 5)  # depth seen in row 30
    assert column[30 - 8] == pytest.approx(30 * 1.5 / (z + 0.3) + 5 - 30, abs=0.02)


def test_inverse_matches_numpy_and_survives_singular_matrices():
    matrices = np.random.default_rng(2).normal(size=(20, 3, 3))
    assert np.allclose(inverse(matrices), np.linalg.inv(matrices))
    assert not inverse(np.zeros((1, 3, 3))).any()


def test_clip_near_cuts_at_the_plane():
    triangle = np.array([(0, 0, 1.0), (4, 0, 3.0), (0, 4, -1.0)])
    cut = clip_near(triangle, near=0.5)
    assert cut[:, 2].min() == pytest.approx(0.5)
    assert len(cut) == 4
    assert len(clip_near(triangle - [0, 0, 5], near=0.5)) == 0


def test_atlas_keeps_every_texture_at_its_place():
    atlas = Atlas()
    pictures = [
        np.full((h, w, 3), 30 * (k + 1), np.uint8) for k, (h, w) in enumerate([(20, 7), (5, 40), (16, 16)])
    ]
    for k, picture in enumerate(pictures):
        atlas.add(picture, levels=k)
    packed, places = atlas.pack()
    for k, picture in enumerate(pictures):
        for v in range(k + 1):
            x, y, w, h = places[k, v, v].astype(int)
            assert (w, h) == (picture.shape[1] >> v, picture.shape[0] >> v)
            assert (packed[y : y + h, x : x + w] == 30 * (k + 1)).all()


def test_a_texture_without_smaller_copies_keeps_its_colour_from_afar():
    """Facet 0's texture has three levels, facet 1's none; both are seen much minified."""
    atlas = Atlas()
    for level, tone in ((3, 40), (0, 220)):
        atlas.add(np.full((64, 64, 3), tone, np.uint8), levels=level)
    two = np.arange(2)
    to_texture = np.stack([np.diag([0.025, 0.025, 1.0]), np.diag([0.125, 0.125, 1.0])])
    facets = Facets(texture=two, to_texture=to_texture, surface=two, label=two, instance=two)
    renderer = Renderer(height=SIZE, width=SIZE, atlas=atlas, facets=facets)
    whole = np.array([(-1, -1), (SIZE, -1), (SIZE, SIZE), (-1, SIZE)], float)
    square = np.array([(0, 0), (8, 0), (8, 8), (0, 8)], float)
    light = np.array([[1.0, 0, 0]] * 2)
    still = np.stack([np.eye(3)] * 2)
    view, _, _ = renderer.frame(matrices=still, polygons=[(0, whole), (1, square)], light=light)
    assert view.ids[4, 4] == 1 and (view.colour[4, 4] == 220).all()
    assert (view.colour[20, 20] == 40).all()

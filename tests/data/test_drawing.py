"""Drawings of faces and bodies."""

import numpy as np
from toy_footage import body_points, face_points, texture

from slimvid.data.drawing import (
    BODY_LIMBS,
    FACE_EDGES,
    LIMB_COLOURS,
    canny_edges,
    draw_bodies,
    face_edges,
    face_parts,
    face_region,
    smooth_curve,
    with_forehead,
)


def test_the_14_edges_of_the_protocol():
    names = [name for name, _ in FACE_EDGES]
    counts = {name: names.count(name) for name in names}
    assert counts == {
        **{"face": 1, "right_brow": 1, "left_brow": 1, "nose": 3},
        **{"right_eye": 2, "left_eye": 2, "mouth": 2, "tongue": 2},
    }
    assert {i for _, points in FACE_EDGES for i in points} == set(range(83))


def test_curve_passes_through_its_points_and_is_smooth():
    angle = np.linspace(0, 2 * np.pi, 13)
    circle = 50 * np.stack([np.cos(angle), np.sin(angle)], 1)
    curve = smooth_curve(circle)
    assert all(np.abs(curve - p).sum(axis=1).min() < 1e-3 for p in circle)
    assert np.abs(np.hypot(*curve.T) - 50).max() < 0.2  # chords alone would be off by 1.7


def test_two_points_make_a_straight_line():
    assert np.array_equal(smooth_curve(np.float32([[0, 0], [5, 5]])), np.float32([[0, 0], [5, 5]]))


def test_forehead_mirrors_the_jaw_at_two_thirds():
    points = with_forehead(face_points())
    assert points.shape == (83, 2)
    ears = points[0, 1]
    assert np.isclose(ears - points[68:, 1].min(), (points[:17, 1].max() - ears) * 2 / 3, atol=0.01)


def test_background_edges_stay_outside_the_head():
    points = face_points()
    everywhere = np.full((240, 320), 255, np.uint8)
    edges = face_edges(points, height=240, width=320, background=everywhere)
    inside = face_region(points, height=240, width=320)
    drawn = face_parts(points, height=240, width=320).max(axis=0)
    assert (edges[~inside] == 255).all()
    assert np.array_equal(edges[inside], drawn[inside])
    assert 0 < (drawn > 0).mean() < 0.05
    assert set(np.unique(edges)) == {0, 255}


def test_every_face_part_is_drawn():
    parts = face_parts(face_points(), height=240, width=320)
    assert (parts.max(axis=(1, 2)) == 255).all()


def test_points_far_outside_do_not_break_the_drawing():
    points = face_points() + np.float32(1e9)
    assert face_edges(points, height=64, width=64).max() == 0
    body = body_points(64, 64)
    body[..., 0] += 1e9
    assert draw_bodies(body, height=64, width=64).max() == 0


def test_limbs_have_the_colours_of_the_table_only():
    picture = draw_bodies(body_points(200, 200), height=200, width=200)
    colours = {tuple(int(v) for v in c) for c in picture.reshape(-1, 3)}
    assert colours <= {(0, 0, 0), *LIMB_COLOURS}
    assert len(colours) > 20
    assert len(set(LIMB_COLOURS)) == len(BODY_LIMBS) == 24


def test_limb_with_an_unseen_end_is_not_drawn():
    body = np.zeros((1, 25, 3), np.float32)
    body[0, 1], body[0, 8], body[0, 9] = (50, 20, 0.9), (50, 80, 0.9), (90, 80, 0.0)
    picture = draw_bodies(body, height=100, width=100)
    assert tuple(picture[50, 50]) == LIMB_COLOURS[0]
    assert picture[80, 80].max() == 0
    assert draw_bodies(np.zeros((0, 25, 3), np.float32), height=8, width=8).max() == 0


def test_canny_finds_a_step_and_nothing_on_plain_ground():
    frame = np.zeros((40, 40, 3), np.uint8)
    assert canny_edges(frame, low=100, high=200).max() == 0
    frame[:, 20:] = 255
    assert set(np.argwhere(canny_edges(frame, low=100, high=200))[:, 1]) <= {19, 20}
    assert canny_edges(texture(64, 64), low=20, high=60).max() == 255

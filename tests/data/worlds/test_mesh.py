"""Meshes as facets: light runs smoothly over triangles, and what should not be painted is not."""

import numpy as np
import pytest

from slimvid.data.worlds.canvas import triangle_matrices
from slimvid.data.worlds.mesh import grid, shaded, solid, unit


def test_grid_covers_the_material_square_once():
    triangles, flat = grid(3, 5)
    assert len(triangles) == 2 * 3 * 5
    a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    assert area.sum() / 2 == pytest.approx(1)
    assert (area > 0).all()  # all wound alike
    assert triangles.max() == 4 * 6 - 1


def test_matrices_and_light_meet_the_corners():
    corners = np.array([[(10, 10), (30, 12), (14, 40)]], float)
    flat = np.array([[(0, 0), (1, 0), (0, 1)]], float)
    lit = np.array([[0.2, 0.9, 0.5]])
    matrices, light = shaded(corners, np.linalg.inv(triangle_matrices(flat)), lit)
    for k in range(3):
        x, y, w = matrices[0] @ [*flat[0, k], 1]
        assert (x / w, y / w) == pytest.approx(tuple(corners[0, k]))
        assert light[0] @ [1, *corners[0, k]] == pytest.approx(lit[0, k])


def test_slivers_are_lit_evenly_and_not_painted():
    corners = np.array([[(0, 0), (40, 0), (20, 0.5)], [(0, 0), (10, 0), (0, 10)]], float)
    flat = np.array([[(0, 0), (1, 0), (0, 1)]] * 2, float)
    _, light = shaded(corners, np.linalg.inv(triangle_matrices(flat)), np.array([[0.0, 0.6, 0.9]] * 2))
    assert light[0] == pytest.approx([0.5, 0, 0])
    thin = np.array([[(0, 0), (40, 0), (20, 0.05)]], float)
    assert solid(np.concatenate([corners, thin]), 1.0).tolist() == [True, True, False]


def test_triangles_that_turn_away_are_not_painted():
    corners = np.array([[(0, 0), (10, 0), (0, 10)], [(0, 0), (0, 10), (10, 0)]], float)
    assert solid(corners, 1.0).tolist() == [True, False]
    assert solid(corners, -1.0).tolist() == [False, True]
    assert solid(corners, 0.0).tolist() == [True, True]


def test_unit_maps_a_range_to_zero_and_one():
    matrix = unit((-2.0, 1.0, 4.0, 0.5))
    assert (matrix @ [-2, 1, 1])[:2] == pytest.approx([0, 0])
    assert (matrix @ [2, 1.5, 1])[:2] == pytest.approx([1, 1])

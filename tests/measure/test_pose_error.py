"""Key-points: geometry of the heat map, and a finder that follows a body."""

import numpy as np
import pytest
import torch

from slimvid.measure import pose_error
from slimvid.measure.pose_error import find_points, point_distances, train_finder


class Drawn(torch.nn.Module):
    """A "network" whose heat map is the target itself: what is found must be what was asked for."""

    def __init__(self, keypoints: np.ndarray, full: tuple[int, int], small: tuple[int, int]):
        super().__init__()
        self.heat = np.log(pose_error._bumps(keypoints, full, small) + 1e-9)

    def forward(self, frames):
        return torch.from_numpy(self.heat)[None]


def body(height: int, width: int, draw: np.random.Generator) -> np.ndarray:
    points = np.zeros((1, 25, 3), np.float32)
    points[0, :, 0] = draw.uniform(0.2 * width, 0.8 * width, 25)
    points[0, :, 1] = draw.uniform(0.1 * height, 0.9 * height, 25)
    points[0, :, 2] = 1
    return points


@pytest.mark.parametrize("size", [(64, 64), (96, 65), (256, 192)])
def test_heat_map_and_pixels_agree(size):
    points = body(*size, np.random.default_rng(0))
    small = pose_error._reduce(np.zeros((*size, 3), np.uint8)).shape[:2]
    found = find_points(Drawn(points, size, small), np.zeros((*size, 3), np.uint8), points)
    distances = point_distances(found, points[..., :2], points)
    assert distances.max() < 0.35 * size[0] / small[0]  # a fraction of a pixel that the network saw
    assert np.abs((found - points[..., :2]).mean(axis=(0, 1))).max() < 0.1 * size[0] / small[0]  # no shift


def test_two_people_are_looked_for_where_they_stand():
    draw = np.random.default_rng(1)
    left, right = body(64, 60, draw), body(64, 60, draw)
    right[..., 0] += 68
    both = np.concatenate([left, right])
    found = find_points(Drawn(both, (64, 128), (64, 128)), np.zeros((64, 128, 3), np.uint8), both)
    assert point_distances(found, both[..., :2], both).max() < 1


def test_invisible_points_are_not_asked_for():
    points = body(64, 64, np.random.default_rng(2))
    points[0, 5:, 2] = 0
    assert len(point_distances(points[..., :2] + 3, points[..., :2], points)) == 5
    assert point_distances(points[..., :2] + [3, 4], points[..., :2], points) == pytest.approx([5] * 5)


def figure(draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A frame of 48 x 48 with a vertical stick figure of coloured joints, and its points."""
    frame = draw.normal(90, 10, (48, 48, 3))
    points = np.zeros((1, 25, 3), np.float32)
    x, y = draw.uniform(12, 36), draw.uniform(8, 18)
    for joint in range(5):
        px, py = x + draw.uniform(-3, 3), y + 6 * joint
        points[0, joint] = px, py, 1
        rows, columns = np.mgrid[0:48, 0:48]
        near = (columns - px) ** 2 + (rows - py) ** 2 < 7
        frame[near] = [(255, 40, 40), (40, 255, 40), (40, 40, 255), (250, 250, 30), (30, 250, 250)][joint]
    return np.clip(frame, 0, 255).astype(np.uint8), points


def test_the_finder_learns_and_sees_a_moved_body():
    draw = np.random.default_rng(3)
    frames, points = zip(*(figure(draw) for _ in range(40)), strict=True)
    net = train_finder(frames[:32], points[:32], iterations=80)

    def error(change):
        return np.concatenate(
            [
                point_distances(find_points(net, change(frame), truth), truth[..., :2], truth)
                for frame, truth in zip(frames[32:], points[32:], strict=True)
            ]
        ).mean()

    assert error(lambda f: f) < 2
    assert error(lambda f: np.roll(f, 5, axis=1)) > 3.5
    assert error(lambda f: np.full_like(f, 90)) > 3


def test_frames_without_people_train_nothing_and_do_not_fail():
    nobody = [np.zeros((1, 25, 3), np.float32)] * 3
    frames = [np.zeros((48, 48, 3), np.uint8)] * 3
    net = train_finder(frames, nobody, iterations=3)
    assert point_distances(find_points(net, frames[0], nobody[0]), nobody[0][..., :2], nobody[0]).size == 0

"""The gate of the rulers: on real footage, more damage must never measure as less, and no trick pays.

Eleven kinds of damage in space and six in time, four levels each, on three clips at 64 x 96: the first frames
calibrate, later ones are damaged.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from slimvid.measure.calibration import Rulers, damage_curves, fit_rulers
from slimvid.measure.damage import SPATIAL, TEMPORAL, blur, boil, flicker, hold, shuffle
from slimvid.measure.perceptual import compare
from slimvid.measure.similarity import psnr

HEIGHT, WIDTH = 64, 96
CALIBRATED, DAMAGED = 48, 24  # frames
VIDEOS = {"carphone": "carphone_pristine.mp4", "bikes": "bikes.mp4"}


def fitted(frame: np.ndarray, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """The middle of a frame in another shape."""
    unit = min(frame.shape[0] / height, frame.shape[1] / width)
    tall, wide = int(unit * height), int(unit * width)
    y, x = (frame.shape[0] - tall) // 2, (frame.shape[1] - wide) // 2
    part = np.ascontiguousarray(frame[y : y + tall, x : x + wide])
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)


def read(root: Path, name: str) -> list[np.ndarray]:
    if name == "camvid":
        paths = sorted((root / "camvid/images/val").iterdir())
        return [cv2.imread(str(path))[..., ::-1] for path in paths]
    import av

    with av.open(str(root / "clips" / VIDEOS[name])) as video:
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]


@pytest.fixture(scope="module", params=["camvid", "carphone", "bikes"])
def rulers(request, real_data) -> Rulers:
    frames = np.stack([fitted(frame) for frame in read(real_data, request.param)[: CALIBRATED + DAMAGED]])
    return fit_rulers(frames[:CALIBRATED], frames[CALIBRATED:])


@pytest.mark.parametrize("ruler", ["frame_distance", "perceptual", "video_distance"])
def test_more_damage_measures_as_more(rulers, ruler) -> None:
    curves = damage_curves(rulers, ruler)
    assert len(curves) == (len(TEMPORAL) if ruler == "video_distance" else len(SPATIAL))
    wrong = {kind: values for kind, values in curves.items() if not all(np.diff([0, *values]) > 0)}
    assert not wrong


@pytest.mark.parametrize(
    "damage", [lambda v: hold(v, 3), lambda v: shuffle(v, 5), lambda v: flicker(v, 0.04)]
)
def test_damage_in_time_counts_where_frames_are_damaged_alike(rulers, damage) -> None:
    soft = blur(rulers.clean, 1)
    assert rulers.video_distance(damage(soft)) > rulers.video_distance(soft)


def test_a_sharp_frame_that_is_shifted_is_nearer_than_a_blurred_one(rulers) -> None:
    shifted, soft = np.roll(rulers.clean, 2, axis=2), blur(rulers.clean, 1)
    assert np.mean([psnr(*pair) for pair in zip(shifted, rulers.clean, strict=True)]) < np.mean(
        [psnr(*pair) for pair in zip(soft, rulers.clean, strict=True)]
    ), "PSNR prefers the blurred one, else this shows nothing"
    for ruler in ("frame_distance", "frame_kernel", "perceptual"):
        look = getattr(rulers, ruler)
        assert look(shifted) < look(soft), ruler


def test_the_change_between_neighbours_is_seen(rulers) -> None:
    """Of boiling, that is; brightness hardly counts, and holding changes too little as often as too much."""
    values = [rulers.temporal_perceptual(boil(rulers.clean, level)) for level in (0.5, 1, 2)]
    assert all(np.diff([0, *values]) > 0), values
    assert values[2] > 2 * rulers.temporal_perceptual(flicker(rulers.clean, 0.08))


def test_the_perceptual_distance_grades_damage_as_people_taught_it_to(real_data) -> None:
    """Values over that of a blur of sigma 1, found before on all of these frames at 128 x 256."""
    frames = np.stack([fitted(frame, 128, 256) for frame in read(real_data, "camvid")[50:51]])
    unit = compare(blur(frames, 1), frames)[0].mean()
    found = {"jpeg": (0.02, 0.06, 0.17, 0.69), "contrast": (0.03, 0.13, 0.53, 1.3)}
    for kind, wanted in found.items():
        damage, levels = SPATIAL[kind]
        values = [compare(damage(frames, level), frames)[0].mean() / unit for level in levels]
        assert values == pytest.approx(wanted, rel=0.35, abs=0.01), kind

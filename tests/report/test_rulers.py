"""The calibration page: of any footage, the same bytes every time, with the figures that its curves have."""

import cv2
import numpy as np
import pytest

from slimvid.errors import SlimvidError
from slimvid.report.rulers import _graded, write_calibration


@pytest.fixture
def footage(tmp_path):
    """Write a folder of pictures: a textured scene that slides under a passing light."""

    def write(length: int):
        folder = tmp_path / f"slide{length}"
        folder.mkdir()
        coarse = np.random.default_rng(0).integers(0, 256, (9, 24, 3)).astype(np.uint8)
        wide = cv2.resize(coarse, (96 + 2 * length, 64), interpolation=cv2.INTER_CUBIC)
        for t in range(length):
            frame = wide[:, 2 * t : 2 * t + 96] * (0.8 + 0.2 * np.sin(t / 3))
            cv2.imwrite(str(folder / f"{t:03}.png"), frame.astype(np.uint8))
        return folder

    return write


def test_the_page_shows_every_kind_of_damage_and_how_many_are_graded(footage, tmp_path, monkeypatch):
    from slimvid.measure import calibration

    asked = []

    def few(rulers, ruler):  # the whole of it is tests/measure/test_rulers.py
        asked.append(ruler)
        kinds = (
            calibration.TEMPORAL
            if ruler in ("video_distance", "temporal_perceptual")
            else calibration.SPATIAL
        )
        return {kind: [0.1, 0.2, 0.15 if kind == "hold" else 0.3, 0.4] for kind in kinds}

    monkeypatch.setattr(calibration, "damage_curves", few)
    pages = [tmp_path / name / "rulers.md" for name in "ab"]
    path = footage(72)
    for page in pages:
        write_calibration([path], page)
    text = pages[0].read_text()
    assert asked[:5] == list(dict.fromkeys(asked)) and len(asked) == 10
    assert "## slide72: 36 frames, 64 x 96" in text and "](rulers.svg)" in text
    assert "| block copy | 0.02, 0.05, 0.12, 0.3 | 0.1, 0.2, 0.3, 0.4 |" in text
    assert "frame distance 11 of 11, its kernel form 11 of 11, perceptual distance 11 of 11 kinds." in text
    assert "video distance 5 of 6, temporal perceptual distance 5 of 6 kinds." in text
    for suffix in (".md", ".svg"):
        assert pages[0].with_suffix(suffix).read_bytes() == pages[1].with_suffix(suffix).read_bytes()


def test_graded_means_every_level_above_the_one_before_and_the_first_above_nothing():
    assert _graded({"a": [1, 2, 3], "b": [0, 1, 2], "c": [1, 3, 2], "d": [-1, 1, 2]}) == 1


def test_short_footage_is_one_line_with_the_remedy(footage, tmp_path):
    with pytest.raises(SlimvidError, match=r"slide20: 20 frames, a calibration takes 40; give longer"):
        write_calibration([footage(20)], tmp_path / "rulers.md")

"""What real frames measure: floors, ceilings and features, of which split, and by whom."""

import json
import shutil

import numpy as np
import pytest

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.measure.distances import FRAMES, VIDEO, sample_places
from slimvid.measure.evaluator import read_evaluator, train_evaluator
from slimvid.measure.real import DOCUMENT, FEATURES, look, measure_real, read_real


@pytest.fixture(scope="module")
def measured(street, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluator")
    train_evaluator(street, settings, out)
    measure_real(street, out, settings)
    return out


def test_document_holds_floors_and_ceilings_of_the_test_frames(measured):
    document = json.loads((measured / DOCUMENT).read_text())
    assert (document["split"], document["samples"]) == ("test", {FRAMES: 48, VIDEO: 40})
    values = document["values"]
    assert values[f"{FRAMES}_floor"] > 0 and values[f"{VIDEO}_floor"] > 0
    assert 0 < values["perceptual_st_lpips_floor"] < 0.1
    assert 70 < values["miou_seg_ceiling"] <= 100
    assert values["warp_error_real"] == pytest.approx(0, abs=1)  # the drawing moves exactly as its flow says
    assert values["pose_error_floor"] is None


def test_poses_get_a_finder_and_flow_is_found_where_none_is_stored(bodies, settings, tmp_path):
    settings = settings.model_copy(update={"segmenter_iterations": 120})
    train_evaluator(bodies, settings, tmp_path)
    measure_real(bodies, tmp_path, settings)
    values = json.loads((tmp_path / DOCUMENT).read_text())["values"]
    assert 0 < values["pose_error_floor"] < 3
    assert values["miou_seg_ceiling"] is None
    assert values["warp_error_real"] > 0


def test_twice_gives_the_same_bytes(measured, street, settings, tmp_path):
    shutil.copytree(measured, tmp_path / "again")
    for name in (DOCUMENT, FEATURES):
        (tmp_path / "again" / name).unlink()
    measure_real(street, tmp_path / "again", settings)
    for name in (DOCUMENT, FEATURES):
        assert (tmp_path / "again" / name).read_bytes() == (measured / name).read_bytes()


def test_reading_gives_the_features_back(measured, street, settings):
    task = PreparedTask(street)
    judge = read_evaluator(measured, task, settings)
    read, seen = read_real(measured, judge), look(judge, task, "test", settings)
    assert read.values == pytest.approx(seen.values)
    assert read.features[VIDEO].shape == (40, 12) and read.features[VIDEO].dtype == np.float64
    assert all(np.array_equal(read.features[name], seen.features[name]) for name in (FRAMES, VIDEO))


def test_another_split_is_measured_alike(measured, street, settings):
    task = PreparedTask(street, splits=("val",))
    seen = look(read_evaluator(measured, task, settings), task, "val", settings)
    assert seen.features[FRAMES].shape == (36, 12)  # 3 clips


def test_a_split_of_which_nothing_was_held_back_is_one_line(street_looks):
    store = PreparedTask(street_looks(label_frames=False, val=()), splits=("val",))
    with pytest.raises(SlimvidError, match=r"holds no val clip, .*; give .* val_frames"):
        sample_places(store, "val")


def test_those_of_another_evaluator_or_other_bytes_are_refused(measured, street, settings, tmp_path):
    shutil.copytree(measured, tmp_path / "copy")
    other = settings.model_copy(update={"segmenter_iterations": 41})
    train_evaluator(street, other, tmp_path / "copy")
    judge = read_evaluator(tmp_path / "copy", PreparedTask(street), other)
    with pytest.raises(SlimvidError, match=r"real\.json: measured by another evaluator.*measure-real"):
        read_real(tmp_path / "copy", judge)
    judge = read_evaluator(measured, PreparedTask(street), settings)
    shutil.copytree(measured, tmp_path / "spoilt")
    whole = bytearray((measured / FEATURES).read_bytes())
    whole[-1] ^= 1
    (tmp_path / "spoilt" / FEATURES).write_bytes(whole)
    with pytest.raises(SlimvidError, match=r"real\.safetensors: not the features"):
        read_real(tmp_path / "spoilt", judge)
    (tmp_path / "spoilt" / DOCUMENT).unlink()
    with pytest.raises(SlimvidError, match=r"real\.json"):
        read_real(tmp_path / "spoilt", judge)


def test_frames_that_are_all_alike_are_no_truth_to_measure_by(alike, settings, tmp_path):
    train_evaluator(alike, settings, tmp_path)
    with pytest.raises(
        SlimvidError, match=r"frame_distance_lite0 the real test frames are all alike.*prepare"
    ):
        measure_real(alike, tmp_path, settings)

"""The evaluator of a task: what it holds, that it is reproducible, and whose it is."""

import json
import shutil

import numpy as np
import pytest
import torch

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.measure.evaluator import DOCUMENT, WEIGHTS, read_evaluator, train_evaluator


@pytest.fixture(scope="module")
def trained(street, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluator")
    train_evaluator(street, settings, out)
    return out


def test_document_says_what_it_is_and_its_own_limits(trained, street):
    document = json.loads((trained / DOCUMENT).read_text())
    assert document["data"] == PreparedTask(street).digest
    assert document["source"] == "a test's drawing"
    assert document["samples"] == {"rfd4": 36, "rfvd4": 9}
    values = document["values"]
    assert values["rfd4_floor"] > 0 and values["rfvd4_floor"] > 0
    assert 70 < values["miou_seg_ceiling"] <= 100
    assert values["warp_error_real"] == pytest.approx(0, abs=1)  # the drawing moves exactly as its flow says
    assert values["pose_error_floor"] is None


def test_twice_gives_the_same_bytes_whatever_ran_before(trained, street, settings, tmp_path):
    torch.manual_seed(1234)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train_evaluator(street, settings, tmp_path)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    for name in (DOCUMENT, WEIGHTS):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_poses_get_a_finder_and_flow_is_found_where_none_is_stored(bodies, settings, tmp_path):
    train_evaluator(bodies, settings.model_copy(update={"segmenter_iterations": 120}), tmp_path)
    document = json.loads((tmp_path / DOCUMENT).read_text())
    assert 0 < document["values"]["pose_error_floor"] < 3
    assert document["values"]["miou_seg_ceiling"] is None
    assert document["values"]["warp_error_real"] > 0


def test_reading_gives_the_networks_back(trained, street, settings):
    judge = read_evaluator(trained, PreparedTask(street), settings)
    again = read_evaluator(trained, PreparedTask(street), settings)
    assert judge.identity.startswith("embedded:") and len(judge.identity) == 17
    assert judge.finder is None
    x = torch.zeros(1, 3, 32, 48)
    assert torch.equal(judge.segmenter(x), again.segmenter(x))
    assert not judge.segmenter.training
    assert judge.real["rfvd4"].shape == (4, 9, 96) and judge.real["rfvd4"].dtype == np.float64


def test_another_protocol_is_refused(trained, street, settings):
    task = PreparedTask(street)
    other = settings.model_copy(update={"window_stride": 2})
    with pytest.raises(SlimvidError, match=r"window_stride 3, the config says 2; .*train-evaluator"):
        read_evaluator(trained, task, other)


def test_another_tasks_evaluator_is_refused(trained, bodies, settings):
    with pytest.raises(SlimvidError, match="trained on other data"):
        read_evaluator(trained, PreparedTask(bodies), settings)


def test_swapped_weights_are_refused(trained, street, settings, tmp_path):
    shutil.copytree(trained, tmp_path / "copy")
    whole = bytearray((trained / WEIGHTS).read_bytes())
    whole[-1] ^= 1
    (tmp_path / "copy" / WEIGHTS).write_bytes(whole)
    with pytest.raises(SlimvidError, match=r"weights\.safetensors: not the weights"):
        read_evaluator(tmp_path / "copy", PreparedTask(street), settings)


def test_too_short_clips_are_named_before_anything_is_trained(street, settings, tmp_path):
    with pytest.raises(SlimvidError, match=r"measure\.window.*longest 12 frames"):
        train_evaluator(street, settings.model_copy(update={"window": 16}), tmp_path / "out")
    assert not (tmp_path / "out").exists()

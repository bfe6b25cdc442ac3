"""The evaluator of a task: what it holds, that it is reproducible, and whose it is."""

import json
import shutil

import numpy as np
import pytest
import torch

from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.measure.distances import FRAMES
from slimvid.measure.evaluator import DOCUMENT, WEIGHTS, read_evaluator, train_evaluator
from slimvid.measure.segmenter import segment


@pytest.fixture(scope="module")
def trained(street, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluator")
    train_evaluator(street, settings, out)
    return out


def test_document_says_what_it_is(trained, street):
    document = json.loads((trained / DOCUMENT).read_text())
    assert document["data"] == PreparedTask(street).digest
    assert document["source"] == "a test's drawing"


def test_only_training_frames_are_opened(trained, street, settings, tmp_path):
    """It judges, so it must not have seen what it judges by: the other splits' files need not be there."""
    shutil.copytree(street, tmp_path / "street")
    for split in ("val", "test"):
        (tmp_path / "street" / f"{split}.arrow").unlink()
    train_evaluator(tmp_path / "street", settings, tmp_path / "out")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()


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


def test_reading_gives_the_networks_back(trained, street, settings):
    judge = read_evaluator(trained, PreparedTask(street), settings)
    again = read_evaluator(trained, PreparedTask(street), settings)
    assert judge.identity.startswith("embedded:") and len(judge.identity) == 17
    assert judge.finder is None
    frame = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    assert np.array_equal(segment(judge.segmenter, frame), segment(again.segmenter, frame))
    assert not judge.segmenter.training


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


def test_a_distance_that_has_too_few_samples_is_left_out_and_named(street, settings, tmp_path, caplog):
    settings = settings.model_copy(update={"dimensions": 20})
    train_evaluator(street, settings, tmp_path)
    said = "split train: 40 samples of video_distance_lite0 (of 3 frames), it takes 42"
    assert said in caplog.text and "its columns stay empty: lower measure.dimensions" in caplog.text
    assert list(read_evaluator(tmp_path, PreparedTask(street), settings).maps) == [FRAMES]

"""mIoU, AC and MP against counts made by hand, and the release's protocol with its quirks."""

import json

import numpy as np
import pytest

from slimvid.data.palette import as_seen, nearest_class, paint
from slimvid.data.viper import CLASSES
from slimvid.measure.evaluator import train_evaluator
from slimvid.measure.label_scores import NAMES, label_scores, picture_confusion
from slimvid.measure.quality import measure_quality
from slimvid.measure.real import measure_real

COLOURS = ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255))
VIPER = tuple(colour for _, colour in CLASSES)


def released(truth: np.ndarray, drawn: np.ndarray) -> tuple[float, float, float]:
    """The release's counting, step by step, on Viper's ids (0..31 without 25) of one picture."""
    table = {colour: number for number, colour in enumerate(VIPER)}
    classes = len(table)
    bins = lambda ids: np.histogram(ids, bins=np.arange(classes + 1))[0].astype(float)  # noqa: E731
    inter, union = bins(truth[truth == drawn]), bins(truth) + bins(drawn)
    union -= inter
    iou, accuracy = inter / (union + 1e-10), inter / (bins(truth) + 1e-10)
    return 100 * iou.mean(), 100 * accuracy.mean(), 100 * inter.sum() / bins(truth).sum()


def test_colours_and_back():
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    assert np.array_equal(nearest_class(paint(labels, COLOURS), COLOURS), labels)
    noisy = np.clip(paint(labels, COLOURS).astype(int) + 90, 0, 255).astype(np.uint8)
    assert np.array_equal(nearest_class(noisy, COLOURS), labels)
    assert paint(np.array([[255]], np.uint8), COLOURS).tolist() == [[[0, 0, 0]]]


def test_scores_of_a_confusion_made_by_hand():
    """Truth: 6 of class 1 (4 found, 2 taken for 2), 2 of class 2 (both found); 0 and 3 do not occur."""
    matrix = np.zeros((4, 4), int)
    matrix[1, 1], matrix[1, 2], matrix[2, 2] = 4, 2, 2
    scores = label_scores(matrix, COLOURS)
    assert scores["miou_fixed"] == pytest.approx(100 * (4 / 6 + 2 / 4) / 2)
    assert scores["ac_fixed"] == pytest.approx(100 * (4 / 6 + 1) / 2)
    assert scores["mp_fixed"] == pytest.approx(75) == scores["mp_unsup_eval"]
    assert scores["miou_unsup_eval"] == pytest.approx(100 * (4 / 6 + 2 / 4) / 4)  # absent classes are 0
    assert scores["ac_unsup_eval"] == pytest.approx(100 * (4 / 6 + 1) / 4)


def test_unsup_eval_is_the_releases_counting():
    """On ids of all 32 classes: van and train share a colour, boat falls into the bin of plane."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 32, (64, 64)).astype(np.uint8)
    labels[:2], labels[2:4] = 31, 25
    drawn = np.where(rng.random((64, 64)) < 0.6, labels, rng.integers(0, 32, (64, 64))).astype(np.uint8)
    scores = label_scores(picture_confusion(labels, paint(drawn, VIPER), VIPER), VIPER)
    wanted = released(as_seen(labels, VIPER), as_seen(drawn, VIPER))
    found = [scores[f"{name}_unsup_eval"] for name in ("miou", "ac", "mp")]
    assert found == pytest.approx(wanted, rel=1e-9)
    assert scores["miou_fixed"] > scores["miou_unsup_eval"] > 0


def test_the_release_has_31_classes_without_van():
    assert len(set(VIPER)) == 31 and len(VIPER) == 32
    assert [name for name, colour in CLASSES if colour == (0, 80, 100)] == ["van", "train"]
    van = np.full((4, 4), 25, np.uint8)
    assert np.all(nearest_class(paint(van, VIPER), VIPER) == 29)
    assert label_scores(picture_confusion(van, paint(van, VIPER), VIPER), VIPER)["miou_fixed"] == 100


def test_a_perfect_picture_scores_what_the_protocol_allows():
    labels = np.array([[0, 1], [1, 255]], np.uint8)
    scores = label_scores(picture_confusion(labels, paint(labels, COLOURS), COLOURS), COLOURS)
    assert [scores[f"{n}_fixed"] for n in ("miou", "ac", "mp")] == [100, 100, 100]
    assert scores["miou_unsup_eval"] == pytest.approx(50)  # two of four classes occur; void is not counted
    assert label_scores(np.zeros((4, 4), int), COLOURS) == dict.fromkeys(NAMES)


@pytest.fixture(scope="module")
def measure(archive, settings, tmp_path_factory):
    def run(prepared, change):
        folder = tmp_path_factory.mktemp("measured")
        train_evaluator(prepared, settings, folder / "evaluator")
        measure_real(prepared, folder / "evaluator", settings)
        out = folder / "row" / "0" / "quality.json"
        measure_quality(archive(prepared, change), prepared, folder / "evaluator", settings, out)
        return json.loads(out.read_text())

    return run


def shifted(clip):
    return ((t, np.roll(frame, 3, axis=1)) for t, frame in enumerate(clip))


def test_drawn_label_maps_are_scored_by_their_colours(measure, street_looks):
    document = measure(street_looks(label_frames=True), shifted)
    values = document["values"]
    assert values["miou_seg"] is None and values["miou_fixed_ceiling"] == 100
    assert 50 < values["miou_fixed"] < values["mp_fixed"] < 100
    assert values["miou_unsup_eval"] == pytest.approx(values["miou_fixed"])  # three colours, three classes
    assert document["protocol"]["label_scores"]["reader"] == "nearest palette colour"
    assert len(document["bootstrap"]["replicates"]["miou_fixed"]) == 40


def test_drawn_frames_are_scored_by_the_segmenter(measure, street_looks):
    document = measure(street_looks(label_frames=False), shifted)
    values = document["values"]
    assert values["miou_fixed"] == pytest.approx(values["miou_seg"])
    assert values["miou_fixed"] < values["miou_fixed_ceiling"] <= 100
    assert document["protocol"]["label_scores"]["reader"] == "in-pipeline segmenter"

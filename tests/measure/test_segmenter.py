"""The confusion by hand, and a segmenter that learns what can be learned."""

import cv2
import numpy as np
import pytest

from slimvid.measure import segmenter
from slimvid.measure.segmenter import confusion, mean_iou, segment, stage_maps, train_segmenter


def test_confusion_counts_truth_in_rows_and_skips_void():
    truth = np.array([[0, 0, 1], [1, 255, 2]], np.uint8)
    found = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    assert confusion(truth, found, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_mean_iou_skips_classes_that_occur_nowhere():
    matrix = np.array([[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert mean_iou(matrix) == pytest.approx(100 * (1 / 3 + 2 / 3 + 0) / 3)
    assert mean_iou(np.zeros((3, 3), int)) is None


@pytest.fixture(scope="module")
def pictures():
    """Sky over road, split at a moving row, with a striped block on it: 24 frames, three classes."""
    draw = np.random.default_rng(0)
    frames, labels = [], []
    for _ in range(24):
        row, x = draw.integers(8, 20), draw.integers(0, 36)
        label = np.zeros((32, 48), np.uint8)
        label[row:] = 1
        label[row : row + 8, x : x + 12] = 2
        frame = np.array([[110, 150, 220], [90, 85, 80], [150, 40, 40]])[label]
        frame[..., 1] += 60 * ((np.arange(48) // 2 % 2) * (label == 2))
        frames.append(np.clip(frame + draw.normal(0, 12, frame.shape), 0, 255).astype(np.uint8))
        label[:2] = 255
        labels.append(label)
    return frames, labels


def test_it_learns_and_sees_damage(pictures):
    frames, labels = pictures
    net = train_segmenter(frames[:16], labels[:16], classes=3, iterations=60)

    def score(change):
        return mean_iou(sum(confusion(b, segment(net, change(a)), 3) for a, b in zip(*held_out, strict=True)))

    held_out = frames[16:], labels[16:]
    assert score(lambda f: f) > 80
    assert score(lambda f: f[:, ::-1]) < 70  # the block stands elsewhere
    assert score(lambda f: np.full_like(f, 128)) < 40


def test_training_gives_the_same_weights_twice(pictures):
    a, b = (train_segmenter(*pictures, classes=3, iterations=3).state_dict() for _ in range(2))
    assert all((a[name] == b[name]).all() for name in a)


def test_what_does_not_fit_in_memory_is_thinned_evenly(pictures, monkeypatch):
    monkeypatch.setattr(segmenter, "CACHE_BYTES", 6 * sum(2 * x.numel() for x in stage_maps(pictures[0][0])))
    views = list(segmenter._views(*pictures))
    assert len(views) == 6
    assert np.array_equal(views[0][1], pictures[1][0])
    assert np.array_equal(views[5][1], pictures[1][-1][:, ::-1])


def test_frames_of_void_only_do_not_spoil_the_weights(pictures):
    frames, _ = pictures
    void = [np.full((32, 48), 255, np.uint8)] * len(frames)
    net = train_segmenter(frames, void, classes=3, iterations=2)
    assert all(bool(value.isfinite().all()) for value in net.state_dict().values())


def test_it_knows_real_streets_and_sees_their_blur(real_data):
    """CamVid: 41 stills to train on, 11 frames of another sequence; more blur is a lower mIoU."""

    def read(split: str, step: int):
        frames, labels = [], []
        for path in sorted((real_data / "camvid/images" / split).iterdir())[::step]:
            frames.append(
                cv2.resize(cv2.imread(str(path))[..., ::-1], (96, 64), interpolation=cv2.INTER_AREA)
            )
            label = cv2.imread(str(real_data / "camvid/labels" / split / f"{path.stem}.png"), 0)
            label[label == 11] = 255
            labels.append(cv2.resize(label, (96, 64), interpolation=cv2.INTER_NEAREST))
        return frames, labels

    net = train_segmenter(*read("train", 9), classes=11, iterations=60)
    frames, labels = read("val", 10)
    scores = []
    for sigma in (0, 1, 2):
        seen = [cv2.GaussianBlur(frame, (0, 0), sigma) if sigma else frame for frame in frames]
        scores.append(
            mean_iou(sum(confusion(b, segment(net, a), 11) for a, b in zip(seen, labels, strict=True)))
        )
    assert scores[0] > 35 and all(np.diff(scores) < -2), scores

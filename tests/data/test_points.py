"""Landmarks and body points: formats, and points that cannot be the frame's."""

import json

import numpy as np
import pytest
from toy_footage import body_points, face_points, openpose_document, write_text

from slimvid.data.points import read_landmarks, read_openpose
from slimvid.errors import SlimvidError

SIZE = (240, 320)


def test_landmarks_from_json_and_text(tmp_path):
    points = np.rint(face_points())
    path = write_text(tmp_path / "a.json", points.tolist())
    assert np.array_equal(read_landmarks(path, size=SIZE), points)
    text = tmp_path / "a.txt"
    text.write_text("\n".join(f"{x:g},{y:g}" for x, y in points) + "\n")
    assert np.array_equal(read_landmarks(text, size=SIZE), points)
    text.write_bytes(b"\xef\xbb\xbf" + text.read_bytes())  # UTF-8's byte order mark, of other tools
    assert np.array_equal(read_landmarks(text, size=SIZE), points)


@pytest.mark.parametrize("content", ["", "[[1, 2", '{"a": 1}', "[[1, 2], [3, 4]]", "[[1, 2], [3]]", "null"])
def test_other_than_68_points_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(SlimvidError, match=r"a\.json: .*detect the landmarks again"):
        read_landmarks(path, size=SIZE)


def test_openpose_people(tmp_path):
    people = np.concatenate([body_points(50, 50), body_points(90, 90)])
    path = write_text(tmp_path / "p.json", openpose_document(people))
    assert np.allclose(read_openpose(path, size=SIZE), people)
    assert read_openpose(write_text(tmp_path / "none.json", {"people": []}), size=SIZE).shape == (0, 25, 3)


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"persons": []}, "not an OpenPose file"),
        ({"people": [{"hand": []}]}, "not an OpenPose file"),
        ([1, 2], "not an OpenPose file"),
        ({"people": [{"pose_keypoints_2d": [0.0] * 54}]}, "54 numbers, not 75.*BODY_25"),
    ],
)
def test_other_than_body_25_is_refused(tmp_path, document, word):
    path = write_text(tmp_path / "p.json", document)
    with pytest.raises(SlimvidError, match=rf"p\.json: .*{word}"):
        read_openpose(path, size=SIZE)
    path.write_text(json.dumps(document)[:-3])
    with pytest.raises(SlimvidError, match=r"p\.json"):
        read_openpose(path, size=SIZE)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p: p * 0, "within 2 pixels of the corner"),
        (lambda p: p / 320, "within 2 pixels of the corner"),
        (lambda p: p * 10, "68 of 68 landmarks lie outside their 320x240 frame"),
        (lambda p: p * 0 + 50, "all landmarks lie in one spot"),
        (lambda p: p - [0, np.nan], "not a number"),
    ],
)
def test_landmarks_that_are_not_the_frames_are_refused(tmp_path, change, word):
    path = write_text(tmp_path / "a.json", change(face_points()).tolist())
    with pytest.raises(SlimvidError, match=rf"a\.json: .*{word}"):
        read_landmarks(path, size=SIZE)


def test_a_face_partly_beyond_the_border_is_read(tmp_path):
    path = write_text(tmp_path / "a.json", face_points(centre=(10, 120)).tolist())
    assert read_landmarks(path, size=SIZE).min() < 0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p: p / [320, 240, 1], "all joints lie within 2 pixels"),
        (lambda p: p / [160, 120, 1] - [1, 1, 0], "all joints lie within 2 pixels"),
        (lambda p: p * [15, 15, 1], "25 of 25 joints lie outside"),
        (lambda p: p * [1, 1, 100], "a confidence is 90; store 0..1"),
        (lambda p: p * [1, np.inf, 1], "not a number"),
    ],
)
def test_joints_that_are_not_the_frames_are_refused(tmp_path, change, word):
    path = write_text(tmp_path / "p.json", openpose_document(change(body_points(240, 320))))
    with pytest.raises(SlimvidError, match=rf"p\.json: .*{word}"):
        read_openpose(path, size=SIZE)


def test_joints_not_seen_are_zero_and_pass(tmp_path):
    people = body_points(240, 320)
    people[0, 3:20] = 0
    path = write_text(tmp_path / "p.json", openpose_document(people))
    assert np.array_equal(read_openpose(path, size=SIZE)[0, 3], [0, 0, 0])
    write_text(path, openpose_document(people * 0))
    assert read_openpose(path, size=SIZE).shape == (1, 25, 3)

"""Reading files of datasets: geometry, formats, and one clear error for each kind of damage."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_footage import (
    body_points,
    face_points,
    openpose_document,
    texture,
    write_picture,
    write_text,
)

from slimvid.data.frames_io import (
    Crop,
    check_numbering,
    list_files,
    number_of,
    read_densepose,
    read_ids,
    read_landmarks,
    read_openpose,
    read_picture,
)
from slimvid.errors import SlimvidError


@pytest.mark.parametrize(
    ("source", "target", "box"),
    [
        ((720, 1280), (512, 448), (325, 0, 630, 720)),  # wider: the whole height
        ((480, 640), (256, 512), (0, 80, 640, 320)),  # narrower: the whole width
        ((100, 200), (50, 100), (0, 0, 200, 100)),
    ],
)
def test_centre_crop_keeps_the_aspect(source, target, box):
    crop = Crop.centre(source, height=target[0], width=target[1])
    assert (crop.left, crop.top, crop.width, crop.height) == box


def test_picture_map_and_points_move_together():
    image = np.zeros((120, 200, 3), np.uint8)
    image[60:70, 90:100] = 255
    ids = (image[..., 0] > 0).astype(np.uint8)
    crop = Crop.centre((120, 200), height=60, width=60)
    small, labels = crop.picture(image), crop.ids(ids)
    assert np.array_equal(small[..., 0] > 0, labels > 0)
    rows, columns = np.nonzero(labels)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 34, 25, 29)
    corner = crop.points(np.float32([[89.5, 59.5], [99.5, 69.5]]))  # the square's corners, between pixels
    assert np.allclose(corner, [[24.5, 29.5], [29.5, 34.5]])


def test_ids_are_never_mixed():
    ids = np.random.default_rng(0).choice(np.uint16([3, 1000, 60000]), (33, 47))
    scaled = Crop.centre((33, 47), height=64, width=64).ids(ids)
    assert scaled.dtype == np.uint16
    assert set(np.unique(scaled)) <= {3, 1000, 60000}


def test_enlarging_works_too():
    assert Crop.centre((20, 20), height=64, width=32).picture(texture(20, 20)).shape == (64, 32, 3)


def test_files_are_counted_not_spelt(tmp_path):
    for number in (10, 2, 1):
        write_picture(tmp_path / f"frame{number}.png", texture(8, 8))
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert [p.name for p in list_files(tmp_path, (".png",))] == ["frame1.png", "frame2.png", "frame10.png"]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("aachen_000000_000019_leftImg8bit.png", ("aachen_000000_", 19)),
        ("0016E5_07959.jpg", ("0016E5_", 7959)),
        ("dance_000000000012_keypoints.json", ("dance_", 12)),
        ("00003.jpg", ("", 3)),
        ("title.png", None),
    ],
)
def test_frame_number_is_the_last_in_the_name(name, number):
    assert number_of(Path(name)) == number


def test_hole_in_the_numbering_is_named():
    files = [Path(f"seq/f_{n:04d}.png") for n in (2, 4, 8, 10)]
    with pytest.raises(SlimvidError, match=r"between f_0004\.png and f_0008\.png"):
        check_numbering(files)
    check_numbering([Path(f"seq/f_{n:04d}.png") for n in (2, 4, 6, 8)])
    check_numbering([Path("a_01.png"), Path("b_07.png"), Path("c_09.png")])


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_picture_is_named(tmp_path, suffix):
    path = write_picture(tmp_path / f"x{suffix}", texture(64, 64))
    assert read_picture(path).shape == (64, 64, 3)
    data = path.read_bytes()
    for keep in (0, 10, len(data) // 2, len(data) - 20):
        path.write_bytes(data[:keep])
        with pytest.raises(SlimvidError, match=rf"x\{suffix}: damaged or truncated"):
            read_picture(path)


def test_picture_is_rgb_and_of_the_size(tmp_path):
    image = np.zeros((8, 12, 3), np.uint8)
    image[..., 0] = 200
    path = write_picture(tmp_path / "red.png", image)
    assert np.array_equal(read_picture(path, size=(8, 12)), image)
    with pytest.raises(SlimvidError, match=r"red\.png: is 12x8.*12x9"):
        read_picture(path, size=(9, 12))
    with pytest.raises(SlimvidError, match=r"gone\.png: missing"):
        read_picture(tmp_path / "gone.png")


def test_maps_of_ids(tmp_path):
    ids = np.random.default_rng(0).integers(0, 30, (8, 12)).astype(np.uint8)
    path = write_picture(tmp_path / "ids.png", ids)
    assert np.array_equal(read_ids(path, size=(8, 12)), ids)
    grey = write_picture(tmp_path / "grey.png", np.dstack([ids] * 3))
    assert np.array_equal(read_ids(grey, size=(8, 12)), ids)
    wide = write_picture(tmp_path / "wide.png", ids.astype(np.uint16) * 1000)
    assert read_ids(wide, size=(8, 12), limit=65535).dtype == np.uint16
    with pytest.raises(SlimvidError, match="largest known is 5"):
        read_ids(path, size=(8, 12), limit=5)
    with pytest.raises(SlimvidError, match="same size"):
        read_ids(path, size=(16, 24))
    with pytest.raises(SlimvidError, match="colour picture"):
        read_ids(write_picture(tmp_path / "colour.png", texture(8, 12)), size=(8, 12))


def test_landmarks_from_json_and_text(tmp_path):
    points = np.rint(face_points())
    path = write_text(tmp_path / "a.json", points.tolist())
    assert np.array_equal(read_landmarks(path), points)
    text = tmp_path / "a.txt"
    text.write_text("\n".join(f"{x:g},{y:g}" for x, y in points) + "\n")
    assert np.array_equal(read_landmarks(text), points)


@pytest.mark.parametrize("content", ["", "[[1, 2", '{"a": 1}', "[[1, 2], [3, 4]]", "[[1, 2], [3]]", "null"])
def test_other_than_68_points_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(SlimvidError, match=r"a\.json: .*detect the landmarks again"):
        read_landmarks(path)


def test_openpose_people(tmp_path):
    people = np.concatenate([body_points(50, 50), body_points(90, 90)])
    path = write_text(tmp_path / "p.json", openpose_document(people))
    assert np.allclose(read_openpose(path), people)
    assert read_openpose(write_text(tmp_path / "none.json", {"people": []})).shape == (0, 25, 3)


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
        read_openpose(path)
    path.write_text(json.dumps(document)[:-3])
    with pytest.raises(SlimvidError, match=r"p\.json"):
        read_openpose(path)


def test_densepose_spreads_the_part(tmp_path):
    iuv = np.zeros((6, 6, 3), np.uint8)
    iuv[2:4, 2:4] = (24, 7, 9)
    path = tmp_path / "d.png"
    cv2.imwrite(str(path), iuv)  # as DensePose's tools do: I where OpenCV has blue
    surface = read_densepose(path, size=(6, 6))
    assert tuple(surface[2, 2]) == (255, 7, 9)
    assert surface[0, 0].max() == 0
    cv2.imwrite(str(path), iuv * 2)
    with pytest.raises(SlimvidError, match="body part 48 of 24"):
        read_densepose(path, size=(6, 6))

"""Folders of numbered files: order, holes, and files that do not belong."""

from pathlib import Path

import pytest
from toy_footage import texture, write_picture

from slimvid.data.sequence import check_numbering, list_files, number_of, partners, sequences
from slimvid.errors import SlimvidError


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


@pytest.mark.parametrize(
    "stray", ["cover.png", "f_0002 (1).png", "f_0000_thumb2.png", "f_0003 copy.png", "g_0001.png"]
)
def test_a_file_of_another_name_does_not_blind_the_check(stray):
    files = sorted([*(Path(f"seq/f_{n:04d}.png") for n in (0, 1, 2, 4)), Path("seq") / stray])
    with pytest.raises(SlimvidError, match=r"is not named like the others \(f_0000\.png"):
        check_numbering(sorted(files, key=lambda p: (number_of(p) or ("", -1))[1]))


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["0.png", "0.jpg", "1.png", "1.jpg"], r"0\.png: there is 0\.jpg too"),
        (["1.png", "01.png", "2.png"], r"1\.png: 01\.png has the same frame number"),
        (["a_01.png", "b_07.png", "c_09.png"], "not numbered as one sequence"),
        (["a.png", "b.png", "c.png"], "not numbered as one sequence"),
        (["a_1.png", "a_2.png", "b_1.png", "b_2.png"], "not numbered as one sequence"),
    ],
)
def test_what_is_not_one_sequence_is_refused(names, word):
    with pytest.raises(SlimvidError, match=word):
        check_numbering([Path("seq") / name for name in names])


def test_one_file_needs_no_number():
    check_numbering([Path("cover.png")])


def test_sequences_of_one_folder():
    names = ["a_1.png", "a_2.png", "b_5.png", "b_6.png"]
    found = sequences([Path(n) for n in names])
    assert {start: len(files) for start, files in found.items()} == {"a_": 2, "b_": 2}
    for more, word in (
        ("cover.png", "no frame number"),
        ("a_1 (1).png", "no sequence"),
        ("b_8.png", "missing"),
    ):
        with pytest.raises(SlimvidError, match=word):
            sequences([Path(n) for n in [*names, more]])


def test_partners_are_one_a_frame(tmp_path):
    images = [Path(f"{n}.jpg") for n in range(3)]
    for n in range(3):
        (tmp_path / f"{n}_keypoints.json").write_text("")
    assert [p.name for p in partners(images, tmp_path, "pose", (".json", ".txt"))] == [
        f"{n}_keypoints.json" for n in range(3)
    ]
    (tmp_path / "1_keypoints.txt").write_text("")
    with pytest.raises(SlimvidError, match=r"1_keypoints\.txt: there is 1_keypoints\.json too"):
        partners(images, tmp_path, "pose", (".json", ".txt"))
    with pytest.raises(SlimvidError, match=r"2_keypoints\.json: belongs to no frame"):
        partners(images[:2], tmp_path, "pose", (".json",))
    with pytest.raises(SlimvidError, match=r"3\.jpg: has no pose file"):
        partners([*images, Path("3.jpg")], tmp_path, "pose", (".json",))

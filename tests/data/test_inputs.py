"""The state of a task's footage: every file that is read is in it, and no other."""

import os
from pathlib import Path

import pytest
from toy_footage import task_settings

from slimvid.data import cityscapes, face, inputs, pose
from slimvid.settings import TaskSettings


def file(path: Path, *, when: int = 1) -> Path:
    """A file of fixed time, so that nothing but the change at hand tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, ns=(when, when))
    return path


def of_layouts(module) -> list[str]:
    """A file in every folder that a source's layouts name."""
    found = []
    for layout in module.LAYOUTS:
        for folder in layout.folders.values():
            found += [f"{folder.format(split=split)}/s0/0001.png" for split in layout.splits or ("",)]
    return found


OFFICIAL = [
    f"{root}/{split}/ulm/ulm_000000_000001_{kind}.png"
    for root, kind in (
        ("leftImg8bit_sequence", "leftImg8bit"),
        ("leftImg8bit", "leftImg8bit"),
        ("gtFine", "gtFine_labelIds"),
    )
    for split in ("train", "val")
]
LAYOUTS = {
    "cityscapes": [*OFFICIAL, *(f for f in of_layouts(cityscapes) if "leftImg8bit" not in f)],
    "face": of_layouts(face),
    "pose": of_layouts(pose),
    "camvid": [f"{d}/0016E5_00001.png" for d in ("images/val", "labels/val", "val", "valannot")],
    "viper": [f"{s}/{k}/001/001_00001.png" for s in ("train", "val", "test") for k in ("img", "cls")],
}


@pytest.mark.parametrize("source", LAYOUTS)
def test_every_file_of_a_layout_is_told(source: str, tmp_path: Path) -> None:
    over = {"translation": "game2label"} if source == "viper" else {}
    settings = task_settings(source, tmp_path, **over)
    assert inputs.footage_state(settings).startswith("0 files")
    for name in LAYOUTS[source]:
        path = file(tmp_path / name)
        added = inputs.footage_state(settings)
        file(path, when=2)
        assert inputs.footage_state(settings) != added, f"{name} was overwritten"
    whole = inputs.footage_state(settings)
    assert whole.startswith(f"{len(LAYOUTS[source])} files") and whole == inputs.footage_state(settings)
    last = tmp_path / LAYOUTS[source][-1]
    last.rename(last.with_name("zzz.png"))
    assert inputs.footage_state(settings) != whole, "a renamed file"
    last.with_name("zzz.png").unlink()
    assert inputs.footage_state(settings).startswith(f"{len(LAYOUTS[source]) - 1} files")


@pytest.mark.parametrize("kind", ["landmarks", "labels", "poses"])
def test_files_beside_a_video_are_told(kind: str, tmp_path: Path) -> None:
    film, beside = file(tmp_path / "film.mp4"), file(tmp_path / "beside" / "0001.json")
    names = {"label_names": ("a",)} if kind == "labels" else {}
    settings = task_settings("video", film, **{kind: beside.parent}, **names)
    states = [inputs.footage_state(settings)]
    for path in (film, beside):
        file(path, when=2)
        states.append(inputs.footage_state(settings))
    assert len(set(states)) == 3


def test_the_other_domain_is_told(tmp_path: Path) -> None:
    target = file(tmp_path / "cs" / "images" / "s0" / "0001.png")
    settings = task_settings(
        "viper",
        tmp_path / "viper",
        translation="game2camera",
        path_target=tmp_path / "cs",
        teacher="recyclegan",
    )
    before = inputs.footage_state(settings)
    file(target, when=2)
    assert inputs.footage_state(settings) != before


def test_what_is_not_read_changes_nothing(tmp_path: Path) -> None:
    """A run inside the footage's folder must not make itself stale."""
    for source, frame in (("video", "0001.png"), ("face", "images/s0/0001.png")):
        root = tmp_path / source
        file(root / frame)
        before = inputs.footage_state(task_settings(source, root))
        for other in ("results/frames/0001.png", "mlflow.db", ".hidden.png", "images/s0/.DS_Store"):
            file(root / other)
        assert inputs.footage_state(task_settings(source, root)) == before


def test_links_are_followed_and_dead_ones_told(tmp_path: Path) -> None:
    frame = file(tmp_path / "elsewhere" / "s0" / "0001.png")
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "images").symlink_to(tmp_path / "elsewhere")
    settings = task_settings("face", tmp_path / "faces")
    states = [inputs.footage_state(settings)]
    file(frame, when=2)
    states.append(inputs.footage_state(settings))
    (frame.parent / "0002.png").symlink_to(tmp_path / "nothing")
    states.append(inputs.footage_state(settings))
    assert len(set(states)) == 3


def test_worlds_read_no_file_and_missing_weights_have_a_state(tmp_path: Path) -> None:
    assert inputs.footage_state(TaskSettings(source="world", world="face", height=32, width=32)) is None
    before = inputs.files_state([tmp_path / "vgg.pth"])
    file(tmp_path / "vgg.pth")
    assert inputs.files_state([tmp_path / "vgg.pth"]) != before

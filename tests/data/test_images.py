"""Single pictures as clips of length 1: pairs side by side, and two domains."""

import shutil
from pathlib import Path

import numpy as np
import PIL.Image as Image
import pytest
from pydantic import ValidationError

from slimvid.data.images import clips
from slimvid.data.manifest import ManifestRows
from slimvid.data.prepare import prepare
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings


def save(path: Path, *colours: tuple[int, int, int], size=(32, 32), suffix="") -> None:
    """A picture whose sides, from left to right, have these colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = [np.full((*size, 3), colour, np.uint8) for colour in colours]
    Image.fromarray(np.concatenate(sides, axis=1)).save(path)


@pytest.fixture
def pairs(tmp_path) -> Path:
    """20 pairs to train on, 3 to test; A is red by its number, B blue."""
    for split, count in (("train", 20), ("val", 3)):
        for i in range(count):
            save(tmp_path / split / f"{i}.png", (10 * i, 0, 0), (0, 0, 10 * i))
    return tmp_path


@pytest.fixture
def domains(tmp_path) -> Path:
    for split, counts in (("train", {"A": 3, "B": 5}), ("test", {"A": 4, "B": 2})):
        for side, count in counts.items():
            for i in range(count):
                save(tmp_path / f"{split}{side}" / f"{i}.png", (10 * i, 100 * (side == "B"), 0))
    return tmp_path


def settings(path, source="pairs", **changes) -> TaskSettings:
    own = {"teacher": "recyclegan"} if source == "domains" else {"teacher": "pix2pix"}
    return TaskSettings(source=source, path=path, height=32, width=32, **own | changes)


def test_a_pair_is_a_clip_of_one_frame(pairs, tmp_path):
    prepare("t", settings(pairs, val_images=5), tmp_path / "store")
    task = PreparedTask(tmp_path / "store")
    counts = {split: len(task.clips(split)) for split in ("train", "val", "test")}
    assert counts == {"train": 15, "val": 5, "test": 3}
    assert {info.length for info in task.clips("train")} == {1} and task.meta.aligned == (
        "train",
        "val",
        "test",
    )
    assert np.array_equal(np.unique(task.frame("test", "test_2", 0), axis=None), [0, 20])
    assert (task.frame("test", "test_2", 0) == (0, 0, 20)).all()
    assert (task.picture("test", "test_2", 0) == (20, 0, 0)).all()
    held = {info.name for info in task.clips("val")}
    assert held == {"train_0", "train_4", "train_8", "train_12", "train_16"}  # spread over all


def test_the_other_direction_exchanges_the_sides(pairs):
    (first, *_) = clips(settings(pairs, direction="BtoA"))["test"]
    second = list(clips(settings(pairs, direction="BtoA"))["test"])[1]
    assert (second.frames == (10, 0, 0)).all() and (second.image == (0, 0, 10)).all()
    assert first.name == "test_0"


def test_a_tenth_is_held_back_where_nobody_says_how_many(pairs):
    found = clips(settings(pairs))
    assert [len(list(found[split])) for split in ("train", "val", "test")] == [18, 2, 3]


def test_folders_of_their_own_are_taken_as_they_are(pairs):
    save(pairs / "test" / "x.png", (1, 2, 3), (4, 5, 6))
    found = clips(settings(pairs))
    assert [len(list(found[split])) for split in ("train", "val", "test")] == [20, 3, 1]


def test_two_domains_are_used_up_in_training_and_conditions_are_tested_once(domains, tmp_path):
    prepare("t", settings(domains, "domains", val_images=1), tmp_path / "store")
    task = PreparedTask(tmp_path / "store")
    assert task.meta.aligned == ()
    reds = [task.frame("train", info.name, 0)[0, 0, 0] for info in task.clips("train")]
    reds += [task.frame("val", info.name, 0)[0, 0, 0] for info in task.clips("val")]
    assert sorted(reds) == [0, 10, 20, 30, 40]  # all five of B
    tested = [task.picture("test", info.name, 0)[0, 0, 0] for info in task.clips("test")]
    assert tested == [0, 10, 20, 30]
    assert {task.frame("test", info.name, 0)[0, 0, 1] for info in task.clips("test")} == {100}


def test_pictures_are_squeezed_by_pillow(tmp_path):
    draw = np.random.default_rng(0).integers(0, 256, (48, 96, 3)).astype(np.uint8)
    for split in ("train", "test"):
        for name in "ab":
            (tmp_path / split).mkdir(exist_ok=True)
            Image.fromarray(draw).save(tmp_path / split / f"{name}.png")
    found = next(clips(settings(tmp_path, val_images=1))["test"])
    wanted = Image.fromarray(draw[:, 48:]).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(found.frames[0], np.array(wanted))


def test_twice_gives_the_same_bytes_however_many_rows_are_kept_at_once(pairs, tmp_path, monkeypatch):
    prepare("t", settings(pairs), tmp_path / "a")
    monkeypatch.setattr(ManifestRows, "_AT_ONCE", 3)
    prepare("t", settings(pairs), tmp_path / "b")
    for file in ("manifest.parquet", "train.arrow", "val.arrow", "test.arrow"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda p: save(p / "train/1.png", (1, 1, 1), size=(32, 63)),
            r"train/1\.png: is 63 pixels wide; a pair",
        ),
        (
            lambda p: save(p / "train/3.png", (1, 1, 1), (2, 2, 2), size=(40, 32)),
            r"train/3\.png: is 64x40, but \d\.png is 64x32; make all pictures of a side",
        ),
        (lambda p: (p / "train/1.png").write_bytes(b"x"), r"train/1\.png: damaged or truncated"),
        (lambda p: [f.unlink() for f in (p / "val").iterdir()], r"val: holds no png"),
        (
            lambda p: [f.rename(f.with_suffix(".txt")) for f in (p / "train").iterdir()],
            r"train: holds no png",
        ),
        (
            lambda p: Image.fromarray(np.zeros((32, 64), np.int32)).save(p / "train/2.tif"),
            r"train/2\.tif: samples of an unusual kind \(I\); save it with 8 bits",
        ),
        (
            lambda p: shutil.rmtree(p / "val"),
            r"pairs are in .*side B; give their folder as the task's `path`",
        ),
        (
            lambda p: (p / "train").rename(p / "trainA"),
            r"side B; what lies here is two domains: give `source: domains`, and an original",
        ),
    ],
)
def test_mistakes_in_pairs_are_named(pairs, tmp_path, spoil, message):
    spoil(pairs)
    with pytest.raises(SlimvidError, match=message) as error:
        prepare("t", settings(pairs), tmp_path / "store")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store" / "manifest.parquet").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        *(
            (
                lambda p, f=f: shutil.rmtree(p / f),
                rf"{f}: missing; two domains are in the folders trainA/, .*",
            )
            for f in ("trainA", "trainB", "testA", "testB")
        ),
        (lambda p: [f.unlink() for f in (p / "trainB").iterdir()], r"trainB: holds no png"),
        (
            lambda p: save(p / "trainA/2.png", (1, 1, 1), size=(32, 40)),
            r"trainA/2\.png: is 40x32, but \d\.png",
        ),
        (
            lambda p: save(p / "trainB/4.png", (1, 1, 1), size=(31, 32)),
            r"trainB/4\.png: is 32x31, but \d\.png",
        ),
    ],
)
def test_mistakes_in_two_domains_are_named(domains, tmp_path, spoil, message):
    spoil(domains)
    with pytest.raises(SlimvidError, match=message) as error:
        prepare("t", settings(domains, "domains", val_images=1), tmp_path / "store")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store" / "manifest.parquet").exists()


def test_something_is_left_to_train_on(pairs, tmp_path):
    with pytest.raises(SlimvidError, match="val_images: 20 of 20 training pictures leave none"):
        prepare("t", settings(pairs, val_images=20), tmp_path / "store")


@pytest.mark.parametrize(
    ("depth", "grey"), [(np.uint8, 77), (np.uint16, 77 * 257), (np.uint16, 77 * 257 + 100)]
)
def test_grey_pictures_of_8_and_16_bits_are_pictures_like_any(pairs, depth, grey):
    Image.fromarray(np.full((32, 64), grey, depth)).save(pairs / "train" / "0.png")
    first = next(clips(settings(pairs, val_images=1))["val"])
    assert (first.frames == 77).all() and (first.image == 77).all() and first.frames.shape == (1, 32, 32, 3)


def test_two_domains_need_an_original_that_learns_from_them(tmp_path):
    remedy = "give it `teacher: cyclegan` or `teacher: recyclegan`"
    with pytest.raises(ValidationError, match=f"source 'domains' has no pairs: {remedy}"):
        settings(tmp_path, "domains", teacher="pix2pix")
    with pytest.raises(ValidationError, match="`direction:` would not be read here"):
        TaskSettings(source="video", path=tmp_path, height=32, width=32, direction="BtoA")


def test_a_store_of_many_pictures_opens_quickly_and_finds_each_at_once(pairs, tmp_path):
    """What one read costs does not grow with the number of pictures."""
    prepare("t", settings(pairs), tmp_path / "store")
    task = PreparedTask(tmp_path / "store")
    assert task.clips("train") is task.clips("train")
    task.frame("train", "train_1", 0)


def test_many_pictures_are_prepared_one_by_one(pairs, monkeypatch):
    """Nothing is read before it is asked for."""
    from slimvid.data import images

    read, own = [], images.read_picture
    monkeypatch.setattr(images, "read_picture", lambda path: read.append(path) or own(path))
    found = clips(settings(pairs))
    assert read == []
    next(found["train"])
    assert len(read) == 1


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A pix2pix original of tiny pictures and its student through every step that the workflow calls."""
    import yaml
    from typer.testing import CliRunner

    from slimvid.cli import app

    root = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 28)):
        (root / "ab" / split).mkdir(parents=True)
        for i in range(count):
            coarse = draw.integers(0, 256, (4, 4, 3)).astype(np.uint8)
            photo = np.array(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))
            both = np.concatenate([np.repeat(photo.max(2, keepdims=True), 3, 2), photo], axis=1)
            Image.fromarray(both).save(root / "ab" / split / f"{i}.png")
    own = {"width": 8, "disc_width": 4, "disc_layers": 2, "iterations": 4, "precision": "fp32"}
    document = {
        "profile": "pictures",
        "device": "cpu",
        "tasks": {"photos": {"source": "pairs", "path": str(root / "ab"), "height": 32, "width": 32}},
        "teachers": {"pix2pix": {**own, "generator": "resnet", "blocks": 1, "norm": "instance"}},
        "methods": {"uniform": {"method": "uniform", "options": {"width": 0.5, "train": {"iterations": 3}}}},
        "measure": {"dimensions": 12, "bootstrap": 5, "latency_frames": 8, "latency_warmup": 1},
        "table1": {"tasks": ["photos"], "methods": ["original", "uniform"]},
    }
    document["tasks"]["photos"]["teacher"] = "pix2pix"
    (root / "pictures.yaml").write_text(yaml.safe_dump(document))
    steps = ["prepare photos", "train-evaluator photos", "measure-real photos", "train-teacher photos 0"]
    steps.append("compress photos uniform 0")
    for row in ("original", "uniform"):
        steps += [f"{step} photos {row} 0" for step in ("translate", "measure", "measure-latency")]
    steps += ["strip photos", "table"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for step in steps:
            done = CliRunner().invoke(app, [*step.split(), "--config", "pictures.yaml"])
            assert done.exit_code == 0, (step, done.output, done.exception)
    return root


def test_pictures_go_through_every_step(finished):
    import json

    quality = json.loads((finished / "results/measures/photos/uniform/0/quality.json").read_text())
    values, protocol = quality["values"], quality["protocol"]
    assert values["frame_distance_lite0"] > 0 and values["perceptual_st_lpips"] > 0 and values["psnr"] > 0
    time_only = ("video_distance_lite0", "temporal_perceptual_st_lpips", "warp_error", "flicker")
    assert [values[name] for name in time_only] == [None] * 4  # pictures have no time
    assert "left_out" not in protocol and (protocol["clips"], protocol["frames"]) == (28, 28)
    latency = json.loads((finished / "results/measures/photos/uniform/0/latency.json").read_text())
    assert latency["protocol"]["network_frames"] == 8 and latency["values"]["speedup"] > 0
    table = (finished / "results/table1.csv").read_text().splitlines()
    text = (finished / "results/table1.md").read_text()
    assert len(table) == 3 and "video_distance_lite0" not in text and ": ." not in text


def test_a_strip_of_pictures_shows_several(finished):
    from slimvid.report.strips import gather

    archives = [
        (row, finished / f"results/frames/photos/{row}/0/frames.arrow") for row in ("original", "uniform")
    ]
    strip = gather(finished / "data/prepared/photos", archives)
    assert strip.title == "photos: held-out pictures" and strip.indices == [0, 3, 7, 10, 14, 17, 21, 24]
    shown = dict(strip.rows)
    assert list(shown) == ["condition", "original", "uniform", "truth"]
    assert len({picture.tobytes() for picture in shown["truth"]}) == 8
    assert (finished / "results/strips/photos.png").is_file()

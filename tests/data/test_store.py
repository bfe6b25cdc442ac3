"""The prepared store: round trips, byte for byte, and every kind of damage."""

import dataclasses
import hashlib
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask, write_prepared
from slimvid.errors import SlimvidError
from slimvid.leftovers import temporary_sibling


@pytest.fixture
def store(tmp_path, make_clip, make_meta) -> Path:
    root = tmp_path / "toy"
    write_prepared(root, make_meta(), splits_of(make_clip))
    return root


def splits_of(make_clip, train=("a", "bb"), val=("vv",), test=("ccc",)) -> dict[str, list[Clip]]:
    named = {"train": train, "val": val, "test": test}
    return {split: [make_clip(name) for name in names] for split, names in named.items()}


def hashes(root: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.iterdir())}


def test_everything_comes_back(store, make_clip):
    task, clip = PreparedTask(store), make_clip("bb")
    assert [(c.name, c.length, c.fps) for c in task.clips("train")] == [("a", 5, 15.0), ("bb", 5, 15.0)]
    for t in range(5):
        assert np.array_equal(task.frame("train", "bb", t), clip.frames[t])
        assert np.array_equal(task.labels("train", "bb", t), clip.labels[t])
        assert np.array_equal(task.landmarks("train", "bb", t), clip.landmarks[t])
        assert np.array_equal(task.keypoints("train", "bb", t), clip.keypoints[t])
        flow, valid = task.flow("train", "bb", t)
        assert np.array_equal(flow, clip.flow[t].astype(np.float32))
        assert np.array_equal(valid, clip.flow_valid[t].astype(np.float32))
        wanted = task.meta.condition.encode(labels=clip.labels[t], instances=clip.instances[t])
        assert np.array_equal(task.condition("train", "bb", t), wanted)
        assert np.array_equal(task.picture("train", "bb", t), task.meta.condition.picture(wanted))


def test_window_has_the_values_of_its_frames(store):
    task = PreparedTask(store)
    window = task.window("train", "a", [1, 2, 3])
    for k, t in enumerate((1, 2, 3)):
        frame = task.frame("train", "a", t).transpose(2, 0, 1).astype(np.float64)
        assert np.allclose(window.frames[k], frame / 127.5 - 1, atol=1e-6)
        assert np.array_equal(window.conditions[k], task.condition("train", "a", t))
        flow, valid = task.flow("train", "a", t)
        assert np.array_equal(window.flow[k], flow)
        assert np.array_equal(window.valid[k, 0], valid)
    assert (
        window.frames.dtype
        == window.conditions.dtype
        == window.flow.dtype
        == window.valid.dtype
        == np.float32
    )
    assert -1 <= window.frames.min() < window.frames.max() <= 1
    without = task.window("train", "a", [1], flow=False)
    assert without.flow is None
    assert without.valid is None


def test_window_with_gaps_chains_the_flow(store):
    window = PreparedTask(store).window("train", "a", [1, 4])
    assert np.allclose(window.flow[1, 0], 3.0)  # one pixel a frame to the right, half a pixel down
    assert np.allclose(window.flow[1, 1], 1.5)
    assert window.valid[1, 0, :-2, :-4].min() == 1
    assert window.valid[1, 0, :, -1].max() == 0


def test_repeated_frame_has_no_flow_to_itself(store):
    window = PreparedTask(store).window("train", "a", [2, 2])
    assert not window.flow[1].any()
    assert not window.valid[1].any()


@pytest.mark.parametrize("indices", [[], [3, 2], [-1, 0], [4, 5]])
def test_window_refuses_what_it_cannot_give(store, indices):
    with pytest.raises(SlimvidError, match="clip a"):
        PreparedTask(store).window("train", "a", indices)


def test_cached_and_fresh_reads_are_equal(store):
    task, tiny = PreparedTask(store), PreparedTask(store, cache_mb=0)
    for _ in range(2):
        for name in ("frames", "conditions", "flow", "valid"):
            ours, theirs = (getattr(t.window("train", "a", [0, 2, 3]), name) for t in (task, tiny))
            assert np.array_equal(ours, theirs)
    assert not tiny._cache._items


def test_cache_stays_within_its_bound(store):
    task = PreparedTask(store)
    task._cache._limit = 20_000
    for clip in ("a", "bb"):
        task.window("train", clip, range(5))
        assert sum(v.nbytes for v in task._cache._items.values()) == task._cache._held <= 20_000


def test_caller_cannot_spoil_the_cache(store):
    task = PreparedTask(store)
    with pytest.raises(ValueError, match="read-only"):
        task.frame("train", "a", 0)[0, 0] = 1
    task.window("train", "a", [0]).frames[:] = 0
    assert task.window("train", "a", [0]).frames.any()


def test_preparing_twice_gives_the_same_bytes(store, tmp_path, make_clip, make_meta):
    again = tmp_path / "again"
    write_prepared(again, make_meta(), splits_of(make_clip))
    assert hashes(again) == hashes(store)
    assert set(hashes(again)) == {"manifest.parquet", "train.arrow", "val.arrow", "test.arrow"}
    assert PreparedTask(again).digest == PreparedTask(store).digest


def test_digest_follows_contents_and_description(store, tmp_path, make_clip, make_meta):
    first = PreparedTask(store).digest
    frames = make_clip("bb").frames.copy()
    frames[3, 5, 5, 0] ^= 1
    changed = [make_clip("a"), make_clip("bb", frames=frames)]
    write_prepared(tmp_path / "x", make_meta(), {**splits_of(make_clip), "train": changed})
    assert PreparedTask(tmp_path / "x").digest != first
    meta = replace(make_meta(), source="other noise")
    write_prepared(tmp_path / "y", meta, splits_of(make_clip))
    assert PreparedTask(tmp_path / "y").digest != first


def test_manifest_has_a_row_per_frame(store):
    table = pq.read_table(store / "manifest.parquet").to_pylist()
    assert len(table) == 20 and {row["split"] for row in table} == {"train", "val", "test"}
    row = table[7]
    assert (row["split"], row["clip"], row["index"]) == ("train", "bb", 2)
    assert row["timestamp"] == pytest.approx(2 / 15)
    assert (row["height"], row["width"], len(row["sha256"])) == (32, 40, 64)
    assert row["has_labels"]
    assert row["has_flow"]


def test_maps_that_a_task_lacks_are_none(tmp_path, make_clip, make_meta):
    frames, edges = make_clip().frames, make_clip().edges
    bare = [Clip(name=n, fps=10.0, frames=frames, edges=edges) for n in ("p", "q", "r")]
    splits = {"train": bare[:1], "val": bare[1:2], "test": bare[2:]}
    write_prepared(tmp_path, make_meta(ConditionSpec(kind="edges")), splits)
    task = PreparedTask(tmp_path)
    assert task.labels("train", "p", 0) is None
    assert task.keypoints("train", "p", 0) is None
    assert task.landmarks("train", "p", 0) is None
    with pytest.raises(SlimvidError, match="no optical flow"):
        task.window("train", "p", [0, 1])
    assert task.window("train", "p", [0, 1], flow=False).conditions.shape == (2, 1, 32, 40)


def test_image_condition_is_the_source_picture(tmp_path, make_clip, make_meta):
    spec, clip = ConditionSpec(kind="image"), make_clip("b")
    write_prepared(tmp_path, make_meta(spec), {**splits_of(make_clip), "test": [clip]})
    task = PreparedTask(tmp_path)
    assert np.array_equal(task.picture("test", "b", 1), clip.image[1])
    assert not np.array_equal(task.picture("test", "b", 1), task.frame("test", "b", 1))


def test_image_condition_needs_source_pictures(tmp_path, make_clip, make_meta):
    clips = {**splits_of(make_clip), "train": [make_clip("a", image=None)]}
    with pytest.raises(SlimvidError, match="clip a has no image, which condition 'image' needs"):
        write_prepared(tmp_path, make_meta(ConditionSpec(kind="image")), clips)


def test_a_task_says_what_its_frames_and_labels_are(tmp_path, make_clip, make_meta):
    colours = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    own = {"aligned": ("test",), "label_names": ("a", "b", "c"), "palette": colours, "label_frames": True}
    meta = dataclasses.replace(make_meta(ConditionSpec(kind="image")), **own)
    write_prepared(tmp_path, meta, splits_of(make_clip))
    assert PreparedTask(tmp_path).meta == meta and meta.classes == ("a", "b", "c")
    over = np.full((5, 32, 40), 3, np.uint8)
    with pytest.raises(SlimvidError, match="has label id 3"):
        write_prepared(tmp_path, meta, {**splits_of(make_clip), "train": [make_clip("a", labels=over)]})


def test_reading_a_frame_touches_only_its_bytes(store):
    """Everything but one frame's bytes is spoilt: that frame still reads, its neighbours are reported."""
    path = store / "train.arrow"
    data = bytearray(path.read_bytes())
    with pa.memory_map(str(path)) as source:
        starts = [data.find(pa.ipc.open_file(source).get_batch(i)["frame"][0].as_py()) for i in range(5)]
    for i in (0, 1, 3, 4):
        data[starts[i] + 100 : starts[i] + 140] = bytes(40)
    path.write_bytes(data)
    task = PreparedTask(store)
    assert task.frame("train", "a", 2).shape == (32, 40, 3)
    with pytest.raises(SlimvidError, match=r"train\.arrow: frame 3 .*slimvid prepare toy"):
        task.frame("train", "a", 3)


def test_changed_bytes_that_still_decode_are_found(store, make_clip):
    path = store / "train.arrow"
    data = path.read_bytes()
    points = make_clip("a").landmarks[2].tobytes()
    assert data.count(points) > 0
    path.write_bytes(data.replace(points, points[:-1] + bytes([points[-1] ^ 1])))
    with pytest.raises(SlimvidError, match=r"train\.arrow: frame 2 does not match its content hash"):
        PreparedTask(store).landmarks("train", "a", 2)


@pytest.mark.parametrize("name", ["train.arrow", "val.arrow", "test.arrow", "manifest.parquet"])
def test_missing_file_is_named(store, name):
    (store / name).unlink()
    with pytest.raises(SlimvidError, match=rf"{name}: missing; run `slimvid prepare toy`"):
        PreparedTask(store)


@pytest.mark.parametrize("name", ["train.arrow", "val.arrow", "test.arrow", "manifest.parquet"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_file_is_named(store, name, keep):
    data = (store / name).read_bytes()
    (store / name).write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SlimvidError, match=rf"{name}: .*slimvid prepare toy"):
        PreparedTask(store)


def test_damaged_end_of_the_same_length_is_named(store):
    data = (store / "test.arrow").read_bytes()
    (store / "test.arrow").write_bytes(data[:-64] + bytes(64))
    with pytest.raises(SlimvidError, match=r"test\.arrow: damaged"):
        PreparedTask(store)


def test_file_of_another_preparation_is_found_out(store, tmp_path, make_clip, make_meta):
    other = tmp_path / "other"
    write_prepared(other, make_meta(), {**splits_of(make_clip), "test": [make_clip("ddd", length=4)]})
    (store / "test.arrow").write_bytes((other / "test.arrow").read_bytes())
    with pytest.raises(SlimvidError, match=r"test\.arrow"):
        PreparedTask(store).frame("test", "ccc", 0)


def test_other_format_version_is_refused(store):
    path = store / "manifest.parquet"
    table = pq.read_table(path)
    document = json.loads(table.schema.metadata[b"slimvid"])
    document["format"] = 99
    pq.write_table(table.replace_schema_metadata({b"slimvid": json.dumps(document)}), path)
    with pytest.raises(SlimvidError, match="format 99"):
        PreparedTask(store)


def test_manifest_with_rows_taken_out_is_refused(store):
    path = store / "manifest.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(SlimvidError, match="rows are missing"):
        PreparedTask(store)


def test_parquet_without_a_description_is_refused(store):
    path = store / "manifest.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    with pytest.raises(SlimvidError, match=r"manifest\.parquet"):
        PreparedTask(store)


def test_unknown_names_are_answered_with_known_ones(store):
    task = PreparedTask(store)
    with pytest.raises(SlimvidError, match="'valid' is no split; there are train, val, test"):
        task.clips("valid")
    with pytest.raises(SlimvidError, match=r"no clip 'z'.*begins with a, bb"):
        task.frame("train", "z", 0)
    with pytest.raises(SlimvidError, match=r"0\.\.4"):
        task.frame("train", "a", 5)


def test_only_the_splits_that_were_asked_for_are_opened_and_read(store):
    """So a step that chooses anything cannot look at the test split: it need not even be there."""
    (store / "test.arrow").unlink()
    (store / "val.arrow").write_bytes(b"spoilt")
    task = PreparedTask(store, splits=("train",))
    assert task.frame("train", "a", 0).shape == (32, 40, 3) and len(task.digest) == 64
    for split, clip in (("test", "ccc"), ("val", "vv")):
        reads = [
            task.frame,
            task.condition,
            task.picture,
            task.flow,
            task.labels,
            task.keypoints,
            task.landmarks,
        ]
        for read in (*(partial(read, split, clip, 0) for read in reads), partial(task.clips, split)):
            with pytest.raises(SlimvidError, match=f"'{split}' was not opened for reading; there are train"):
                read()
        with pytest.raises(SlimvidError, match="not opened"):
            task.window(split, clip, [0])


@pytest.mark.parametrize(
    ("train", "val", "test", "word"),
    [
        ([], ["v"], ["b"], "split 'train'"),
        (["a"], ["v"], [], "split 'test'"),
        (["a"], ["v"], ["a"], "called 'a'"),
        (["a"], ["a"], ["b"], "called 'a'"),
        (["a", "a"], ["v"], ["b"], "called 'a'"),
    ],
)
def test_writer_refuses_empty_splits_and_double_names(tmp_path, make_clip, make_meta, train, val, test, word):
    with pytest.raises(SlimvidError, match=word):
        write_prepared(tmp_path, make_meta(), splits_of(make_clip, train, val, test))
    assert not list(tmp_path.iterdir())


def test_nothing_to_choose_by_is_an_empty_split(tmp_path, make_clip, make_meta):
    write_prepared(tmp_path, make_meta(), splits_of(make_clip, val=()))
    task = PreparedTask(tmp_path)
    assert task.clips("val") == [] and task.frame("test", "ccc", 0).shape == (32, 40, 3)


def test_writer_refuses_clips_that_do_not_fit_the_task(tmp_path, make_clip, make_meta):
    good = make_clip("b")
    for bad, word in (
        (make_clip("a", rows=48), "is 40x48"),
        (make_clip("a", labels=None), "no labels"),
        (make_clip("a", instances=None), "no instances"),
        (make_clip("a", labels=np.full((5, 32, 40), 3, np.uint8)), "label id 3"),
    ):
        with pytest.raises(SlimvidError, match=word):
            write_prepared(tmp_path, make_meta(), {"train": [bad], "val": [make_clip("v")], "test": [good]})
    with pytest.raises(SlimvidError, match="splits"):
        write_prepared(tmp_path, make_meta(), {"train": [good]})


def test_failure_leaves_the_earlier_store_whole(store, make_clip, make_meta):
    before = hashes(store)

    def broken():
        yield make_clip("x")
        raise SlimvidError("frame7.png: truncated; copy it again")

    with pytest.raises(SlimvidError, match="frame7"):
        write_prepared(store, make_meta(), {**splits_of(make_clip), "test": broken()})
    assert hashes(store) == before


def test_leftovers_of_a_killed_run_are_removed(store, make_clip, make_meta):
    own = temporary_sibling(store / "partial").name
    stale = store / own.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")  # above the largest process number
    stale.mkdir()
    (stale / "train.arrow").write_bytes(b"half")
    write_prepared(store, make_meta(), splits_of(make_clip, train=("a",)))
    assert not stale.exists()
    assert len(PreparedTask(store).clips("train")) == 1


def test_two_that_write_the_same_store_at_once_both_end_well(tmp_path, make_clip, make_meta):
    splits = splits_of(make_clip)

    def slow():
        yield splits["train"][0]
        write_prepared(tmp_path, make_meta(), splits)  # meanwhile another one begins, and ends
        yield splits["train"][1]

    write_prepared(tmp_path, make_meta(), {**splits, "train": slow()})
    assert {p.name for p in tmp_path.iterdir()} == {*(f"{s}.arrow" for s in splits), "manifest.parquet"}
    assert len(PreparedTask(tmp_path).clips("train")) == 2


def test_a_store_can_be_read_while_the_same_one_takes_its_place(store, make_clip, make_meta, monkeypatch):
    opened, move = [], Path.replace
    spy = lambda path, target: (opened.append(PreparedTask(store)), move(path, target))  # noqa: E731
    monkeypatch.setattr(Path, "replace", spy)
    write_prepared(store, make_meta(), splits_of(make_clip))
    assert len(opened) == 4
    with pytest.raises(SlimvidError, match=r"manifest\.parquet: missing"):  # it must not describe other files
        write_prepared(store, make_meta(), splits_of(make_clip, train=("a",)))

"""Which frames train, choose and test, and where clips begin and end."""

from itertools import combinations

import numpy as np
import pytest
from toy_footage import body_points, moving

from slimvid.data.footage import SHORTEST, Shot, assemble, cut_shot, hold_back, rate, split_shots
from slimvid.errors import SlimvidError
from slimvid.settings import RANGES, TaskSettings


def settings(**over) -> TaskSettings:
    return TaskSettings(**{"source": "video", "path": "film.mp4", "height": 32, "width": 32, **over})


def shot(count: int, name: str = "s", first: int = 0) -> Shot:
    return Shot(name=name, fps=30.0, frames=range(first, first + count))


def frames(pieces: list[Shot]) -> list[list[int]]:
    return [list(p.frames) for p in pieces]


def test_first_70_percent_train_and_their_end_is_held_back_by_default():
    pieces = split_shots([shot(100)], settings(clip_frames=100))
    assert frames(pieces["train"]) == [list(range(52))]
    assert frames(pieces["val"]) == [list(range(56, 66))]  # 15 %, four frames away from both others
    assert frames(pieces["test"]) == [list(range(70, 100))]
    assert pieces["test"][0].name == "s_00070"


def test_ranges_of_the_settings_count_over_all_shots():
    shots = [shot(10, "a"), shot(10, "b", 100)]
    pieces = split_shots(shots, settings(train_frames=(0, 12), test_frames=(14, 20), clip_frames=20))
    assert frames(pieces["train"]) == [list(range(10))]  # two frames of b are too short beside ten of a
    assert frames(pieces["test"]) == [list(range(104, 110))]
    assert [p.name for p in pieces["test"]] == ["b_00004"]


def test_one_range_leaves_the_rest_to_the_other():
    pieces = split_shots([shot(101)], settings(train_frames=(0, 50), clip_frames=101))
    assert frames(pieces["test"]) == [list(range(50, 101))]
    pieces = split_shots([shot(101)], settings(test_frames=(80, 101), clip_frames=101))
    assert frames(pieces["train"]) == [list(range(60))]
    assert frames(pieces["val"]) == [list(range(64, 76))]


@pytest.mark.parametrize("count", [*range(35, 60), 120, 977, 5000])
@pytest.mark.parametrize("stride", [1, 2])
def test_validation_frames_are_apart_from_both_others(count, stride):
    found = split_shots([shot(count * stride)], settings(clip_frames=16, stride=stride))
    train, val, test = ([t for piece in found[s] for t in piece.frames] for s in ("train", "val", "test"))
    least = stride * min(15, max(1, int(0.03 * count)))  # the longer, the farther apart, up to half a second
    assert min(val) - max(train) > least and min(test) - max(val) > least
    assert len(val) >= SHORTEST and 0.1 < len(val) / len(train) < 0.25


def cut_film(lengths: list[int]) -> list[Shot]:
    starts = np.cumsum([0, *lengths])
    return [shot(n, f"s{i}", int(starts[i])) for i, n in enumerate(lengths)]


@pytest.mark.parametrize(
    ("lengths", "whole", "own", "spans"),
    [
        ((80, 200), True, {"train_frames": (0, 100)}, ((0, 80), (80, 95), (100, 280))),
        ((80, 200), False, {"train_frames": (0, 100)}, ((0, 80), (80, 95), (100, 280))),
        ((300,), False, {"val_frames": (150, 180)}, ((0, 142), (150, 180), (188, 300))),
        ((150, 30, 120), False, {"val_frames": (150, 180)}, ((0, 150), (150, 180), (180, 300))),
        ((145, 155), False, {"val_frames": (150, 180)}, ((0, 145), (150, 180), (188, 300))),
        (
            (300,),
            False,
            {"train_frames": (0, 100), "val_frames": (100, 120)},
            ((0, 100), (100, 120), (125, 300)),
        ),
        ((300,), False, {"train_frames": (50, 150), "val_frames": (0, 50)}, ((50, 150), (0, 50), (155, 300))),
        ((300,), False, {"train_frames": (0, 20)}, ((0, 20), None, (21, 300))),
        ((300,), False, {"test_frames": (20, 300)}, ((0, 19), None, (20, 300))),
        (
            (300,),
            False,
            {"train_frames": (200, 300), "test_frames": (0, 200)},
            ((200, 280), (285, 300), (0, 200)),
        ),
    ],
)
def test_what_follows_from_given_ranges_keeps_its_distance_within_a_shot(lengths, whole, own, spans):
    found = split_shots(cut_film(lengths), settings(clip_frames=1000, **own), whole=whole)
    ends = [(p[0].frames[0], p[-1].frames[-1] + 1) if p else None for p in found.values()]
    assert tuple(ends) == spans


def random_ranges(rng: np.random.Generator, total: int) -> dict[str, tuple[int, int]]:
    """Up to three ranges that do not overlap, some touching, in any order; often none."""
    ends = np.sort(rng.integers(0, total + 1, 6)).tolist()
    if rng.random() < 0.5:
        ends[2], ends[4] = ends[1], ends[3]  # side by side
    ranges = rng.permutation([(ends[i], ends[i + 1]) for i in (0, 2, 4)]).tolist()
    names = [name for name in RANGES if rng.random() < 0.4]
    return {name: tuple(span) for name, span in zip(names, ranges, strict=False) if span[0] < span[1]}


def test_derived_ranges_keep_their_distance_however_the_footage_is_cut():
    rng = np.random.default_rng(7)
    checked = refused = 0
    for _ in range(1500):
        lengths = rng.integers(1, rng.choice([30, 300]), rng.integers(1, 9)).tolist()
        own, stride = random_ranges(rng, sum(lengths)), int(rng.integers(1, 4))
        case = (lengths, own, stride, whole := bool(rng.integers(2)))
        try:
            task = settings(stride=stride, clip_frames=int(rng.integers(4, 60)), **own)
            found = split_shots(cut_film(lengths), task, whole=whole)
        except SlimvidError as error:  # a range, or what is left beside it, is too short
            assert "hold no 2 consecutive frames" in str(error)
            refused += 1
            continue
        taken = {split: np.array([t for p in found[split] for t in p.frames], int) for split in found}
        for name, (first, last) in own.items():
            inside = taken[name.removesuffix("_frames")]
            assert first <= inside.min() and inside.max() < last, case
        if not own and not len(taken["val"]):
            continue  # short footage: nothing is left out
        shot_of = np.repeat(np.arange(len(lengths)), lengths)
        trains = len(taken["train"]) + len(taken["val"]) * ("val_frames" not in own) - len(lengths)
        least = stride * min(15, max(1, int(0.05 * trains)))
        for a, b in combinations(found, 2):
            gaps = np.abs(taken[a][:, None] - taken[b])[shot_of[taken[a]][:, None] == shot_of[taken[b]]]
            if gaps.size and not {f"{a}_frames", f"{b}_frames"} <= set(own):  # both as their user wants them
                assert gaps.min() > least, (a, b, *case)
                checked += 1
    assert checked > 600 and refused < 600


@pytest.mark.parametrize("count", [8, 12, 24, 32])
def test_of_short_footage_nothing_is_held_back(count):
    found = split_shots([shot(count)], settings(clip_frames=100))
    assert found["val"] == [] and frames(found["train"]) == [list(range(int(0.7 * count)))]
    assert frames(found["test"]) == [list(range(int(0.7 * count), count))]


def test_given_validation_frames_are_taken_as_they_are():
    own = {"train_frames": (0, 60), "val_frames": (60, 70), "test_frames": (80, 100), "clip_frames": 100}
    pieces = split_shots([shot(100)], settings(**own))
    ends = [(found[0].frames[0], found[0].frames[-1]) for found in pieces.values()]
    assert ends == [(0, 59), (60, 69), (80, 99)]
    pieces = split_shots([shot(100)], settings(val_frames=(60, 70), clip_frames=100))
    assert frames(pieces["train"]) == [list(range(57))]  # what is not given keeps its distance
    assert frames(pieces["test"]) == [list(range(73, 100))]
    pieces = split_shots([shot(100)], settings(val_frames=(80, 100), test_frames=(60, 80), clip_frames=100))
    assert frames(pieces["train"]) == [list(range(57))]


def test_whole_shots_are_never_in_both_splits():
    shots = [shot(10, n, 10 * i) for i, n in enumerate("abcd")]
    pieces = split_shots(shots, settings(clip_frames=10), whole=True)
    assert [p.name for p in pieces["train"]] == ["a_00000", "b_00000"]
    assert [p.name for p in pieces["val"]] == ["c_00000"]
    assert [p.name for p in pieces["test"]] == ["d_00000"]


def test_whole_shots_are_held_back_only_where_they_are_a_small_share():
    """The rest of the training range never loses more than a third to them."""
    task = settings(clip_frames=2000)
    many = hold_back([shot(20, n) for n in "abcdefgh"], [shot(10, "x")], task)
    assert [p.name for p in many["val"]] == ["h_00000"] and len(many["train"]) == 7
    for lengths in ((20, 20), (10, 10, 1000), (100, SHORTEST - 1)):
        found = hold_back([shot(n, f"s{n}_{i}") for i, n in enumerate(lengths)], [shot(10, "x")], task)
        held = sum(len(p.frames) for p in found["val"])
        assert SHORTEST <= held <= 0.2 * sum(lengths) and frames(found["test"]) == [list(range(10))]


def test_ranges_have_no_place_in_a_dataset_with_splits_of_its_own():
    for name in ("train_frames", "val_frames", "test_frames"):
        with pytest.raises(SlimvidError, match=f"task field {name}: .* has splits of its own"):
            hold_back([shot(20)], [shot(20)], settings(**{name: (0, 9)}))


def test_clips_have_their_length_and_a_short_leftover_joins_the_last():
    assert [len(p.frames) for p in cut_shot(shot(30), settings(clip_frames=10))] == [10, 10, 10]
    assert [len(p.frames) for p in cut_shot(shot(34), settings(clip_frames=10))] == [10, 10, 14]
    assert [len(p.frames) for p in cut_shot(shot(35), settings(clip_frames=10))] == [10, 10, 10, 5]
    assert [len(p.frames) for p in cut_shot(shot(7), settings(clip_frames=10))] == [7]


def test_stride_thins_and_slows():
    (piece,) = cut_shot(shot(20), settings(stride=3, clip_frames=10), 2)
    assert list(piece.frames) == [2, 5, 8, 11, 14, 17]
    assert piece.fps == 10.0


@pytest.mark.parametrize(
    ("over", "word"),
    [
        ({"train_frames": (0, 11)}, r"train_frames \[0, 11\), but the footage has 10"),
        ({"test_frames": (5, 11)}, "footage has 10"),
        ({"train_frames": (0, 6), "test_frames": (5, 10)}, "overlap"),
        (
            {"train_frames": (0, 6), "val_frames": (5, 7)},
            r"train_frames \(0, 6\) and val_frames .* overlap",
        ),
        ({"val_frames": (6, 9), "test_frames": (8, 10)}, "val_frames .* and test_frames .* overlap"),
        ({"val_frames": (6, 11)}, r"val_frames \[6, 11\), but the footage has 10"),
        (
            {"train_frames": (0, 5), "val_frames": (6, 7)},
            "val hold no 2 consecutive frames; widen val_",
        ),
        ({"train_frames": (0, 9)}, "test hold no 2 consecutive frames"),
        ({"train_frames": (0, 10)}, "widen test_frames"),
        ({"train_frames": (0, 5), "stride": 5}, "train hold no 2"),
    ],
)
def test_impossible_ranges_are_refused(over, word):
    with pytest.raises(SlimvidError, match=rf"film\.mp4: .*{word}"):
        split_shots([shot(10)], settings(**over))


def test_rate_of_the_task_goes_before_the_footages():
    assert rate(settings(fps=12), 25.0) == 12.0
    assert rate(settings(), 25.0) == 25.0
    with pytest.raises(SlimvidError, match="fps"):
        rate(settings(), None)


def test_people_are_padded_with_confidence_zero():
    pictures = moving(3, 32, 32)
    one = body_points(32, 32)
    groups = [one, np.concatenate([one, one]), one[:0]]
    maps = [{"frames": f, "keypoints": k} for f, k in zip(pictures, groups, strict=True)]
    clip = assemble(Shot(name="x", fps=10.0, frames=range(3)), maps)
    assert clip.keypoints.shape == (3, 2, 25, 3)
    assert clip.keypoints[0, 1, :, 2].max() == 0
    assert clip.keypoints[2, :, :, 2].max() == 0
    assert np.array_equal(clip.keypoints[1, 1], one[0])
    assert clip.flow.shape == (3, 2, 32, 32)

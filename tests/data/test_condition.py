"""Conditions: channels, values, pictures, and JSON."""

import json

import numpy as np
import pytest
from toy_footage import body_points, face_points

from slimvid.data.condition import ConditionSpec, distance_maps, instance_boundaries
from slimvid.data.drawing import FACE_EDGES, face_parts
from slimvid.errors import SlimvidError

LABELS = ConditionSpec(
    kind="labels",
    label_names=("road", "sky", "car"),
    palette=((1, 2, 3), (4, 5, 6), (7, 8, 9)),
    instances=True,
    foreground=(2,),
)
MAPS = {
    "edges": np.eye(64, dtype=np.uint8) * 255,
    "landmarks": face_points(width=40, centre=(32, 32)),
    "labels": np.repeat(np.uint8([0, 1, 2, 255]), 16)[:, None].repeat(64, 1),
    "instances": np.zeros((64, 64), np.uint16),
    "keypoints": body_points(64, 64),
    "densepose": np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8),
    "image": np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8),
}
SPECS = [
    (ConditionSpec(kind="edges"), 1),
    (ConditionSpec(kind="edges", distance_maps=True), 15),
    (LABELS, 4),
    (ConditionSpec(kind="pose"), 6),
    (ConditionSpec(kind="image"), 3),
]


@pytest.mark.parametrize(("spec", "channels"), SPECS)
def test_channels_range_and_json(spec, channels):
    condition = spec.encode(**MAPS)
    assert condition.dtype == np.float32
    assert condition.shape == (channels, 64, 64) == (spec.channels, 64, 64)
    assert condition.min() >= 0
    assert condition.max() <= 1
    assert ConditionSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(("spec", "channels"), SPECS)
def test_bytes_are_the_condition_without_loss(spec, channels):
    stored = spec.encode_bytes(**MAPS).astype(np.float32) / np.float32(255)
    assert np.array_equal(stored, spec.encode(**MAPS))


@pytest.mark.parametrize(("spec", "channels"), SPECS)
def test_missing_map_is_named(spec, channels):
    for name in spec.needs:
        with pytest.raises(SlimvidError, match=name):
            spec.encode(**{**MAPS, name: None})


def test_labels_are_one_hot_and_void_is_in_no_channel():
    condition = LABELS.encode(**MAPS)
    assert np.array_equal(condition[1, 16:32], np.ones((16, 64)))
    assert condition[:3].sum(axis=0)[:48].min() == 1
    assert condition[:3, 48:].max() == 0


def test_label_without_a_name_is_refused():
    with pytest.raises(SlimvidError, match="id 9"):
        LABELS.encode(**{**MAPS, "labels": np.full((64, 64), 9, np.uint8)})


def test_instance_boundary_marks_both_sides():
    instances = np.zeros((6, 6), np.uint16)
    instances[2:4, 2:4] = 7
    edge = instance_boundaries(instances)
    assert edge[2:4, 2:4].all()
    assert edge[1, 2]
    assert edge[2, 1]
    assert not edge[1, 1]  # only a diagonal neighbour
    assert not edge[0].any()
    condition = LABELS.encode(
        **{
            **MAPS,
            "instances": np.kron(instances, np.ones((10, 10), np.uint16))[:60, :60],
            "labels": MAPS["labels"][:60, :60],
        }
    )
    assert condition[3].sum() == 76 + 80  # a square of 20 px: its own border, and the pixels around it


def test_foreground_mask_is_the_car():
    mask = LABELS.foreground_mask(LABELS.encode(**MAPS))
    assert mask[32:48].min() == 1
    assert mask.sum() == 16 * 64
    assert ConditionSpec(kind="pose").foreground_mask(np.ones((6, 4, 4), np.float32)).max() == 0


def test_pictures_show_the_condition():
    picture = LABELS.picture(LABELS.encode(**MAPS))
    assert [tuple(picture[row, 0]) for row in (0, 16, 32, 48)] == [(1, 2, 3), (4, 5, 6), (7, 8, 9), (0, 0, 0)]
    image = ConditionSpec(kind="image")
    assert np.array_equal(image.picture(image.encode(**MAPS)), MAPS["image"])
    edges = ConditionSpec(kind="edges", distance_maps=True)
    assert np.array_equal(edges.picture(edges.encode(**MAPS))[..., 1], MAPS["edges"])
    pose = ConditionSpec(kind="pose")
    condition = pose.encode(**MAPS)
    limbs = condition[3:].any(axis=0)
    assert limbs.any()
    assert np.array_equal(pose.picture(condition)[~limbs], MAPS["densepose"][~limbs])
    assert not np.array_equal(pose.picture(condition)[limbs], MAPS["densepose"][limbs])


def test_picture_refuses_another_tasks_condition():
    with pytest.raises(SlimvidError, match="channels"):
        LABELS.picture(np.zeros((6, 4, 4), np.float32))


def test_distance_is_zero_on_its_own_edge_and_a_third_of_a_pixel_each_at_512_rows():
    points = face_points(width=200, centre=(256, 256))
    maps = distance_maps(points, height=512, width=512)
    parts = face_parts(points, height=512, width=512)
    assert maps.shape == (14, 512, 512) == (len(FACE_EDGES), 512, 512)
    assert maps[parts > 0].max() == 0
    nose = np.argwhere(parts[3] > 0)
    far = min(abs(r - 0) + abs(c - 256) for r, c in nose)  # city blocks from the top middle
    assert maps[3, 0, 256] == far // 3
    small = distance_maps(points / 4, height=128, width=128)
    assert abs(int(small[3, 0, 64]) - int(maps[3, 0, 256])) <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "sound"},
        {"kind": "labels"},
        {"kind": "edges", "label_names": ("a",)},
        {"kind": "labels", "label_names": ("a", "b"), "palette": ((0, 0, 0),)},
        {"kind": "labels", "label_names": ("a",), "foreground": (1,)},
    ],
)
def test_specification_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(SlimvidError, match="condition"):
        ConditionSpec(**wrong)

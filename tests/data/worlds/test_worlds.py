"""The procedural worlds: deterministic, exact where they say so, and different in every clip."""

import cv2
import numpy as np
import pytest

from slimvid.data.drawing import face_region
from slimvid.data.worlds import clips, condition_spec
from slimvid.errors import SlimvidError
from slimvid.settings import TaskSettings

WORLDS = ("face", "city", "body")


def settings(world: str, **changes) -> TaskSettings:
    small = {"height": 64, "width": 64, "clip_frames": 5, "seed": 3}
    few = {"train_clips": 2, "val_clips": 1, "test_clips": 2}
    return TaskSettings(**({"source": "world", "world": world} | small | few | changes))


def first(world: str, split: str = "train", **changes):
    return next(clips(settings(world, **changes))[split])


@pytest.fixture(scope="module")
def shot():
    """One clip per world, rendered once."""
    sizes = {"face": (96, 96), "city": (96, 192), "body": (96, 96)}
    return {w: first(w, height=h, width=v, clip_frames=6, fps=15) for w, (h, v) in sizes.items()}


def maps_of(clip) -> dict[str, np.ndarray]:
    names = (
        "frames",
        "edges",
        "landmarks",
        "labels",
        "instances",
        "keypoints",
        "densepose",
        "flow",
        "flow_valid",
    )
    return {n: getattr(clip, n) for n in names if getattr(clip, n) is not None}


@pytest.mark.parametrize("world", WORLDS)
def test_same_settings_give_the_same_bytes(world):
    a, b = maps_of(first(world, clip_frames=4)), maps_of(first(world, clip_frames=4))
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name


@pytest.mark.parametrize("world", WORLDS)
def test_a_clip_does_not_depend_on_the_clips_before_it(world):
    lazily = clips(settings(world, clip_frames=4))["test"]
    next(lazily)
    second = next(lazily)
    alone = list(clips(settings(world, clip_frames=4))["test"])[1]
    assert second.name == alone.name
    assert second.frames.tobytes() == alone.frames.tobytes()


@pytest.mark.parametrize("world", WORLDS)
def test_seed_split_and_number_change_the_clip(world):
    s = settings(world, clip_frames=4)
    split = clips(s)
    pictures = [c.frames for c in (*split["train"], *split["val"], *split["test"])]
    pictures.append(first(world, clip_frames=4, seed=4).frames)
    for i, a in enumerate(pictures):
        for b in pictures[:i]:
            assert np.abs(a.astype(float) - b).mean() > 4


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 128), (150, 70), (65, 131)])
def test_any_size(world, height, width):
    clip = first(world, height=height, width=width, clip_frames=4)
    assert clip.frames.shape == (4, height, width, 3)
    assert clip.flow.shape == (4, 2, height, width)
    assert clip.frames.std() > 25  # a picture, not a flat field
    assert clip.flow_valid[1:].mean() > 0.5
    assert not clip.flow[0].any() and not clip.flow_valid[0].any()


@pytest.mark.parametrize("world", WORLDS)
def test_the_condition_can_be_encoded(world, shot):
    spec, clip = condition_spec(settings(world)), shot[world]
    maps = {name: value[2] for name, value in maps_of(clip).items()}
    condition = spec.encode(**maps)
    assert condition.shape == (spec.channels, *clip.frames.shape[1:3])
    assert condition.min() >= 0 and condition.max() == 1


def warp(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    h, w = frame.shape[:2]
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    return cv2.remap(frame, x + flow[0], y + flow[1], cv2.INTER_LINEAR).astype(np.float32)


def error(clip, shift=(0.0, 0.0), *, moving_only=False) -> float:
    """Mean absolute difference of frame t and frame t-1 warped by the (shifted) flow, on valid pixels."""
    total = []
    for k in range(1, len(clip)):
        flow = clip.flow[k].astype(np.float32)
        valid = clip.flow_valid[k] > 0
        if moving_only:
            valid &= np.abs(flow).max(axis=0) > 0.1
        moved = warp(clip.frames[k - 1], flow + np.asarray(shift, np.float32)[:, None, None])
        total.append(np.abs(moved - clip.frames[k])[valid])
    return float(np.concatenate(total).mean())


@pytest.mark.parametrize(("world", "most"), [("face", 3.0), ("city", 4.0), ("body", 3.5)])
def test_flow_carries_the_frame_before_onto_the_frame(world, most, shot):
    clip = shot[world]
    exact = error(clip, moving_only=True)
    assert exact < most
    still = np.abs(np.diff(clip.frames.astype(float), axis=0))
    moving = (clip.flow_valid[1:] > 0) & (np.abs(clip.flow[1:]).max(axis=1) > 0.1)
    assert exact < 0.62 * still[moving].mean()


@pytest.mark.parametrize("world", WORLDS)
def test_no_shifted_flow_is_better(world, shot):
    exact = error(shot[world], moving_only=True)
    for shift in ((0.4, 0), (-0.4, 0), (0, 0.4), (0, -0.4)):
        assert error(shot[world], shift, moving_only=True) > 1.02 * exact


@pytest.mark.parametrize("world", WORLDS)
def test_a_finer_picture_shows_the_same_scene_and_motion(world):
    small, large = (first(world, height=n, width=n, clip_frames=4) for n in (64, 128))
    halved = large.flow[2].astype(np.float32).reshape(2, 64, 2, 64, 2).mean(axis=(2, 4)) / 2
    both = large.flow_valid[2].reshape(64, 2, 64, 2).min(axis=(1, 3)) & small.flow_valid[2]
    assert np.abs(halved - small.flow[2])[:, both > 0].mean() < 0.03
    if world == "face":
        assert np.abs((large.landmarks + 0.5) / 2 - 0.5 - small.landmarks).max() < 0.05
    elif world == "city":
        assert (large.labels[:, ::2, ::2] == small.labels).mean() > 0.85
    else:
        sure = small.keypoints[..., 2] > 0
        assert np.abs((large.keypoints[..., :2] + 0.5) / 2 - 0.5 - small.keypoints[..., :2])[sure].max() < 0.3


def test_occluded_pixels_are_invalid(shot):
    """What was hidden a frame ago must not claim a match: where it leads was another thing."""
    clip = shot["city"]
    h, w = clip.frames.shape[1:3]
    y, x = np.mgrid[0:h, 0:w]
    for k in range(1, len(clip)):
        px = np.clip(np.rint(x + clip.flow[k, 0].astype(float)), 0, w - 1).astype(int)
        py = np.clip(np.rint(y + clip.flow[k, 1].astype(float)), 0, h - 1).astype(int)
        before = clip.instances[k - 1][py, px]
        valid = clip.flow_valid[k] > 0
        assert (before == clip.instances[k])[valid].mean() > 0.999


def test_city_labels_fit_the_picture(shot):
    clip, spec = shot["city"], condition_spec(settings("city"))
    names = spec.label_names
    assert clip.labels.max() < len(names)
    present = {names[i] for i in np.unique(clip.labels)}
    assert {"road", "sidewalk", "building", "car"} <= present
    assert spec.foreground == (names.index("car"),)
    colour = {n: clip.frames[clip.labels == names.index(n)].astype(float).mean(axis=0) for n in present}
    assert np.ptp(colour["road"]) < 25  # asphalt is grey
    assert colour["vegetation"][1] > colour["vegetation"][2]  # leaves are not blue
    things = np.isin(clip.labels, [names.index(n) for n in ("car", "person", "building")])
    assert (clip.instances[things] > 0).all()
    assert (clip.instances[~things] == 0).all()
    for number in np.unique(clip.instances[clip.instances > 0]):
        assert len(np.unique(clip.labels[clip.instances == number])) == 1


def test_landmarks_lie_on_the_face(shot):
    clip = shot["face"]
    points, frames = clip.landmarks, clip.frames
    h, w = frames.shape[1:3]
    assert points.shape[1:] == (68, 2)
    assert (points[:, :, 0] > 0).all() and (points[:, :, 0] < w).all()
    for k in range(len(clip)):
        assert (np.diff(points[k, :9, 1]) > -1).all()  # the jaw runs down to the chin
        assert points[k, 36, 0] < points[k, 39, 0] < points[k, 42, 0] < points[k, 45, 0]
        cheek = points[k, [2, 33]].mean(axis=0), points[k, [14, 33]].mean(axis=0)
        tones = [frames[k][round(float(p[1])), round(float(p[0]))].astype(float) for p in cheek]
        assert all(t[0] > t[1] > t[2] for t in tones)  # skin
        outside = ~face_region(points[k], height=h, width=w)
        assert clip.edges[k][outside].mean() > 0.02 * 255  # the background's Canny edges


def test_landmarks_move_with_the_flow(shot):
    """The flow at a landmark leads to where the landmark was in the frame before."""
    clip, errors = shot["face"], []
    inner = [27, 28, 29, 30, 31, 33, 35, 21, 22]
    for k in range(1, len(clip)):
        for i in inner:
            x, y = np.rint(clip.landmarks[k, i]).astype(int)
            if clip.flow_valid[k, y, x]:
                moved = clip.landmarks[k, i] + clip.flow[k, :, y, x].astype(float)
                errors.append(np.abs(moved - clip.landmarks[k - 1, i]).max())
    assert len(errors) > 20
    assert np.mean(errors) < 0.12


# BODY_25 points deep inside a part, and the DensePose parts that may be seen there (limbs may cross it)
_INSIDE = {
    3: (16, 18, 20, 22),
    6: (15, 17, 19, 21),
    10: (7, 9, 11, 13),
    13: (8, 10, 12, 14),
    1: (1, 2, 23, 24),
}


def test_keypoints_lie_in_their_parts(shot):
    clip = shot["body"]
    part = np.rint(clip.densepose[..., 0] / 255 * 24).astype(int)
    assert set(np.unique(part)) <= set(range(25))
    hits = []
    for k in range(len(clip)):
        for i, allowed in _INSIDE.items():
            x, y, sure = clip.keypoints[k, 0, i]
            assert sure == 1
            hits.append(part[k, round(float(y)), round(float(x))] in allowed)
        body = np.argwhere(part[k] > 0)
        seen = clip.keypoints[k, 0, clip.keypoints[k, 0, :, 2] > 0, :2]
        assert (seen.min(axis=0) >= body.min(axis=0)[::-1] - 2).all()
        assert (seen.max(axis=0) <= body.max(axis=0)[::-1] + 2).all()
    assert np.mean(hits) > 0.85


def test_body_moves_in_front_of_a_still_studio(shot):
    clip = shot["body"]
    figure = clip.densepose[..., 0] > 0
    assert 0.04 < figure.mean() < 0.4
    assert not np.abs(clip.flow[1:].transpose(0, 2, 3, 1)[~figure[1:]]).any()
    assert np.abs(clip.flow[1:].transpose(0, 2, 3, 1)[figure[1:]]).max() > 0.5


def test_families_are_dealt_to_all_train_clips():
    """Six clips show six hair styles: their hair colours differ."""
    six = clips(settings("face", train_clips=6, clip_frames=4))["train"]
    tones = [c.frames[0, 8:14, 26:38].reshape(-1, 3).mean(axis=0) for c in six]
    gaps = [np.abs(a - b).sum() for i, a in enumerate(tones) for b in tones[:i]]
    assert min(gaps) > 4


def test_frame_rate_sets_the_pace():
    """Without a rate it is 30; at a lower rate more happens between two frames."""
    assert first("body", clip_frames=4).fps == 30
    slow = [np.abs(first("body", clip_frames=6, fps=f).flow.astype(float)).mean() for f in (30.0, 10.0)]
    assert slow[1] > 1.5 * slow[0]


@pytest.mark.parametrize("world", WORLDS)
def test_motion_is_per_second(world):
    """The same second at twice the rate: the same pictures at the same times, and half the motion a frame."""
    slow, fast = first(world, clip_frames=6, fps=15), first(world, clip_frames=11, fps=30)
    every, between = np.abs(np.diff(slow.frames.astype(float), axis=0)).mean(), fast.frames[::2].astype(float)
    assert np.abs(between - slow.frames).mean() < 0.4 * every
    motion = [np.abs(c.flow[1:].astype(float)).sum(axis=1)[c.flow_valid[1:] > 0].mean() for c in (slow, fast)]
    assert 0.4 < motion[1] / motion[0] < 0.6


def test_unknown_world_is_refused():
    class Wrong:
        world = "sea"

    with pytest.raises(SlimvidError, match="world 'sea'"):
        clips(Wrong())


def test_no_held_out_person_has_the_hair_clothes_and_room_of_a_training_clip():
    from slimvid.data.worlds import FIRST
    from slimvid.data.worlds.face import person

    def looks(split, count):
        people = [person(np.random.default_rng(0), number=FIRST[split] + i) for i in range(count)]
        return [(who.style, who.outfit, who.room) for who in people]

    shown = looks("train", 147)
    assert len(set(shown)) == 147
    for split, count in (("val", 33), ("test", 36)):
        assert len(set(looks(split, count))) == count and not set(shown) & set(looks(split, count))


@pytest.mark.parametrize("world", WORLDS)
def test_no_held_out_clip_repeats_a_scene_of_training(world):
    """Streets, cameras and movements are of their own: no held-out frame is near one of training."""
    made = clips(settings(world, clip_frames=4, train_clips=6, test_clips=3))
    split = {name: [clip.frames[1].astype(float) for clip in made[name]] for name in ("train", "test")}
    for held in split["test"]:
        assert min(np.abs(held - seen).mean() for seen in split["train"]) > 4

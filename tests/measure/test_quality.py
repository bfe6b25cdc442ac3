"""quality.json: what a row's frames measure, and how it is said."""

import json

import cv2
import numpy as np
import pytest

from slimvid.data.store import FrameArchive, write_frames
from slimvid.errors import SlimvidError
from slimvid.measure import standard
from slimvid.measure.distances import FRAMES, VIDEO
from slimvid.measure.evaluator import train_evaluator
from slimvid.measure.quality import measure_quality
from slimvid.measure.real import measure_real
from slimvid.measure.resample import paired_difference


def same(clip):
    return enumerate(clip)


def soft(clip):
    return enumerate(cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in clip)


def softer(clip):
    return enumerate(cv2.GaussianBlur(frame, (0, 0), 2.5) for frame in clip)


def held(clip):
    return enumerate(clip[np.arange(len(clip)) // 4 * 4])


def moved(clip):
    return enumerate(np.roll(clip, 7, axis=2))


@pytest.fixture(scope="module")
def evaluators(street, bodies, settings, tmp_path_factory):
    made = {}
    for task in (street, bodies):
        made[task] = tmp_path_factory.mktemp("evaluator")
        train_evaluator(task, settings, made[task])
        measure_real(task, made[task], settings)
    return made


@pytest.fixture(scope="module")
def measured(evaluators, archive, settings, tmp_path_factory):
    """A function of (task, change) -> the document; each is measured once."""
    done = {}

    def measure(task, change):
        key = task, change.__name__
        if key not in done:
            out = tmp_path_factory.mktemp("measures") / task.name / change.__name__ / "3" / "quality.json"
            measure_quality(archive(task, change), task, evaluators[task], settings, out)
            done[key] = json.loads(out.read_text())
        return done[key]

    return measure


def test_the_truth_itself_is_perfect(measured, street):
    values = measured(street, same)["values"]
    for name in (FRAMES, VIDEO, "frame_kernel_lite0"):
        assert values[name] == pytest.approx(0, abs=1e-6)
    assert values["perceptual_st_lpips"] == values["temporal_perceptual_st_lpips"] == 0
    assert values["psnr"] == 100 and values["ssim"] == pytest.approx(1)
    assert values["sharpness_ratio"] == values["temporal_difference_ratio"] == 1
    assert values["flicker"] == 0
    assert values["warp_error"] == pytest.approx(values["warp_error_real"])
    assert values["miou_seg"] == pytest.approx(values["miou_seg_ceiling"])


def test_more_blur_measures_as_worse(measured, street):
    good, worse = (measured(street, c)["values"] for c in (soft, softer))
    for name in (FRAMES, VIDEO, "frame_kernel_lite0", "perceptual_st_lpips"):
        assert 0 < good[name] < worse[name]
    for name in ("psnr", "ssim", "sharpness_ratio", "miou_seg"):
        assert good[name] > worse[name]


def test_held_frames_are_seen_by_motion_and_not_by_frames(measured, street):
    values = measured(street, held)["values"]
    assert values["temporal_difference_ratio"] < 0.8
    assert values["sharpness_ratio"] == pytest.approx(1, abs=0.05)
    assert values["warp_error"] > values["warp_error_real"] + 3
    assert values[VIDEO] > 3 * values[FRAMES]
    assert values["temporal_perceptual_st_lpips"] > 0


def test_pose_error_follows_the_body_and_only_there(measured, bodies, street):
    values = measured(bodies, moved)["values"]
    assert measured(bodies, same)["values"]["pose_error"] == 0
    assert values["pose_error"] > 2
    assert values["pose_error_height"] == pytest.approx(values["pose_error"] / 32)
    assert values["pose_error_floor"] > 0
    assert values["miou_seg"] is None
    assert measured(street, moved)["values"]["pose_error"] is None


def test_document_names_the_row_and_its_protocol(measured, street):
    document = measured(street, soft)
    assert (document["task"], document["method"], document["seed"]) == ("street", "soft", 3)
    protocol = document["protocol"]
    assert protocol["evaluator"].startswith("embedded:")
    assert protocol["data"] == "a test's drawing"
    assert (protocol["height"], protocol["width"], protocol["clips"], protocol["frames"]) == (32, 48, 4, 48)
    counts = [[protocol[name][key] for key in ("n", "d", "frames")] for name in (FRAMES, VIDEO)]
    assert counts == [[48, 12, 1], [40, 12, 3]]
    assert protocol[FRAMES]["weights_sha256"].startswith("57934424")
    assert list(document["clips"]) == ["test0", "test1", "test2", "test3"]
    assert document["clips"]["test1"]["frames"] == 12
    low, high = document["uncertainty"]["interval_95_over_clips"]["psnr"]
    assert low <= document["values"]["psnr"] <= high


def test_one_protocol_has_one_hash_whatever_row_it_measures(measured, street, bodies):
    hashes = [measured(street, change)["protocol"]["hash"] for change in (soft, softer, held)]
    assert len(set(hashes)) == 1 and len(hashes[0]) == 8
    assert measured(bodies, same)["protocol"]["hash"] != hashes[0]


def test_no_standard_name_is_filled_without_its_network(measured, street):
    document = measured(street, soft)
    assert document["values"]["fid"] is document["values"]["fvd"] is document["values"]["kid"] is None
    assert "fid" not in document["protocol"] and "fvd" not in document["protocol"]


def test_two_rows_are_compared_on_the_same_clips(measured, street):
    a, b = (measured(street, c)["bootstrap"]["replicates"] for c in (soft, softer))
    assert len(a[VIDEO]) == len(a["psnr"]) == len(a["miou_seg"]) == 40
    for name in (FRAMES, VIDEO):
        found = paired_difference(a, b, name)
        assert found["high"] < 0 and found["below"] == 1


def test_the_same_frames_give_the_same_bytes(evaluators, archive, street, settings, tmp_path):
    outs = [tmp_path / n / "row" / "0" / "quality.json" for n in "ab"]
    for out in outs:
        measure_quality(archive(street, soft), street, evaluators[street], settings, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda clip: list(enumerate(clip))[::3], r"clip test0 lacks frame 1 \(8 of 12\).*interpolate"),
        (lambda clip: enumerate(clip[:, ::2, ::2]), "frame 0 of clip test0 is 24x16, the task is 48x32"),
    ],
)
def test_incomplete_or_missized_frames_are_named(
    change, said, evaluators, archive, street, settings, tmp_path
):
    out = tmp_path / "row" / "0" / "quality.json"
    with pytest.raises(SlimvidError, match=said):
        measure_quality(archive(street, change), street, evaluators[street], settings, out)
    assert not out.exists()


def test_a_missing_clip_is_named(evaluators, archive, street, settings, tmp_path):
    whole = FrameArchive(archive(street, same))
    path = tmp_path / "frames.arrow"
    write_frames(path, [("test0", t, whole.frame("test0", t)) for t in range(12)])
    with pytest.raises(SlimvidError, match="clip test1 lacks frame 0"):
        measure_quality(path, street, evaluators[street], settings, tmp_path / "r" / "0" / "quality.json")


def given_two(clip):
    """True first two frames, grey ones after them."""
    return enumerate([*clip[:2], *np.full_like(clip[2:], 100)])


def test_given_first_frames_are_left_out_of_every_measure(evaluators, archive, street, settings, tmp_path):
    documents = []
    for name, skip in (("all", 0), ("skip", 2)):
        out = tmp_path / name / "0" / "quality.json"
        frames = archive(street, given_two)
        measure_quality(frames, street, evaluators[street], settings, out, skip_first=skip)
        documents.append(json.loads(out.read_text()))
    whole, rest = documents
    assert whole["values"]["psnr"] > rest["values"]["psnr"] + 5  # the given frames have 100 dB
    assert rest["values"]["temporal_difference_ratio"] == 0
    assert rest["values"]["warp_error"] == pytest.approx(0, abs=1e-3)  # grey stays grey
    assert rest["values"][FRAMES] > whole["values"][FRAMES]
    protocol = rest["protocol"]
    assert (protocol["skipped_first_frames"], protocol["frames"]) == (2, 40)
    assert (protocol[FRAMES]["n"], protocol[VIDEO]["n"]) == (40, 32)
    assert protocol["hash"] != whole["protocol"]["hash"]
    assert rest["clips"]["test0"]["frames"] == 10
    with pytest.raises(SlimvidError, match="12 frames and the first 12 are given"):
        measure_quality(frames, street, evaluators[street], settings, out, skip_first=12)


def test_of_too_few_samples_a_distance_is_no_figure_and_the_rest_is(
    evaluators, archive, street, settings, tmp_path, caplog
):
    out = tmp_path / "row" / "0" / "quality.json"
    frames = archive(street, given_two)
    measure_quality(frames, street, evaluators[street], settings, out, skip_first=5)
    document = json.loads(out.read_text())
    said = "after 5 given frames: 20 samples of video_distance_lite0 (of 3 frames), it takes 26"
    assert said in caplog.text and "its columns stay empty" in caplog.text
    assert document["values"][VIDEO] is None and VIDEO not in document["protocol"]
    assert document["protocol"]["left_out"] == [VIDEO]
    assert document["values"][FRAMES] > 0 and document["values"]["perceptual_st_lpips"] > 0


def test_footage_too_short_for_both_distances_is_measured_by_the_rest(archive, street, settings, tmp_path):
    settings = settings.model_copy(update={"dimensions": 32})
    train_evaluator(street, settings, tmp_path / "judge")
    measure_real(street, tmp_path / "judge", settings)
    out = tmp_path / "row" / "0" / "quality.json"
    measure_quality(archive(street, soft), street, tmp_path / "judge", settings, out)
    values = json.loads(out.read_text())["values"]
    nothing = (FRAMES, VIDEO, f"{FRAMES}_floor", f"{VIDEO}_floor", "frame_kernel_lite0")
    assert [values[name] for name in nothing] == [None] * 5
    assert values["perceptual_st_lpips"] > 0 and 0 < values["miou_seg"] <= 100


def test_unpaired_tasks_are_not_compared_frame_by_frame(unpaired, archive, settings, tmp_path):
    train_evaluator(unpaired, settings, tmp_path / "evaluator")
    measure_real(unpaired, tmp_path / "evaluator", settings)
    out = tmp_path / "row" / "0" / "quality.json"
    measure_quality(archive(unpaired, soft), unpaired, tmp_path / "evaluator", settings, out)
    document = json.loads(out.read_text())
    assert document["protocol"]["paired"] is False
    assert document["values"][FRAMES] > 0 and document["values"][VIDEO] > 0
    absent = ("perceptual_st_lpips", "psnr", "ssim", "warp_error", "sharpness_ratio", "flicker", "miou_seg")
    for name in (*absent, "miou_seg_ceiling"):
        assert document["values"][name] is None


def test_standard_weights_add_their_columns(street, archive, settings, tmp_path, monkeypatch):
    """With Inception's weights given, its columns fill and say who measured (its loading: test_standard)."""
    monkeypatch.setattr(standard, "load_inception", lambda path, *, sha256: None)
    monkeypatch.setattr(
        standard, "inception_features", lambda net, frames: frames.mean(axis=(1, 2)).astype(np.float32)
    )
    with_weights = settings.model_copy(update={"inception": tmp_path / "inception.pth"})
    train_evaluator(street, with_weights, tmp_path / "evaluator")
    measure_real(street, tmp_path / "evaluator", with_weights)
    out = tmp_path / "row" / "0" / "quality.json"
    measure_quality(archive(street, softer), street, tmp_path / "evaluator", with_weights, out)
    document = json.loads(out.read_text())
    assert document["values"]["fid"] > 0 and document["values"]["fvd"] is None
    assert document["protocol"]["fid"]["evaluator"] == "official:6726825d"
    assert (document["protocol"]["fid"]["n"], document["protocol"]["fid"]["d"]) == (48, 3)
    with pytest.raises(SlimvidError, match="made with inception_sha256"):
        measure_quality(archive(street, softer), street, tmp_path / "evaluator", settings, out)


def test_of_one_clip_there_is_no_spread_and_the_log_says_so(lone, archive, settings, tmp_path, caplog):
    train_evaluator(lone, settings, tmp_path / "evaluator")
    measure_real(lone, tmp_path / "evaluator", settings)
    out = tmp_path / "row" / "0" / "quality.json"
    with caplog.at_level("WARNING", logger="slimvid"):
        measure_quality(archive(lone, soft), lone, tmp_path / "evaluator", settings, out)
    assert "one test clip, so no spread over clips; prepare more (test_clips)" in caplog.text
    document = json.loads(out.read_text())
    assert document["values"][FRAMES] > 0
    assert not document["uncertainty"]["interval_95_over_clips"] and not document["bootstrap"]["replicates"]

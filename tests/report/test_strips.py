"""Picture strips and side-by-side clips."""

import json
from itertools import pairwise

import numpy as np
import pytest
from fake_run import write_frames_of

from slimvid.data.store import PreparedTask, write_frames
from slimvid.errors import SlimvidError
from slimvid.report import strips
from slimvid.report.video_grid import write_comparison_video
from slimvid.settings import PlanSettings


@pytest.fixture
def run(tmp_path):
    return write_frames_of(tmp_path)


def rows(run):
    return [("original", run["original"]), ("fast_vid2vid", run["fast_vid2vid"])]


def marks(run):
    return {"interpolated": {"fast_vid2vid": run["keyframes"]}}


def picture(path):
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def test_the_clip_that_moves_is_shown_over_its_span(run):
    clip, indices = strips.choose(PreparedTask(run["prepared"]))
    assert clip == "moving"
    assert len(indices) == strips.FRAMES
    assert {b - a for a, b in pairwise(indices)} == {1}  # 12 frames leave no wider step


def test_frames_of_a_long_clip_are_four_apart(tmp_path):
    run = write_frames_of(tmp_path, length=60)
    _, indices = strips.choose(PreparedTask(run["prepared"]))
    assert {b - a for a, b in pairwise(indices)} == {4}


def test_a_strip_shows_the_same_frames_in_every_row(run):
    strip = strips.gather(run["prepared"], rows(run))
    assert [label for label, _ in strip.rows] == ["condition", "original", "fast_vid2vid", "truth"]
    shown = dict(strip.rows)
    for k in range(strips.FRAMES):
        assert np.array_equal(shown["original"][k], shown["truth"][k])
        assert np.array_equal(shown["fast_vid2vid"][k], (shown["truth"][k] * 0.5).astype(np.uint8))


def test_cells_are_enlarged_by_whole_pixels_and_key_frames_marked(run, tmp_path):
    out = tmp_path / "strip.png"
    strips.write_strip(run["prepared"], rows(run), out, marks=marks(run))
    image = picture(out)
    assert image.shape[0] > 4 * 128 and image.shape[1] > 8 * 128
    bars = (image == strips.KEY).all(axis=2)
    strip = strips.gather(run["prepared"], rows(run), marks=marks(run))
    marked = [i for i in strip.indices if i in {0, 4, 11}]
    widths = bars[: -2 * strips.NORMAL].sum(axis=1)
    assert marked and widths.max() == 128 * len(marked)
    plain = tmp_path / "plain.png"
    strips.write_strip(run["prepared"], rows(run), plain)
    assert not (picture(plain) == strips.KEY).all(axis=2).any()


def test_a_strip_is_the_same_bytes_every_time(run, tmp_path):
    for name in ("a.png", "b.png"):
        strips.write_strip(run["prepared"], rows(run), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((64, 64), (128, 128)), ((64, 128), (256, 128)), ((144, 176), (176, 144)), ((256, 512), (320, 160))],
)
def test_cell_sizes(shape, expected):
    assert strips.cell_size(shape) == expected


def test_cells_of_other_bounds():
    assert strips.cell_size((64, 96), bounds=(256, 480)) == (384, 256)
    assert strips.cell_size((256, 512), bounds=(256, 480)) == (480, 240)


def test_the_legend_says_what_the_other_frames_are(run):
    def legend(kinds):
        found = {kind: dict.fromkeys(labels, run["keyframes"]) for kind, labels in kinds.items()}
        return strips.gather(run["prepared"], rows(run), marks=found).legend

    drawn = "drawn by the whole network; the others of its row are "
    assert legend({}) == ""
    assert legend({"interpolated": ["fast_vid2vid"]}) == drawn + "interpolated"
    assert legend({"shortcut frames": ["a", "b"]}) == drawn + "shortcut frames"
    both = drawn + "held (a) or shortcut frames (shortcut, half)"
    assert legend({"held": ["a"], "shortcut frames": ["shortcut", "half"]}) == both


def test_what_other_frames_a_plan_has():
    assert strips.others(PlanSettings()) == ""
    assert strips.others(PlanSettings(kind="shortcut", max_interval=3)) == "shortcut frames"
    assert strips.others(PlanSettings(kind="keyframes")) == "interpolated"
    assert strips.others(PlanSettings(kind="keyframes", interpolation="hold")) == "held"


def test_references_of_a_shortcut_are_marked(run):
    strip = strips.gather(
        run["prepared"], rows(run), marks={"shortcut frames": {"original": run["keyframes"]}}
    )
    bars = (np.asarray(strips.draw(strip)) == strips.KEY).all(axis=2)
    marked = [i for i in strip.indices if i in {0, 4, 11}]
    assert marked and bars[: -2 * strips.NORMAL].sum(axis=1).max() == 128 * len(marked)


@pytest.mark.parametrize(
    "name", ["shortcut_without_reference_on_uniform_quarter_of_everything_else", "w" * 90]
)
def test_long_names_go_on_below(run, name):
    lines = strips.label_lines(name, 128)
    assert len(lines) > 1 and "".join(lines) == name
    assert all(strips.text_width(line, strips.NORMAL) <= strips.LABEL for line in lines)
    long = strips.draw(strips.gather(run["prepared"], [(name, run["original"])]))
    assert long.width <= strips.LABEL + 2 * strips.PAD + 8 * (128 + strips.GAP) + strips.PAD
    ink = (np.asarray(long)[:, :, 0] < 100)[:, : strips.LABEL + strips.PAD]
    assert not ink[:, : strips.PAD // 2].any()  # nothing is cut off on the left
    short = strips.label_lines(name, 2 * strips.PITCH)  # a row of two lines' height
    assert len(short) == 2 and short[-1].endswith("…")


def test_a_long_legend_is_broken_within_the_picture(run):
    key_frames = {f"a_row_with_quite_a_long_name_{i}": run["keyframes"] for i in range(9)}
    few = {"shortcut frames": {"b": run["keyframes"]}}
    strip = strips.gather(run["prepared"], rows(run), marks={"interpolated": key_frames, **few})
    picture = strips.draw(strip)
    plain = strips.draw(strips.gather(run["prepared"], rows(run), marks=few))
    assert picture.width == plain.width and picture.height > plain.height
    room = picture.width - 2 * strips.PAD
    assert all(strips.text_width(t, 13) <= room for t in strips.wrap(strip.legend, room, 13))


def test_a_missing_or_short_archive_is_named(run, tmp_path):
    with pytest.raises(SlimvidError, match=r"nothing\.arrow: missing; run `snakemake"):
        strips.write_strip(run["prepared"], [("original", tmp_path / "nothing.arrow")], tmp_path / "s.png")
    short = tmp_path / "short.arrow"
    write_frames(short, [("moving", 0, np.zeros((64, 64, 3), np.uint8))])
    with pytest.raises(SlimvidError, match=r"short\.arrow: lacks frame . of clip moving; translate"):
        strips.write_strip(run["prepared"], [("original", short)], tmp_path / "s.png")
    assert not (tmp_path / "s.png").exists()


def test_key_frames_of_another_clip_are_refused(run, tmp_path):
    run["keyframes"].write_text(json.dumps({"clips": {"still": [0]}}))
    with pytest.raises(SlimvidError, match=r"keyframes\.json: has no clip moving"):
        strips.write_strip(run["prepared"], rows(run), tmp_path / "s.png", marks=marks(run))


def test_a_side_by_side_clip_decodes_to_every_frame(run, tmp_path):
    import av

    for name in ("a.mp4", "b.mp4"):
        write_comparison_video(run["prepared"], rows(run), tmp_path / name)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (4 * 128, 128 + 24)
        assert float(stream.average_rate) == 10.0
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert len(frames) == 12
    grey = [frames[0][140, 128 * k + 4].astype(int).mean() for k in range(4)]
    assert grey[0] < 20 and abs(grey[1] - 90) < 8 and abs(grey[2] - 45) < 8 and abs(grey[3] - 90) < 8
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_an_unknown_clip_is_refused(run, tmp_path):
    with pytest.raises(SlimvidError, match="no test clip 'other'"):
        write_comparison_video(run["prepared"], rows(run), tmp_path / "a.mp4", clip="other")

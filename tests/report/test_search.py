"""What people read of a search."""

import pytest

from slimvid.errors import SlimvidError
from slimvid.files import write_json
from slimvid.report.search import plan_words, points, write_search

BLOCK = {"hidden": 8, "encoder": 5, "decoder": 15}


def point(method, plan, macs, distance, *, front, **over):
    """An entry of a search's document."""
    values = {
        "macs_g": macs,
        "full_frame_share": 0.25,
        "frame_distance_lite0": 0.5,
        "video_distance_lite0": distance,
        "psnr": 20.125,
        "ssim": 0.6,
    }
    return {
        "method": method,
        "plan": plan,
        "block": None if method == "original" else BLOCK,
        "values": {**values, **over},
        "uncertainty": {"half_sample_sd": {"video_distance_lite0": 0.0512}},
        "front": front,
    }


def document(**over):
    shortcut = {"kind": "shortcut"}
    machine = {"device": "cpu", "device_name": "a machine", "precision": "fp32"}
    protocol = {
        "video_distance_lite0": {"n": 48, "frames": 3},
        "clips": 6,
        "hash": "5e6f7a8b",
        "evaluator": "embedded:abc",
        "drawn_by": machine,
    }
    return {
        "task": "looks",
        "seed": 3,
        "protocol": {"data": "a test's drawing", **protocol},
        "points": [
            point("original", {"kind": "every_frame"}, 0.2, 0.7, front=True, **over),
            point("thin", {**shortcut, "max_interval": 4}, 0.05, 0.9, front=True, **over),
            point("thin", {**shortcut, "budget_interval": 4.5}, 0.0512345678, 1.25, front=False, **over),
        ],
    }


@pytest.fixture
def written(tmp_path):
    def write(found):
        write_json(tmp_path / "s.json", found)
        out = {kind: tmp_path / f"s.{kind}" for kind in ("csv", "md", "svg")}
        write_search(tmp_path / "s.json", **out)
        return {kind: path.read_text() for kind, path in out.items()}

    return write


def test_the_csv_has_every_point_in_the_order_of_the_document(written):
    head, *lines = written(document())["csv"].splitlines()
    names = "video_distance_lite0,video_distance_lite0_sd,frame_distance_lite0"
    assert head == f"method,plan,hidden,cut,full_frame_share,macs_g,{names},psnr,ssim,front"
    assert lines[0] == "original,every frame,,,0.25,0.2,0.7,0.051,0.5,20.12,0.6,yes"
    assert lines[2] == "thin,budget 4.5,8,5-15,0.25,0.0512346,1.25,0.051,0.5,20.12,0.6,"
    assert len(lines) == 3


def test_the_front_is_read_cheapest_first_and_beside_the_original(written):
    text = written(document())["md"]
    rows = [line for line in text.splitlines() if line.startswith(("| thin", "| **", "| original"))]
    front, every = rows[:2], rows[2:]
    assert [row.split(" | ")[1] for row in front] == ["interval 4", "every frame"]
    assert [row.split(" | ")[1] for row in every] == ["every frame", "interval 4", "budget 4.5"]  # best first
    assert [row.startswith("| **") for row in rows] == [False, False, True, True, False]
    assert "| 0.05 | 0.25 | 0.9 ± 0.051 |" in front[0]  # a quarter of the original's MACs
    assert "**The front: 2 of 3 points**" in text and "48 samples of 3 frames" in text
    assert (
        "Seed 3, a test's drawing, 6 validation clips" in text and "Drawn on a machine (cpu), fp32." in text
    )


def test_what_was_not_measured_is_empty(written):
    found = written(document(psnr=None, ssim=None))
    assert found["csv"].splitlines()[1].endswith(",0.5,,,yes")
    assert "nan" not in found["csv"] + found["md"]


def test_the_plot_names_the_rows_and_the_plans_on_the_front(written):
    first, again = written(document())["svg"], written(document())["svg"]
    assert first == again
    for words in ("original", "thin", "interval 4", "every frame"):
        assert f"<!-- {words} -->" in first
    assert "<!-- budget 4.5 -->" not in first


def test_a_document_of_something_else_is_named(written):
    with pytest.raises(SlimvidError, match=r"s\.json: field 'points' is missing"):
        written({"task": "looks", "values": {}})


def test_plans_in_words():
    assert plan_words({"kind": "every_frame"}) == "every frame"
    assert plan_words({"kind": "shortcut", "budget_interval": 3.0}) == "budget 3"


def test_the_frame_keeps_numbers_as_numbers():
    frame = points(document())
    assert frame["macs_g"].max() == 0.2 and list(frame["front"]) == ["yes", "yes", ""]

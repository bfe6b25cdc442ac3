"""The search: its front, and that a point's figures are those of the ordinary measures."""

import importlib.util
import json
import shutil
from itertools import permutations
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import torch

from slimvid import artifact
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json
from slimvid.infer.translate import translate
from slimvid.infer.translator import load
from slimvid.measure import evaluator as evaluators
from slimvid.measure.cost import measure_cost
from slimvid.measure.distances import FRAMES, VIDEO
from slimvid.measure.evaluator import train_evaluator
from slimvid.measure.quality import measure_quality
from slimvid.measure.real import measure_real
from slimvid.measure.search import Point, open_trial, plans, search, under, walk
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.shortcut_net import shortcut_spec
from slimvid.pareto import pareto_front
from slimvid.settings import PlanSettings, SearchSettings

WANTED = SearchSettings(task="street", methods=("shortcut", "thin"), intervals=(2, 5), budgets=(3,))


def front(*pairs):
    return [pair for pair, best in zip(pairs, pareto_front(pairs), strict=True) if best]


def test_what_costs_more_and_is_no_better_is_beaten():
    best = [(1, 9), (2, 5), (4, 4)]
    beaten = [(2, 6), (3, 5), (5, 4), (4.5, 8)]  # dearer, worse, or both
    for order in permutations([*best, *beaten[:3]]):
        assert sorted(front(*order)) == best
    assert front(*best, *beaten) == best


def test_equal_points_are_on_the_front_together_or_not_at_all():
    assert pareto_front([(1, 2), (1, 2), (3, 2), (3, 2)]) == [True, True, False, False]
    assert pareto_front([(1, 2), (1, 3), (2, 2)]) == [
        True,
        False,
        False,
    ]  # a tie in one is decided by the other


def test_one_point_is_a_front_and_none_is_an_empty_one():
    assert pareto_front([(3, 3)]) == [True]
    assert pareto_front([]) == []


@pytest.mark.parametrize("bad", [(nan, 1), (1, nan), (1, inf)])
def test_a_point_without_a_figure_is_refused(bad):
    with pytest.raises(SlimvidError, match=r"point 1 is .* leave out what was not measured"):
        pareto_front([(1, 1), bad])


def test_every_plan_is_a_shortcut_plan_in_the_order_of_the_config():
    found = [plan.model_dump(exclude_defaults=True) for plan in plans(WANTED)]
    kind = {"kind": "shortcut"}
    wanted = [{"max_interval": 2}, {"max_interval": 5}, {"budget_interval": 3}]
    assert found == [{**kind, **each} for each in wanted]


@pytest.fixture(scope="module")
def painted(street_looks):
    """A task whose conditions are pictures; its clips to choose by are the test's under other names."""
    return street_looks(label_frames=False, val=(100, 101, 102, 103))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Write a tiny translator: a function of (name, plan, width of its block or 0 for none, teacher)."""
    root = tmp_path_factory.mktemp("checkpoints")

    def save(name: str, *, hidden: int = 0, teacher: dict | None = None, **plan) -> Path:
        torch.manual_seed(0)
        teacher = teacher or resnet_spec(4, blocks=2)
        spec = shortcut_spec(teacher, hidden=hidden) if hidden else teacher
        net = build(spec)
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        artifact.save(
            root / name,
            task="looks",
            method=name,
            spec=spec,
            plan=plan,
            condition=ConditionSpec(kind="image").to_dict(),
            provenance={"seed": 4},
            state=net.state_dict(),
        )
        return root / name

    return save


@pytest.fixture(scope="module")
def artifacts(saved):
    return {
        "original": saved("original", kind="every_frame"),
        "shortcut": saved("shortcut", hidden=8, kind="shortcut", max_interval=3),
        "thin": saved("thin", hidden=4, kind="shortcut", max_interval=3),
    }


@pytest.fixture(scope="module")
def judge(painted, settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluator")
    train_evaluator(painted, settings, path)
    measure_real(painted, path, settings)
    return path


@pytest.fixture(scope="module")
def document(artifacts, painted, judge, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("search") / "looks.json"
    search(artifacts, painted, judge, WANTED, settings, out, device="cpu")
    return json.loads(out.read_text())


def test_the_original_and_every_row_under_every_plan_are_points(document):
    assert (document["task"], document["seed"]) == ("looks", 4)
    found = [
        (p["method"], p["plan"].get("max_interval", p["plan"].get("budget_interval")))
        for p in document["points"]
    ]
    assert found == [("original", None), *((row, n) for row in ("shortcut", "thin") for n in (2, 5, 3))]
    assert [p["block"] and p["block"]["hidden"] for p in document["points"]] == [None, 8, 8, 8, 4, 4, 4]
    protocol = document["protocol"]
    assert (protocol["clips"], protocol["frames"], protocol[VIDEO]["n"]) == (4, 48, 40)
    assert protocol["drawn_by"]["device"] == "cpu"
    assert protocol["split"] == "val"


def test_the_choice_is_made_without_the_test_clips(document, artifacts, painted, judge, settings, tmp_path):
    """Neither their frames nor what they measure need be there."""
    shutil.copytree(painted, tmp_path / "looks")
    (tmp_path / "looks" / "test.arrow").unlink()
    shutil.copytree(judge, tmp_path / "judge", ignore=shutil.ignore_patterns("real.*"))
    wanted = WANTED.model_copy(update={"methods": ("thin",)})
    chosen = {row: artifacts[row] for row in ("original", "thin")}
    places = (tmp_path / "looks", tmp_path / "judge")
    search(chosen, *places, wanted, settings, tmp_path / "s.json", device="cpu")
    found = read_json(tmp_path / "s.json")["points"]
    both = [p for p in document["points"] if p["method"] in chosen]
    assert [p["values"] for p in found] == [p["values"] for p in both] and len(found) == 4


def test_full_frames_are_counted_as_they_were_drawn(document):
    shares = [p["values"]["full_frame_share"] for p in document["points"]]
    # of 12 frames a clip: all, every 2nd, 0 5 10; the adaptive plan spends 4 at most
    assert shares[:3] == [1, 6 / 12, 3 / 12] and 0 < shares[3] <= 4 / 12
    macs = [p["values"]["macs_g"] for p in document["points"]]
    assert macs[0] > macs[1] > macs[2] > macs[5]  # thinner is cheaper


def test_the_front_is_of_true_macs_and_video_distance(document):
    points = document["points"]
    pairs = [(p["values"]["macs_g"], p["values"][VIDEO]) for p in points]
    assert [p["front"] for p in points] == pareto_front(pairs)
    assert sum(p["front"] for p in points) >= 1


@pytest.fixture
def measured_alone(painted, judge, settings, tmp_path):
    """What translate, measure_cost and measure_quality say of an artifact."""

    def measure(path: Path, *, given: int = 0) -> tuple[dict, dict]:
        frames, drawn, out = tmp_path / "frames.arrow", tmp_path / "drawn.json", tmp_path / "row" / "4"
        translate(path, painted, None, frames, drawn, device="cpu")
        measure_quality(frames, painted, judge, settings, out / "quality.json", skip_first=given)
        measure_cost(path, painted, drawn, out / "cost.json")
        return read_json(out / "quality.json"), read_json(out / "cost.json")

    return measure


def assert_same(document: dict, number: int, quality: dict, cost: dict) -> None:
    """The point and its protocol against the documents of the ordinary measures."""
    found = document["points"][number]
    for name in (FRAMES, VIDEO):
        assert found["values"][name] == quality["values"][name]  # to the last bit
    for name in ("psnr", "ssim"):
        assert found["values"][name] == pytest.approx(quality["values"][name])
    spread = quality["uncertainty"]["half_sample_sd"][VIDEO]
    assert found["uncertainty"]["half_sample_sd"][VIDEO] == spread
    assert found["values"]["macs_g"] == pytest.approx(cost["values"]["macs_g"], rel=1e-12)
    shared = ("evaluator", "data_sha256", "clips", "frames", FRAMES, VIDEO, "skipped_first_frames")
    assert {k: document["protocol"][k] for k in shared} == {k: quality["protocol"][k] for k in shared}


def test_a_point_measures_what_its_row_measures(document, artifacts, saved, measured_alone):
    assert_same(document, 0, *measured_alone(artifacts["original"]))
    assert_same(document, 2, *measured_alone(saved("again", hidden=8, kind="shortcut", max_interval=5)))


def test_given_frames_cost_nothing_and_are_not_looked_at(
    saved, painted, judge, settings, measured_alone, tmp_path
):
    teacher = {"kind": "vid2vid", "condition_channels": 3, "width": 4, "downs": 2, "blocks": 2}
    real = {"teacher": teacher, "first": "real"}
    rows = {
        "original": saved("given", **real, kind="every_frame"),
        "shortcut": saved("given_short", **real, hidden=4, kind="shortcut", max_interval=3),
    }
    wanted = SearchSettings(task="street", methods=("shortcut",), intervals=(3,))
    search(rows, painted, judge, wanted, settings, tmp_path / "s.json", device="cpu")
    found = read_json(tmp_path / "s.json")
    for number, path in enumerate(rows.values()):
        assert_same(found, number, *measured_alone(path, given=2))
    assert found["protocol"]["frames"] == 40
    assert found["points"][1]["values"]["full_frame_share"] == 4 / 10


def test_the_truth_is_read_once(artifacts, painted, judge, settings, tmp_path, monkeypatch):
    read, opened = [], []
    real_frame, real_open = PreparedTask.frame, evaluators.read_evaluator
    monkeypatch.setattr(
        PreparedTask, "frame", lambda self, *where: read.append(where) or real_frame(self, *where)
    )
    monkeypatch.setattr(evaluators, "read_evaluator", lambda *a: opened.append(a) or real_open(*a))
    wanted = WANTED.model_copy(update={"methods": ("thin",), "intervals": (2, 3)})
    chosen = {row: artifacts[row] for row in ("original", "thin")}
    search(chosen, painted, judge, wanted, settings, tmp_path / "s.json", device="cpu")
    assert len(read) == len(set(read)) == 48 and len(opened) == 1


def test_joined_clips_are_one_stream_with_cuts(artifacts, painted, judge, settings):
    trial = open_trial(painted, judge, settings)
    net, plan = load(artifacts["shortcut"], device="cpu"), PlanSettings(kind="shortcut", max_interval=5)
    drawn = {}
    for joined in (False, True):
        point = Point(row="shortcut", translator=under(net, plan))
        drawn[joined] = [frames for _, frames in walk(trial, [point], joined=joined)]
        assert (point.full, point.drawn) == ((10 if joined else 12), 48)  # of 48 in one, of 4 x 12
    assert np.array_equal(drawn[True][0], drawn[False][0])  # before the first cut
    assert not np.array_equal(drawn[True][1][0], drawn[False][1][0])  # a reference from before it


def test_a_row_without_a_block_and_a_missing_one_are_named(artifacts, painted, judge, settings, tmp_path):
    out = tmp_path / "s.json"
    rows = {**artifacts, "thin": artifacts["original"]}
    with pytest.raises(SlimvidError, match="original: its plan is 'every_frame', it has no Shortcut block"):
        search(rows, painted, judge, WANTED, settings, out, device="cpu")
    rows["thin"] = tmp_path / "thin"
    with pytest.raises(SlimvidError, match=r"translator\.json: missing"):
        search(rows, painted, judge, WANTED, settings, out, device="cpu")
    assert not out.exists()


@pytest.fixture(scope="module")
def comparison():
    """The script that sets the adaptive interval against the constant one."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "adaptive_interval.py"
    found = importlib.util.spec_from_file_location("adaptive_interval", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def walked(share, distance):
    return {"full_frame_share": share, VIDEO: distance, "l1": 2 * distance, "psnr_full": 30 - distance}


def test_adaptive_and_constant_are_compared_at_equal_cost(comparison):
    seed = {"constant 3": walked(0.4, 1.0), "constant 4": walked(0.2, 3.0), "constant 5": walked(0.2, 7.0)}
    same = comparison.differences({**seed, "adaptive 5": walked(0.2, 6.5)}, 5)
    assert same == {VIDEO: -0.5, "l1": -1, "psnr_full": 0.5}  # its own interval, not the other of that cost
    less = comparison.differences({**seed, "adaptive 3": walked(0.3, 2.5)}, 3)
    assert less[VIDEO] == pytest.approx(0.5)  # halfway between the shorter ones: 2
    still = {**walked(0.4, 1.0), "psnr_full": None}
    assert set(comparison.differences({**seed, "adaptive 3": still}, 3)) == {VIDEO, "l1"}


def test_the_script_walks_every_plan(comparison, artifacts, painted, judge, capsys, tmp_path, monkeypatch):
    chosen = ["--prepared", painted, "--evaluator", judge, "--intervals", "3", "--out", tmp_path / "a.json"]
    arguments = ["x", *chosen, "--device", "cpu", artifacts["shortcut"], artifacts["thin"]]
    monkeypatch.setattr("sys.argv", [str(argument) for argument in arguments])
    comparison.main()
    shown = capsys.readouterr().out
    assert "interval 3: full frames 0.3333, adaptive 0.3333" in shown and "of 2" in shown
    for seed in read_json(tmp_path / "a.json")["seeds"]:
        assert seed["full"]["l1"] == 0 and seed["full"]["psnr_full"] is None
        assert seed["constant 3"]["l1"] > 0 and seed["constant 4"]["full_frame_share"] == 3 / 12
        assert seed["adaptive 3"]["full_frame_share"] <= seed["constant 3"]["full_frame_share"]

"""The main table: its columns, joins, spreads, errors and bytes."""

import csv
import io
import json

import pytest
from fake_run import document, fake_scale, write_measures

from slimvid.compress import uniform_options
from slimvid.config import validate
from slimvid.errors import SlimvidError
from slimvid.files import read_json, write_json
from slimvid.report.measures import read_measures
from slimvid.report.table1 import table1, to_csv, write_table1

GOLDEN = (
    "task,teacher,method,plan,seeds,macs_g,params_m,speedup,fps,fps_network,frame_distance_lite0,"
    "video_distance_lite0,perceptual_st_lpips,temporal_perceptual_st_lpips,psnr,ssim,warp_error,miou_seg,"
    "pose_error,frame_kernel_lite0,sharpness_ratio,temporal_difference_ratio,flicker,speedup_low,speedup_high,"
    "latency_ms_p50,latency_ms_p99,activation_mb,training_updates,training_samples,training_cpu_seconds,"
    "video_distance_lite0_floor,evaluator,protocol,data,"
    "paper_scale_macs_g,paper_scale_macs_g_as_published,paper_scale_params_m,"
    "published_macs_g,published_fps,published_fid,published_fvd,published_pe"
)


def records(config, measures):
    text = to_csv(table1(config, measures, paper_scale=fake_scale))
    return list(csv.DictReader(io.StringIO(text)))


def of(found, task, method):
    (row,) = [r for r in found if (r["task"], r["method"]) == (task, method)]
    return row


def test_columns_of_a_run_with_one_seed(config, measures):
    text = to_csv(table1(config, measures, paper_scale=fake_scale))
    assert text.splitlines()[0] == GOLDEN


def test_measured_published_and_full_size_figures_meet_in_a_row(config, measures):
    row = of(records(config, measures), "sketch2face", "fast_vid2vid")
    assert row["plan"] == "keyframes+mci"
    assert row["macs_g"] == "0.154321"  # six significant digits of 1.23456789 / 8
    assert row["fps"] == "160"
    assert row["published_fps"] == "18.56"
    assert row["published_macs_g"] == "282"
    assert row["published_pe"] == ""  # a dash in print
    assert row["paper_scale_macs_g"] == "104.5138"  # 418.055 at this run's key-frame share, 0.25
    assert row["paper_scale_macs_g_as_published"] == "767.63"  # one key-frame, rounded as Shortcut-V2V does
    assert row["miou_seg"] == ""
    original = of(records(config, measures), "sketch2face", "original")
    assert original["paper_scale_macs_g_as_published"] == "2066.69"
    assert original["published_fid"] == "34.17"


def test_rows_of_the_paper_that_were_not_measured_appear_empty(config, measures):
    found = records(config, measures)
    face = [r["method"] for r in found if r["task"] == "sketch2face"]
    assert face == ["original", "uniform", "fast_vid2vid", "gan_compression", "content_aware", "cat"]
    nas = of(found, "sketch2face", "gan_compression")
    assert (nas["published_fps"], nas["published_fvd"]) == ("10.50", "6.86")
    assert {nas[name] for name in ("seeds", "plan", "macs_g", "psnr", "evaluator", "paper_scale_macs_g")} == {
        ""
    }


def test_published_figures_belong_to_the_papers_tasks_and_rows_only(config, measures):
    found = records(config, measures)
    street = [r for r in found if r["task"] == "my_street"]
    assert [r["method"] for r in street] == ["original", "uniform", "fast_vid2vid"]
    nothing = [r[name] for r in street for name in r if name.startswith(("published_", "paper_scale_"))]
    assert set(nothing) == {""}
    uniform = of(found, "sketch2face", "uniform")
    assert uniform["published_macs_g"] == ""
    assert uniform["paper_scale_macs_g"] == "429.25"


def test_a_row_names_the_kind_of_its_original(tmp_path):
    changed = document()
    changed["recyclegan"] = {"iterations": 10, "lambda_content": [0, 0]}
    changed["methods"]["fast_vid2vid"]["teachers"] = ["vid2vid"]
    city = {"world": "city", "translation": "game2camera", "teacher": "recyclegan"}
    changed["tasks"]["my_street"] = {**changed["tasks"]["my_street"], **city}
    config = validate(changed, origin="test")
    write_measures(tmp_path, config)
    found = records(config, tmp_path)
    assert {r["teacher"] for r in found if r["task"] == "my_street"} == {"recyclegan"}
    assert {r["teacher"] for r in found if r["task"] == "sketch2face"} == {"vid2vid"}


def test_a_row_for_another_kind_of_original_is_left_out(tmp_path):
    changed = document()
    changed["methods"]["uniform"]["teachers"] = ["recyclegan"]
    config = validate(changed, origin="test")
    write_measures(tmp_path, config)
    street = [r["method"] for r in records(config, tmp_path) if r["task"] == "my_street"]
    assert street == ["original", "fast_vid2vid"]


def test_spread_over_seeds_stands_beside_the_mean(tmp_path):
    config = validate(document(seeds=(0, 1, 2)), origin="test")
    write_measures(tmp_path, config)
    row = of(records(config, tmp_path), "sketch2face", "original")
    assert row["seeds"] == "3"
    assert (row["psnr"], row["psnr_std"]) == ("27.38", "1")
    assert (row["frame_distance_lite0"], row["frame_distance_lite0_std"]) == ("0.11", "0.01")
    assert (row["miou_seg"], row["miou_seg_std"]) == ("", "")
    names = list(row)
    assert names[names.index("macs_g") + 1] == "macs_g_std"
    assert "video_distance_lite0_floor_std" not in names


def test_documents_from_another_store_give_the_same_table(config, measures):
    documents = json.loads(json.dumps([[list(k), v] for k, v in read_measures(config, measures).items()]))
    rebuilt = {tuple(key): families for key, families in documents}
    from_store = to_csv(table1(config, rebuilt, paper_scale=fake_scale))
    assert from_store == to_csv(table1(config, measures, paper_scale=fake_scale))


def test_a_missing_measure_is_named_with_its_mend(config, measures):
    (measures / "my_street/uniform/0/latency.json").unlink()
    expected = (
        r"my_street/uniform/0/latency.json: missing; run `snakemake .*slimvid measure-latency my_street"
    )
    with pytest.raises(SlimvidError, match=expected):
        table1(config, measures, paper_scale=fake_scale)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": {"fps": "fast"}}, "field `values`"),
        ({"values": None}, "field `values`"),
        ({"method": "cat"}, "holds the measures of .*cat"),
    ],
)
def test_a_damaged_measure_is_named(config, measures, change, message):
    path = measures / "sketch2face/original/0/latency.json"
    write_json(path, read_json(path) | change)
    with pytest.raises(SlimvidError, match=f"original/0/latency.json: {message}"):
        table1(config, measures, paper_scale=fake_scale)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"evaluator": "official:99999999"},
            "more than one evaluator: embedded:1a2b3c4d .original., official",
        ),
        (
            {"frame_distance_lite0": {"n": 60, "d": 24}},
            "more than one frame_distance_lite0 n: 120 .original., 60 .uniform.",
        ),
        ({"hash": "99999999"}, "more than one hash: 5e6f7a8b .original., 99999999 .uniform."),
    ],
)
def test_two_evaluators_do_not_share_a_task(config, measures, change, message):
    path = measures / "sketch2face/uniform/0/quality.json"
    found = read_json(path)
    write_json(path, found | {"protocol": found["protocol"] | change})
    with pytest.raises(SlimvidError, match=f"sketch2face: rows measured with {message}"):
        table1(config, measures, paper_scale=fake_scale)


def test_files_are_the_same_bytes_every_time_and_readable(config, measures, tmp_path):
    results = tmp_path / "results"
    strips = {"sketch2face": results / "strips" / "sketch2face.png"}
    for name in ("a", "b"):
        write_table1(
            config, measures, results / f"{name}.csv", results / f"{name}.md", strips, paper_scale=fake_scale
        )
    assert (results / "a.csv").read_bytes() == (results / "b.csv").read_bytes()
    assert (results / "a.md").read_bytes() == (results / "b.md").read_bytes()
    assert b"\r" not in (results / "a.csv").read_bytes()
    text = (results / "a.md").read_text()
    assert "](strips/sketch2face.png)" in text
    assert "not comparable with published FID, FVD or mIoU" in text
    assert "Video distance: N=60, d=48, frames=3, floor=0.125" in text
    assert "Evaluator: embedded:1a2b3c4d; protocol 5e6f7a8b." in text
    assert "Data: procedural world: face, 64x64, seed 0." in text
    assert "Latency: AMD EPYC (cpu), 1 thread, bf16, 64x64 (HxW)." in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines[:6]}) == 1  # aligned


def test_standard_networks_get_columns_only_where_they_measured(config, measures):
    assert "fid" not in table1(config, measures, paper_scale=fake_scale)
    for path in measures.rglob("quality.json"):
        found = read_json(path)
        write_json(path, found | {"values": {**found["values"], "fid": 41.234, "kid": None, "fvd": None}})
    frame = table1(config, measures, paper_scale=fake_scale)
    names = list(frame.columns)
    assert names[names.index("training_cpu_seconds") + 1 :][:2] == ["fid", "video_distance_lite0_floor"]
    assert frame["fid"].iloc[0] == 41.23
    assert "kid" not in names


def test_the_best_measured_value_is_bold_and_ratios_are_to_the_original(config, measures, tmp_path):
    write_table1(config, measures, tmp_path / "t.csv", tmp_path / "t.md", paper_scale=fake_scale)
    text = (tmp_path / "t.md").read_text()
    fast = next(line for line in text.splitlines() if line.startswith("| fast_vid2vid"))
    assert "**0.1543 (8×)**" in fast  # fewest MACs
    assert "**160 (8×)**" in fast  # most frames a second
    assert "| **0.8**" not in fast  # its frame distance is the worst
    original = next(line for line in text.splitlines() if line.startswith("| original (every_frame)"))
    assert "**0.1**" in original


def test_full_size_costs_are_those_of_the_papers_networks(config, measures):
    """The real counter, on the meta device: the figures that follow from the architectures alone."""
    text = to_csv(table1(config, measures))
    found = list(csv.DictReader(io.StringIO(text)))
    original, fast = (of(found, "sketch2face", m) for m in ("original", "fast_vid2vid"))
    assert original["paper_scale_macs_g_as_published"] == "2066.69"
    assert original["paper_scale_macs_g"] == "1717.215"
    assert original["paper_scale_params_m"] == "364.9962"
    assert fast["paper_scale_macs_g_as_published"] == "767.63"
    assert fast["paper_scale_macs_g"] == "104.5137"  # 418.0547 at this run's key-frame share
    assert of(found, "my_street", "original")["paper_scale_macs_g"] == ""


def test_found_widths_have_a_cost_at_full_size_only_where_they_were_found_there(
    config, measures, tmp_path, monkeypatch
):
    monkeypatch.setattr(uniform_options, "SEARCHED", True, raising=False)

    def written(config):
        write_table1(config, measures, tmp_path / "t.csv", tmp_path / "t.md", paper_scale=fake_scale)
        found = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
        return of(found, "sketch2face", "uniform"), (tmp_path / "t.md").read_text()

    row, text = written(config)
    assert {row[name] for name in row if name.startswith("paper_scale")} == {""}
    assert text.count("- No cost at the paper's size of uniform: the widths were found for this run's") == 1
    path = measures / "sketch2face/uniform/0/cost.json"
    found = read_json(path)
    protocol = {"key_fraction": 0.5, "height": 512, "width": 512, "condition_channels": 15}
    counted = {"macs_g_per_generated_frame": 300.0, "macs_g_thop": 345.678, "params_m_thop": 9.0}
    write_json(path, found | {"protocol": protocol, "values": {**found["values"], **counted}})
    row, text = written(config)
    assert "No cost at the paper's size" not in text
    assert (row["paper_scale_macs_g"], row["paper_scale_macs_g_as_published"]) == ("150", "345.68")
    assert row["paper_scale_params_m"] == row["params_m"] == "1.43"


def test_the_table_says_whether_its_students_were_trained_alike(config, measures, tmp_path):
    def text(config):
        write_table1(config, measures, tmp_path / "t.csv", tmp_path / "t.md", paper_scale=fake_scale)
        return (tmp_path / "t.md").read_text()

    assert "- Training: every student had 40 updates from 80 frames." in text(config)
    path = measures / "sketch2face/uniform/0/cost.json"
    found = read_json(path)
    write_json(path, found | {"values": {**found["values"], "training_samples": 60}})
    differ = (
        "Training budgets differ (uniform 40 updates from 60 frames; fast_vid2vid 40 updates from 80 frames)"
    )
    assert f"- {differ}: the config gives no reason." in text(config)
    reasoned = config.table1.model_copy(update={"unequal": "a frame costs more there"})
    assert f"- {differ}: a frame costs more there." in text(config.model_copy(update={"table1": reasoned}))


def test_the_table_says_which_distances_had_too_few_samples(config, measures, tmp_path):
    for path in measures.rglob("quality.json"):
        found = read_json(path)
        values = {**found["values"], "video_distance_lite0": None}
        protocol = {k: v for k, v in found["protocol"].items() if k != "video_distance_lite0"}
        write_json(
            path, found | {"values": values, "protocol": {**protocol, "left_out": ["video_distance_lite0"]}}
        )
    write_table1(config, measures, tmp_path / "t.csv", tmp_path / "t.md", paper_scale=fake_scale)
    said = "Too few samples, so not measured: Video distance (EfficientNet-Lite0); give more or longer clips."
    assert said in (tmp_path / "t.md").read_text()

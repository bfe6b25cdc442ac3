"""Tables of the papers: which printed row stands beside which measured one, and what people read."""

import csv
import io
from pathlib import Path

import pytest
from fake_run import FakeScale, document, write_measures

from slimvid import paths
from slimvid.config import Config, load, validate
from slimvid.errors import SlimvidError
from slimvid.files import read_json, write_json
from slimvid.report import published
from slimvid.report.columns import plan_label
from slimvid.report.frame import to_csv
from slimvid.report.paper_tables import paper_table, write_paper_table
from slimvid.report.paper_tables_declared import DECLARED, declared
from slimvid.settings import PlanSettings

ROOT = Path(__file__).resolve().parents[2]
SHORTCUT = {"method": "shortcut", "plan": {"kind": "shortcut", "max_interval": 3}}
PIECES = ("without_reference", "without_current", "single_stage", "without_blending")
PRINTED = {"shortcut": 1.180, "single_stage": 1.195, "without_blending": 1.208}
PRINTED |= {"without_current": 1.249, "without_reference": 1.256}
TABLES = {
    "table1": ["original", "uniform", "shortcut", "shortcut_on_uniform"],
    "table2": ["original", "shortcut"],
    "table3": [*PIECES, "shortcut"],
    "table4": ["low", "shortcut", "high", "without_current"],
    "figure3": ["original", "shortcut", "half", "odd"],
    "mine": ["original", "shortcut"],
}


def config_of(tables: dict = TABLES, task: str = "viper2city", seeds: tuple[int, ...] = (0,), **rows: dict):
    """A run of the ablation on one unpaired task."""
    made = document(tasks=("sketch2face", "segmentation2city"), seeds=seeds)
    world = {**made["tasks"]["sketch2face"], "world": "city"}
    made["tasks"] |= {
        name: {**world, "translation": look, "teacher": "recyclegan"}
        for name, look in (("viper2city", "game2camera"), ("viper2label", "game2label"))
    }
    made["recyclegan"] = {"iterations": 10, "lambda_content": [0, 0]}
    made["methods"] |= {"shortcut": SHORTCUT} | rows
    options = {**{name: {"form": name} for name in PIECES}, "low": {"cut": "low"}, "high": {"cut": "high"}}
    options |= {"half": {"width": 0.5}, "odd": {"width": 0.3}}
    made["variants"] = {name: {"of": "shortcut", "options": own} for name, own in options.items()}
    made["variants"]["shortcut_on_uniform"] = {"of": "shortcut", "over": "uniform"}
    named = {name: {"tasks": [task], "methods": methods} for name, methods in tables.items()}
    made["papers"] = {"shortcut_v2v": named}
    return validate(made, origin="test")


def no_scale(task: str, method: str, **how: object) -> None:
    return None


def records(config: Config, table: str, root: Path, *, paper_scale=no_scale) -> list[dict[str, str]]:
    name = f"shortcut_v2v/{table}"
    write_measures(root, config, name)
    text = to_csv(paper_table(config, name, root, paper_scale=paper_scale))
    return list(csv.DictReader(io.StringIO(text)))


def pairs(found: list[dict[str, str]], *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in columns) for row in found]


def change(root: Path, task: str, method: str, family: str, **changes: dict) -> None:
    path = root / task / method / "0" / f"{family}.json"
    found = read_json(path)
    write_json(path, found | {key: found[key] | own for key, own in changes.items()})


def test_a_printed_row_stands_beside_ours_of_its_name(tmp_path):
    found = records(config_of(), "table1", tmp_path)
    assert pairs(found, "method", "row", "seeds", "published_macs_g", "published_fvd", "published_fps") == [
        ("original", "Original", "1", "84.61", "1.253", "88.10"),
        ("uniform", "", "1", "", "", ""),
        ("shortcut", "Ours", "1", "18.19", "1.180", "99.67"),
        ("shortcut_on_uniform", "", "1", "", "", ""),  # in nobody's table
        ("cat", "CAT", "", "22.83", "1.310", ""),
        ("omgd", "OMGD", "", "25.85", "1.199", ""),
    ]
    assert {
        found[4][name] for name in ("plan", "macs_g", "video_distance_lite0", "evaluator", "protocol", "data")
    } == {""}
    assert found[2]["plan"] == "shortcut(3)"


def test_a_baseline_is_measured_as_soon_as_the_config_has_its_row(tmp_path):
    cat = {"method": "uniform", "options": {"width": 0.3}}
    config = config_of({"table1": ["original", "cat", "shortcut"]}, cat=cat)
    found = records(config, "table1", tmp_path)
    assert pairs(found, "method", "row", "seeds", "macs_g", "published_macs_g")[1] == (
        ("cat", "CAT", "1", "0.617284", "22.83")
    )
    assert [row["method"] for row in found] == ["original", "cat", "shortcut", "omgd"]


def test_rows_of_one_method_are_told_apart_by_their_options(tmp_path):
    ablation = records(config_of(), "table3", tmp_path)
    assert pairs(ablation, "row", "method", "published_fvd") == [
        ("(a) w/o reference features", "without_reference", "1.256"),
        ("(b) w/o current features", "without_current", "1.249"),
        ("(c) Single-stage alignment", "single_stage", "1.195"),
        ("(d) w/o adaptive blending", "without_blending", "1.208"),
        ("(e) Ours", "shortcut", "1.180"),
    ]
    dependence = records(config_of(), "table4", tmp_path)
    assert pairs(dependence, "row", "method", "published_macs_g", "published_params_m") == [
        ("Low", "low", "13.79", "0.14"),
        ("Medium", "shortcut", "18.19", "0.32"),
        ("High", "high", "27.97", "1.38"),
        ("", "without_current", "", ""),
    ]
    widths = records(config_of(), "figure3", tmp_path)
    assert pairs(widths, "row", "method", "published_fps", "published_fvd") == [
        ("Original", "original", "88.10", "1.253"),
        ("Ours", "shortcut", "99.67", "1.180"),
        ("Ours-1/2", "half", "109.69", ""),
        ("", "odd", "", ""),
        ("CAT", "cat", "", "1.310"),
        ("OMGD", "omgd", "", "1.199"),
        ("Ours-1/4", "shortcut", "111.80", ""),  # not measured
    ]
    assert widths[-1]["seeds"] == ""


@pytest.mark.parametrize("row", ["shortcut_on_uniform", "shortcut"])
def test_a_block_on_a_compressed_original_is_in_nobodys_figure(tmp_path, row):
    config = config_of({"figure3": [row]}, **{"shortcut": {**SHORTCUT, "over": "uniform"}})
    found = records(config, "figure3", tmp_path)
    assert pairs(found, "method", "row", "published_fvd")[0] == (row, "", "")


def test_a_block_as_wide_as_the_papers_is_ours_where_that_is_a_quarter_of_the_channels(tmp_path):
    config = config_of({"figure3": ["shortcut", "half"]}, task="segmentation2city")
    found = records(config, "figure3", tmp_path)
    assert pairs(found, "method", "row")[:2] == [("shortcut", ""), ("half", "Ours")]


def test_one_shortcut_frame_as_published_and_the_mean_over_the_cycle(tmp_path):
    """The real counter: the figures that follow from the architectures alone, to their last digit."""
    config = config_of({"table1": ["original", "shortcut"]})
    write_measures(tmp_path, config, "shortcut_v2v/table1")
    share = {"full_frame_share": 1 / 3, "macs_g_shortcut_frame": 0.0561234567}
    change(tmp_path, "viper2city", "shortcut", "cost", values=share)
    text = to_csv(paper_table(config, "shortcut_v2v/table1", tmp_path))
    (row,) = [r for r in csv.DictReader(io.StringIO(text)) if r["method"] == "shortcut"]
    assert row["paper_scale_macs_g_as_published"] == row["published_macs_g"] == "18.19"
    assert row["paper_scale_params_m_as_published"] == row["published_params_m"] == "0.32"
    assert float(row["paper_scale_macs_g"]) > 30  # a full frame in three, and deformable convolutions
    assert float(row["paper_scale_params_m"]) > 7.84  # the original stays resident
    assert (row["full_frame_share"], row["macs_g_shortcut_frame"]) == ("0.3333", "0.0561235")


def test_the_share_of_full_frames_that_a_row_really_drew_is_what_is_counted(tmp_path):
    config = config_of({"table1": ["shortcut_on_uniform"]})
    write_measures(tmp_path, config, "shortcut_v2v/table1")
    change(tmp_path, "viper2city", "shortcut_on_uniform", "cost", values={"full_frame_share": 0.4})
    asked = []

    def scale(task: str, method: str, **how: object) -> FakeScale:
        asked.append((task, method, how["over"], how["full_share"]))
        return FakeScale(macs_g=1.0, macs_g_thop=18.1949, params_m=2.0)

    paper_table(config, "shortcut_v2v/table1", tmp_path, paper_scale=scale)
    assert asked == [("viper2city", "shortcut", [("uniform", {"width": 0.5})], 0.4)]


def test_label_scores_stand_under_their_protocol_with_their_ceiling(tmp_path):
    config = config_of({"table2": ["original", "shortcut"]}, task="viper2label")
    write_measures(tmp_path, config, "shortcut_v2v/table2")
    reader = {"label_scores": {"reader": "nearest palette colour"}}
    for method in ("original", "shortcut"):
        scores = {"miou_unsup_eval": 26.14215, "mp_fixed": 72.84, "miou_unsup_eval_ceiling": 99.99999}
        change(tmp_path, "viper2label", method, "quality", values=scores, protocol=reader)
    files = {kind: tmp_path / f"table2.{kind}" for kind in ("csv", "md")}
    write_paper_table(config, "shortcut_v2v/table2", tmp_path, files, paper_scale=no_scale)
    original, *_ = csv.DictReader(io.StringIO(files["csv"].read_text()))
    assert (original["miou_unsup_eval"], original["mp_fixed"]) == ("26.14", "72.84")
    assert (original["miou_unsup_eval_ceiling"], original["miou_fixed"]) == ("100", "")
    printed = ("published_miou", "published_ac", "published_mp")
    assert [original[name] for name in printed] == ["12.2", "16.0", "62.8"]
    text = files["md"].read_text()
    assert "mIoU % (unsup-eval, ceiling 100)" in text
    assert "- Frames became label maps by: nearest palette colour." in text


@pytest.mark.parametrize(
    ("distances", "expected"),
    [
        (PRINTED, "held in the measured Video distance: 10 of 10 pairs agree"),
        ({**PRINTED, "shortcut": 1.2}, "did not hold in the measured Video distance: 9 of 10 pairs agree"),
        ({**PRINTED, "shortcut": 1.195}, "did not hold in the measured Video distance: 9 of 10 pairs agree"),
        (dict.fromkeys(PRINTED, 1.0), "did not hold in the measured Video distance: 0 of 10 pairs agree"),
        ({**PRINTED, "shortcut": None}, "held in the measured Video distance: 6 of 6 pairs agree"),
    ],
)
def test_whether_the_papers_order_held_is_computed(tmp_path, distances, expected):
    config = config_of()
    write_measures(tmp_path, config, "shortcut_v2v/table3")
    for method, value in distances.items():
        change(tmp_path, "viper2city", method, "quality", values={"video_distance_lite0": value})
    files = {kind: tmp_path / f"table3.{kind}" for kind in ("csv", "md")}
    write_paper_table(config, "shortcut_v2v/table3", tmp_path, files, paper_scale=no_scale)
    assert f"- The paper's order {expected}." in files["md"].read_text()


def test_a_figure_for_people_and_programs_is_the_same_bytes_every_time(tmp_path):
    config = config_of()
    write_measures(tmp_path / "measures", config, "shortcut_v2v/figure3")
    strips = {"viper2city": tmp_path / "strips/figure3/viper2city.png"}
    written = []
    for _ in range(2):
        files = {kind: tmp_path / f"figure3.{kind}" for kind in ("csv", "md", "svg")}
        measures = tmp_path / "measures"
        write_paper_table(config, "shortcut_v2v/figure3", measures, files, strips, paper_scale=no_scale)
        written.append([path.read_bytes() for path in files.values()])
    assert written[0] == written[1]
    text, plot = (files[kind].read_text() for kind in ("md", "svg"))
    assert text.startswith("# Shortcut-V2V, Figure 3")
    assert "![measured cost and quality](figure3.svg)" in text
    assert "](strips/figure3/viper2city.png)" in text
    assert "| Ours-1/2: half (shortcut(3))" in text
    assert "not comparable with published FID, FVD or mIoU" in text
    assert "Latency: AMD EPYC (cpu), 1 thread, bf16, 64x64 (HxW)." in text
    assert "<!-- half -->" in plot and "<!-- cat -->" not in plot  # printed figures share no axis with ours


def test_spread_over_seeds_stands_beside_the_mean(tmp_path):
    config = config_of({"table1": ["original", "shortcut"]}, seeds=(0, 1, 2))
    first, *_ = records(config, "table1", tmp_path)
    assert (first["seeds"], first["psnr"], first["psnr_std"]) == ("3", "27.38", "1")


def test_a_table_that_nothing_declares_has_all_columns_and_nothing_printed(tmp_path):
    found = records(config_of(), "mine", tmp_path)
    assert [row["method"] for row in found] == ["original", "shortcut"]
    assert not [name for name in found[0] if name.startswith("published_")]
    assert found[0]["latency_ms_p50"] == "50"
    files = {kind: tmp_path / f"mine.{kind}" for kind in ("csv", "md")}
    write_paper_table(config_of(), "shortcut_v2v/mine", tmp_path, files, paper_scale=no_scale)
    assert "as printed" not in files["md"].read_text()


def test_a_task_of_nobodys_borrows_no_printed_figures(tmp_path):
    for table in ("table1", "figure3"):
        found = records(config_of({table: ["original"]}, task="viper2label"), table, tmp_path)
        assert pairs(found, "method", "published_fps") == [("original", "")]


def test_rows_that_were_measured_unlike_are_refused(tmp_path):
    config = config_of()
    write_measures(tmp_path, config, "shortcut_v2v/table1")
    change(tmp_path, "viper2city", "uniform", "quality", protocol={"evaluator": "embedded:99999999"})
    with pytest.raises(SlimvidError, match="viper2city: rows measured with more than one evaluator"):
        paper_table(config, "shortcut_v2v/table1", tmp_path, paper_scale=no_scale)
    (tmp_path / "viper2city/shortcut/0/cost.json").unlink()
    with pytest.raises(SlimvidError, match=r"viper2city/shortcut/0/cost\.json: missing; run `snakemake"):
        paper_table(config, "shortcut_v2v/table1", tmp_path, paper_scale=no_scale)


def test_every_printed_cell_of_the_papers_tables_has_its_place(tmp_path):
    """The demo profile's tables hold every figure that the paper prints in them, each once."""
    config = load(ROOT / "config/demo.yaml")
    for number in ("1", "2", "3", "4"):
        name = f"shortcut_v2v/table{number}"
        write_measures(tmp_path, config, name)
        frame = paper_table(config, name, tmp_path, paper_scale=no_scale)
        names = {column.column: column.name for column in declared(name).published if not column.table}
        cells = published.load("shortcut_v2v", number)
        cells = cells[cells["task"].isin(config.tables[name].tasks)]
        for cell in cells.to_dict("records"):
            found = frame[(frame["task"] == cell["task"]) & (frame["row"] == cell["row"])]
            assert list(found[names[cell["column"]]]) == [cell["value"]], cell
        if number in "34":  # all of its rows are measured there
            assert (frame["seeds"] == "1").all()


def test_declared_tables_are_printed_somewhere():
    for paper, tables in DECLARED.items():
        for name, table in tables.items():
            assert paths.is_figure(f"{paper}/{name}") == name.startswith("figure")
            for column in table.published:
                found = [published.load(s.paper, column.table or s.number) for s in table.sources]
                assert any(column.column in set(f["column"]) for f in found), (paper, name, column)


def test_rows_of_several_papers_stand_beside_the_methods_they_propose(tmp_path):
    config, name = load(ROOT / "config/demo.yaml"), "image_originals/table1"
    write_measures(tmp_path, config, name)
    frame = paper_table(config, name, tmp_path, paper_scale=no_scale)
    part = frame[frame["task"] == "labels2scene"].set_index("row")
    wanted = {
        "GAN Compression: Original": ("gan_compression", "Original", "pix2pix"),
        "GAN Compression: Ours": ("gan_compression", "Ours", "pix2pix"),
        "CAT: CAT (Ours)": ("cat", "CAT (Ours)", "pix2pix"),
        "OMGD: OMGD 1.0x": ("omgd", "OMGD 1.0x", "pix2pix/resnet"),
    }
    for label, (paper, row, model) in wanted.items():
        cell = {"column": "miou", "row": row, "model": model, "task": "city_label2photo"}
        assert part.loc[label, "published_miou"] == published.printed(paper, 1, **cell) != ""
    assert part.loc["GAN Compression: Original", "seeds"] == "1"
    assert not part.index.str.contains("Li et al").any()  # GAN Compression's figures are its own paper's
    files = {suffix: tmp_path / f"out/table1.{suffix}" for suffix in ("csv", "md")}
    write_paper_table(config, name, tmp_path, files, paper_scale=no_scale)
    text = files["md"].read_text()
    assert "As printed for city_label2photo" in text
    assert "printed by GAN Compression, CAT, OMGD" in text


def test_ours_stands_beside_the_first_printed_row_of_its_method_and_the_second_alone(tmp_path):
    config, name = load(ROOT / "config/demo.yaml"), "image_originals/table2"
    write_measures(tmp_path, config, name)
    frame = paper_table(config, name, tmp_path, paper_scale=no_scale).set_index("row")
    cells = frame[["published_miou", "seeds"]].agg(tuple, axis=1).to_dict()
    assert cells["CAT: CAT-A (Ours)"] == ("62.35", "1") and cells["CAT: CAT-B (Ours)"] == ("54.71", "")
    assert cells["GAN Compression: Ours"] == ("61.22", "1")


@pytest.mark.parametrize(
    ("plan", "label"),
    [
        ({"max_interval": 6}, "shortcut(6)"),
        ({"budget_interval": 3}, "shortcut(adaptive 3)"),
        ({"budget_macs_g": 0.25, "max_interval": 9}, "shortcut(adaptive 0.25 GMACs)"),
    ],
)
def test_shortcut_plans_say_their_interval(plan, label):
    assert plan_label(PlanSettings(kind="shortcut", **plan)) == label


@pytest.mark.parametrize(
    ("plan", "label"),
    [
        ({}, "keyframes+mci"),
        ({"strategy": "fixed", "interpolation": "linear"}, "keyframes(fixed)+linear"),
        ({"strategy": "fixed", "interval": 3, "interpolation": "hold"}, "keyframes(3)+hold"),
    ],
)
def test_key_frame_plans_say_how_frames_are_chosen_and_what_lies_between(plan, label):
    assert plan_label(PlanSettings(kind="keyframes", **plan)) == label

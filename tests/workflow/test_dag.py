"""The DAG before anything runs: what a config asks for, and what is wrong with one."""

import math
import os
from pathlib import Path

import pytest

from slimvid import paths


def dry_run(project, *arguments: str) -> str:
    return project.snakemake("--dry-run", "--nocolor", *arguments, check=False).stdout


def test_the_workflow_is_in_good_condition(bare) -> None:
    assert "Congratulations" in bare.run("snakemake", "--lint").stdout


def test_a_config_from_elsewhere_and_a_directory_elsewhere(bare, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text((bare.root / "config" / "demo.yaml").read_text().replace("sketch2face", "my_faces"))
    shown = dry_run(bare, "--configfile", str(mine), "--directory", str(tmp_path / "there"))
    assert "Training the original of my_faces, seed 0" in shown
    assert "sketch2face" not in shown  # a profile that is given stands alone
    assert not list((tmp_path / "there").glob("data"))


def test_every_target_has_its_command(bare) -> None:
    shown = dry_run(bare, "--printshellcmds", "--", "all", "results/cost/published.csv")
    assert "slimvid report --config" in shown
    assert "slimvid cost published --log" in shown


def test_each_row_is_trained_once_and_measured_thrice(bare) -> None:
    shown = dry_run(bare, "--quiet", "rules", "--config", "seeds=[0,1]")
    jobs = dict(line.split() for line in shown.splitlines() if len(line.split()) == 2)
    wanted = {"prepare": 1, "train_evaluator": 1, "train_teacher": 2, "compress": 4, "select_keyframes": 1}
    wanted |= {"measure_real": 1, "translate": 6, "measure": 6, "measure_latency": 6}
    wanted |= {"strip": 1, "track": 1, "table": 1, "report": 1}
    assert {rule: int(jobs[rule]) for rule in wanted} == wanted


def test_a_rule_names_just_the_splits_that_its_step_reads(bare) -> None:
    """So a change of test clips trains nothing anew through them, and no choice can read them on a node."""
    found: dict[str, set[str]] = {}
    for target in (
        "results/table1.csv",
        str(paths.search("viper2city")["md"]),
        str(paths.offsets("viper2city")),
    ):
        for job in bare.jobs(target, cores=2):
            names = {
                Path(path).stem for path in job["input"] if path.endswith(".arrow") and "prepared" in path
            }
            found.setdefault(job["rule"], set()).update(names)
    reporting = ("translate", "select_keyframes", "measure", "strip", "offsets")
    wanted = {rule: {"test"} for rule in found if rule.startswith("measure_") or rule in reporting}
    wanted |= {rule: {"train"} for rule in ("train_teacher", "compress", "train_evaluator")}
    wanted |= {"search": {"val"}}
    assert {rule: names for rule, names in found.items() if names} == wanted


def test_the_first_task_is_done_first_and_its_trainings_before_its_measures(bare) -> None:
    found: dict[str, dict[str, int]] = {"sketch2face": {}, "viper2city": {}}
    for job in bare.jobs("results/table1.csv", "results/shortcut_v2v/table1.csv", cores=2):
        for task in (t for t in found if job["output"] and t in Path(job["output"][0]).parts):
            found[task][job["rule"]] = job["priority"]
    first, second = found.values()
    assert min(first.values()) > max(second.values()) >= second["train_teacher"] > second["compress"]
    assert {"prepare", "translate", "measure", "measure_latency"} < set(first)
    assert all(each["compress"] > each["measure"] == each["translate"] for each in (first, second))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teachers": {"vid2vid": {"iterations": "many"}}},
            "field teachers.vid2vid.iterations: Input should be a valid integer",
        ),
        ({"methods": {"uniform": {"method": "magic"}}}, "field methods.uniform.method: no module slimvid."),
        ({"tabel1": {}}, "field tabel1: Extra inputs are not permitted"),
        ({"variants": {"x": {"of": "uniform", "options": {"a": 1}}}}, "field variants.x.options.a: Extra"),
        # what only the networks themselves can tell
        (
            {"variants": {"shortcut": {"options": {"cut": [5, 30]}}}},
            "field variants.shortcut.options: on viper2city",
        ),
        ({"teachers": {"vid2vid": {"vgg": "/nope.pth"}}}, "field teachers.vid2vid.vgg: /nope.pth is no file"),
    ],
)
def test_a_wrong_config_is_one_line_before_the_dag(bare, copy_of, changes: dict, message: str) -> None:
    project = copy_of(bare)
    project.configure(changes)
    one_line(project, message)


def test_a_key_given_twice_is_one_line_too(bare, copy_of) -> None:
    project = copy_of(bare)
    with (project.root / "config" / "demo.yaml").open("a") as file:
        file.write("threads: 2\n")
    one_line(project, "key 'threads' is given twice")


def one_line(project, message: str) -> None:
    result = project.snakemake("--dry-run", "--quiet", "all", check=False)
    said = [line for line in result.stdout.splitlines() if not line.startswith("Using workflow specific")]
    assert result.returncode == 1
    assert len(said) == 1
    assert said[0].startswith("slimvid: ")
    assert message in said[0]


def test_a_timing_takes_all_cores_and_a_training_its_share(bare) -> None:
    threads = {job["rule"]: job["threads"] for job in bare.jobs(cores=8)}
    assert threads["measure_latency"] == 8
    assert threads["train_teacher"] == threads["compress"] == max(1, math.ceil(8 / os.cpu_count()))

"""The tables of other papers in the DAG, before anything runs."""

import yaml


def wanted(project, *targets: str) -> tuple[dict[str, int], str]:
    """Jobs by rule, and all that a dry run says."""
    shown = project.snakemake("--dry-run", "--nocolor", "--printshellcmds", "--", *targets).stdout
    table = shown.split("Job stats:")[1].split("\n\n")[0]
    lines = (line.split() for line in table.splitlines()[3:])
    return {line[0]: int(line[1]) for line in lines if len(line) == 2}, shown


def test_a_papers_table_measures_its_own_rows_only(bare) -> None:
    jobs, shown = wanted(bare, "results/shortcut_v2v/table1.csv")
    expected = {"prepare": 1, "train_evaluator": 1, "train_teacher": 1, "compress": 4, "paper_table": 1}
    expected |= {"translate": 5, "measure": 5, "measure_latency": 5}
    expected |= {"select_keyframes": 2}  # the free baselines
    assert expected.items() <= jobs.items()
    assert "slimvid paper-table shortcut_v2v table1 --config" in shown
    assert "fast_vid2vid" not in shown  # its originals are of another kind
    assert "sketch2face" not in shown


def test_one_target_makes_everything_of_the_paper(bare, copy_of) -> None:
    project = copy_of(bare)
    figure = {"tasks": ["viper2city"], "methods": ["original", "shortcut"]}
    project.configure({"papers": {"shortcut_v2v": {"figure3": figure}}})
    _, shown = wanted(project, "shortcut_v2v")
    results = [*(f"{name}.{kind}" for name in ("table1", "beyond") for kind in ("csv", "md"))]
    results += ["figure3.csv", "figure3.svg", "figure4/viper2city.png", "search/viper2city.csv"]
    for name in (*results, "strips/table1/viper2city.png"):
        assert f"results/shortcut_v2v/{name}" in shown, name


def test_a_config_without_papers_has_nothing_to_do_for_them(bare, copy_of) -> None:
    project = copy_of(bare)
    whole = project.config
    without = {key: value for key, value in whole.items() if key not in ("papers", "search")}
    (project.root / "config" / "demo.yaml").write_text(yaml.safe_dump(without))
    assert set(wanted(project, "shortcut_v2v")[0]) == {"shortcut_v2v", "total"}
    asked = project.snakemake("--dry-run", "--", "results/shortcut_v2v/table1.csv", check=False)
    assert "MissingRuleException" in asked.stdout

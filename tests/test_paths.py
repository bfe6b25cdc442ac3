"""Where produced files lie."""

from itertools import product

from slimvid import paths


def test_rows_share_no_file() -> None:
    rows = list(product(("a", "b"), ("original", "uniform"), (0, 1)))
    found = []
    for row in rows:
        found += [*paths.training_files(*row).values(), paths.frames(*row), paths.drawn_in_full(*row)]
        found += [paths.measure(*row, family) for family in paths.FAMILIES]
    originals = len(rows) // 2  # keep their discriminators
    assert len(found) == len(set(found)) == len(rows) * (5 + 2 + 3) + originals


def test_everything_produced_lies_in_the_three_folders_that_git_ignores() -> None:
    row = ("task", "method", 0)
    found = [
        *paths.prepared_files("task").values(),
        *paths.evaluator_files("task").values(),
        paths.strip("task"),
        paths.strip("task", "paper/table1"),
        paths.offsets("task"),
        paths.mlflow_record("paper/table1"),
        *paths.table("paper/table1").values(),
        *paths.search("task").values(),
    ]
    found += [*paths.training_files(*row).values(), paths.frames(*row), paths.keyframes("task", "method")]
    found += [paths.TABLE1_CSV, paths.TABLE1_MD, paths.REPORT, paths.MLFLOW_RECORD, paths.COST_PUBLISHED]
    found += [paths.log("step", "task"), paths.benchmark("step", "task"), paths.measure(*row, "cost")]
    assert {str(path).split("/")[0] for path in found} == {"data", "checkpoints", "results"}


def test_no_paper_can_be_called_like_a_folder_of_results() -> None:
    row = ("task", "method", 0)
    found = [paths.strip("task"), paths.keyframes("task", "method"), paths.evaluator("task")]
    found += [paths.frames(*row), paths.measure(*row, "cost")]
    found += [paths.MLFLOW_RECORD, paths.COST_LATENCY]
    found += [paths.log("step", "task"), paths.benchmark("step", "task")]
    assert {path.parts[1] for path in found} == set(paths.RESULT_FOLDERS)


def test_wildcards_stay_wildcards() -> None:
    assert str(paths.log("compress", "{task}", "{method}", "{seed}")) == (
        "results/logs/compress/{task}/{method}/{seed}.log"
    )
    assert str(paths.measure("{task}", "{method}", "{seed}", "cost")).count("{") == 3


def test_prepared_files_are_the_manifest_and_the_named_splits() -> None:
    from slimvid.data.manifest import SPLITS

    assert set(paths.prepared_files("t")) == {"manifest", *SPLITS}
    assert set(paths.prepared_files("t", "val")) == {"manifest", "val"}

"""DVC and Snakemake over a finished project: recorded, checked out, and never vouched for wrongly."""

import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)
CLEAN = "Data and pipelines are up to date."


@pytest.fixture(scope="module")
def recorded(finished, tmp_path_factory):
    """A finished project that DVC had never seen after `slimvid sync`; do not change it.

    Its files are small; Snakemake is made to judge them by their times, as it does those above 1 MB.
    """
    root = tmp_path_factory.mktemp("recorded") / "project"
    shutil.copytree(finished.root, root, symlinks=True)
    project = type(finished)(root)
    with (root / "profiles" / "default" / "profile.yaml").open("a") as profile:
        profile.write("max-checksum-file-size: 0\n")
    project.configure({"teacher_of": {}})
    assert "DVC has recorded what Snakemake made" in project.run("slimvid", "sync").stdout
    return project


@pytest.fixture
def clone(recorded, tmp_path: Path):
    """What Git and DVC bring into a fresh clone of it: no Snakemake records, small files from Git."""
    root = tmp_path / "clone"
    ignore = shutil.ignore_patterns(".snakemake", "checkpoints", "data", "frames", "keyframes")
    shutil.copytree(recorded.root, root, symlinks=True, ignore=ignore)
    shutil.copytree(recorded.root / "src" / "slimvid" / "data", root / "src" / "slimvid" / "data")
    for heavy in ("strips", "evaluators"):
        shutil.rmtree(root / "results" / heavy)
    project = type(recorded)(root)
    project.run("dvc", "checkout")
    return project


def test_after_a_direct_run_dvc_has_nothing_to_reproduce(recorded) -> None:
    assert recorded.run("dvc", "status").stdout.strip() == CLEAN
    assert "up to date" in recorded.run("dvc", "repro").stdout
    assert "in step already" in recorded.run("slimvid", "sync").stdout


def test_after_a_checkout_snakemake_has_nothing_to_do(clone) -> None:
    assert clone.run("dvc", "status").stdout.strip() == CLEAN
    assert "Snakemake takes what DVC checked out as current" in clone.run("slimvid", "sync").stdout
    assert "Nothing to be done" in clone.snakemake("--", "results/table1.csv").stdout
    assert clone.run("dvc", "status").stdout.strip() == CLEAN
    clone.configure(
        {"teachers": {"vid2vid": {"lr": 0.002}}}
    )  # and from here on it knows what it was made from
    assert "params changed" in clone.status().values()


def test_files_of_unknown_making_are_not_recorded_under_a_new_config(clone) -> None:
    clone.configure({"teachers": {"vid2vid": {"lr": 0.002}}})
    lock = (clone.root / "dvc.lock").read_bytes()
    result = clone.run("slimvid", "sync", check=False)
    assert result.returncode == 1
    assert result.stdout.startswith("slimvid: ")
    assert (clone.root / "dvc.lock").read_bytes() == lock


def test_where_neither_vouches_nothing_is_recorded(recorded, copy_of) -> None:
    project = copy_of(recorded)
    project.configure({"teachers": {"vid2vid": {"lr": 0.002}}})
    result = project.run("slimvid", "sync", check=False)
    assert result.returncode == 1
    assert "neither DVC nor Snakemake vouches" in result.stdout


def test_dvc_makes_just_the_stale_artefact_anew(recorded, copy_of) -> None:
    project = copy_of(recorded)
    project.configure({"methods": {"uniform": {"options": {"width": 0.25}}}})
    plan = project.run("dvc", "repro", "--dry").stdout
    assert "Running stage 'compress-sketch2face-uniform-0'" in plan
    assert "Running stage 'compress-sketch2face-fast_vid2vid-0'" not in plan
    assert "Running stage 'train_teacher" not in plan
    project.run("dvc", "repro", "compress-sketch2face-uniform-0")
    assert project.status()["checkpoints/sketch2face/uniform/0/weights.safetensors"] == "ok"
    assert project.status()["checkpoints/sketch2face/fast_vid2vid/0/weights.safetensors"] == "ok"

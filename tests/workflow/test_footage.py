"""Footage in Snakemake's eyes: a changed file is prepared again, whatever its folder is called."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.timeout(600)
TARGET = "data/prepared/my/manifest.parquet"


def write(path: Path, picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def test_a_changed_file_is_prepared_again(bare, tmp_path: Path) -> None:
    strange = tmp_path / "take{1} {task} $HOME #2 'ü"  # wildcards, and all that a shell would read
    frames, labels, here = strange / "frames", strange / "labels", tmp_path / "here $HOME #2 'ü"
    here.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 120, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 3)
    for t in range(24):
        write(frames / f"{t:04d}.png", texture[:, t : t + 96])
        write(labels / f"{t:04d}.png", texture[:, t : t + 96, 0] // 128)
    task = {"source": "video", "fps": 25, "height": 32, "width": 48}
    task |= {"path": str(frames), "labels": str(labels), "label_names": ["dark", "light"]}
    mine = strange / "my {profile}.yaml"
    mine.write_text(yaml.safe_dump({"tasks": {"my": task}}))

    def snakemake(*arguments: str) -> str:
        files = ("--configfile", str(bare.root / "config" / "demo.yaml"), str(mine), "--directory", str(here))
        return bare.snakemake("--nocolor", *files, *arguments, "--", TARGET).stdout

    snakemake()
    assert (here / TARGET).is_file()
    assert "Nothing to be done" in snakemake("--dry-run")
    for path in (frames / "0010.png", labels / "0003.png"):
        before = path.stat()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert "Preparing my" in snakemake("--dry-run"), path
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "Nothing to be done" in snakemake("--dry-run")
    (frames / "0023.png").unlink()
    assert "Preparing my" in snakemake("--dry-run")


def test_dvc_sees_footage_change(bare, copy_of, tmp_path: Path) -> None:
    """With a config that has no section more than it must, and files that are never DVC's to move."""
    project, frames = copy_of(bare), tmp_path / "frames"
    noise = np.random.default_rng(0).integers(0, 256, (64, 120, 3)).astype(np.uint8)
    for t in range(24):
        write(frames / f"{t:04d}.png", cv2.GaussianBlur(noise, (0, 0), 3)[:, t : t + 96])
    task = {"source": "video", "fps": 25, "height": 32, "width": 48, "path": str(frames)}
    least = {"profile": "demo", "seeds": [0], "teachers": project.config["teachers"], "tasks": {"my": task}}
    table = {"tasks": ["my"], "methods": ["original"]}
    (project.root / "config" / "demo.yaml").write_text(yaml.safe_dump({**least, "table1": table}))
    project.run("slimvid", "stages")
    kept = {path.name: path.read_bytes() for path in frames.iterdir()}

    def status() -> str:
        return project.run("dvc", "status", "prepare-my").stdout

    project.run("dvc", "repro", "prepare-my")
    assert "up to date" in status()
    write(frames / "0010.png", noise[:, :96])
    assert "data/inputs/files/tasks/my/path" in status()
    (frames / "0010.png").write_bytes(kept["0010.png"])
    write(frames / "0024.png", noise[:, :96])
    assert "data/inputs/files/tasks/my/path" in status()
    (frames / "0024.png").unlink()
    project.run("dvc", "repro", "--force", "--single-item", "inputs")
    assert "up to date" in status()
    assert {path.name: path.read_bytes() for path in frames.iterdir()} == kept


def test_a_working_folder_with_braces_is_one_line(bare, tmp_path: Path) -> None:
    """Snakemake's own locks read them as wildcards."""
    config, here = str(bare.root / "config" / "demo.yaml"), str(tmp_path / "take{1}")
    where = ("--configfile", config, "--directory", here)
    run = bare.snakemake("--dry-run", "--quiet", "all", *where, check=False)
    snakemakes = ("Using workflow specific", "Creating specified working directory")
    said = [line for line in run.stdout.splitlines() if not line.startswith(snakemakes)]
    assert run.returncode == 1 and len(said) == 1
    assert "take{1}: Snakemake reads braces as wildcards; use a folder without" in said[0]

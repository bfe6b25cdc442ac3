"""A project folder of its own, as a fresh clone is, with the smoke profile as its default."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from slimvid.config import merge

ROOT = Path(__file__).resolve().parent.parent.parent
TASK = "sketch2face"
FILES = ("Snakefile", ".dvcignore", ".gitignore", "environment.yml")
FOLDERS = ("workflow", "profiles", "src")


JOBS = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, ResourceSettings
cores = ResourceSettings(cores=int(sys.argv[1]))
with SnakemakeApi(OutputSettings()) as api:
    workflow = api.workflow(resource_settings=cores, snakefile=Path("Snakefile").resolve())
    workflow.dag(DAGSettings(targets=set(sys.argv[2:]))).summary()
    dag = workflow._workflow.dag
    dag.update_priority()  # which a summary does without
    jobs = dag.jobs
    found = [
        {"rule": j.rule.name, "input": [*j.input], "output": [*j.output], "threads": j.threads,
         "priority": j.priority, "reads": getattr(j.params, "reads", None)} for j in jobs
    ]
Path("jobs.json").write_text(json.dumps(found))
"""

STATUSES = """
import contextlib, io, json
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings
found = {}
for name, changes in json.loads(Path("changes.json").read_text()).items():
    said = io.StringIO()
    with contextlib.redirect_stdout(said), SnakemakeApi(OutputSettings()) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(config=changes),
            snakefile=Path("Snakefile").resolve(),
        )
        workflow.dag(DAGSettings(targets={"results/table1.csv"})).summary()
    rows = [line.split("\\t") for line in said.getvalue().splitlines() if line.count("\\t") == 5]
    found[name] = {row[0]: row[4] for row in rows[1:]}
Path("statuses.json").write_text(json.dumps(found))
"""


class Project:
    """A copy of the project that tests may run, change and break."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def config(self) -> dict[str, Any]:
        return yaml.safe_load((self.root / "config" / "demo.yaml").read_text())

    def configure(self, changes: dict[str, Any]) -> None:
        """Lay ``changes`` on the default profile."""
        path = self.root / "config" / "demo.yaml"
        path.write_text(yaml.safe_dump(merge(self.config, changes), sort_keys=False))

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run a Python module's command line in the project; its two streams come as one text."""
        result = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.root, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert not check or result.returncode == 0, f"{' '.join(command)}:\n{result.stdout}"
        return result

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.run("snakemake", "--cores", "2", *arguments, check=check)

    @property
    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self.root / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return {**os.environ, **own}

    def jobs(self, *targets: str, cores: int) -> list[dict[str, Any]]:
        """The jobs of the DAG, the table's if no target is given: rule, files, threads, priority, reads."""
        (self.root / "list_jobs.py").write_text(JOBS)
        self.run("list_jobs", str(cores), *(targets or ["results/table1.csv"]))
        return json.loads((self.root / "jobs.json").read_text())

    def statuses(self, changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
        """Snakemake's word on each file under each change of the config: name -> output -> status."""
        (self.root / "changes.json").write_text(json.dumps(changes))
        (self.root / "list_statuses.py").write_text(STATUSES)
        self.run("list_statuses")
        return json.loads((self.root / "statuses.json").read_text())

    def status(self, *arguments: str) -> dict[str, str]:
        """Snakemake's word on each file of the table: output -> status."""
        lines = self.snakemake("--summary", *arguments, "--", "results/table1.csv").stdout.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("output_file\t"))
        return {line.split("\t")[0]: line.split("\t")[4] for line in lines[start + 1 :]}


def make_project(root: Path) -> Project:
    """Copy what a clone holds; one task, so that the whole DAG takes seconds."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", ".snakemake")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc" / name)
    (root / "config").mkdir()
    shutil.copy(ROOT / "config" / "smoke.yaml", root / "config" / "demo.yaml")
    project = Project(root)
    project.configure({"table1": {"tasks": [TASK]}})
    project.run("slimvid", "stages")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return project


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing has run; do not change it."""
    return make_project(tmp_path_factory.mktemp("bare") / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `snakemake --cores 2 results/table1.csv`; do not change it."""
    project = make_project(tmp_path_factory.mktemp("finished") / "project")
    project.snakemake(
        "--quiet", "host", "progress", "reason", "--", "results/table1.csv", "results/report.html"
    )
    return project


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Project], Project]:
    """A copy that a test may change; times stay, so nothing looks new."""

    def copy(project: Project) -> Project:
        shutil.copytree(project.root, tmp_path / "copy", symlinks=True)
        return Project(tmp_path / "copy")

    return copy

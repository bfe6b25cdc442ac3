"""dvc.yaml against the DAG: what a stage takes and gives is what its rules take and give."""

import json
import shutil
from pathlib import Path

import pytest

from slimvid.config import Config

ROOT = Path(__file__).resolve().parent.parent.parent

STAGES = """
import json
from pathlib import Path
from dvc.repo import Repo
stages = {}
for stage in Repo(".").index.stages:
    plain = [dep for dep in stage.deps if not hasattr(dep, "params")]
    stages[stage.addressing] = {
        "cmd": stage.cmd,
        "deps": [dep.def_path for dep in plain],
        "params": [param for dep in stage.deps if hasattr(dep, "params") for param in dep.params],
        "outs": {out.def_path: {"cache": out.use_cache, "persist": out.persist} for out in stage.outs},
    }
Path("stages.json").write_text(json.dumps(stages))
"""
INPUTS = "data/inputs"  # what the stage `inputs` writes down for the others
BETWEEN = {"select_keyframes", "translate"}  # Snakemake's own: cheap to make from checkpoints


@pytest.fixture(scope="module")
def books(bare, tmp_path_factory) -> tuple[list, dict]:
    """Jobs of the default profile's DAG, and the stages of dvc.yaml; with what each stage's step reads."""
    root = tmp_path_factory.mktemp("books") / "project"
    shutil.copytree(bare.root, root)
    project = type(bare)(root)
    shutil.copy(ROOT / "config" / "demo.yaml", root / "config" / "demo.yaml")
    (root / "list_stages.py").write_text(STAGES)
    project.run("list_stages")
    project.run("slimvid", "inputs")
    stages = json.loads((root / "stages.json").read_text())
    assert stages.pop("inputs")["outs"] == {INPUTS: {"cache": True, "persist": False}}
    for stage in stages.values():
        files = [root / dep for dep in stage["deps"] if covers(INPUTS, dep)]
        assert all(file.exists() for file in files), "`slimvid inputs` did not write it"
        documents = [json.loads(file.read_text()) for file in files if file.suffix == ".json"]
        stage["reads"] = documents[0] if documents else None
    keys = ("rule", "input", "output", "reads")
    return [tuple(job[key] for key in keys) for job in project.jobs(cores=2)], stages


def part_of(jobs: list, cmd: str) -> tuple[list, list[str]]:
    """The jobs that a stage's command may run, and its targets."""
    options, targets = cmd.split(" -- ")
    allowed = set(options.split("--allowed-rules ")[1].split())
    makers = {path: job for job in jobs if job[0] in allowed for path in job[2]}
    part, queue = [], list(targets.split())
    while queue:
        job = makers.get(queue.pop())
        if job is not None and job not in part:
            part.append(job)
            queue += job[1]
    return part, targets.split()


def covers(dep: str, path: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


def test_every_stage_gives_what_its_rules_give(books) -> None:
    jobs, stages = books
    for name, stage in stages.items():
        part, targets = part_of(jobs, stage["cmd"])
        assert part, f"{name} makes nothing"
        outs = {path for rule, _, made, _ in part if rule not in BETWEEN for path in made}
        assert set(stage["outs"]) == outs, name
        assert set(targets) <= outs, name


def test_every_stage_takes_what_its_rules_take(books) -> None:
    jobs, stages = books
    for name, stage in stages.items():
        part, _ = part_of(jobs, stage["cmd"])
        made = {path for _, _, outputs, _ in part for path in outputs}
        taken = {path for _, inputs, _, _ in part for path in inputs} - made
        code = {path for path in taken if path.startswith("src/")}
        hashed = (stage["reads"] or {}).get("code", {})
        assert code == {f"src/slimvid/{file}" for file in hashed}, name
        deps = [dep for dep in stage["deps"] if not covers(INPUTS, dep)]
        forgotten = {path for path in taken - code if not any(covers(dep, path) for dep in deps)}
        assert not forgotten, f"{name} lacks deps"
        idle = {dep for dep in deps if not any(covers(dep, path) for path in taken)}
        assert not idle, f"{name} has deps that nobody reads"


def test_every_stage_reads_what_its_rules_read(books) -> None:
    """Settings as the rules take them: a key that one side alone names makes the two run at other changes."""
    jobs, stages = books
    compared = set()
    for name, stage in stages.items():
        for rule, _, made, reads in part_of(jobs, stage["cmd"])[0]:
            # a task's whole entry is a parameter; what lies between is an input of the table's measures
            if reads is None or rule == "prepare" or (name == "table" and rule in BETWEEN):
                continue
            found = stage["reads"]
            if "plans" in found and rule in BETWEEN:
                found = found["plans"][made[0].split("/")[3].removesuffix(".json")]
            assert reads == found.get(rule, found.get("settings", found)), f"{name}: {rule}"
            compared.add(rule)
    assert compared == {rule for rule, *_, reads in jobs if reads is not None} - {"prepare"}


def test_a_stage_names_no_section_that_a_config_need_not_have(books) -> None:
    for name, stage in books[1].items():
        for param in stage["params"]:
            section = param.split(".")[0]
            assert section == "methods" or Config.model_fields[section].is_required(), f"{name}: {param}"


def test_the_stages_make_the_whole_table_and_share_nothing(books) -> None:
    jobs, stages = books
    owned = [path for stage in stages.values() for path in stage["outs"]]
    assert len(owned) == len(set(owned))
    assert set(owned) == {path for rule, _, made, _ in jobs if rule not in BETWEEN for path in made}


def test_nothing_persists_and_only_what_is_heavy_is_cached(books) -> None:
    for stage in books[1].values():
        for path, flags in stage["outs"].items():
            small = path.startswith(("results/measures/", "results/table1", "results/mlflow/"))
            assert flags == {"cache": not small, "persist": False}


def test_every_parameter_is_in_the_default_profile(books) -> None:
    import yaml

    config = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
    for name, stage in books[1].items():
        assert stage["params"] or stage["reads"], name
        for param in stage["params"]:
            found = config
            for key in param.split("."):
                assert key in found, f"config/demo.yaml lacks {param}, which {name} reads; DVC fails on it"
                found = found[key]

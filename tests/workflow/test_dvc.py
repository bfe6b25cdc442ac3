"""dvc.yaml against the DAG: what a stage takes and gives is what its rules take and give."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from slimvid import dvc_stages
from slimvid.config import load
from slimvid.dvc_stages import DEFAULT, MAIN, current, documents

ROOT = Path(__file__).resolve().parent.parent.parent

STAGES = """
import json
from pathlib import Path
from dvc.repo import Repo
stages, inside = {}, lambda found: str(Path(found.fs_path).relative_to(Path.cwd()))
for stage in Repo(".").index.stages:
    plain = [dep for dep in stage.deps if not hasattr(dep, "params")]
    stages[stage.name] = {
        "cmd": stage.cmd,
        "deps": [inside(dep) for dep in plain],
        "params": [param for dep in stage.deps if hasattr(dep, "params") for param in dep.params],
        "outs": {inside(out): {"cache": out.use_cache, "persist": out.persist} for out in stage.outs},
    }
Path("stages.json").write_text(json.dumps(stages))
"""
INPUTS = "data/inputs"  # what the stage `inputs` writes down for the others
BETWEEN = {"select_keyframes", "translate"}  # Snakemake's own: cheap to make from checkpoints


@pytest.fixture(scope="module", params=["main table", "papers"])
def books(bare, tmp_path_factory, request) -> tuple[list, dict, dict]:
    """Jobs of the default profile's DAG, its stages with what their steps read, and the config."""
    root = tmp_path_factory.mktemp("books") / "project"
    shutil.copytree(bare.root, root)
    project = type(bare)(root)
    shutil.copy(ROOT / "config" / "demo.yaml", root / "config" / "demo.yaml")
    (root / "list_stages.py").write_text(STAGES)
    papers = request.param == "papers"
    project.run("slimvid", "stages", *(["--papers"] if papers else []))
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
    named = project.config["papers"] if papers else {}
    tables = [f"{paper}/{table}" for paper, own in named.items() for table in own]
    targets = [f"results/{place}" for name in tables for place in (f"{name}.csv", f"mlflow/{name}.json")]
    jobs = project.jobs("results/table1.csv", *targets, cores=2)
    return [tuple(job[key] for key in keys) for job in jobs], stages, project.config


def part_of(jobs: list, stage: dict) -> tuple[list, list[str]]:
    """The jobs that a stage's command may run beyond what other stages make for it, and its targets."""
    options, targets = stage["cmd"].split(" -- ")
    allowed = set(options.split("--allowed-rules ")[1].split())
    makers = {path: job for job in jobs if job[0] in allowed for path in job[2]}
    part, queue = [], list(targets.split())
    while queue:
        job = makers.get(queue.pop())
        if job is not None and job not in part:
            part.append(job)
            queue += [path for path in job[1] if path not in stage["deps"]]
    return part, targets.split()


def covers(dep: str, path: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


def test_every_stage_gives_what_its_rules_give(books) -> None:
    jobs, stages, _ = books
    for name, stage in stages.items():
        part, targets = part_of(jobs, stage)
        assert part, f"{name} makes nothing"
        outs = {path for rule, _, made, _ in part if rule not in BETWEEN for path in made}
        assert set(stage["outs"]) == outs, name
        assert set(targets) <= outs, name


def test_every_stage_takes_what_its_rules_take(books) -> None:
    jobs, stages, _ = books
    for name, stage in stages.items():
        part, _ = part_of(jobs, stage)
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
    jobs, stages, _ = books
    compared = set()
    for name, stage in stages.items():
        for rule, _, made, reads in part_of(jobs, stage)[0]:
            # a task's whole entry is a parameter; what lies between is an input of the table's measures
            if reads is None or rule == "prepare" or (name.startswith("table") and rule in BETWEEN):
                continue
            found = stage["reads"]
            if "plans" in found and rule in BETWEEN:
                found = found["plans"][made[0].split("/")[3].removesuffix(".json")]
            assert reads == found.get(rule.removeprefix("paper_"), found.get("settings", found)), (
                f"{name}: {rule}"
            )
            compared.add(rule)
    assert compared == {rule for rule, *_, reads in jobs if reads is not None} - {"prepare"}


def test_the_stages_make_the_whole_table_and_share_nothing(books) -> None:
    jobs, stages, _ = books
    owned = [path for stage in stages.values() for path in stage["outs"]]
    assert len(owned) == len(set(owned))
    assert set(owned) == {path for rule, _, made, _ in jobs if rule not in BETWEEN for path in made}


def test_nothing_persists_and_only_what_is_heavy_is_cached(books) -> None:
    for stage in books[1].values():
        for path, flags in stage["outs"].items():
            table = re.fullmatch(r"results/(\w+/)?\w+\.(csv|md|svg)", path) is not None
            small = table or path.startswith(("results/measures/", "results/mlflow/"))
            assert flags == {"cache": not small, "persist": False}


def test_every_parameter_is_in_the_config(books) -> None:
    _, stages, config = books
    for name, stage in stages.items():
        assert stage["params"] or stage["reads"], name
        for param in stage["params"]:
            found = config
            for key in param.split("."):
                assert key in found, f"the config lacks {param}, which {name} reads; DVC fails on it"
                found = found[key]


def test_the_committed_stages_are_those_of_the_default_profile() -> None:
    config, files = current(ROOT)
    assert (config.profile, files) == ("demo", [DEFAULT])


def test_stages_of_an_own_config_name_its_files(bare, tmp_path) -> None:
    root = tmp_path / "project"
    shutil.copytree(bare.root, root)
    project = type(bare)(root)
    wide = {"of": "uniform", "options": {"width": 0.75}}
    on_it = {"method": "shortcut", "over": "wide", "plan": {"kind": "shortcut", "max_interval": 3}}
    own = {"variants": {"wide": wide, "on_it": on_it}, "table1": {"methods": ["original", "on_it"]}}
    (root / "mine.yaml").write_text(yaml.safe_dump(own))
    project.run("slimvid", "stages", "--config", "config/demo.yaml", "--config", "mine.yaml")
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    row = stages["compress-sketch2face-on_it-0"]
    assert "--configfile config/demo.yaml mine.yaml --allowed-rules compress --" in row["cmd"]
    assert {"mine.yaml": ["variants.on_it"]} in row["params"]
    assert {"config/demo.yaml": ["teachers.vid2vid"]} in row["params"]
    assert "checkpoints/sketch2face/wide/0/weights.safetensors" in row["deps"]
    assert "compress-sketch2face-wide-0" in stages and "measure-sketch2face-wide-0" not in stages
    assert "checkpoints/sketch2face/wide/0" in stages["measure-sketch2face-on_it-0"]["deps"]
    project.run("dvc", "repro", "prepare-sketch2face")
    assert (root / "data/inputs/rows/sketch2face/on_it.json").is_file()
    assert (root / "data/prepared/sketch2face/manifest.parquet").is_file()


def test_rows_whose_method_evaluates_take_the_validation_clips_and_the_evaluator(monkeypatch) -> None:
    config = load(ROOT / "config" / "demo.yaml")
    for asked, wanted in (((), False), (("evaluate",), True)):
        monkeypatch.setattr(dvc_stages, "needs", lambda method, asked=asked: asked)
        stages = yaml.safe_load(documents(config, [DEFAULT], ROOT, papers=False)[MAIN])["stages"]
        deps = stages["compress-pose2body-uniform-0"]["deps"]
        given = {"data/prepared/pose2body/val.arrow", "results/evaluators/pose2body/evaluator.json"}
        assert (given <= set(deps)) is wanted


def test_stages_of_another_config_are_refused_with_the_remedy(bare, tmp_path) -> None:
    root = tmp_path / "project"
    shutil.copytree(bare.root, root)
    project = type(bare)(root)
    project.configure({"table1": {"methods": ["original", "uniform"]}})
    for command in ("inputs", "sync"):
        said = project.run("slimvid", command, check=False)
        assert said.returncode == 1
        assert "dvc.yaml: its stages are not those of config/demo.yaml; run `slimvid stages`" in said.stdout
    (root / "dvc.yaml").write_text("stages: {}")
    assert "is not what `slimvid stages` writes" in project.run("slimvid", "inputs", check=False).stdout
    said = project.run("slimvid", "stages", "--config", "/tmp/mine.yaml", check=False).stdout
    assert said.startswith("slimvid: /tmp/mine.yaml: ")

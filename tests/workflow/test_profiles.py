"""The profiles name rules and resources that there are."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = {
    name
    for file in (ROOT / "workflow" / "rules").glob("*.smk")
    for name in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("name", ["default", "slurm", "kubernetes"])
def test_a_profile_names_rules_that_there_are(name: str) -> None:
    profile = yaml.safe_load((ROOT / "profiles" / name / "profile.yaml").read_text())
    named = [entry.split("=")[0] for entry in profile.get("set-threads", [])]
    named += [entry.split(":")[0] for entry in profile.get("set-resources", [])]
    assert set(named) <= RULES


def test_every_rule_says_what_it_needs() -> None:
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            for part in ("log:", "benchmark:", "threads:", "resources:", "retries:", "message:", "conda:"):
                assert f"    {part}" in rule, f"{file.name}: {rule.split(':')[0]} lacks {part}"


def test_one_machine_trains_on_one_gpu_and_times_one_thing_at_a_time() -> None:
    profile = yaml.safe_load((ROOT / "profiles" / "default" / "profile.yaml").read_text())
    limits = dict(entry.split("=") for entry in profile["resources"])
    assert limits["gpu"] == limits["bench"] == "1"
    assert int(limits["mem_mb"]) > 0

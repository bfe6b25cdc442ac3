"""What could not be trained is said before anything runs."""

import shutil
from pathlib import Path

import pytest
import yaml

from slimvid import architectures, config, rows, sources
from slimvid.architectures import check_before_the_dag, check_files, check_networks
from slimvid.errors import SlimvidError

ROOT = Path(__file__).resolve().parent.parent


def changed(tmp_path: Path, **changes):
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
    return config.load(ROOT / "config" / "smoke.yaml", tmp_path / "over.yaml")


def shortcut(**options):
    return {"variants": {"shortcut": {"options": options}}}


def table(*methods, tasks=("viper2city",)):
    return {"papers": {"shortcut_v2v": {"table1": {"tasks": list(tasks), "methods": list(methods)}}}}


@pytest.mark.parametrize("profile", ["smoke", "demo", "paper"])
def test_every_profiles_networks_can_be_built(profile) -> None:
    check_networks(config.load(ROOT / "config" / f"{profile}.yaml"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (shortcut(cut=[5, 30]), r"methods\.shortcut\.options: on viper2city: cut \(5, 30\).*within its"),
        (shortcut(cut=[30, 5]), r"methods\.shortcut\.options: on viper2city: cut \(30, 5\).*must rise"),
        (shortcut(decode="blended"), r"methods\.shortcut\.options: on viper2city: .*nothing to blend"),
        (
            {
                "teachers": {"vid2vid": {"downs": 1}},
                **table("shortcut", tasks=["sketch2face"]),
                **shortcut(cut="low"),
            },
            r"methods\.shortcut\.options: on sketch2face: cut 'low'.*1 down-samplings",
        ),
        (
            {**table("cat"), "variants": {"cat": {"options": {"macs_share": 0.001}}}},
            r"methods\.cat\.options: on viper2city: macs_share: 0\.001 cannot be met; .* give at least 0\.",
        ),
        (
            {"tasks": {"pose2body": {"height": 34}}},
            r"teachers.vid2vid: on pose2body: frame size 34x32: .* multiples of 4",
        ),
        (
            {"tasks": {"viper2city": {"width": 50}}},
            r"teachers.recyclegan: on viper2city: .*32x50 .* multiples of 4",
        ),
        (
            {"teachers": {"vid2vid": {"downs": 5}}},
            r"teachers.vid2vid: on sketch2face: frame size 32x32",
        ),
        (
            {"teacher_of": {"pose2body": {"foreground": True}}},
            r"teacher_of\.pose2body: on pose2body: foreground is on.*set the task's `foreground`",
        ),
        (
            {"methods": {"uniform": {"per": {"pose2body": {"options": {"train": {"foreground": True}}}}}}},
            r"methods\.uniform\.per\.pose2body\.options: on pose2body: foreground is on",
        ),
        (
            {"teachers": {"vid2vid": {"sequence_max": 30, "sequence_doubles_every": 1}}},
            r"teachers.vid2vid: on sketch2face: sequences grow to 24 frames, but clips have at most 18",
        ),
        ({"teachers": {"vid2vid": {"sequence": 20, "sequence_max": 20}}}, "sequences grow to 20 frames"),
        (
            {"teachers": {"recyclegan": {"disc_layers": 5}}},
            r"teachers.recyclegan: on viper2city: .*too small for 5 strided layers",
        ),
    ],
)
def test_what_cannot_be_trained_is_one_line_with_field_and_remedy(changes, message, tmp_path) -> None:
    with pytest.raises(SlimvidError, match=message) as error:
        check_networks(changed(tmp_path, **changes))
    assert "\n" not in str(error.value)


def test_a_row_that_no_table_measures_is_not_built(tmp_path) -> None:
    unused = {"variants": {"deep": {"of": "shortcut", "options": {"cut": [5, 30]}}}}
    check_networks(changed(tmp_path, **unused))
    with pytest.raises(SlimvidError, match=r"methods\.deep\.options"):
        check_networks(changed(tmp_path, **unused, **table("deep")))


def test_a_row_below_a_measured_one_is_built(tmp_path) -> None:
    rows_ = {"deep": {"of": "shortcut", "options": {"cut": [5, 30]}}}
    rows_["often"] = {"method": "replan", "over": "deep", "plan": {"kind": "shortcut", "max_interval": 2}}
    with pytest.raises(SlimvidError, match=r"methods\.deep\.options"):
        check_networks(changed(tmp_path, variants=rows_, **table("often")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teachers": {"vid2vid": {"vgg": "/nope.pth"}}},
            r"teachers\.vid2vid\.vgg: /nope\.pth is no file; give its path",
        ),
        ({"teacher_of": {"pose2body": {"vgg": "/nope.pth"}}}, r"teacher_of\.pose2body\.vgg: /nope"),
        (
            {"methods": {"fast_vid2vid": {"options": {"i3d": "/nope.pt"}}}},
            r"methods\.fast_vid2vid\.options\.i3d: /nope\.pt",
        ),
        (
            {"methods": {"fast_vid2vid": {"options": {"train": {"vgg": "/nope.pth"}}}}},
            r"methods\.fast_vid2vid\.options\.train\.vgg: /nope\.pth",
        ),
        (shortcut(vgg="/nope.pth"), r"methods\.shortcut\.options\.vgg: /nope\.pth"),
        ({"measure": {"i3d": "/nope.pt"}}, r"measure\.i3d: /nope\.pt"),
    ],
)
def test_a_missing_file_is_named_with_its_field(changes, message, tmp_path) -> None:
    with pytest.raises(SlimvidError, match=message):
        check_files(changed(tmp_path, **changes))


def test_networks_are_built_once_for_a_configuration_and_its_code(tmp_path, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(architectures, "check_networks", lambda c: calls.append(c))
    marks = tmp_path / "marks"
    one = changed(tmp_path)
    check_before_the_dag(one, marks)
    check_before_the_dag(one, marks)
    check_before_the_dag(changed(tmp_path, measure={"bootstrap": 3}), marks)  # builds nothing
    assert len(calls) == 1
    check_before_the_dag(changed(tmp_path, teacher={"width": 12}), marks)
    assert len(calls) == 2
    copy = tmp_path / "slimvid"
    shutil.copytree(sources.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "nets" / "vid2vid.py").open("a", encoding="utf-8") as file:
        file.write("# a change\n")
    monkeypatch.setattr(sources, "PACKAGE", copy)
    sources._imports.cache_clear()
    check_before_the_dag(one, marks)
    assert len(calls) == 3


def test_what_failed_is_looked_at_again(tmp_path) -> None:
    wrong = changed(tmp_path, **shortcut(cut=[5, 30]))
    for _ in range(2):
        with pytest.raises(SlimvidError, match="within its"):
            check_before_the_dag(wrong, tmp_path / "marks")


def test_a_method_without_its_head_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rows, "method_module", lambda method: f"compress.{method}")
    with pytest.raises(SlimvidError, match=r"slimvid\.compress\.mine_options is missing: a method is two"):
        rows.head("mine")

"""What rows may say is known before anything runs, and without torch."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from slimvid import config, sources
from slimvid.errors import SlimvidError
from slimvid.originals import kinds
from slimvid.rows import head, row_files

ROOT = Path(__file__).resolve().parent.parent
METHODS = [p.stem.removesuffix("_options") for p in (sources.PACKAGE / "compress").glob("*_options.py")]
INF = float("inf")
STEP = {"kind": "shortcut", "max_interval": 3}


def loaded(tmp_path: Path, **changes):
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(changes))
    return config.load(ROOT / "config" / "smoke.yaml", tmp_path / "over.yaml")


def test_every_profile_is_validated_without_torch() -> None:
    files = [str(ROOT / "config" / f"{name}.yaml") for name in ("demo", "smoke", "paper")]
    code = (
        f"import sys\nfrom slimvid.config import load\nfor f in {files}: load(f)\n"
        "print([m for m in ('torch', 'numpy', 'cv2', 'pandas', 'mlflow') if m in sys.modules])\n"
        "print([m for m in sys.modules if m.endswith('_options')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    light, heads = run.stdout.splitlines()
    assert light == "[]"
    assert all(f"{name}_options" in heads for name in METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_head_says_all_there_is_to_say(method: str) -> None:
    own = head(method)
    assert getattr(own, "TEACHERS", kinds()) and own.PLANS and own.Options()
    assert ("train" in own.Options.model_fields) == bool(own.TRAIN)
    file = sources.PACKAGE / "compress" / f"{method}_options.py"
    assert file in sources.training_sources(f"compress.{method}"), "its change must reach the row"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": {"uniform": {"options": {"widht": 1}}}}, "methods.uniform.options.widht: Extra"),
        (
            {"methods": {"uniform": {"options": {"width": 0}}}},
            "methods.uniform.options.width: ",
        ),
        (
            {"methods": {"uniform": {"options": {"train": [1]}}}},
            "methods.uniform.options.train: ",
        ),
        ({"methods": {"uniform": {"options": {"train": {"lr": -1}}}}}, "methods.uniform.options.train.lr: "),
        (
            {"methods": {"uniform": {"options": {"train": {"rate": 1}}}}},
            "methods.uniform.options.train.rate: ",
        ),
        (
            {"methods": {"uniform": {"options": {"distill": float("inf")}}}},
            "methods.uniform.options.distill: ",
        ),
        (
            {"methods": {"uniform": {"options": {"distill": True}}}},
            "methods.uniform.options.distill: is",
        ),
        (
            {"methods": {"uniform": {"method": "frozen"}}},
            "methods.uniform.method: no module",
        ),
        (
            {"variants": {"x": {"of": "shortcut", "options": {"cut": "deep"}}}},
            "variants.x.options.cut: ",
        ),
        (
            {"variants": {"x": {"of": "uniform", "plan": {"kind": "no"}}}},
            "variants.x.plan.kind: ",
        ),
        ({"variants": {"x": {"of": "uniform", "option": {}}}}, "variants.x.option: Extra inputs"),
        ({"variants": {"x": 5}}, "variants.x: give a mapping"),
        ({"variants": {"x": {"of": ["uniform"]}}}, r"variants.x.of: \['uniform'\] is no row"),
        (
            {"methods": {"uniform": {"per": {"pose2body": {"options": {"width": 2}}}}}},
            "methods.uniform.per.pose2body.options.width: Input should be less",
        ),
        (
            {"methods": {"uniform": {"per": {"recyclegan": {"options": {"train": {"past": 2}}}}}}},
            "methods.uniform.per.recyclegan.options.train.past: Extra inputs",
        ),
        (
            {"methods": {"uniform": {"per": {"recyclegan": {"plan": {"window": 5}}}}}},
            "methods.uniform.per.recyclegan.plan: window belongs to the plan `kind: keyframes`",
        ),
        (
            {"methods": {"fast_vid2vid": {"options": {"train": {"sequence_max": 9}}}}},
            "methods.fast_vid2vid.options.train.sequence_max: method fast_vid2vid does not read it",
        ),
        (
            {"methods": {"s": {"method": "shortcut"}}},
            "methods.s.plan: kind is 'every_frame'; a plan",
        ),
        ({"methods": {"u": {"method": "uniform", "plan": STEP}}}, "methods.u.plan: kind is 'shortcut'"),
        ({"methods": {"r": {"method": "replan", "plan": STEP}}}, "methods.r.plan: .*need each other"),
        ({"methods": {"r": {"method": "replan", "over": "shortcut"}}}, "methods.r.plan: .*need each other"),
        (
            {
                "methods": {"fast_vid2vid": {"teachers": []}},
                "table1": {"tasks": ["viper2city"], "methods": ["fast_vid2vid"]},
            },
            "methods.fast_vid2vid.teachers: method fast_vid2vid cannot compress the recyclegan of viper2city",
        ),
        ({"methods": {"uniform": {"teachers": ["vid2vd"]}}}, "methods.uniform.teachers.0: there is no kind"),
    ],
)
def test_a_mistake_in_a_row_is_named_where_it_was_written(changes, message, tmp_path) -> None:
    with pytest.raises(SlimvidError, match=f"field {message}") as error:
        loaded(tmp_path, **changes)
    assert "\n" not in str(error.value)


def test_a_search_by_video_distance_is_refused_on_pictures(tmp_path) -> None:
    own = {"source": "world", "world": "city", "stills": True, "translation": "game2camera"}
    size = {"height": 32, "width": 48, "train_clips": 2, "val_clips": 2, "test_clips": 2}
    pictures = {"tasks": {"p": {**own, "teacher": "recyclegan", **size}}}
    wanted = {"variants": {"gan_compression": {"options": {"metric": "video_distance_lite0"}}}}
    table = {"table1": {"tasks": ["p"], "methods": ["gan_compression"]}}
    loaded(tmp_path, **pictures, **wanted)  # a row that no table has on pictures
    loaded(tmp_path, **pictures, **table)
    message = r"field variants\.gan_compression\.options\.metric: on p: .*; give frame_distance_lite0"
    with pytest.raises(SlimvidError, match=message):
        loaded(tmp_path, **pictures, **table, **wanted)


def test_a_row_names_the_weights_of_its_own(tmp_path) -> None:
    own = {"i3d": "i3d.pt", "train": {"vgg": "vgg.pth"}}
    found = loaded(tmp_path, methods={"fast_vid2vid": {"options": own}})
    assert row_files(found, "pose2body", "fast_vid2vid") == [Path("i3d.pt"), Path("vgg.pth")]
    assert row_files(found, "pose2body", "uniform") == []

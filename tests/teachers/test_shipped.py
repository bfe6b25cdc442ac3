"""Originals that come with the project: what a training goes on from, and when it does not."""

import json
from pathlib import Path

import pytest
import torch

from slimvid import artifact
from slimvid.config import load
from slimvid.data import images
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import write_json
from slimvid.settings import GoingOn
from slimvid.teachers import shipped, teacher_module, train_original

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(looks_task, recyclegan_settings, told, tmp_path_factory):
    """A trained original."""
    out = tmp_path_factory.mktemp("trained") / "0"
    train_original(told(looks_task, out), recyclegan_settings)
    return artifact.read(out)


@pytest.fixture
def file(trained, looks_task, told, tmp_path):
    """The same as it is shipped; its card says that it had 1,000 updates."""
    card = {
        "task": "looks",
        "spec": trained.spec,
        "data": shipped.described(told(looks_task).data),
        **{"updates": 1000, "samples": 2000, "cpu_seconds": 60},
    }
    parts = {
        "generator": artifact.read_tensors(trained.path / "weights.safetensors"),
        "discriminators": trained.discriminators(),
    }
    shipped.write(tmp_path / "looks.safetensors", card, parts)
    return tmp_path / "looks.safetensors"


def going_on(settings, file, **changes):
    return settings.model_copy(update={"start": file, "going_on": GoingOn(iterations=2, lr=1e-9), **changes})


def weights(out):
    return artifact.read_tensors(out / "weights.safetensors")


def test_a_training_goes_on_from_it(file, trained, looks_task, recyclegan_settings, told, tmp_path):
    """At a rate of nothing, two updates later both networks are the shipped ones in fp16."""
    train_original(told(looks_task, tmp_path / "on"), going_on(recyclegan_settings, file))
    for name, tensor in weights(tmp_path / "on").items():
        assert torch.allclose(tensor, weights(trained.path)[name].half().float(), atol=1e-6), name
    on = artifact.read(tmp_path / "on")
    for name, tensor in on.discriminators().items():
        assert torch.allclose(tensor, trained.discriminators()[name].half().float(), atol=1e-6), name
    assert on.provenance["settings"]["iterations"] == 2
    spent = json.loads((tmp_path / "on/training.json").read_text())
    assert (spent["updates"], spent["samples"]) == (1002, 2002)  # what the shipped one had counts
    assert json.loads((tmp_path / "on/clock.json").read_text())["cpu_seconds"] > 60
    assert on.provenance["started_from"]["updates"] == 1000
    assert on.provenance["settings"]["start"].startswith("sha256:")


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"width": 4}, "network has another 'stem'"), ({"disc_width": 4}, "discriminators have another")],
)
def test_other_settings_train_from_nothing_and_say_so(
    changes, why, file, looks_task, recyclegan_settings, told, tmp_path, caplog
):
    settings = going_on(recyclegan_settings, file, **changes)
    train_original(told(looks_task, tmp_path / "on"), settings)
    (line,) = [r.message for r in caplog.records if "from nothing" in r.message]
    assert line.startswith("looks: does not go on from") and why in line and "from nothing" in line
    alone = settings.model_copy(update={"start": "scratch"})
    train_original(told(looks_task, tmp_path / "alone"), alone)
    assert all(torch.equal(t, weights(tmp_path / "alone")[n]) for n, t in weights(tmp_path / "on").items())
    assert artifact.read(tmp_path / "on").provenance["settings"]["iterations"] == 4


@pytest.mark.parametrize(
    ("task", "data", "why"),
    [
        ("looks", {"source": "elsewhere"}, "data of another 'source'"),
        ("looks", {"clips": 120}, None),  # of the same source: it may have seen more
        ("looks", {"height": 64}, "data of another 'height'"),
        ("faces", {"clips": 3, "source": "elsewhere"}, None),  # a video of the user's, by path
        ("faces", {"width": 64}, "data of another 'width'"),
    ],
)
def test_other_data_train_from_nothing_unless_the_task_is_another_of_that_size(
    task, data, why, file, recyclegan_settings, looks_task, told, tmp_path
):
    card = json.loads(file.with_suffix(".json").read_text())
    write_json(file.with_suffix(".json"), {**card, "task": task, "data": {**card["data"], **data}})
    run = told(looks_task, tmp_path)
    found = shipped.read(file).misfit(run, card["spec"])
    assert found == why or why in found


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda file: file.unlink(), r"looks.safetensors: missing; restore it"),
        (lambda file: file.write_bytes(b"torn"), r"looks.safetensors: not the weights that looks.json names"),
        (lambda file: file.with_suffix(".json").unlink(), r"looks.json: missing"),
        (
            lambda file: file.with_suffix(".json").write_text("{}"),
            r"looks.json: no card of a shipped original",
        ),
        (lambda file: file.with_suffix(".json").write_text('{"format": 1}'), r"looks.json: field 'task' is"),
    ],
)
def test_damaged_files_are_one_line(harm, message, file, looks_task, recyclegan_settings, told, tmp_path):
    harm(file)
    with pytest.raises(SlimvidError, match=message):
        train_original(told(looks_task, tmp_path / "on"), going_on(recyclegan_settings, file))


def test_a_task_without_a_shipped_original_trains_from_nothing(
    looks_task, recyclegan_settings, told, tmp_path, caplog
):
    train_original(told(looks_task, tmp_path / "on"), going_on(recyclegan_settings, "shipped"))
    (line,) = [r.message for r in caplog.records if "from nothing" in r.message]
    assert line == "looks: no original of this task is shipped; trained from nothing"


def test_weights_are_in_half_precision_beside_their_card(file):
    tensors = artifact.read_tensors(file)
    assert {name.split("/")[0] for name in tensors} == {"generator", "discriminators"}
    assert {t.dtype for t in tensors.values()} == {torch.float16}


ORIGINALS = sorted((ROOT / "data/originals").glob("*.json"))


@pytest.mark.parametrize("card", ORIGINALS, ids=lambda p: p.stem)
def test_what_is_shipped_fits_the_default_run(card):
    """Whole, below 4 MB, and of the network and the data that the default configuration has."""
    config = load(ROOT / "config/demo.yaml")
    found = shipped.read(card.with_suffix(".safetensors"))
    assert found.path.stat().st_size < 4 * 2**20 and found.card["task"] == card.stem
    task, settings = config.tasks[card.stem], config.teacher_settings(card.stem)
    assert settings.start == found.path.relative_to(ROOT) or settings.start == found.path
    condition = ConditionSpec.from_dict(found.card["data"]["condition"])
    spec = teacher_module(settings).generator_spec(settings, condition)
    assert json.loads(json.dumps(spec)) == found.card["spec"]
    assert [found.card["data"][key] for key in ("height", "width", "fps")] == [
        task.height,
        task.width,
        task.fps or images.FPS,
    ]
    assert found.card["plan"].get("first", "zero") == getattr(settings, "first", "zero")
    assert found.card["val"]["perceptual"] > 0 and found.card["updates"] >= 1000


def test_originals_are_shipped():
    assert ORIGINALS

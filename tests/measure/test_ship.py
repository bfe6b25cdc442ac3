"""Shipping an original: chosen on val between a new one and the one that is there."""

import json

import pytest

from slimvid import artifact
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import load
from slimvid.measure.ship import on_val, ship
from slimvid.teachers import shipped, train_original


@pytest.fixture(scope="module")
def originals(tiny_task, tiny_settings, told, tmp_path_factory):
    """Two originals of a task with given first frames: of a few updates, and of more."""
    root = tmp_path_factory.mktemp("originals")
    for name, iterations in (("short", 1), ("long", 30)):
        settings = tiny_settings.model_copy(update={"iterations": iterations, "first": "real"})
        train_original(told(tiny_task, root / name), settings)
    return root


def test_the_better_on_val_is_shipped(originals, tiny_task, tmp_path):
    out = tmp_path / "tiny.safetensors"
    short = ship(originals / "short", tiny_task, out)
    long = ship(originals / "long", tiny_task, out)
    assert long["val"]["perceptual"] < short["val"]["perceptual"]
    assert (long["updates"], short["updates"]) == (90, 3)
    before = out.read_bytes()
    assert ship(originals / "short", tiny_task, out) == long and out.read_bytes() == before
    assert long["val"]["frames"] == 8 - 2  # given frames are the truth
    for name in ("recipe", "code", "cpu_seconds", "data_sha256", "runtime", "weights_sha256"):
        assert long[name], name


def test_it_is_judged_as_it_is_shipped(originals, tiny_task, tmp_path):
    """With its weights in fp16: what is read back measures the same."""
    card = ship(originals / "long", tiny_task, tmp_path / "tiny.safetensors")
    translator = load(originals / "long", device="cpu")
    tensors = artifact.read_tensors(tmp_path / "tiny.safetensors")
    state = {k.removeprefix("generator/"): t.float() for k, t in tensors.items() if k.startswith("generator")}
    translator.net.load_state_dict(state)
    found = on_val(translator, PreparedTask(tiny_task, splits=("val",)))
    assert found == card["val"]["perceptual"]


def test_what_is_shipped_of_another_network_is_replaced(originals, tiny_task, tmp_path):
    out = tmp_path / "tiny.safetensors"
    ship(originals / "long", tiny_task, out)
    card = json.loads(out.with_suffix(".json").read_text())
    out.with_suffix(".json").write_text(json.dumps({**card, "spec": {**card["spec"], "width": 64}}))
    assert ship(originals / "short", tiny_task, out)["updates"] == 3
    assert shipped.read(out).card["spec"]["width"] == 8


def test_only_an_original_is_shipped(originals, tiny_task, tmp_path):
    document = json.loads((originals / "short/translator.json").read_text())
    for name in ("translator.json", "weights.safetensors"):
        (tmp_path / name).write_bytes((originals / "short" / name).read_bytes())
    (tmp_path / "translator.json").write_text(json.dumps({**document, "method": "uniform"}))
    with pytest.raises(SlimvidError, match=r"is the row 'uniform'; give an original's artifact"):
        ship(tmp_path, tiny_task, tmp_path / "out.safetensors")
    (tmp_path / "translator.json").write_text(json.dumps(document))
    with pytest.raises(SlimvidError, match="kept no discriminators"):
        ship(tmp_path, tiny_task, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()

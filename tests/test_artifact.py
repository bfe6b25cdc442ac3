"""Artifacts: nothing damaged is loaded, nothing is pickled."""

import json
import shutil

import pytest
import torch

from slimvid import artifact
from slimvid.errors import SlimvidError


@pytest.fixture
def copy(tiny_teacher, tmp_path):
    return shutil.copytree(tiny_teacher, tmp_path / "a")


def test_reads_back_what_was_saved(copy):
    found = artifact.read(copy)
    module = found.module()
    assert not module.training
    assert found.spec["kind"] == "vid2vid" and found.digest() == found.provenance["weights_sha256"]


def edit(path, **changes):
    document = json.loads((path / "translator.json").read_text())
    (path / "translator.json").write_text(json.dumps({**document, **changes}))


def test_damage_is_named(copy, tmp_path):
    with pytest.raises(SlimvidError, match=r"nowhere/translator.json: missing"):
        artifact.read(tmp_path / "nowhere")
    weights = copy / "weights.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SlimvidError, match=r"not the weights that translator.json names"):
        artifact.read(copy)
    weights.unlink()
    with pytest.raises(SlimvidError, match=r"weights.safetensors: missing"):
        artifact.read(copy)
    (copy / "translator.json").write_text("[1]")
    with pytest.raises(SlimvidError, match="format None"):
        artifact.read(copy)
    (copy / "translator.json").write_text("{}")
    edit(copy, format=99)
    with pytest.raises(SlimvidError, match="format 99"):
        artifact.read(copy)


def test_a_file_of_the_artifact_is_answered_with_its_folder(copy):
    for name in ("translator.json", "weights.safetensors"):
        with pytest.raises(SlimvidError, match=rf"{name}: is a file; give the artifact's folder, .*/a$"):
            artifact.read(copy / name)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("provenance", None, "provenance: must be a mapping, not None"),
        ("task", 3, "task: must be text, not 3"),
        ("plan", [1], r"plan: must be a mapping, not \[1\]"),
        ("plan", {"kind": "zzz"}, r"plan\.kind: "),
        ("plan", {"kind": "keyframes", "colour": 1}, r"plan\.colour: "),
        ("plan", {"first": "last"}, r"plan\.first: 'last' is none of zero, real, generator"),
    ],
)
def test_an_edited_field_is_named(copy, field, value, said):
    edit(copy, **{field: value})
    with pytest.raises(SlimvidError, match=rf"translator\.json: {said}"):
        artifact.read(copy)


@pytest.mark.parametrize("spec", [{}, {"kind": [1]}, {"kind": "vid2vid"}, {"kind": "resnet", "width": "a"}])
def test_a_spec_that_describes_no_network_is_named(copy, spec):
    edit(copy, spec=spec)
    with pytest.raises(SlimvidError, match=r"translator\.json: spec: "):
        artifact.read(copy).network()


def test_weights_of_another_architecture_are_named(copy):
    spec = artifact.read(copy).spec
    edit(copy, spec={**spec, "width": 12})
    with pytest.raises(SlimvidError, match=r"tensor 'down_seg.1.weight' is \(8, .*the spec needs \(12"):
        artifact.read(copy).module()
    edit(copy, spec={**spec, "blocks": 3})
    with pytest.raises(SlimvidError, match="lacks tensor"):
        artifact.read(copy).module()


def test_truncated_tensors_are_named(tmp_path):
    artifact.save_tensors(tmp_path / "x.safetensors", {"a": torch.ones(4)})
    data = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "x.safetensors").write_bytes(data[:-4])
    with pytest.raises(SlimvidError, match="not a whole safetensors file"):
        artifact.read_tensors(tmp_path / "x.safetensors")

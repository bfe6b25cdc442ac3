"""Methods on an original without memory: the same modules, no line of their own."""

import json

import numpy as np
import pytest
import torch

import slimvid
from slimvid.data.store import FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.interpolate import interpolate
from slimvid.infer.keyframes import select_keyframes
from slimvid.infer.translate import translate
from slimvid.measure.cost import measure_cost
from slimvid.settings import MethodSettings, PlanSettings
from slimvid.teachers import train_original
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.singles import Views, sample_singles


@pytest.fixture(scope="module")
def original(looks_task, recyclegan_settings, told, tmp_path_factory):
    out = tmp_path_factory.mktemp("recyclegan") / "0"
    train_original(told(looks_task, out), recyclegan_settings)
    return out


def test_the_frozen_original_draws_what_the_student_sees(original, looks_task, told):
    run = told(looks_task)
    teacher = FrozenTeacher(original, run)
    how = {"batch": 2, "paired": False, "views": Views(enlarge=64)}  # crops: not the clip's pixels
    batch = sample_singles(run.data, np.random.default_rng(0), **how, device="cpu")
    (target,) = (view.out.image for view in teacher.views(batch))
    assert target.shape == (2, 3, 32, 32) and not target.requires_grad
    alone = teacher.net(batch.conditions[1] * 2 - 1)
    assert torch.allclose(target[1:], alone, atol=1e-5)


@pytest.fixture
def student(compressed, original, looks_task, recyclegan_settings):
    """student(settings, out)"""

    def run(settings, out):
        compressed(settings, looks_task, out, teacher=original, teacher_settings=recyclegan_settings)

    return run


def test_fast_vid2vid_is_for_vid2vid(student, tmp_path):
    with pytest.raises(SlimvidError, match="compresses vid2vid originals, not recyclegan"):
        student(MethodSettings(method="fast_vid2vid"), tmp_path)


def test_uniform_narrows_it_and_learns_from_it(student, tmp_path):
    options = {"width": 0.5, "train": {"iterations": 2}}
    student(MethodSettings(method="uniform", options=options), tmp_path)
    document = json.loads((tmp_path / "translator.json").read_text())
    assert document["spec"]["stem"] == [4, 8, 16] and document["spec"]["kind"] == "resnet"
    assert document["provenance"]["teacher"] == "original"
    assert document["provenance"]["settings"]["iterations"] == 2
    import pyarrow.parquet as pq

    assert "distill" in pq.read_table(tmp_path / "curves.parquet").column_names


@pytest.mark.parametrize(("way", "drawn"), [("hold", [0, 3, 6]), ("dis", [0, 3, 6, 7])])
def test_every_third_frame_of_it_is_a_row_that_trains_nothing(
    student, original, looks_task, tmp_path, way, drawn
):
    plan = PlanSettings(kind="keyframes", strategy="fixed", interval=3, interpolation=way)
    student(MethodSettings(method="replan", plan=plan), tmp_path / "free")
    weights = [folder / "weights.safetensors" for folder in (original, tmp_path / "free")]
    assert weights[0].read_bytes() == weights[1].read_bytes()

    keys, generated, whole = (tmp_path / name for name in ("keys.json", "g.arrow", "w.arrow"))
    select_keyframes(looks_task, plan, keys)
    translate(tmp_path / "free", looks_task, keys, generated, tmp_path / "full.json", device="cpu")
    interpolate(generated, looks_task, plan, whole)
    archive, data = FrameArchive(whole), PreparedTask(looks_task)
    assert FrameArchive(generated).indices("c") == drawn and archive.indices("c") == list(range(8))
    conditions = [data.condition("test", "c", i) for i in range(8)]
    every = list(slimvid.load(original, device="cpu").stream(conditions))
    assert all(np.array_equal(archive.frame("c", i), every[i]) for i in drawn)
    if way == "hold":
        assert np.array_equal(archive.frame("c", 7), every[6])  # the end of the clip

    measure_cost(tmp_path / "free", looks_task, keys, tmp_path / "cost.json")
    cost = json.loads((tmp_path / "cost.json").read_text())
    full = cost["values"]["macs_g_per_generated_frame"]
    assert cost["values"]["macs_g"] == pytest.approx(full * len(drawn) / 8)
    assert cost["protocol"]["key_fraction"] == len(drawn) / 8
    assert ("held" if way == "hold" else "DIS") in cost["protocol"]["interpolation"]

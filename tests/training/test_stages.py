"""Trainings of several stages, and discriminators that a student goes on from."""

import json

import numpy as np
import pytest
import torch
from pyarrow.parquet import read_table

from slimvid import artifact
from slimvid.errors import SlimvidError
from slimvid.runtime import Runtime
from slimvid.teachers import recyclegan, train_original
from slimvid.training.finish import save
from slimvid.training.loop import Training, train


@pytest.fixture
def two_stages(looks_task, recyclegan_settings, told):
    """two_stages(out): four updates of a network, then three more with another objective's discriminators."""

    def go(out, *, rate=1e-3, first=recyclegan_settings, **changes):
        run = told(looks_task, out, row="twice", **changes)
        net = run.network(recyclegan.generator_spec(first, run.data.meta.condition))
        supernet = train(run.stage("supernet"), net, recyclegan.Objective(run, first), first)
        last = first.model_copy(update={"iterations": 3, "lr": rate, "lambda_spatial": (0.0, 0.0)})
        finetune = run.stage("finetune", after=supernet)
        save(run, train(finetune, net, recyclegan.Objective(run, last), last))
        return out

    return go


@pytest.fixture
def kill(monkeypatch):
    """kill(n): the next trainings end at their n-th step; kill(None): they don't. Gives the steps made."""
    step, made = Training.step, []

    def until(n):
        made.clear()

        def counted(self, index):
            if n is not None and len(made) == n:
                raise KeyboardInterrupt
            made.append((self.run.part, index))
            return step(self, index)

        monkeypatch.setattr(Training, "step", counted)
        return made

    return until


FILES = ("weights.safetensors", "translator.json", "curves.parquet", "training.json")


@pytest.mark.parametrize(("at", "again"), [(3, [*range(2, 4)]), (4, []), (6, []), (7, [])])
def test_killed_anywhere_it_ends_with_the_same_bytes(two_stages, kill, tmp_path, at, again):
    """States are saved every second step; a finished stage is not trained again."""
    whole = two_stages(tmp_path / "whole")
    kill(at)
    if at < 7:
        with pytest.raises(KeyboardInterrupt):
            two_stages(tmp_path / "killed")
        assert not (tmp_path / "killed/translator.json").exists()
    else:  # after the last step, before the artifact is whole
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(artifact, "save", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
            two_stages(tmp_path / "killed")
    made = kill(None)
    two_stages(tmp_path / "killed")
    assert [index for part, index in made if part == "supernet"] == again
    assert [index for part, index in made if part == "finetune"] == {6: [2], 7: []}.get(at, [0, 1, 2])
    for file in FILES:
        assert (tmp_path / "killed" / file).read_bytes() == (whole / file).read_bytes(), file
    assert not (tmp_path / "killed/state").exists()


def test_curves_budgets_and_settings_of_all_stages_are_kept(two_stages, tmp_path):
    out = two_stages(tmp_path)
    curves = read_table(out / "curves.parquet").to_pydict()
    assert curves["step"] == list(range(7)) and np.isfinite(curves["gan_target"]).all()
    assert np.isnan(curves["spatial_source"]).tolist() == [False] * 4 + [True] * 3
    budget = json.loads((out / "training.json").read_text())
    assert (budget["updates"], budget["samples"]) == (7, 7)
    provenance = artifact.read(out).provenance
    assert provenance["settings"]["iterations"] == 3
    assert provenance["stages"]["supernet"]["settings"]["iterations"] == 4


def test_the_steps_of_two_stages_draw_different_samples(looks_task, recyclegan_settings, told, tmp_path):
    run = told(looks_task, tmp_path)
    net = run.network(recyclegan.generator_spec(recyclegan_settings, run.data.meta.condition))
    places = []

    class Seen(recyclegan.Objective):
        def sample(self, rng, index):
            batch = super().sample(rng, index)
            places.append((index, batch.draws["source"].cycle[1]))
            return batch

    first = train(run.stage("a"), net, Seen(run, recyclegan_settings), recyclegan_settings)
    train(run.stage("b", after=first), net, Seen(run, recyclegan_settings), recyclegan_settings)
    assert [index for index, _ in places] == [0, 1, 2, 3] * 2
    assert not any(torch.equal(places[i][1], places[i + 4][1]) for i in range(4))


def test_a_stage_of_other_settings_is_trained_anew_and_the_one_before_is_not(
    two_stages, kill, tmp_path, caplog
):
    kill(6)
    with pytest.raises(KeyboardInterrupt):
        two_stages(tmp_path / "a")
    made = kill(None)
    two_stages(tmp_path / "a", rate=5e-4)
    assert made == [("finetune", 0), ("finetune", 1), ("finetune", 2)]
    (line,) = [r.message for r in caplog.records if "state.json" in r.message]
    assert "state/finetune" in line and "other settings" in line and "from the beginning" in line
    two_stages(tmp_path / "b", rate=5e-4)
    assert (tmp_path / "a" / FILES[0]).read_bytes() == (tmp_path / "b" / FILES[0]).read_bytes()


def test_another_first_stage_or_plan_begins_both_again(two_stages, kill, recyclegan_settings, tmp_path):
    for changes in (
        {"first": recyclegan_settings.model_copy(update={"lr": 5e-4})},
        {"plan": {"kind": "keyframes"}},
    ):
        out = tmp_path / next(iter(changes))
        kill(6)
        with pytest.raises(KeyboardInterrupt):
            two_stages(out)
        made = kill(None)
        two_stages(out, **changes)
        assert len(made) == 7


def test_a_stage_that_left_mixed_precision_counts_the_steps_of_all(two_stages, monkeypatch, tmp_path):
    """The second stage's step 1 breaks: it is the sixth of the training."""
    losses = recyclegan.Objective.losses
    seen = []

    def breaking(self, view):
        g, d = losses(self, view)
        seen.append(1)
        if len(seen) == 6 and self.run.runtime.precision == "bf16":
            g["gan_source"] = g["gan_source"] * float("nan")
        return g, d

    monkeypatch.setattr(recyclegan.Objective, "losses", breaking)
    two_stages(tmp_path, runtime=Runtime(device="cpu", precision="bf16", threads=1))
    assert json.loads((tmp_path / "training.json").read_text())["fp32_from"] == 4


def test_an_original_keeps_its_discriminators_and_a_student_goes_on_from_them(
    looks_task, recyclegan_settings, told, tmp_path
):
    train_original(told(looks_task, tmp_path / "original"), recyclegan_settings)
    source = artifact.read(tmp_path / "original")
    run = told(looks_task, tmp_path / "student")
    objective = recyclegan.Objective(run, recyclegan_settings)
    before = [p.clone() for p in objective.discriminators.parameters()]
    source.load_discriminators(objective.discriminators)
    kept = artifact.read_tensors(tmp_path / "original/discriminators.safetensors")
    assert set(kept) == set(objective.discriminators.state_dict())
    for name, tensor in objective.discriminators.state_dict().items():
        assert torch.equal(tensor, kept[name])
    moved = [
        not torch.equal(a, b) for a, b in zip(before, objective.discriminators.parameters(), strict=True)
    ]
    assert all(moved)


def test_discriminators_that_cannot_be_had_are_one_line(looks_task, recyclegan_settings, told, tmp_path):
    run = told(looks_task, tmp_path / "plain")
    net = run.network(recyclegan.generator_spec(recyclegan_settings, run.data.meta.condition))
    save(run, train(run, net, recyclegan.Objective(run, recyclegan_settings), recyclegan_settings))
    discriminators = recyclegan.Objective(run, recyclegan_settings).discriminators
    with pytest.raises(SlimvidError, match=r"discriminators.safetensors: missing; original of looks kept no"):
        artifact.read(tmp_path / "plain").load_discriminators(discriminators)
    train_original(told(looks_task, tmp_path / "kept"), recyclegan_settings)
    kept = artifact.read(tmp_path / "kept")
    wide = recyclegan.Objective(run, recyclegan_settings.model_copy(update={"disc_width": 16}))
    with pytest.raises(SlimvidError, match=r"tensor .* is .*, the spec needs"):
        kept.load_discriminators(wide.discriminators)
    (tmp_path / "kept/discriminators.safetensors").write_bytes(b"torn")
    with pytest.raises(SlimvidError, match=r"discriminators.safetensors: not the file that .* names"):
        kept.load_discriminators(discriminators)

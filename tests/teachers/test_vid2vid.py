"""vid2vid's training: it learns, it resumes to the same bytes, its losses are the paper's."""

import json
import shutil

import numpy as np
import pytest
import torch

from slimvid import nets
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import with_given
from slimvid.nets.vid2vid import Output
from slimvid.teachers import train_original
from slimvid.teachers.vid2vid import Objective, check_task, generator_spec
from slimvid.training import loop
from slimvid.training.loop import Training
from slimvid.training.objective import View
from slimvid.training.sequences import chain, most_frames, offsets, sample, sequence_length


@pytest.fixture
def training(tiny_task, tiny_settings, told):
    torch.manual_seed(0)
    run = told(tiny_task)
    net = nets.build(generator_spec(tiny_settings, run.data.meta.condition))
    return Training(run, net, Objective(run, tiny_settings))


def test_training_brings_the_reconstruction_down(training):
    losses = [float(training.step(index)["l1"]) for index in range(12)]
    assert np.mean(losses[-3:]) < 0.8 * losses[0]


def test_every_loss_of_the_paper_is_there_and_moves_its_network(training):
    before = {n: [p.clone() for p in m.parameters()] for n, m in training.networks.items()}
    losses = training.step(0)
    assert set(losses) == {
        *("gan", "gan_raw", "fm", "fm_raw", "l1", "l1_raw", "warp", "flow", "flow_warp", "weight"),
        *("gan_t0", "fm_t0", "disc", "disc_t0"),
    }
    for name, module in training.networks.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True)]
        assert any(moved), name


@pytest.mark.parametrize(("loss", "rests"), [(0.3, False), (0.1, True)])
def test_a_discriminator_that_rests_keeps_its_weights_and_moments(training, loss, rests, monkeypatch):
    """Adam goes on moving weights whose gradient is 0, by the moments of earlier steps."""
    training.step(0)
    objective = training.objective
    objective.settings = objective.settings.model_copy(update={"temporal_rest": 0.2})
    asked = objective._rests
    monkeypatch.setattr(objective, "_rests", lambda _, scales: asked(torch.tensor(loss), scales=scales))
    disc, optimiser = training.networks["temporal_disc0"], training.optimisers["temporal_disc0"]
    before = [p.clone() for p in disc.parameters()]
    moments = [slots["exp_avg"].clone() for slots in optimiser.state.values()]
    image = [p.clone() for p in training.networks["image_disc"].parameters()]
    assert torch.isfinite(training.step(1)["disc_t0"])
    same = [torch.equal(a, b) for a, b in zip(before, disc.parameters(), strict=True)]
    still = [torch.equal(a, s["exp_avg"]) for a, s in zip(moments, optimiser.state.values(), strict=True)]
    assert all(same + still) if rests else not any(same + still)
    learned = training.networks["image_disc"].parameters()
    assert not any(torch.equal(a, b) for a, b in zip(image, learned, strict=True))


def test_generator_loss_leaves_no_gradient_in_the_discriminators(training):
    """One pass serves both losses: the discriminator's gradient must be that of its own loss alone."""
    objective = training.objective
    batch = sample(training.run.data, np.random.default_rng(0), batch=2, length=3)
    view = next(objective.unroll(training.generator, batch))
    disc = objective.discriminators["image_disc"]
    for optimiser in training.optimisers.values():
        optimiser.step = lambda: None
    state = {k: v.clone() for k, v in disc.state_dict().items()}
    training._descend(*objective.losses(view))
    shared = [p.grad.clone() for p in disc.parameters()]
    disc.load_state_dict(state)
    disc.zero_grad()
    detached = Output(*(x.detach() for x in view.out))
    _, d = objective._image_gan(View(batch=batch, out=detached))
    d["disc"].backward()
    assert all(torch.allclose(a, p.grad, atol=1e-6) for a, p in zip(shared, disc.parameters(), strict=True))


def test_a_killed_run_ends_with_the_same_bytes(tiny_task, tiny_settings, told, tmp_path, assert_resumed):
    def run(out):
        train_original(told(tiny_task, out, seed=3), tiny_settings)

    run(tmp_path / "whole")
    assert_resumed(run, tmp_path / "whole", ["curves.parquet"])


def test_a_state_of_other_settings_is_not_resumed(tiny_task, tiny_settings, told, tmp_path):
    out = tmp_path / "0"
    (out / "state").mkdir(parents=True)
    (out / "state/state.json").write_text(json.dumps({"identity": "other", "done": 3, "tensors": "gone"}))
    train_original(told(tiny_task, out), tiny_settings)
    assert (out / "translator.json").exists()
    shutil.rmtree(out)


def test_artifact_says_what_was_off(tiny_teacher):
    document = json.loads((tiny_teacher / "translator.json").read_text())
    assert "off" in document["provenance"]["perceptual_loss"]
    assert document["provenance"]["data"]["source"] == "sliding noise"
    assert document["plan"] == {"kind": "every_frame", "first": "zero"}


@pytest.mark.parametrize("first", ["real", "generator"])
def test_other_first_frames_train(first, tiny_task, tiny_settings, told, tmp_path):
    settings = tiny_settings.model_copy(update={"first": first, "iterations": 1})
    train_original(told(tiny_task, tmp_path / "0"), settings)
    assert json.loads((tmp_path / "0/translator.json").read_text())["plan"]["first"] == first


def test_foreground_without_classes_is_refused(tiny_task, tiny_settings, told):
    settings = tiny_settings.model_copy(update={"foreground": True})
    with pytest.raises(SlimvidError, match=r"tiny: foreground is on, .*set the task's `foreground`"):
        train_original(told(tiny_task), settings)


def test_flow_chains_over_strides(tiny_task):
    batch = sample(PreparedTask(tiny_task), np.random.default_rng(1), batch=2, length=5)
    flow, valid = chain(batch.flow, batch.valid, 4, links=3)
    assert torch.allclose(flow[:, 0, :, :20], torch.full((2, 32, 20), 3.0), atol=1e-3)
    assert valid[:, :, :, :28].all() and not valid[:, :, :, 31].any()
    assert not batch.valid[:, 0].any()


def test_sequences_keep_to_their_clip_and_gap(tiny_task):
    data = PreparedTask(tiny_task)
    batch = sample(data, np.random.default_rng(2), batch=4, length=3, gap=4)
    for (name, indices), frames in zip(batch.places, batch.frames, strict=True):
        assert np.diff(indices).tolist() == [4, 4] and indices[-1] < 12
        expected = torch.tensor(data.frame("train", name, indices[1])).permute(2, 0, 1) / 127.5 - 1
        assert torch.allclose(frames[1], expected, atol=1e-6)
    with pytest.raises(SlimvidError, match="no training clip has 13 frames"):
        sample(data, np.random.default_rng(2), batch=1, length=4, gap=4)


@pytest.mark.parametrize(
    ("gap", "given", "wanted"),
    [
        (1, 0, [0, 1, 2, 3, 4]),
        (3, 0, [0, 3, 6, 9, 12]),
        (1, 2, [0, 1, 2, 3, 4]),
        (2, 2, [0, 1, 2, 4, 6]),  # given frames follow one another, as at inference, whatever the gap
        (5, 2, [0, 1, 5, 10, 15]),
        (2, 3, [0, 1, 2, 4, 6]),
    ],
)
def test_a_sequence_lies_where_its_plan_would_meet_it(gap, given, wanted):
    assert offsets(5, gap=gap, given=given) == wanted
    assert wanted == with_given(range(0, 20, gap), given)[:5]
    assert most_frames(wanted[-1] + 1, gap=gap, given=given) == 5
    assert most_frames(wanted[-1], gap=gap, given=given) == 4


def test_sequence_length_doubles_up_to_its_limit():
    lengths = [sequence_length(i, start=4, longest=14, doubles_every=10) for i in (0, 9, 10, 20, 99)]
    assert lengths == [4, 4, 8, 14, 14]
    assert sequence_length(1000, start=6, longest=30, doubles_every=0) == 6


def test_decay_ends_above_zero():
    rates = [loop.linear_decay(i, total=10, decay_from=0.5) for i in range(10)]
    assert rates[:6] == [1.0] * 6 and rates[-1] == pytest.approx(0.2)


def test_single_pictures_are_no_task_of_it(tiny_settings):
    with pytest.raises(SlimvidError, match="single pictures; give the task an original of images"):
        check_task(tiny_settings, ConditionSpec(kind="edges"), 32, 32, longest=1)

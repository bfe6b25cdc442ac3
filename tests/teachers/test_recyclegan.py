"""RecycleGAN's training: unpaired, the paper's losses, resumable; its artifact streams."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from slimvid import nets
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import Translator
from slimvid.nets.warp import warp
from slimvid.teachers import content, teacher_module, train_original
from slimvid.teachers.recyclegan import Moves, Objective, Way, generator_spec
from slimvid.training.loop import Training
from slimvid.training.singles import Views, sample_singles


def training_of(run, settings):
    torch.manual_seed(0)
    net = nets.build(generator_spec(settings, run.data.meta.condition))
    return Training(run, net, Objective(run, settings))


@pytest.fixture
def training(looks_task, recyclegan_settings, told):
    return training_of(told(looks_task), recyclegan_settings)


@pytest.fixture
def original(looks_task, recyclegan_settings, told, tmp_path):
    out = tmp_path / "0"
    train_original(told(looks_task, out), recyclegan_settings)
    return out


def test_training_brings_the_cycle_down(training):
    losses = [training.step(index) for index in range(60)]
    cycles = [float(step["cycle_source"] + step["unsup_cycle_source"]) for step in losses]
    assert np.mean(cycles[-10:]) < 0.6 * np.mean(cycles[:3])


def test_every_loss_of_the_paper_is_there_and_moves_its_network(training):
    before = {n: [p.clone() for p in m.parameters()] for n, m in training.networks.items()}
    losses = training.step(0)
    domains = ("source", "target")
    terms = ("gan", "disc", "unsup_cycle", "spatial", "cycle")  # content needs weights
    assert set(losses) == {f"{term}_{domain}" for term in terms for domain in domains}
    for name, module in training.networks.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True)]
        assert any(moved), name


def test_terms_without_weight_are_not_computed(looks_task, recyclegan_settings, told):
    """viper2label: unsupervised cycle of the labels only, spatial of the video only (release)."""
    changes = {"lambda_unsup_cycle": (0.0, 10.0), "lambda_spatial": (10.0, 0.0), "lambda_cycle": (0.0, 0.0)}
    losses = training_of(told(looks_task), recyclegan_settings.model_copy(update=changes)).step(0)
    assert {n for n in losses if not n.startswith(("gan", "disc"))} == {
        "unsup_cycle_target",
        "spatial_source",
    }


def test_motion_terms_are_the_papers_equations(training):
    """With |B(W F(x)) - W x| and |F(W x) - W F(x)| written out for known networks and flow."""
    flow = torch.full((2, 2, 32, 32), 2.0)
    moves = Moves(*[(flow, torch.zeros(()))] * 2)
    blur = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    there, back = lambda x: -blur(x), lambda x: 0.5 * x
    real = torch.rand(2, 3, 32, 32) * 2 - 1
    losses = training.objective._motion(Way("source", real, there(real), there, back), moves)
    moved, translated = warp(real, flow), warp(there(real), flow)
    unsup = 10 * (0.5 * translated - moved).abs().mean()
    spatial = 10 * (-blur(moved) - translated).abs().mean()
    assert losses["unsup_cycle_source"].item() == pytest.approx(unsup.item(), rel=1e-5)
    assert losses["spatial_source"].item() == pytest.approx(spatial.item(), rel=1e-5)
    assert spatial > 0  # the blurred edge does not move with the frame's border


def test_spatial_target_is_not_detached(training):
    real = torch.rand(1, 3, 32, 32)
    fake = torch.zeros(1, 3, 32, 32, requires_grad=True)
    net = lambda x: x.detach() * 0 + 1  # noqa: E731
    moves = Moves(*[(torch.full((1, 2, 32, 32), 2.0), torch.zeros(()))] * 2)
    losses = training.objective._motion(Way("source", real, fake, net, net), moves)
    (gradient,) = torch.autograd.grad(losses["spatial_source"], fake)
    assert gradient.abs().sum() > 0


def test_draws_of_the_two_domains_are_independent(looks_task):
    data = PreparedTask(looks_task)
    rng = np.random.default_rng(0)
    paired = 0
    for _ in range(40):
        batch = sample_singles(data, rng, batch=1, paired=False, views=Views(), device="cpu")
        (name, indices) = batch.places[0]
        wanted = torch.from_numpy(data.window("train", name, indices, flow=False).conditions)
        assert torch.equal(batch.conditions[0], wanted)
        truth = torch.from_numpy(data.window("train", name, indices, flow=False).frames)
        paired += torch.equal(batch.frames[0], truth)
    assert paired < 12  # one in 16 by chance


def test_enlarged_crops_keep_size_and_range(looks_task):
    task, rng = PreparedTask(looks_task), np.random.default_rng(0)
    batch = sample_singles(task, rng, batch=3, paired=False, views=Views(enlarge=64), device="cpu")
    assert batch.conditions.shape == batch.frames.shape == (3, 1, 3, 32, 32)
    assert batch.conditions.min() >= 0 and batch.conditions.max() <= 1
    assert -1 <= batch.frames.min() < -0.5 and batch.frames.max() <= 1


def test_a_killed_run_ends_with_the_same_bytes(
    original, looks_task, recyclegan_settings, told, assert_resumed
):
    assert_resumed(
        lambda out: train_original(told(looks_task, out), recyclegan_settings), original, ["curves.parquet"]
    )


def test_the_artifact_streams_without_memory(original, looks_task, cpu):
    document = json.loads((original / "translator.json").read_text())
    assert document["spec"]["kind"] == "resnet" and document["plan"] == {"kind": "every_frame"}
    assert document["provenance"]["content_loss"] == "off: no VGG weights were given"
    from slimvid import artifact

    translator = Translator(artifact.read(original), cpu)
    data = PreparedTask(looks_task)
    conditions = [data.condition("test", "c", i) for i in range(4)]
    drawn = list(translator.stream(conditions))
    assert [frame.shape for frame in drawn] == [(32, 32, 3)] * 4
    alone = list(translator.stream(conditions[3:]))
    assert np.array_equal(drawn[3], alone[0])


def test_first_frames_make_no_sense_here(training):
    with pytest.raises(SlimvidError, match="first 'real'"):
        training.modules["generator"].rollout(first="real")


def test_label_channels_are_translated_too(recyclegan_settings):
    """Conditions need not be pictures: the way back draws as many channels as they have."""
    spec = generator_spec(
        recyclegan_settings, ConditionSpec(kind="labels", label_names=("a", "b")), width=4, blocks=2
    )
    assert (spec["in_channels"], spec["stem"], len(spec["inner"])) == (2, (4, 8, 16), 2)


def test_content_loss_reads_weights_and_refuses_others(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = nn.Sequential(*content._layers()).state_dict()
    assert [k for k in state if k.endswith("weight")][-1] == "51.weight"  # relu5_4 is layer 52
    save_file(state, tmp_path / "vgg.safetensors")
    loss = content.content_loss(tmp_path / "vgg.safetensors")
    a, b = torch.rand(2, 1, 3, 32, 32)
    a.requires_grad_()
    assert loss(a, a).item() == 0 < loss(a, b).item()
    assert torch.autograd.grad(loss(a, b), a)[0].abs().sum() > 0
    with pytest.raises(SlimvidError, match="no such file"):
        content.content_loss(tmp_path / "none.pth")
    save_file({"0.weight": torch.zeros(1)}, tmp_path / "wrong.safetensors")
    with pytest.raises(SlimvidError, match=r"wrong\.safetensors: not normalised VGG-19"):
        content.content_loss(tmp_path / "wrong.safetensors")


def test_settings_name_their_teachers_module(recyclegan_settings, tiny_settings):
    assert teacher_module(recyclegan_settings).__name__ == "slimvid.teachers.recyclegan"
    assert teacher_module(tiny_settings).__name__ == "slimvid.teachers.vid2vid"

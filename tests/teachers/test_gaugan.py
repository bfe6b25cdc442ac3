"""GauGAN: its losses and rates against the paper's, its networks, that it resumes, streams, is compressed."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

import slimvid
from slimvid import artifact, nets
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.settings import MethodSettings
from slimvid.teachers import gaugan, train_original
from slimvid.teachers.gaugan import Objective, check_task, generator_spec
from slimvid.teachers.gaugan_settings import Settings
from slimvid.training.loop import Training

CITY = ConditionSpec(kind="labels", label_names=tuple(f"class {i}" for i in range(35)), instances=True)


@pytest.fixture(scope="module")
def original(labels_task, gaugan_settings, told, tmp_path_factory):
    out = tmp_path_factory.mktemp("gaugan") / "0"
    train_original(told(labels_task, out), gaugan_settings)
    return out


def made(settings, run):
    torch.manual_seed(0)
    return nets.build(generator_spec(settings, run.data.meta.condition)), Objective(run, settings)


def judged(objective, condition, picture):
    """Features of every size and stage, by the paper's words."""
    x, found = torch.cat((condition, picture), dim=1), []
    for number, stages in enumerate(objective.discriminators["disc"].scales):
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) if number else x
        features = [x]
        for stage in stages:
            features.append(stage(features[-1]))
        found.append(features[1:])
    return found


def test_losses_are_the_papers(labels_task, gaugan_settings, told):
    net, objective = made(gaugan_settings, told(labels_task))
    with torch.no_grad():
        for p in objective.parameters():
            p.mul_(30)  # scores of both sides of the hinge
    objective.eval()  # no power iterations between the two looks
    batch = objective.sample(np.random.default_rng(0), 0)
    (view,) = objective.unroll(net, batch)
    g, d = objective.losses(view)
    condition, truth = batch.conditions[:, 0], batch.frames[:, 0]
    assert set(condition.unique().tolist()) == {0.0, 1.0} and condition.shape == (2, 2, 64, 64)
    fake, real = judged(objective, condition, view.out.image), judged(objective, condition, truth)
    hinge = features = score = 0.0
    for f, r in zip(fake, real, strict=True):
        score -= f[-1].mean().item() / 2
        hinge += (F.relu(1 - r[-1]).mean() + F.relu(1 + f[-1]).mean()).item() / 2
        features += sum((a - b).abs().mean().item() for a, b in zip(f[:-1], r[:-1], strict=True)) / 2
    assert g.keys() == {"gan", "features"} and d.keys() == {"disc"}
    assert g["gan"].item() == pytest.approx(score, rel=1e-4)
    assert g["features"].item() == pytest.approx(10 * features, rel=1e-4)
    assert d["disc"].item() == pytest.approx(hinge, rel=1e-4)


def test_the_perceptual_loss_is_on_where_weights_are_given(
    labels_task, gaugan_settings, told, tmp_path, monkeypatch
):
    class Distance(nn.Module):
        def forward(self, a, b):
            return ((a - b) ** 2).mean()

    monkeypatch.setattr(gaugan, "perceptual", lambda path: path and Distance())
    run = told(labels_task)
    net, objective = made(gaugan_settings.model_copy(update={"vgg": tmp_path / "vgg.pth"}), run)
    (view,) = objective.unroll(net, objective.sample(np.random.default_rng(0), 0))
    g, _ = objective.losses(view)
    wanted = 10 * ((view.out.image - view.batch.frames[:, 0]) ** 2).mean()
    assert g["vgg"].item() == pytest.approx(wanted.item(), rel=1e-6)
    assert objective.provenance() == {"perceptual_loss": "on"}
    _, without = made(gaugan_settings, run)
    assert without.provenance() == {"perceptual_loss": "off: no VGG-19 weights were given"}


def test_two_time_scales(labels_task, gaugan_settings, told):
    settings = gaugan_settings.model_copy(update={"lr": 1e-4})
    assert (Settings(iterations=1).lr, Settings(iterations=1).disc_rate) == (1e-4, 4.0)
    net, objective = made(settings, told(labels_task))
    groups = {name: o.param_groups[0] for name, o in objective.optimizers(net).items()}
    assert groups.keys() == {"generator", "disc"}
    assert {name: (group["lr"], group["betas"]) for name, group in groups.items()} == {
        "generator": (pytest.approx(1e-4), (0.0, 0.9)),
        "disc": (pytest.approx(4e-4), (0.0, 0.9)),
    }


def test_networks_are_the_papers(labels_task, gaugan_settings, told):
    settings, count = Settings(iterations=1), lambda net: sum(p.numel() for p in net.parameters())
    with torch.device("meta"):
        assert count(nets.build(generator_spec(settings, CITY))) == 93_048_003  # spec 1.5
        judge = gaugan.SpadeDiscriminator(CITY.channels + 3, settings.disc_width, scales=settings.disc_scales)
    assert count(judge) == 5_601_410  # spec 1.8
    _, objective = made(gaugan_settings.model_copy(update={"disc_width": 64}), told(labels_task))
    convs = [m for m in objective.discriminators.modules() if isinstance(m, nn.Conv2d)]
    normalised = [conv for conv in convs if parametrize.is_parametrized(conv, "weight")]
    assert (len(convs), len(normalised)) == (10, 6)
    for conv in convs:
        own = conv.parametrizations.weight.original if conv in normalised else conv.weight
        fans = 16 * (conv.in_channels + conv.out_channels)
        assert own.std().item() == pytest.approx(0.02 * (2 / fans) ** 0.5, rel=0.1)  # Xavier
        assert conv.bias is None or not conv.bias.any()


def test_it_learns(labels_task, gaugan_settings, told):
    """One batch before a judge that all but stands still: its features come closer to the truth's."""
    run = told(labels_task)
    settings = gaugan_settings.model_copy(update={"disc_rate": 1e-6, "lr": 2e-3})
    training = Training(run, *made(settings, run))
    features = [training.step(0)["features"].item() for _ in range(60)]
    assert np.mean(features[-5:]) < 0.7 * np.mean(features[:5])


def test_a_killed_run_ends_with_the_same_bytes(original, labels_task, gaugan_settings, told, assert_resumed):
    assert_resumed(
        lambda out: train_original(told(labels_task, out), gaugan_settings),
        original,
        ["discriminators.safetensors"],
    )


def test_it_translates_a_video_frame_by_frame(original, labels_task):
    translator, task = slimvid.load(original, device="cpu"), PreparedTask(labels_task)
    conditions = [task.condition("test", "c", i) for i in range(3)]
    frames = list(translator.stream(conditions))
    assert [frame.shape for frame in frames] == [(64, 64, 3)] * 3
    assert np.array_equal(next(translator.stream(conditions[2:])), frames[2])  # nothing is remembered


def test_it_is_compressed_by_uniform(original, gaugan_settings, labels_task, compressed, tmp_path):
    row = MethodSettings(method="uniform", options={"width": 0.5, "train": {"iterations": 2}})
    compressed(row, labels_task, tmp_path / "s", teacher=original, teacher_settings=gaugan_settings)
    document = json.loads((tmp_path / "s" / "translator.json").read_text())
    assert document["provenance"]["teacher"] == "original"
    small, large = (artifact.read(path).module("cpu") for path in (tmp_path / "s", original))
    assert sum(p.numel() for p in small.parameters()) < 0.5 * sum(p.numel() for p in large.parameters())


def test_what_it_cannot_learn_from_is_one_line(tiny_task, labels_task, gaugan_settings, told):
    with pytest.raises(SlimvidError, match="gaugan draws from label maps, and the conditions here are edges"):
        Objective(told(tiny_task), gaugan_settings)
    alone = gaugan_settings.model_copy(update={"batch": 1})
    with pytest.raises(SlimvidError, match=r"64x64 begin as one pixel after 6 up-samplings.*raise `batch`"):
        check_task(alone, CITY, 64, 64, longest=1)
    check_task(alone, CITY, 64, 128, longest=1)
    check_task(alone.model_copy(update={"ups": 5}), CITY, 64, 64, longest=1)
    run = told(labels_task)
    object.__setattr__(run.data.meta, "aligned", ("val", "test"))
    with pytest.raises(SlimvidError, match=r"gaugan learns from pairs; give .*`teacher: cyclegan` or"):
        Objective(run, gaugan_settings)

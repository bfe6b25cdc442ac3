"""pix2pix: its losses against the paper's, its networks, that it resumes, streams and is compressed."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from slimvid import artifact, load, nets
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.settings import MethodSettings
from slimvid.teachers import train_original
from slimvid.teachers.pix2pix import Objective, generator_spec
from slimvid.teachers.pix2pix_settings import Settings
from slimvid.training.loop import Training

RESNET = {"generator": "resnet", "blocks": 1, "norm": "instance", "gan": "hinge"}


@pytest.fixture(scope="module", params=["unet", "resnet"])
def settings(request, pix2pix_settings):
    return pix2pix_settings if request.param == "unet" else resnet(pix2pix_settings)


def resnet(settings, **changes):
    kept = settings.model_dump(exclude={"downs", "dropout"})
    return Settings.model_validate({**kept, **RESNET, **changes})


@pytest.fixture(scope="module")
def original(settings, looks_task, told, tmp_path_factory):
    out = tmp_path_factory.mktemp("pix2pix") / "0"
    train_original(told(looks_task, out), settings)
    return out


def made(settings, run):
    torch.manual_seed(0)
    net = nets.build(generator_spec(settings, run.data.meta.condition)).eval()  # no dropout
    return net, Objective(run, settings)


def test_losses_are_the_papers(looks_task, pix2pix_settings, told):
    net, objective = made(pix2pix_settings, told(looks_task))
    batch = objective.sample(np.random.default_rng(0), 0)
    (view,) = objective.unroll(net, batch)
    g, d = objective.losses(view)
    x, y = batch.conditions[:, 0] * 2 - 1, batch.frames[:, 0]
    out = net(x)
    assert torch.equal(view.out.image, out)
    judge = objective.discriminators["disc"].stages
    scores = []
    for picture in (out, y):
        seen = torch.cat((x, picture), dim=1)
        for stage in judge:
            seen = stage(seen)
        scores.append(seen)
    fake, real = scores
    assert g["gan"].item() == pytest.approx(-F.logsigmoid(fake).mean().item(), rel=1e-5)
    assert g["l1"].item() == pytest.approx(100 * (out - y).abs().mean().item(), rel=1e-6)
    log = -F.logsigmoid(-fake).mean() - F.logsigmoid(real).mean()
    assert d["disc"].item() == pytest.approx(0.5 * log.item(), rel=1e-5)


def test_networks_are_the_papers(looks_task, told):
    run = told(looks_task)
    paper = nets.build(generator_spec(Settings(iterations=1), run.data.meta.condition))
    assert sum(p.numel() for p in paper.parameters()) == 54_413_955  # pix2pix's U-Net (release)
    own = Settings(iterations=1, generator="resnet", norm="instance")
    resnet = nets.build(generator_spec(own, run.data.meta.condition))
    assert sum(p.numel() for p in resnet.parameters()) == 11_378_179  # spec 1.1
    objective = Objective(run, Settings(iterations=1, disc_width=128, disc_norm="instance"))
    assert sum(p.numel() for p in objective.discriminators.parameters()) == 11_040_641  # spec 1.8


def test_it_learns(looks_task, pix2pix_settings, told):
    settings = resnet(pix2pix_settings, iterations=60, batch=4)
    run = told(looks_task)
    net, objective = made(settings, run)
    training = Training(run, net, objective)
    errors = [training.step(i)["l1"].item() for i in range(60)]
    assert np.mean(errors[-10:]) < 0.7 * np.mean(errors[:5])


def test_a_killed_run_ends_with_the_same_bytes(original, settings, looks_task, told, assert_resumed):
    assert_resumed(
        lambda out: train_original(told(looks_task, out), settings), original, ["discriminators.safetensors"]
    )


def test_it_translates_a_video_frame_by_frame(original, looks_task):
    translator = load(original, device="cpu")
    task = PreparedTask(looks_task)
    conditions = [task.condition("test", "c", i) for i in range(3)]
    frames = list(translator.stream(conditions))
    assert [frame.shape for frame in frames] == [(32, 32, 3)] * 3
    assert np.array_equal(next(translator.stream(conditions[2:])), frames[2])  # nothing is remembered


def test_it_is_compressed_by_uniform(original, settings, looks_task, compressed, tmp_path):
    row = MethodSettings(method="uniform", options={"width": 0.5, "train": {"iterations": 2}})
    compressed(row, looks_task, tmp_path / "s", teacher=original, teacher_settings=settings)
    document = json.loads((tmp_path / "s" / "translator.json").read_text())
    assert document["provenance"]["teacher"] == "original"
    small, large = (artifact.read(path).module("cpu") for path in (tmp_path / "s", original))
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in large.parameters())


def test_clips_of_two_domains_are_refused_with_the_remedy(looks_task, pix2pix_settings, told):
    run = told(looks_task)
    object.__setattr__(run.data.meta, "aligned", ("val", "test"))
    with pytest.raises(SlimvidError, match=r"no truth of their conditions, .*teacher: recyclegan"):
        Objective(run, pix2pix_settings)


@pytest.mark.parametrize(
    ("generator", "key"), [("unet", "blocks"), ("resnet", "downs"), ("resnet", "dropout")]
)
def test_keys_of_the_other_generator_are_refused(generator, key):
    with pytest.raises(ValidationError, match=f"`{key}:` is not read with `generator: {generator}`"):
        Settings(iterations=1, generator=generator, **{key: {"blocks": 2, "downs": 3, "dropout": 0.1}[key]})

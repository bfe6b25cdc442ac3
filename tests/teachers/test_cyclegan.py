"""CycleGAN: its losses against the paper's, its pools, that it keeps both ways, resumes and is compressed."""

import json
import shutil

import numpy as np
import pytest
import torch

import slimvid
from slimvid import artifact, nets
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json, sha256_file, write_json
from slimvid.infer.translator import to_picture
from slimvid.settings import GoingOn, MethodSettings
from slimvid.teachers import shipped, student_objective, train_original
from slimvid.teachers.cyclegan import Objective, generator_spec
from slimvid.teachers.cyclegan_settings import Settings
from slimvid.training.loop import Training, train
from slimvid.training.singles import Views

FILES = ("weights.safetensors", "translator.json", "discriminators.safetensors", "curves.parquet")


@pytest.fixture(scope="module")
def original(looks_task, cyclegan_settings, told, tmp_path_factory):
    out = tmp_path_factory.mktemp("cyclegan") / "0"
    train_original(told(looks_task, out), cyclegan_settings)
    return out


def made(settings, run, kind=Objective):
    torch.manual_seed(0)
    return nets.build(generator_spec(settings, run.data.meta.condition)), kind(run, settings)


def scores(objective, domain, picture):
    for stage in objective.discriminators[f"{domain}_disc"].stages:
        picture = stage(picture)
    return picture


def test_losses_are_the_papers(looks_task, cyclegan_settings, told):
    settings = cyclegan_settings.model_copy(update={"lambda_cycle": (10.0, 4.0)})
    net, objective = made(settings, told(looks_task))
    batch = objective.sample(np.random.default_rng(0), 0)
    (view,) = objective.unroll(net, batch)
    g, d = objective.losses(view)
    x, y, back = batch.conditions[:, 0] * 2 - 1, batch.frames[:, 0], objective.back
    there, here = net(x), back(y)
    assert torch.equal(view.out.image, there)
    wanted = {
        "gan_target": ((scores(objective, "target", there) - 1) ** 2).mean(),
        "gan_source": ((scores(objective, "source", here) - 1) ** 2).mean(),
        "cycle_source": 10 * (back(there) - x).abs().mean(),
        "cycle_target": 4 * (net(here) - y).abs().mean(),
        "identity_source": 5 * (back(x) - x).abs().mean(),
        "identity_target": 2 * (net(y) - y).abs().mean(),
    }
    assert {name: loss.item() for name, loss in g.items()} == {
        name: pytest.approx(loss.item(), rel=1e-5) for name, loss in wanted.items()
    }
    for domain, fake, real in (("target", there, y), ("source", here, x)):  # the pools are not full: the new
        parts = (
            (scores(objective, domain, fake) ** 2).mean(),
            ((scores(objective, domain, real) - 1) ** 2).mean(),
        )
        assert d[f"disc_{domain}"].item() == pytest.approx(0.5 * sum(parts).item(), rel=1e-5)


def test_discriminators_alone_see_earlier_translations(looks_task, cyclegan_settings, told):
    net, objective = made(cyclegan_settings, told(looks_task))
    batch = objective.sample(np.random.default_rng(0), 0)._replace(
        draws={"source": [(True, 1)], "target": [(True, 0)]}
    )
    (view,) = objective.unroll(net, batch)
    g, _ = objective.losses(view)
    earlier = {domain: torch.rand(2, 3, 32, 32) * 2 - 1 for domain in ("source", "target")}
    for domain, pool in objective.pools.items():
        pool.pictures.copy_(earlier[domain])
        pool.count.fill_(2)
    again, d = objective.losses(view)
    assert {n: loss.item() for n, loss in again.items()} == {n: loss.item() for n, loss in g.items()}
    x, y = batch.conditions[:, 0] * 2 - 1, batch.frames[:, 0]
    for domain, place, fake, real in (("target", 0, net(x), y), ("source", 1, objective.back(y), x)):
        old = scores(objective, domain, earlier[domain][place : place + 1])
        parts = (old**2).mean(), ((scores(objective, domain, real) - 1) ** 2).mean()
        assert d[f"disc_{domain}"].item() == pytest.approx(0.5 * sum(parts).item(), rel=1e-5)
        assert torch.equal(objective.pools[domain].pictures[place], fake[0])  # in its place for later


def test_networks_and_defaults_are_the_papers(looks_task, told):
    settings = Settings(iterations=1)
    net, objective = made(settings, told(looks_task))
    count = lambda module: sum(p.numel() for p in module.parameters())  # noqa: E731
    assert count(net) == count(objective.back) == 11_378_179  # spec 1.1
    assert [count(judge) for judge in objective.discriminators.values()] == [2_764_737] * 2  # spec 1.8
    assert objective.views() == Views(enlarge=30, flip=True)
    assert [pool.pictures.shape for pool in objective.pools.values()] == [(50, 3, 32, 32)] * 2
    assert set(objective.networks(net)) == {"generator", "back", "source_disc", "target_disc"}


def test_identity_needs_domains_of_three_channels(tiny_task, looks_task, cyclegan_settings, told):
    def of(store, **changes):
        net, objective = made(cyclegan_settings.model_copy(update=changes), told(store))
        losses = Training(told(store), net, objective).step(0)
        return {name for name in losses if name.startswith("identity")}, objective.provenance()[
            "identity_loss"
        ]

    both = {"identity_source", "identity_target"}
    assert of(looks_task) == (both, "on")
    assert of(looks_task, lambda_identity=0.0) == (set(), "off: no weight")
    assert of(looks_task, lambda_cycle=(0.0, 10.0)) == ({"identity_target"}, "on")
    assert of(tiny_task) == (set(), "off: conditions are no pictures of 3 channels")


def test_it_learns_and_every_network_moves(looks_task, cyclegan_settings, told):
    run = told(looks_task)
    training = Training(run, *made(cyclegan_settings, run))
    before = {n: [p.clone() for p in m.parameters()] for n, m in training.networks.items()}
    steps = [training.step(i) for i in range(60)]
    cycles = [float(step["cycle_source"] + step["cycle_target"]) for step in steps]
    assert np.mean(cycles[-10:]) < 0.7 * np.mean(cycles[:3])
    for name, module in training.networks.items():
        assert not all(torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True)), (
            name
        )


def test_a_killed_run_ends_with_the_same_bytes(original, looks_task, cyclegan_settings, told, assert_resumed):
    """Its pools are full when it is killed, so what they held is shown again."""
    assert_resumed(lambda out: train_original(told(looks_task, out), cyclegan_settings), original, FILES)


def test_it_streams_both_ways_without_memory(original, looks_task):
    task = PreparedTask(looks_task)
    there, back = (slimvid.load(original, device="cpu", back=way) for way in (False, True))
    conditions = [task.condition("test", "c", i) for i in range(3)]
    frames = [task.frame("test", "c", i) for i in range(3)]
    for translator, read in (
        (there, conditions),
        (back, [f.transpose(2, 0, 1) / np.float32(255) for f in frames]),
    ):
        drawn = list(translator.stream(read))
        assert [picture.shape for picture in drawn] == [(32, 32, 3)] * 3
        assert np.array_equal(next(translator.stream(read[2:])), drawn[2])
    with torch.inference_mode():
        seen = torch.tensor(frames[2]).permute(2, 0, 1)[None] / 127.5 - 1
        alone = to_picture(artifact.read(original).way_back()(seen))
    assert np.abs(alone.astype(int) - drawn[2]).max() <= 1


def test_the_way_back_is_the_one_that_was_trained(original, looks_task, cyclegan_settings, told, tmp_path):
    run = told(looks_task, tmp_path)
    net = run.network(generator_spec(cyclegan_settings, run.data.meta.condition))
    trained = train(run, net, Objective(run, cyclegan_settings), cyclegan_settings)
    kept = artifact.read(original).way_back()
    own = trained.objective.back.state_dict()
    assert own.keys() == kept.state_dict().keys()
    assert all(torch.equal(tensor, own[name]) for name, tensor in kept.state_dict().items())


def test_what_was_not_kept_or_is_damaged_is_one_line(
    original, looks_task, recyclegan_settings, told, tmp_path
):
    train_original(told(looks_task, tmp_path / "recyclegan"), recyclegan_settings)
    with pytest.raises(SlimvidError, match="original of looks kept no generator of the way back"):
        slimvid.load(tmp_path / "recyclegan", device="cpu", back=True)
    copy = shutil.copytree(original, tmp_path / "copy")
    document = read_json(copy / "translator.json")
    write_json(copy / "translator.json", {**document, "back": {**document["back"], "stem": [4, 8, 16]}})
    with pytest.raises(SlimvidError, match=r"discriminators\.safetensors: tensor .* the spec needs"):
        artifact.read(copy).way_back()
    write_json(copy / "translator.json", {**document, "back": 3})
    with pytest.raises(SlimvidError, match="back: must be a mapping, not 3"):
        artifact.read(copy)
    write_json(copy / "translator.json", {**document, "condition": {"kind": "edges"}})
    with pytest.raises(SlimvidError, match="its way back draws edges, which are no pictures"):
        slimvid.load(copy, device="cpu", back=True)
    (copy / "discriminators.safetensors").write_bytes(b"other")
    with pytest.raises(SlimvidError, match="not the file that translator"):
        artifact.read(copy).way_back()


def test_discriminators_are_kept_beside_it(original, looks_task, cyclegan_settings, told):
    source = artifact.read(original)
    assert sha256_file(original / "discriminators.safetensors") == source.provenance["discriminators_sha256"]
    judges = Objective(told(looks_task), cyclegan_settings).discriminators
    source.load_discriminators(judges)
    assert judges.state_dict().keys() == source.discriminators().keys()


def test_one_goes_on_from_both_ways(original, looks_task, cyclegan_settings, told, tmp_path):
    """At a rate of nothing, two updates later both generators are the shipped ones in fp16."""
    source, run = artifact.read(original), told(looks_task)
    parts = {
        "generator": artifact.read_tensors(original / "weights.safetensors"),
        "discriminators": source.discriminators(),
        "back": source.way_back().state_dict(),
    }
    card = {
        "task": "looks",
        "spec": source.spec,
        "data": shipped.described(run.data),
        "updates": 9,
        "samples": 9,
    }
    file = tmp_path / "looks.safetensors"
    shipped.write(file, {**card, "cpu_seconds": 1}, parts)
    changes = {"start": file, "going_on": GoingOn(iterations=2, lr=1e-9)}
    train_original(told(looks_task, tmp_path / "on"), cyclegan_settings.model_copy(update=changes))
    on = artifact.read(tmp_path / "on")
    assert on.provenance["started_from"]["updates"] == 9
    for name, tensor in on.way_back().state_dict().items():
        assert torch.allclose(tensor, parts["back"][name].half().float(), atol=1e-6), name


def test_it_is_compressed_by_uniform(original, cyclegan_settings, looks_task, compressed, tmp_path):
    row = MethodSettings(method="uniform", options={"width": 0.5, "train": {"iterations": 2}})
    compressed(row, looks_task, tmp_path / "s", teacher=original, teacher_settings=cyclegan_settings)
    document = json.loads((tmp_path / "s" / "translator.json").read_text())
    assert document["provenance"]["teacher"] == "original" and "back" not in document
    assert document["spec"]["stem"] == [4, 8, 16]


def test_a_student_with_its_teachers_frames_learns_the_way_there_alone(looks_task, cyclegan_settings, told):
    run = told(looks_task)
    net, objective = made(cyclegan_settings, run, student_objective)
    assert set(objective.networks(net)) == {"generator", "target_disc"} and objective.other_way() is None
    assert not list(objective.buffers())  # no pool (GAN Compression's release)
    batch = objective.sample(np.random.default_rng(0), 0)
    (view,) = objective.unroll(net, batch)
    g, d = objective.losses(view)
    fake = scores(objective, "target", net(batch.conditions[:, 0] * 2 - 1))
    real = scores(objective, "target", batch.frames[:, 0])
    assert g.keys() == {"gan_target"}
    assert g["gan_target"].item() == pytest.approx(((fake - 1) ** 2).mean().item(), rel=1e-5)
    halved = 0.5 * ((fake**2).mean() + ((real - 1) ** 2).mean())
    assert d["disc_target"].item() == pytest.approx(halved.item(), rel=1e-5)

"""What a method may bring to a training, each in a toy: adaptors on features, losses of its own, networks."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from pyarrow.parquet import read_table
from torch import nn

from slimvid.artifact import read_tensors
from slimvid.compress.uniform import OutputDistillation
from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.nets.framewise import Drawn
from slimvid.nets.patchgan import PatchGan
from slimvid.nets.quick import quicken
from slimvid.nets.resnet import resnet_spec
from slimvid.teachers import recyclegan, train_original
from slimvid.training.distillation import Distillation
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import Training, train
from slimvid.training.losses import gan
from slimvid.training.objective import Objective, View
from slimvid.training.singles import Views, sample_singles
from slimvid.training.taps import Taps


@pytest.fixture(scope="module")
def original(looks_task, recyclegan_settings, told, tmp_path_factory):
    out = tmp_path_factory.mktemp("original") / "0"
    train_original(told(looks_task, out), recyclegan_settings)
    return out


@pytest.fixture
def narrow(looks_task, recyclegan_settings, told):
    """narrow(out): what the training of a student of half the width is told, and its network's spec."""

    def of(out):
        run = told(looks_task, out, row="narrow")
        return run, recyclegan.generator_spec(recyclegan_settings, run.data.meta.condition, width=4)

    return of


class Adapted(Distillation):
    """1x1 adaptors from two of the student's layers to the teacher's."""

    def __init__(self, teacher, names=("model.4", "model.7")):
        super().__init__(teacher, layers=[(name, name) for name in names])
        self.adaptors = nn.ModuleList([nn.Conv2d(8, 16, 1), nn.Conv2d(16, 32, 1)])

    def losses(self, view, teacher):
        pairs = zip(self.adaptors, view.features.values(), teacher.features.values(), strict=True)
        return {"features": sum(((adapt(a) - b) ** 2).mean() for adapt, a, b in pairs)}


def adapted(run, spec, settings, original):
    net = run.network(spec)
    objective, distillation = recyclegan.Objective(run, settings), Adapted(FrozenTeacher(original, run))
    save(run, train(run, net, objective, settings, distillation=distillation))
    return distillation


def test_an_adaptor_trains_is_saved_and_resumes_to_the_same_bytes(
    original, narrow, recyclegan_settings, tmp_path, monkeypatch
):
    whole = adapted(*narrow(tmp_path / "whole"), recyclegan_settings, original)
    step = Training.step

    def killed(self, index):
        if index == 3:
            raise KeyboardInterrupt
        return step(self, index)

    monkeypatch.setattr(Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        adapted(*narrow(tmp_path / "killed"), recyclegan_settings, original)
    saved = read_tensors(tmp_path / "killed/state/step-2.safetensors")
    assert "module/distillation/adaptors.1.weight" in saved and "optimiser/distillation/3/exp_avg" in saved
    assert not any("teacher" in name for name in saved)  # what is frozen is nobody's state
    monkeypatch.setattr(Training, "step", step)
    resumed = adapted(*narrow(tmp_path / "killed"), recyclegan_settings, original)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b) and not torch.equal(b, saved["module/distillation/adaptors.0.weight"])
    names = ("weights.safetensors", "curves.parquet", "translator.json")
    for file in names:
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    curve = read_table(tmp_path / "whole/curves.parquet")["features"].to_pylist()
    assert len(curve) == 4 and curve[-1] < curve[0]


class Alone(Objective):
    """Conditions to draw from: no discriminator, and nothing is compared with the truth."""

    def sample(self, rng, index):
        return sample_singles(self.run.data, rng, batch=2, paired=False, views=Views(), device="cpu")

    def unroll(self, generator, batch):
        yield View(batch=batch, out=Drawn(generator(batch.conditions[:, 0] * 2 - 1)))

    def losses(self, view):
        return {}, {}


def test_a_student_learns_from_its_distillation_alone(original, narrow, recyclegan_settings, tmp_path):
    run, spec = narrow(tmp_path)
    net, before = run.network(spec), run.network(spec)
    distillation = OutputDistillation(FrozenTeacher(original, run), weight=1.0)
    trained = train(run, net, Alone(run, recyclegan_settings), recyclegan_settings, distillation=distillation)
    assert set(trained.curves) == {"distill"} and trained.curves["distill"][-1] < trained.curves["distill"][0]
    assert not all(torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))


class Online(Alone):
    """A wide network learns from a discriminator; the narrow one, from the wide one, in the same step."""

    def __init__(self, run, settings):
        super().__init__(run, settings)
        self.wide = build(resnet_spec(8, blocks=1))
        self.discriminators["judge"] = PatchGan(3, width=8, layers=2)

    def unroll(self, generator, batch):
        x = batch.conditions[:, 0] * 2 - 1
        view = View(batch=batch, out=Drawn(generator(x)))
        view.wide = self.wide(x)
        yield view

    def losses(self, view):
        judge = self.discriminators["judge"]
        fake, real = judge(view.wide), judge(view.batch.frames[:, 0])
        g = {"gan": gan([fake], real=True), "distill": (view.out.image - view.wide.detach()).abs().mean()}
        return g, {"disc": gan([real], real=True) + gan([fake], real=False)}


def test_a_teacher_and_its_student_learn_in_one_loop_each_drawing_once(looks_task, recyclegan_settings, told):
    run = told(looks_task)
    net = run.network(resnet_spec(4, blocks=1))
    training = Training(run, net, Online(run, recyclegan_settings))
    calls = Counter()
    for name, network in training.networks.items():
        network.register_forward_hook(lambda *_, name=name: calls.update([name]))
    before = {n: [p.clone() for p in m.parameters()] for n, m in training.networks.items()}
    losses = training.step(0)
    assert set(losses) == {"gan", "distill", "disc"}
    assert calls == {"generator": 1, "wide": 1, "judge": 2}  # the discriminator: one real, one fake
    assert set(training.optimisers) == {"generator", "wide", "judge"}
    for name, network in training.networks.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[name], network.parameters(), strict=True)]
        assert any(moved), name


def test_both_ways_of_a_cycle_draw_as_often_as_their_terms_say(looks_task, recyclegan_settings, told):
    """Translation, cycle, unsupervised cycle and spatial term each run each direction once, nothing twice."""
    run = told(looks_task)
    net = run.network(recyclegan.generator_spec(recyclegan_settings, run.data.meta.condition))
    training = Training(run, net, recyclegan.Objective(run, recyclegan_settings))
    calls = Counter()
    for name, network in training.networks.items():
        network.register_forward_hook(lambda *_, name=name: calls.update([name]))
    training.step(0)
    assert calls == {"generator": 4, "back": 4, "source_disc": 2, "target_disc": 2}


@pytest.mark.parametrize("quick", [False, True])
def test_what_a_layer_gave_is_kept_from_the_activation_that_overwrites_it(quick):
    net = build(resnet_spec(8, blocks=1)).eval()
    x, given = torch.randn(1, 3, 32, 32), []
    net.model[5].register_forward_hook(lambda _module, _inputs, output: given.append(output.clone()))
    net(x)
    if quick:
        quicken(net)
    taps = Taps(net, ["model.10", "model.5"], whose="student")
    net(x)
    seen = taps.take()
    assert list(seen) == ["model.10", "model.5"] and seen["model.5"].min() < 0
    assert torch.allclose(seen["model.5"], given[0], atol=1e-5)
    assert taps.take() == {}


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(original, narrow, tmp_path):
    run, spec = narrow(tmp_path)
    with pytest.raises(
        SlimvidError, match=r"layer 'model.99': the teacher's network has none .* model.18, mo"
    ):
        Adapted(FrozenTeacher(original, run), names=("model.4", "model.99"))
    teacher = FrozenTeacher(original, run)
    with pytest.raises(SlimvidError, match=r"layer 'model.17': the teacher's network has none"):
        Adapted(teacher, names=("model.4", "model.17"))  # padding that runs within the convolution after it
    distillation = Adapted(teacher)
    distillation.layers = (("body", "model.4"),)
    with pytest.raises(SlimvidError, match=r"layer 'body': the student's network has none of that name"):
        Training(run, run.network(spec), Alone(run, SimpleNamespace(lr=1)), distillation=distillation)


def test_an_adaptor_learns_at_the_students_rate(original, narrow, tmp_path):
    run, spec = narrow(tmp_path)
    distillation = Adapted(FrozenTeacher(original, run))
    training = Training(
        run, run.network(spec), Alone(run, SimpleNamespace(lr=0.3)), distillation=distillation
    )
    assert training.optimisers["distillation"].param_groups[0]["lr"] == 0.3
    weights = [id(p) for group in training.optimisers["distillation"].param_groups for p in group["params"]]
    assert weights == [id(p) for p in distillation.adaptors.parameters()]

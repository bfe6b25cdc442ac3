"""OMGD: two teachers that learn, a student that sees neither truth nor discriminator, in one loop."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from pyarrow.parquet import read_table
from scipy.ndimage import gaussian_filter

from slimvid import artifact
from slimvid.compress.omgd import Online, distilled_layers, share, student_spec, teacher_specs
from slimvid.compress.omgd_losses import Lite0Features, output_losses, ssim, style, total_variation
from slimvid.compress.omgd_options import Options
from slimvid.errors import SlimvidError
from slimvid.nets import build
from slimvid.rows import needs
from slimvid.settings import MethodSettings
from slimvid.teachers import teacher_module, train_original, vid2vid
from slimvid.training.loop import Training
from slimvid.training.taps import tap_channels

SMALL = {"width": 0.5, "expand": 2, "deepen": 2}


KINDS = {"vid2vid": "tiny", "recyclegan": "recyclegan", "pix2pix": "pix2pix", "cyclegan": "cyclegan"}


@pytest.fixture(params=KINDS)
def kind(request, tiny_task, looks_task):
    """Settings and store of an original of each kind; pix2pix's is a U-Net."""
    settings = request.getfixturevalue(f"{KINDS[request.param]}_settings")
    return settings, tiny_task if request.param == "vid2vid" else looks_task


@pytest.fixture
def training(kind, told):
    def make(evaluate=None, **options):
        settings, store = kind
        run, own = told(store), Options(**SMALL | options)
        condition = run.data.meta.condition
        below = teacher_module(settings).generator_spec(settings, condition)
        net = run.network(student_spec(settings, condition, own, below))
        return Training(run, net, Online(run, settings, options=own, student=net, evaluate=evaluate))

    return make


def judged(*distances):
    """An evaluation that gives these frame distances, one a call, and then the last."""
    left = list(distances)
    return lambda net: {"frame_distance_lite0": left.pop(0) if len(left) > 1 else left[0]}


def weights(training):
    return {n: [p.detach().clone() for p in m.parameters()] for n, m in training.networks.items()}


def moved(before, after):
    return {n for n in before if any(not torch.equal(a, b) for a, b in zip(before[n], after[n], strict=True))}


def test_teachers_learn_every_nth_step_and_the_student_in_each(training):
    t = training(every=2)
    start = weights(t)
    first = t.step(0)
    assert moved(start, between := weights(t)) == set(t.networks)
    second = t.step(1)
    assert moved(between, weights(t)) == {"generator", "connectors"}
    assert {"ssim", "feature", "style", "tv", "channel"} == set(second) < set(first)
    assert any(name.startswith("wide_gan") for name in first) and any("deep_disc" in name for name in first)


@pytest.mark.parametrize("best_every", [None, 2])
def test_each_network_draws_once_a_picture(training, best_every):
    """The teachers' own terms (cycles) apart, which the original has as well."""
    t = training(judged(1.0), every=2, best_every=best_every)
    calls = Counter()
    nets = {"student": t.generator, **t.objective.nets}
    if best_every:
        nets["best"] = t.objective.best.net
    for name, net in nets.items():
        net.register_forward_hook(lambda *_, name=name: calls.update([name]))
    t.step(1)
    pictures = t.tally.updates
    wide = "best" if best_every else "wide"  # the current one is not looked at where another teaches
    assert calls == {"student": pictures, wide: pictures, "deep": pictures}


def test_the_best_wide_teacher_so_far_teaches(training):
    """Judged before steps 0, 2 and 4: the second is nearer than the first, the third is not."""
    t = training(judged(3.0, 2.0, 2.5), every=1, best_every=2, deepen=0)
    wide, best = t.objective.nets["wide"], t.objective.best
    seen = []
    for index in range(5):
        before = {name: weight.detach().clone() for name, weight in wide.named_parameters()}
        g = t.step(index)
        own = best.net.state_dict()
        seen.append(all(torch.equal(weight, own[name]) for name, weight in before.items()))
        assert "wide_gan" in " ".join(g) and not any(name.startswith("best") for name in g)
    assert seen == [True, False, True, False, False] and float(best.distance) == 2.0
    assert not list(best.parameters())
    batch = t.objective.sample(np.random.default_rng(0), 1)
    view = next(t.objective.unroll(t.generator, batch))
    assert len(view.shown) == 1 and view.shown[0] is not view.teachers["wide"]


def test_a_best_teacher_needs_a_distance(training):
    with pytest.raises(SlimvidError, match="best_every: frame_distance_lite0 is not measured"):
        training(judged(None), best_every=1).step(0)
    assert needs(MethodSettings(method="omgd", options={"best_every": 5})) == ("evaluate",)
    assert needs(MethodSettings(method="omgd")) == ()


def test_the_student_sees_neither_the_truth_nor_a_discriminator(training):
    """Its gradient is that of its distillation alone, and the teachers get none from it."""
    t = training(every=1)
    objective = t.objective
    batch = objective.sample(np.random.default_rng(0), 0)
    view = next(objective.unroll(t.generator, batch))
    g, _ = objective.losses(view)
    own = {"ssim", "feature", "style", "tv", "channel"}
    others = torch.stack([value for name, value in g.items() if name not in own]).sum()
    student = list(t.generator.parameters())
    found = torch.autograd.grad(others, student, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in found)
    mine = torch.stack([g[name] for name in own]).sum()
    teachers = list(objective.nets.parameters())
    assert all(x is None for x in torch.autograd.grad(mine, teachers, retain_graph=True, allow_unused=True))
    assert any(x is not None for x in torch.autograd.grad(mine, student, allow_unused=True))


@pytest.mark.parametrize("stages", [0, 2, 9])
def test_the_first_stages_of_the_discriminators_are_shared(tiny_task, tiny_settings, told, stages):
    run = told(tiny_task)
    one, other = (vid2vid.Objective(run, tiny_settings).discriminators for _ in range(2))
    share(one, other, stages=stages)
    for name in one:
        pairs = zip(one[name].scales[0].stages, other[name].scales[0].stages, strict=True)
        assert [a is b for a, b in pairs] == [i < stages for i in range(5)]


def test_what_is_shared_learns_by_one_optimiser_and_is_saved_once(training):
    t = training(shared=3)
    held = [id(p) for o in t.optimisers.values() for group in o.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    wanted = {id(p) for net in t.networks.values() for p in net.parameters() if p.requires_grad}
    assert set(held) == wanted


def test_it_writes_the_student_alone_and_says_what_taught_it(compressed, kind, tmp_path):
    settings, store = kind
    row = MethodSettings(method="omgd", options={**SMALL, "train": {"iterations": 3}})
    compressed(row, store, tmp_path, teacher=tmp_path, teacher_settings=settings)
    source = artifact.read(tmp_path)
    source.module()
    assert source.provenance["features"].startswith("EfficientNet-Lite0 in the place of VGG-16")
    wide, deep = (source.provenance["teachers"][name] for name in ("wide", "deep"))
    sizes = [json.dumps(spec) for spec in (source.spec, wide, deep)]
    assert len(set(sizes)) == 3
    curves = read_table(tmp_path / "curves.parquet").to_pydict()
    taught = next(name for name in curves if name.startswith("wide_gan"))
    assert np.isfinite(curves[taught]).tolist() == [True, False, False]  # every third step
    assert np.isfinite(curves["ssim"]).all()


@pytest.mark.parametrize("best_every", [None, 2])
def test_a_killed_run_ends_with_the_same_bytes(compressed, kind, tmp_path, monkeypatch, best_every):
    settings, store = kind
    options = {**SMALL, "best_every": best_every, "train": {"iterations": 4, "save_every": 2}}
    row = MethodSettings(method="omgd", options=options)

    class Rising:
        """The first teacher stays the best, whoever asks."""

        def __call__(self, net):
            return {"frame_distance_lite0": 1.0}

        def identity(self):
            return "rising"

    def run(name):
        given = {"teacher": tmp_path, "teacher_settings": settings, "evaluate": Rising()}
        compressed(row, store, tmp_path / name, **given)
        return (tmp_path / name / "weights.safetensors").read_bytes()

    step = Training.step

    def killed(self, index):
        if index == 3:
            raise KeyboardInterrupt
        return step(self, index)

    whole = run("whole")
    monkeypatch.setattr(Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(Training, "step", step)
    assert run("killed") == whole


def test_the_wide_teacher_goes_on_from_the_original(training, kind, told, tmp_path):
    settings, store = kind
    train_original(told(store, tmp_path), settings.model_copy(update={"iterations": 2}))
    source, objective = artifact.read(tmp_path), training(teacher_start="original").objective
    objective.begin_as(source)
    theirs = source.module().state_dict()
    assert all(torch.equal(t, theirs[n]) for n, t in objective.nets["wide"].state_dict().items())
    for own in objective.objectives.values():  # whatever the judges share, they are the original's
        judges = own.discriminators.state_dict()
        assert all(torch.equal(t, judges[n]) for n, t in source.discriminators().items())


def test_a_row_that_goes_on_from_the_original_says_of_which(compressed, kind, told, tmp_path):
    settings, store = kind
    original = told(store, tmp_path / "original")
    train_original(original, settings.model_copy(update={"iterations": 2}))
    options = {**SMALL, "deepen": 0, "teacher_start": "original", "train": {"iterations": 1}}
    row = MethodSettings(method="omgd", options=options)
    compressed(row, store, tmp_path / "row", teacher=tmp_path / "original", teacher_settings=settings)
    said, teacher = artifact.read(tmp_path / "row").provenance, artifact.read(tmp_path / "original")
    assert said["original_sha256"] == teacher.digest()
    assert said["teachers"] == {"wide": teacher.spec}


def test_a_teacher_that_cannot_go_on_from_the_original_is_refused(tiny_settings, tiny_task, told):
    with pytest.raises(ValueError, match=r"`expand: 4` with `width: 0\.25`"):
        Options(width=0.25, expand=2, teacher_start="original")
    condition, options = told(tiny_task).data.meta.condition, Options(teacher_start="original")
    with pytest.raises(SlimvidError, match="not from a compressed row; take `over` away"):
        student_spec(tiny_settings, condition, options, {"kind": "vid2vid"})


def test_specs_are_the_papers(tiny_settings, recyclegan_settings, tiny_task, told):
    condition = told(tiny_task).data.meta.condition
    wide = tiny_settings.model_copy(update={"width": 64})
    options = Options()
    assert student_spec(wide, condition, options, {})["width"] == 16
    specs = teacher_specs(wide, condition, options)
    assert specs["wide"]["width"] == 64 and specs["deep"]["width"] == 16
    assert specs["deep"]["blocks"] == 4 * specs["wide"]["blocks"]
    assert set(teacher_specs(wide, condition, Options(deepen=0))) == {"wide"}


def test_a_u_net_is_taught_by_the_papers_deep_one_at_the_papers_layers(pix2pix_settings, looks_task, told):
    settings = pix2pix_settings.model_copy(update={"width": 64, "downs": 8})
    condition, options = told(looks_task).data.meta.condition, Options()
    specs = teacher_specs(settings, condition, options)
    assert specs["deep"] == {**student_spec(settings, condition, options, {}), "expansions": 2}
    with torch.device("meta"):
        student = build(student_spec(settings, condition, options, {}))
    layers = distilled_layers(student, options)
    channels = tap_channels(student.spec, layers, (256, 256))
    assert channels == [32, 128, 256, 64]  # 2n, 8n, and stacked 16n, 4n (release) with n = 16
    assert len(distilled_layers(build({**student.spec, "downs": 4}), options)) == 3


def test_a_layer_that_is_not_there_is_named(tiny_settings, tiny_task, told):
    condition = told(tiny_task).data.meta.condition
    with pytest.raises(SlimvidError, match=r"layer 'trunk': the student's network has none .* down_seg"):
        student_spec(tiny_settings, condition, Options(layers=("trunk",)), {})


def test_ssim_is_wang_and_colleagues_with_zeros_beyond_the_border():
    draw = np.random.default_rng(0)
    a = draw.uniform(0, 1, (2, 3, 24, 20))
    b = (a + draw.normal(0, 0.1, a.shape)).clip(0, 1)

    def mean(x):
        return gaussian_filter(x, 1.5, truncate=5 / 1.5, mode="constant", axes=(2, 3))  # 11 pixels

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    wanted = (2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    one, other = (torch.from_numpy(x).float() for x in (a, b))
    assert float(ssim(one, other)) == pytest.approx(wanted.mean(), abs=1e-4)
    assert float(ssim(one, one)) == pytest.approx(1.0)


def test_total_variation_and_style_are_their_formulas():
    x = torch.zeros(2, 3, 4, 4)
    x[0, 0, :, 2:] = 1  # one edge of four pixels in one of two pictures
    assert float(total_variation(x)) == 4 / 2
    a, b = torch.rand(1, 2, 3, 3), torch.rand(1, 2, 3, 3)
    gram = [torch.einsum("ncij,ndij->ncd", f, f) / (2 * 9) for f in (a, b)]
    assert float(style(a, b)) == pytest.approx(float((gram[0] - gram[1]).abs().mean()))


def test_equal_pictures_cost_nothing_but_their_variation():
    features = Lite0Features()
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    losses = output_losses(features, picture, [picture, picture])
    assert losses["tv"] == 2 * total_variation(picture)
    assert all(float(losses[name]) == pytest.approx(0, abs=1e-5) for name in ("ssim", "feature", "style"))
    assert float(output_losses(features, -picture, [picture])["ssim"]) > 0.9  # a negative is no likeness
    worse = output_losses(features, picture.flip(3), [picture])
    assert all(float(worse[name]) > 0.01 for name in ("ssim", "feature"))

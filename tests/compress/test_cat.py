"""CAT: what aligned features are, which teacher is pruned to what, and how its student learns."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import slimvid
from slimvid import artifact
from slimvid.compress import cat, cat_budget
from slimvid.compress.cat import student_spec, teacher_spec
from slimvid.compress.cat_distillation import aligned, alignment, distilled_layers
from slimvid.compress.cat_options import Options
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.measure.evaluate import network_cost
from slimvid.measure.latency import Latencies
from slimvid.measure.trace import shapes_only
from slimvid.nets import build
from slimvid.nets.inception_budget import floor
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.spade import spade_spec
from slimvid.settings import MethodSettings
from slimvid.teachers import teacher_module, train_original
from slimvid.training import loop

LABELS = ConditionSpec(kind="labels", label_names=("dark", "bright"))
SIZE = {"height": 32, "width": 32}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def release_ka(x, y):
    """CAT's release: over the pictures of a batch, by their Gram matrices, not centred."""
    kx, ky = (z.flatten(1) @ z.flatten(1).T for z in (x, y))
    return (kx * ky).sum() / ((kx * kx).sum() * (ky * ky).sum()).sqrt()


@pytest.mark.parametrize("shape", [(50, 7, 9), (4, 7, 9), (8, 7, 9)])
def test_alignment_is_equation_one(shape):
    n, p, q = shape
    x, y = random(n, p), random(n, q, seed=1)
    expected = (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())
    assert alignment(x, y).item() == pytest.approx(expected.item())
    assert alignment(x, x).item() == pytest.approx(1)


def test_alignment_does_not_see_rotations_and_sizes_but_other_linear_maps():
    x, y = random(60, 5), random(60, 4, seed=1)
    turned = 7 * x @ torch.linalg.qr(random(5, 5, seed=2)).Q
    assert alignment(turned, y).item() == pytest.approx(alignment(x, y).item())
    assert alignment(x @ torch.diag(torch.tensor([9.0, 1, 1, 1, 1], dtype=x.dtype)), x) < 0.9


def test_features_that_are_all_zero_are_not_aligned_and_have_a_finite_gradient():
    x = torch.zeros(12, 3, requires_grad=True)
    value = alignment(x, torch.ones(12, 2))
    value.backward()
    assert value == 0 and x.grad.isfinite().all()


def test_the_global_form_aligns_places_and_works_for_one_picture():
    ours, theirs = random(1, 6, 4, 5), random(1, 3, 4, 5, seed=1)
    rows = [z.permute(0, 2, 3, 1).reshape(20, -1) for z in (ours, theirs)]
    assert aligned(ours, theirs, "global").item() == pytest.approx(alignment(*rows).item())
    assert aligned(ours, theirs, "batch").item() == pytest.approx(1)  # no gradient: of no use
    assert aligned(ours.flip(3), theirs, "global") != aligned(ours, theirs, "global")


def test_the_batch_form_is_the_releases():
    ours, theirs = random(5, 6, 4, 5), random(5, 3, 8, 2, seed=1)
    assert aligned(ours, theirs, "batch").item() == pytest.approx(release_ka(ours, theirs).item())


def spec_of(settings, condition=None, **changes):
    condition = condition or ConditionSpec(kind="edges")
    return teacher_module(settings).generator_spec(settings.model_copy(update=changes), condition)


def test_the_releases_layers_are_distilled():
    """Of the image generator: the last ReLU before the blocks, and blocks 3, 6 and 9. Of a SPADE: three."""
    with shapes_only():
        net = build(teacher_spec(resnet_spec(8)))
        few = build(teacher_spec(resnet_spec(8, blocks=1)))
        spade = build(teacher_spec(spade_spec(4, condition_channels=2, more=True)))
    assert distilled_layers(net) == ["model.9", "model.12", "model.15", "model.18"]
    assert type(net.model[9]).__name__ == "ReLU" and type(net.model[10]).__name__ == "IncResBlock"
    assert distilled_layers(few) == ["model.9", "model.10"]
    layers = dict(spade.named_modules())
    assert [type(layers[name]).__name__ for name in distilled_layers(spade)] == ["InceptionSpadeBlock"] * 3
    assert [layers[name].spade.norm.num_features for name in distilled_layers(spade)] == [64, 64, 32]


def test_every_path_of_a_video_teacher_is_distilled_as_the_releases_one_is(tiny_settings):
    with shapes_only():
        net = build(teacher_spec(spec_of(tiny_settings, blocks=9, first="generator")))
    expected = {"down_seg.9", "down_seg.12", "down_img.9", "down_img.12"}  # blocks 1 to 5
    expected |= {"res_img.0", "res_img.3", "res_flow.0", "res_flow.3"}  # blocks 6 to 9
    expected |= {"first_frame.9", "first_frame.11", "first_frame.13", "first_frame.14"}  # of its five
    assert set(distilled_layers(net)) == expected


@pytest.fixture
def student(compressed, tiny_task, tiny_settings, tiny_teacher, tmp_path):
    """student(name, ...): the folder of a row's artifact, after two steps of teacher and student each."""

    def run(name="0", **options):
        short = {"least": 2, "train": {"iterations": 2}}
        row = MethodSettings(method="cat", options={**short, **options})
        below = {"teacher": tiny_teacher, "teacher_settings": tiny_settings}
        compressed(row, tiny_task, tmp_path / name, **below)
        return tmp_path / name

    return run


def document(folder):
    return json.loads((folder / "translator.json").read_text())


def test_the_student_fits_its_budget_and_its_artifact_says_how(student, tiny_settings):
    out = student(macs_share=0.5, start="original", teacher={"iterations": 3})
    made = document(out)
    cost, whole = (
        network_cost(s, **SIZE).macs_per_generated_frame for s in (made["spec"], spec_of(tiny_settings))
    )
    assert made["spec"]["kind"] == "inception_vid2vid" and 0.4 < cost / whole <= 0.5
    said = made["provenance"]
    assert said["budget"]["macs_share"] == 0.5
    assert said["budget"]["reached"] == pytest.approx(cost / whole, rel=1e-12)
    assert said["stages"]["teacher"]["settings"]["iterations"] == 3
    assert (
        said["stages"]["teacher"]["start"] == "original"
        and len(said["stages"]["teacher"]["original_sha256"]) == 64
    )
    curves = pq.read_table(out / "curves.parquet").to_pydict()
    assert curves["step"] == list(range(5))
    assert np.isnan(curves["align"]).tolist() == [True] * 3 + [False] * 2
    assert "recon" not in curves and all(-8 < value < 0 for value in curves["align"][3:])
    assert json.loads((out / "training.json").read_text())["updates"] == 5 * 3
    assert not (out / "state").exists()


def begun(monkeypatch):
    """What stages begin with: (part, generator's state, discriminators' state) of each."""
    seen = []

    def train(run, net, objective, *rest, **more):
        state = [{k: t.clone() for k, t in m.state_dict().items()} for m in (net, objective.discriminators)]
        trained = loop.train(run, net, objective, *rest, **more)
        seen.append((run.part, *state, trained))
        return trained

    monkeypatch.setattr(cat, "train", train)
    return seen


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_teacher_begins_with_what_fits_and_the_student_anew_with_the_teachers_discriminators(
    student, tiny_teacher, monkeypatch
):
    stages = begun(monkeypatch)
    student(macs_share=0.5, start="original")
    (first, net, judges, teacher), (second, small, inherited, _) = stages
    assert (first, second) == ("teacher", "student")
    original = artifact.read(tiny_teacher)
    theirs = original.module().state_dict()
    outside = {name for name in theirs if ".body." not in name and name.endswith("weight")}
    assert len(outside) > 20 and all(torch.equal(net[name], theirs[name]) for name in outside)
    assert same(judges, original.discriminators())
    assert same(inherited, teacher.objective.discriminators.state_dict()) and not same(inherited, judges)
    scales = [t for name, t in small.items() if name.endswith("weight") and t.dim() == 1]
    assert all(abs(t - 1).max() < 0.1 for t in scales)  # drawn anew: N(1, 0.02)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_what_is_inherited_does_what_it_did(tiny_settings, tmp_path, norm):
    """Layer by layer, with running statistics and biases that are not those of the beginning."""
    net = build(spec_of(tiny_settings, norm=norm)).train()
    net(torch.rand(4, 3, 32, 32), torch.rand(4, 6, 32, 32))
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    saved = {"task": "t", "method": "original", "plan": {"kind": "every_frame"}, "condition": {}}
    artifact.save(tmp_path, spec=net.spec, provenance={}, state=net.eval().state_dict(), **saved)
    made = build(teacher_spec(net.spec))
    cat.inherit(made, artifact.read(tmp_path))
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(made.eval().down_seg[:10](x), net.down_seg[:10](x), rtol=1e-4, atol=1e-5)
    x = torch.rand(1, 32, 8, 8)
    drawn = [part.final_img(part.up_img(x)) for part in (made, net)]
    torch.testing.assert_close(*drawn, rtol=1e-4, atol=1e-5)


def test_from_scratch_nothing_of_the_original_is_used(student, tiny_teacher, monkeypatch):
    stages = begun(monkeypatch)
    student(macs_share=0.5)
    theirs = artifact.read(tiny_teacher).module().state_dict()
    drawn = [name for name, t in stages[0][1].items() if name in theirs and t.dim() == 4]
    assert drawn and not any(torch.equal(stages[0][1][name], theirs[name]) for name in drawn)


def test_the_pruned_channels_are_the_teachers_least_scaled(student, monkeypatch):
    stages = begun(monkeypatch)
    made = document(student(macs_share=0.5))
    weight = stages[0][3].generator.state_dict()["up_img.1.weight"]
    kept = made["spec"]["widths"]["image"]["up"][0]
    assert kept == max(2, int((weight.abs() > made["provenance"]["threshold"]).sum()))


def test_the_teacher_does_not_learn_while_it_teaches(student, monkeypatch):
    states = []
    distillation = cat.AlignmentDistillation

    class Watched(distillation):
        def losses(self, view, teacher):
            states.append({k: t.clone() for k, t in self.teacher.net.state_dict().items()})
            return super().losses(view, teacher)

    monkeypatch.setattr(cat, "AlignmentDistillation", Watched)
    student(macs_share=0.5)
    assert len(states) > 2 and same(states[0], states[-1])


def test_a_killed_run_ends_with_the_same_bytes(student, tmp_path, monkeypatch):
    options = {"macs_share": 0.5, "train": {"iterations": 4, "save_every": 2}}
    whole = student("whole", **options)
    step, made = loop.Training.step, []

    def killed(self, index):
        if len(made) == 7:  # in the student's fourth step
            raise KeyboardInterrupt
        made.append(self.run.part)
        return step(self, index)

    monkeypatch.setattr(loop.Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        student("killed", **options)
    assert made == ["teacher"] * 4 + ["student"] * 3
    made.clear()
    student("killed", **options)
    assert made == ["student"] * 2
    for name in ("weights.safetensors", "translator.json", "curves.parquet", "training.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (whole / name).read_bytes(), name


def timed(monkeypatch, seconds):
    """Let latencies be ``seconds(spec, number of the call)``; gives the specs that were asked for."""
    asked = []

    def call(self, specs):
        asked.append([dict(spec) for spec in specs])
        return [seconds(spec, len(asked)) for spec in specs]

    monkeypatch.setattr(Latencies, "__call__", call)
    return asked


def by_macs(spec, number):
    return network_cost(spec, **SIZE).macs_per_generated_frame * 1e-9


def test_a_latency_is_a_budget_measured_in_turns_with_the_original(student, tiny_settings, monkeypatch):
    asked = timed(monkeypatch, by_macs)
    made = document(student(latency_share=0.5))
    original = spec_of(tiny_settings)
    share = by_macs(made["spec"], 0) / by_macs(original, 0)
    assert 0.4 < share <= 0.5
    said = made["provenance"]["budget"]
    assert said["latency_share"] == 0.5 and said["reached"] == pytest.approx(share)
    assert said["original_ms"] == pytest.approx(1e3 * by_macs(original, 0)) and said["device"] == "cpu"
    assert all(len(specs) == 2 and specs[1]["kind"] == "vid2vid" for specs in asked[1:])
    names = [json.dumps(specs[0]) for specs in asked[1:]]
    assert len(names) == len(set(names)), "a network is measured once"


def test_a_slow_minute_does_not_change_what_milliseconds_mean(student, tiny_settings, monkeypatch):
    """From the second measurement on, everything takes three times as long: so does the original."""
    timed(monkeypatch, lambda spec, number: by_macs(spec, 0) * (1 if number == 1 else 3))
    budget = 0.5e3 * by_macs(spec_of(tiny_settings), 0)
    made = document(student(latency_ms=budget))
    assert 0.4 < by_macs(made["spec"], 0) / by_macs(spec_of(tiny_settings), 0) <= 0.5


def test_a_killed_run_goes_on_with_what_its_latencies_chose(student, tmp_path, monkeypatch):
    timed(monkeypatch, by_macs)
    step = loop.Training.step

    def killed(self, index):
        if self.run.part == "student":
            raise KeyboardInterrupt
        return step(self, index)

    monkeypatch.setattr(loop.Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        student(latency_share=0.6)
    chosen = json.loads((tmp_path / "0" / "state" / cat_budget.CHOICE).read_text())["choice"]
    monkeypatch.setattr(loop.Training, "step", step)
    timed(monkeypatch, lambda spec, number: 1.0)  # would now refuse the budget
    made = document(student(latency_share=0.6))
    assert made["spec"] == chosen["left"] and made["provenance"]["threshold"] == chosen["threshold"]


def test_real_latencies_choose_a_network(student):
    """With a budget that any network meets on a busy machine."""
    said = document(student(latency_share=5.0))["provenance"]["budget"]
    assert 0 < said["reached"] <= 5 and said["original_ms"] > 0 and "7 turns of 3 frames" in said["latency"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"macs_share": 0.01},
            r"on tiny: macs_share: 0\.01 cannot be met; pruned to the floor it still costs",
        ),
        (
            {"macs_g": 1e-6},
            r"macs_g: 1e-06 cannot be met; .* give at least 0\.00\d+; without pruning it costs 0\.0",
        ),
        ({"latency_ms": 1e-4}, r"latency_ms: 0\.0001 cannot be met; .*least: 2"),
        ({"macs_share": 0.5, "latency_ms": 3}, r": give macs_share or latency_ms, not both"),
        (
            {"kernel": "batch", "train": {"batch": 1}},
            r"kernel: 'batch' .* raise `train\.batch`, or use 'global'",
        ),
        ({"teacher": {"width": 3}}, r"\.teacher\.width: Extra inputs"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_before_anything_trains(student, options, message, monkeypatch):
    monkeypatch.setattr(cat, "train_teacher", lambda *_: pytest.fail("it trained"))
    with pytest.raises(SlimvidError, match=r"methods\.student\.options.*" + message) as error:
        student(**options)
    assert "\n" not in str(error.value)


def test_the_least_budget_that_an_error_names_can_be_met(student, tiny_settings):
    with pytest.raises(SlimvidError) as error:
        student(macs_share=0.01)
    least = float(str(error.value).split("at least ")[1].split(";")[0])
    reached = document(student(macs_share=least))["provenance"]["budget"]["reached"]
    original = spec_of(tiny_settings)
    cheapest, whole = (
        network_cost(spec, **SIZE).macs_per_generated_frame
        for spec in (floor(teacher_spec(original), least=2), original)
    )
    assert cheapest / whole <= reached <= least < 1.002 * cheapest / whole  # four digits, rounded up


def test_a_compressed_row_has_no_place_for_a_teacher(tiny_settings):
    original, condition = spec_of(tiny_settings), ConditionSpec(kind="edges")
    with pytest.raises(SlimvidError, match="not in a compressed row's; take `over` away"):
        student_spec(tiny_settings, condition, Options(), {**original, "width": 4})
    assert student_spec(tiny_settings, condition, Options(), original) == teacher_spec(original)


@pytest.fixture
def compressed_original(told, compressed, tmp_path):
    """compressed_original(settings, store, ...): document and curves of a row on a new original."""

    def run(settings, store, macs_share=0.5):
        train_original(told(store, tmp_path / "t"), settings)
        options = {"macs_share": macs_share, "least": 2, "start": "original", "train": {"iterations": 2}}
        below = {"teacher": tmp_path / "t", "teacher_settings": settings}
        compressed(MethodSettings(method="cat", options=options), store, tmp_path / "0", **below)
        return document(tmp_path / "0"), pq.read_table(tmp_path / "0" / "curves.parquet").to_pydict()

    return run


@pytest.mark.parametrize(("kind", "back"), [("recyclegan", "spatial_source"), ("cyclegan", "cycle_source")])
def test_an_unpaired_original_is_compressed_and_its_student_sees_the_teachers_pictures(
    kind, back, looks_task, compressed_original, request
):
    made, curves = compressed_original(request.getfixturevalue(f"{kind}_settings"), looks_task)
    assert made["spec"]["kind"] == "inception" and made["spec"]["norm"] == "instance_affine"
    assert "back" not in made  # the original keeps its own
    first = [np.isfinite(curves[name]).tolist() for name in (back, "align", "recon")]
    assert first == [[True] * 2 + [False] * 2, *[[False] * 2 + [True] * 2] * 2]


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_papers_pix2pix_is_compressed(looks_task, pix2pix_resnet, compressed_original, norm):
    made, curves = compressed_original(pix2pix_resnet.model_copy(update={"norm": norm}), looks_task)
    assert made["spec"]["norm"] == ("batch" if norm == "batch" else "instance_affine")
    assert np.isfinite(curves["l1"]).all() and "recon" not in curves
    assert np.isnan(curves["align"]).tolist() == [True] * 2 + [False] * 2


def test_the_papers_gaugan_is_compressed(
    labels_task, gaugan_settings, compressed_original, tmp_path, monkeypatch
):
    stages = begun(monkeypatch)
    made, curves = compressed_original(gaugan_settings, labels_task, macs_share=0.15)
    assert made["spec"]["kind"] == "inception_spade" and made["spec"]["condition_channels"] == 2
    (_, net, judges, teacher), (_, small, inherited, _) = stages
    theirs = artifact.read(tmp_path / "t").module().state_dict()
    for own, name in (("fc.0", "fc"), ("last", "last")):  # all that both have outside the blocks
        assert torch.equal(net[f"{own}.weight"], theirs[f"{name}.weight"])
    assert same(inherited, teacher.objective.discriminators.state_dict()) and not same(inherited, judges)
    kept = made["spec"]["blocks"][-1][1]
    assert small["last.weight"].shape[1] == kept and 2 <= kept <= gaugan_settings.width
    said = made["provenance"]["budget"]
    size = {"height": 64, "width": 64}
    cost, whole = (
        network_cost(spec, **size).macs_per_generated_frame
        for spec in (made["spec"], spec_of(gaugan_settings, LABELS))
    )
    assert said["reached"] == pytest.approx(cost / whole) and 0.1 < said["reached"] <= 0.15
    assert np.isfinite(curves["features"]).all() and "recon" not in curves
    assert np.isnan(curves["align"]).tolist() == [True] * 2 + [False] * 2
    assert all(-3 < value < 0 for value in curves["align"][2:])
    conditions = [PreparedTask(labels_task).condition("test", "c", i) for i in range(2)]
    assert len(list(slimvid.load(tmp_path / "0", device="cpu").stream(conditions))) == 2


def test_an_original_without_residual_blocks_is_refused(pix2pix_settings):
    original, condition = spec_of(pix2pix_settings), ConditionSpec(kind="edges")
    with pytest.raises(SlimvidError, match="a unet has none; say `generator: resnet`"):
        student_spec(pix2pix_settings, condition, Options(), original)

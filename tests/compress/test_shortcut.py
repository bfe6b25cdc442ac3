"""Shortcut-V2V's training: any original, the paper's losses, targets that point the right way."""

import json

import numpy as np
import pytest
import torch

from slimvid import artifact
from slimvid.compress import compress
from slimvid.compress.frozen import FrozenTeacher
from slimvid.compress.shortcut import ShortcutTraining, student_spec
from slimvid.compress.shortcut_options import Options
from slimvid.compress.shortcut_pairs import Pairs
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import load
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.settings import MethodSettings, PlanSettings

PLAN = PlanSettings(kind="shortcut", max_interval=3)


@pytest.fixture(scope="module")
def framewise(tmp_path_factory):
    """An original without memory, untrained."""
    out, spec = tmp_path_factory.mktemp("framewise") / "0", resnet_spec(4, blocks=2, in_channels=1)
    torch.manual_seed(0)
    artifact.save(
        out,
        task="tiny",
        method="original",
        spec=spec,
        plan={"kind": "every_frame"},
        condition=ConditionSpec(kind="edges").to_dict(),
        provenance={"seed": 0},
        state=build(spec).state_dict(),
    )
    return out


@pytest.fixture(params=["vid2vid", "framewise"])
def original(request, tiny_teacher, framewise):
    return tiny_teacher if request.param == "vid2vid" else framewise


@pytest.fixture
def run(original, tiny_task, tiny_settings, cpu, tmp_path):
    def go(name="0", plan=PLAN, seed=0, **options):
        options = {"hidden": 4, "train": {"iterations": 3, "disc_width": 4}, **options}
        compress(
            task="tiny",
            row="short",
            settings=MethodSettings(method="shortcut", plan=plan, options=options),
            teacher_settings=tiny_settings,
            seed=seed,
            prepared=tiny_task,
            teacher=original,
            out=tmp_path / name,
            runtime=cpu,
        )
        return tmp_path / name

    return go


def test_the_artifact_holds_the_original_and_the_block(run, original, tiny_task):
    out = run()
    document = json.loads((out / "translator.json").read_text())
    source = artifact.read(original)
    assert document["spec"]["teacher"] == json.loads((original / "translator.json").read_text())["spec"]
    assert document["plan"]["max_interval"] == 3 and document["provenance"]["teacher"] == "original"
    assert document["provenance"]["perceptual_loss"].startswith("off")
    assert not (out / "state").exists()
    t = load(out, device="cpu")
    for name, value in source.module().state_dict().items():
        assert torch.equal(t.net.teacher.state_dict()[name], value)  # frozen, statistics too
    data = PreparedTask(tiny_task)
    conditions = [data.condition("test", "test0", i) for i in range(10)]
    frames, originals = list(t.stream(conditions)), list(load(original, device="cpu").stream(conditions))
    assert len(frames) == 10 and np.array_equal(frames[0], originals[0])
    assert not np.array_equal(frames[1], originals[1])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(run):
    one, two, three = run("a"), run("b"), run("c", seed=1)
    weights = [(p / "weights.safetensors").read_bytes() for p in (one, two, three)]
    assert weights[0] == weights[1] != weights[2]


def test_every_form_trains(run):
    for form in ("sharp", "without_reference", "without_current", "single_stage", "without_blending"):
        spec = json.loads((run(form, form=form) / "translator.json").read_text())["spec"]
        assert spec["form"] == form


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cut": "deep"}, "methods.short.options.cut"),
        ({"cut": [5, 30]}, r"cut \(5, 30\) of .*"),
        ({"hidden": 6}, r"methods.short.options.hidden: .* multiple of 4"),
        ({"vgg": "none.pth"}, "none.pth: no such file"),
    ],
)
def test_wrong_options_are_named(run, changes, message):
    with pytest.raises(SlimvidError, match=message):
        run(**changes)


def test_it_attaches_to_a_compressed_original(tiny_task, tiny_settings, tiny_teacher, cpu, tmp_path):
    """Composition: another method's student is a translator like any other."""
    common = {
        "task": "tiny",
        "teacher_settings": tiny_settings,
        "seed": 0,
        "prepared": tiny_task,
        "runtime": cpu,
    }
    student = MethodSettings(method="uniform", options={"train": {"iterations": 1}})
    compress(row="uniform", settings=student, teacher=tiny_teacher, out=tmp_path / "uniform", **common)
    short = MethodSettings(method="shortcut", plan=PLAN, options={"train": {"iterations": 1}})
    compress(row="both", settings=short, teacher=tmp_path / "uniform", out=tmp_path / "both", **common)
    both = artifact.read(tmp_path / "both")
    assert both.spec["teacher"]["width"] == 4 and both.provenance["teacher"] == "uniform"


@pytest.fixture
def training(original, tiny_task, tiny_settings, cpu):
    def make(**options):
        teacher = FrozenTeacher(original, PreparedTask(tiny_task), cpu)
        options = Options(hidden=8, **options)
        torch.manual_seed(0)
        return ShortcutTraining(
            teacher=teacher,
            net=build(student_spec(tiny_settings, None, options, teacher.source.spec)),
            options=options,
            interval=4,
            settings=tiny_settings,
            data=PreparedTask(tiny_task),
            seed=0,
            runtime=cpu,
        )

    return make


def test_it_learns(training):
    t = training(gan=0, temporal_gan=0)
    losses = [sum(map(float, t.step(i).values())) for i in range(60)]
    assert np.mean(losses[-10:]) < 0.97 * np.mean(losses[:10])


def test_a_fitted_start_is_nearer_the_original(training):
    def first(**options):
        return float(training(gan=0, temporal_gan=0, **options).step(0)["feat"])

    fitted = first(start="fitted", form="sharp")
    assert fitted == first(start="fitted", form="sharp")
    if training().net.past:  # the other original is untrained: its features jump from frame to frame
        assert fitted < 0.8 * first()


def close(one, two):
    return all((a - b).abs().max() < 0.02 for a, b in zip(one, two, strict=True))


def test_pairs_are_the_originals_own_stream(original, tiny_task, cpu):
    """What the network reads at a pair's frames is what it reads there in a whole stream."""
    data = PreparedTask(tiny_task)
    teacher = FrozenTeacher(original, data, cpu)
    pairs, rng = Pairs(teacher, data, batch=3, interval=4, device="cpu"), np.random.default_rng(0)
    seen, distances = {}, set()
    for name in ("train0", "train1"):
        rollout = teacher.net.rollout()
        draw = rollout.draw
        for i in range(12):
            condition = torch.from_numpy(data.condition("train", name, i))[None]
            rollout.draw = lambda *x, draw=draw, at=(name, i): seen.update({at: x}) or draw(*x)
            with torch.no_grad():
                rollout.push(rollout.step(condition).image)
    for _ in range(12):
        pair = pairs.draw(rng)
        ours = [pair.inputs(at) for at in (pair.reference, pair.end)]
        for b in range(3):
            found = [
                [at for at, x in seen.items() if close([u[b] for u in inputs], [v[0] for v in x])]
                for inputs in ours
            ]
            assert all(found)
            distances |= {e[1] - r[1] for r in found[0] for e in found[1] if e[0] == r[0]}
    assert {1, 2, 3} <= distances


def test_between_the_pair_the_encoder_sees_the_blocks_own_frames(training):
    own, teachers = training(history="own"), training(history="teacher")
    pair = next(p for p in iter(lambda: own.pairs.draw(np.random.default_rng(next(seeds))), None) if far(p))
    reference = own._features(pair.inputs(pair.reference))
    ours, theirs = own._student_inputs(pair, reference), teachers._student_inputs(pair, reference)
    assert all(torch.equal(a, b) for a, b in zip(theirs, pair.inputs(pair.end), strict=True))
    same = [torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)]
    assert same == ([True, False] if own.net.past else [True])


seeds = iter(range(100))


def far(pair):
    return not pair.net.past or pair.end - pair.reference > 1


def test_gan_targets_point_the_papers_way(training):
    """Both of the generator's GAN losses fall when its frames look real, in time as well."""
    t = training()
    real, before = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    for name in ("disc", "temporal_disc"):
        t.modules[name] = torch.nn.Module()
        for score in (0.0, 1.0):
            t.modules[name].forward = lambda x, score=score: [torch.full((2, 4), score)]
            g, d = t._judge(before, real, real)
            assert float(g[name.replace("disc", "gan")]) == 1 - score
            assert float(d[name]) == 0.5
        t.modules[name].forward = lambda x: [x.flatten(1)]


def test_the_temporal_discriminator_sees_the_reference_first(training):
    t = training()
    seen = []
    t.modules["temporal_disc"].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    before, real, fake = (torch.rand(1, 3, 32, 32) for _ in range(3))
    t._judge(before, real, fake)
    for x, second in zip(seen, (real, fake), strict=True):
        assert x.shape == (1, 3, 2, 32, 32)
        assert torch.equal(x[:, :, 0], before) and torch.equal(x[:, :, 1], second)


def test_the_papers_weights():
    o = Options()
    assert (o.align, o.feat, o.out, o.perc, o.gan, o.temporal_gan) == (5, 5, 10, 10, 1, 1)
    thin = student_spec(None, None, Options(width=0.25), resnet_spec(64, blocks=6))
    assert thin["hidden"] == 16

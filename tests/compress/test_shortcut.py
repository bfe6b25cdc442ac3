"""Shortcut-V2V's training: any original, the paper's losses, targets that point the right way."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from slimvid import artifact
from slimvid.compress.shortcut import ShortcutObjective, student_spec
from slimvid.compress.shortcut_options import Options
from slimvid.compress.shortcut_windows import Windows
from slimvid.data.condition import ConditionSpec
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import load
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.settings import MethodSettings, PlanSettings
from slimvid.teachers import train_original
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.loop import Training

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
def run(compressed, original, tiny_task, tiny_settings, tmp_path):
    def go(name="0", plan=PLAN, seed=0, **options):
        options = {"hidden": 4, "train": {"iterations": 3, "disc_width": 4}, **options}
        settings = MethodSettings(method="shortcut", plan=plan, options=options)
        below = {"teacher": original, "teacher_settings": tiny_settings}
        compressed(settings, tiny_task, tmp_path / name, row="short", seed=seed, **below)
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


def test_it_attaches_to_a_compressed_original(compressed, tiny_task, tiny_settings, tiny_teacher, tmp_path):
    """Composition: another method's student is a translator like any other."""

    def put_over(method, row, teacher, **plan):
        settings = MethodSettings(method=method, options={"train": {"iterations": 1}}, **plan)
        below = {"teacher": teacher, "teacher_settings": tiny_settings}
        compressed(settings, tiny_task, tmp_path / row, row=row, **below)

    put_over("uniform", "uniform", tiny_teacher)
    put_over("shortcut", "both", tmp_path / "uniform", plan=PLAN)
    both = artifact.read(tmp_path / "both")
    assert both.spec["teacher"]["width"] == 4 and both.provenance["teacher"] == "uniform"


@pytest.fixture
def training(original, tiny_task, tiny_settings, told):
    def make(**options):
        run = told(tiny_task)
        teacher = FrozenTeacher(original, run)
        options = Options(hidden=8, interval=4, **options)
        torch.manual_seed(0)
        net = build(student_spec(tiny_settings, None, options, teacher.source.spec))
        objective = ShortcutObjective(run, tiny_settings, net=net, options=options, teacher=teacher)
        return Training(run, net, objective)

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
    if training().generator.past:  # the other original is untrained: its features jump from frame to frame
        assert fitted < 0.8 * first()


def walked(t, window, mark):
    """The views of a window; every shortcut frame shows the number ``mark`` everywhere."""
    found = []
    for view in t.objective.unroll(t.generator, window):
        view.out.image.data.fill_(mark)
        found.append(view)
    return found


def test_the_target_is_the_originals_own_stream_from_the_windows_start(training):
    t = training()
    window = t.objective.windows.draw(np.random.default_rng(0))
    rollout, frames = t.generator.teacher.rollout(), []
    for condition in window.conditions.unbind(1):
        with torch.no_grad():
            frames.append(rollout.step(condition).image)
        rollout.push(frames[-1])
    views = walked(t, window, 0.5)
    places = [i for i in range(len(frames)) if i % window.interval]
    assert len(views) == len(places)
    for view, place in zip(views, places, strict=True):
        assert torch.allclose(view.target.image, frames[place], atol=1e-5)
        assert torch.allclose(view.before, frames[place - place % window.interval], atol=1e-5)


def test_streams_see_the_blocks_own_frames_and_begin_a_second_cycle(training):
    own, teachers = training(history="own"), training(history="teacher")
    if not own.generator.past:
        assert own.objective.windows.draw(np.random.default_rng(0)).conditions.shape[1] == 2  # a pair
        return
    window = own.objective.windows.draw(np.random.default_rng(0))
    assert window.conditions.shape[1] > window.interval + 1
    ours, theirs = walked(own, window, 0.5), walked(teachers, window, 0.5)
    assert torch.equal(ours[0].inputs[1], theirs[0].inputs[1])
    assert (ours[1].inputs[1][:, -3:] == 0.5).all() and not (theirs[1].inputs[1] == 0.5).any()
    # the second cycle's full frame follows the block's frames, in its reference and in what comes after
    second = window.interval - 1
    assert torch.equal(ours[0].reference.image, ours[0].before)
    assert not torch.equal(ours[second].reference.image, ours[second].before)
    assert torch.equal(theirs[second].reference.image, theirs[second].before)


def test_pairs_are_apart_by_every_distance_below_the_interval(framewise, tiny_task):
    data = PreparedTask(tiny_task)
    net = artifact.read(framewise).module()
    windows = Windows(net, data, first="zero", batch=3, interval=4, learned=1)
    rng, seen = np.random.default_rng(0), set()
    clips = [data.window("train", n, range(12), flow=False).conditions for n in ("train0", "train1")]
    for _ in range(12):
        for pair in windows.draw(rng).conditions.numpy():
            at = [next(i for c in clips for i in range(12) if np.array_equal(c[i], x)) for x in pair]
            seen.add(at[1] - at[0])
    assert seen == {1, 2, 3}


@pytest.mark.parametrize("first", ["real", "generator"])
def test_other_ways_to_begin_a_stream(first, tiny_task, tiny_settings, told, tmp_path):
    """Given frames are the true ones, a first frame of its own branch is nobody's reference."""
    settings = tiny_settings.model_copy(update={"first": first, "iterations": 1})
    run = told(tiny_task, tmp_path / "0")
    train_original(run, settings)
    teacher, options = FrozenTeacher(tmp_path / "0", run), Options(hidden=8, interval=3)
    net = build(student_spec(settings, None, options, teacher.source.spec))
    t = Training(run, net, ShortcutObjective(run, settings, net=net, options=options, teacher=teacher))
    window = t.objective.windows.draw(np.random.default_rng(0))
    assert window.begin == {"real": 2, "generator": 1}[first]
    views = walked(t, window, 0.5)
    if (
        first == "real"
    ):  # the reference is frame 2: its own image is in the view's inputs, after given frame 1
        assert torch.equal(views[0].inputs[1][:, :3], window.truth[:, 1])
    assert torch.equal(views[0].inputs[1][:, -3:], views[0].reference.image)
    assert all(torch.isfinite(v) for v in t.step(0).values())


@pytest.mark.parametrize("decode", ["raw", "blended", None])
def test_both_ways_to_decode_train_and_stream(run, original, tiny_task, decode):
    """None is blended where the original blends; the block moves, and a stream shows what it trained for."""
    blends = artifact.read(original).spec["kind"] == "vid2vid"
    if decode == "blended" and not blends:
        with pytest.raises(SlimvidError, match="nothing to blend"):
            run(decode=decode)
        return
    out = run(str(decode), decode=decode)
    source = artifact.read(out)
    assert source.spec["point"]["blended"] == (blends and decode != "raw")
    curves = pq.read_table(out / "curves.parquet").to_pydict()
    assert len(curves["out"]) == 3 and np.isfinite(curves["out"]).all()
    trained = source.module().block.state_dict()
    fresh = artifact.read(run("fresh", decode=decode, train={"iterations": 1, "lr": 1e-12}))
    moved = [
        not torch.allclose(a, trained[n], atol=1e-5) for n, a in fresh.module().block.state_dict().items()
    ]
    assert any(moved)
    data, translator = PreparedTask(tiny_task), load(out, device="cpu")
    clip = [data.condition("test", "test0", i) for i in range(7)]
    in_full: list[int] = []
    frames = np.stack(list(translator.draw(clip, in_full=in_full)))
    assert in_full == [0, 3, 6] and frames.std() > 0
    assert np.array_equal(frames, np.stack(list(translator.stream(clip))))


@pytest.mark.parametrize("decode", ["raw", "blended"])
def test_the_target_is_what_the_decoder_can_show(training, decode):
    """From the original's own features, the decoder's picture is exactly what the loss compares with."""
    if not training().generator.past:
        if decode == "blended":
            with pytest.raises(SlimvidError, match="nothing to blend"):
                training(decode=decode)
        return
    t = training(decode=decode)
    view = walked(t, t.objective.windows.draw(np.random.default_rng(0)), 0.5)[0]
    with torch.no_grad():
        shown = t.generator.parts.decode(view.target.f, *view.inputs).image
    assert torch.allclose(shown, view.target.aim, atol=1e-5)
    assert torch.equal(view.target.aim, view.target.image) == (decode == "blended")


def test_gan_targets_point_the_papers_way(training):
    """Both of the generator's GAN losses fall when its frames look real, in time as well."""
    t = training().objective
    real, before = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    for name in ("disc", "temporal_disc"):
        t.discriminators[name] = torch.nn.Module()
        for score in (0.0, 1.0):
            t.discriminators[name].forward = lambda x, score=score: [torch.full((2, 4), score)]
            g, d = t._judge((before, real), (before, real))
            assert float(g[name.replace("disc", "gan")]) == 1 - score
            assert float(d[name]) == 0.5
        t.discriminators[name].forward = lambda x: [x.flatten(1)]


def test_the_temporal_discriminator_sees_the_reference_first(training):
    t = training().objective
    seen = []
    t.discriminators["temporal_disc"].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    before, real, fake = (torch.rand(1, 3, 32, 32) for _ in range(3))
    t._judge((before, real), (before, fake))
    for x, second in zip(seen, (real, fake), strict=True):
        assert x.shape == (1, 3, 2, 32, 32)
        assert torch.equal(x[:, :, 0], before) and torch.equal(x[:, :, 1], second)


def test_the_papers_weights():
    o = Options()
    assert (o.align, o.feat, o.out, o.perc, o.gan, o.temporal_gan) == (5, 5, 10, 10, 1, 1)
    thin = student_spec(None, None, Options(width=0.25), resnet_spec(64, blocks=6))
    assert thin["hidden"] == 16


@pytest.mark.parametrize("kind", ["pix2pix", "cyclegan"])
def test_it_attaches_to_an_image_original_of_a_video(
    kind, compressed, looks_task, pix2pix_resnet, cyclegan_settings, told, tmp_path
):
    settings = pix2pix_resnet if kind == "pix2pix" else cyclegan_settings
    train_original(told(looks_task, tmp_path / "original"), settings)
    options = {"hidden": 4, "train": {"iterations": 3, "disc_width": 4}}
    row = MethodSettings(method="shortcut", plan=PLAN, options=options)
    below = {"teacher": tmp_path / "original", "teacher_settings": settings}
    compressed(row, looks_task, tmp_path / "short", row="short", **below)
    data = PreparedTask(looks_task)
    conditions = [data.condition("test", "c", i) for i in range(3)]
    frames, own = (
        list(load(tmp_path / name, device="cpu").stream(conditions)) for name in ("short", "original")
    )
    assert np.array_equal(frames[0], own[0])
    assert not np.array_equal(frames[1], own[1])

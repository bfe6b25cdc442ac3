"""GAN Compression: stages, each from the one before; a search that measures once; a plain network."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pyarrow.parquet import read_table

from slimvid import artifact
from slimvid.compress import compress
from slimvid.compress.gan_compression import channel_space, student_spec
from slimvid.compress.gan_compression_cache import Cache
from slimvid.compress.gan_compression_options import Options
from slimvid.errors import SlimvidError
from slimvid.measure.evaluate import Costs
from slimvid.nets.slicing import sub_network
from slimvid.nets.spade import spade_spec, spade_subnet_spec
from slimvid.rows import check
from slimvid.settings import MethodSettings
from slimvid.teachers import recyclegan, student_objective, teacher_module, train_original, vid2vid
from slimvid.training import loop
from slimvid.training.inherit import begin_as
from slimvid.training.statistics import drawn_batches, needs_statistics, take_statistics

LENGTHS = {"teacher": 2, "distill": 2, "supernet": 3, "finetune": 2}
SPACE = {"stem": [0.5], "trunk": [0.5], "up": [0.75, 0.25], "calibrate": 12}


class Evaluate:
    """Stands in for the measure: wants small weights; PSNR is how many there are.

    Of single pictures there is the distance of frames alone.
    """

    def __init__(self, *, pictures=False):
        self.seen, self.distance = [], f"{'frame' if pictures else 'video'}_distance_lite0"

    def __call__(self, net):
        assert not net.training
        weights = torch.cat([p.detach().flatten() for p in net.parameters()])
        if "separable" in net.spec["kind"] or net.spec.get("separable"):  # else it is the original
            self.seen.append(json.dumps(net.spec))
        return {
            self.distance: float(weights.square().mean()),
            "psnr": float(len(weights)),
            "ssim": None,
        }

    def identity(self):
        return "fixed"


KINDS = {
    "vid2vid": ("tiny_settings", "tiny_task"),
    "recyclegan": ("recyclegan_settings", "looks_task"),
    "pix2pix": ("pix2pix_resnet", "looks_task"),
    "cyclegan": ("cyclegan_settings", "looks_task"),
    "gaugan": ("gaugan_short", "labels_task"),
}
every_kind = pytest.mark.parametrize("kind", KINDS, indirect=True)


@pytest.fixture
def gaugan_short(gaugan_settings):
    """Separable SPADEs begin at two pixels a side: with five up-samplings of 64."""
    return gaugan_settings.model_copy(update={"ups": 5})


@pytest.fixture(params=["vid2vid", "recyclegan"])
def kind(request):
    """Settings and store of a kind of original."""
    settings, store = KINDS[request.param]
    return request.getfixturevalue(settings), request.getfixturevalue(store)


@pytest.fixture
def original(kind, told, tmp_path):
    settings, store = kind
    train_original(told(store, tmp_path / "original"), settings)
    return tmp_path / "original"


@pytest.fixture
def row(kind, original, told, tmp_path):
    """row(name, options, evaluate): run the method; gives its folder."""

    def go(name, evaluate=None, **options):
        settings, store = kind
        own = {"iterations": LENGTHS, "budget": 1.0, **SPACE, **options}
        run = told(store, tmp_path / name, row="gc")
        compress(
            run,
            MethodSettings(method="gan_compression", options=own),
            teacher=original,
            teacher_settings=settings,
            cost=Costs(run),
            evaluate=evaluate or Evaluate(),
        )
        return tmp_path / name

    return go


def space(kind, **options):
    settings, _ = kind
    spec = teacher_module(settings).generator_spec(settings, SimpleNamespace(channels=1, foreground=()))
    return channel_space(spec, settings.width, Options(**options))


@every_kind
def test_all_stages_run_and_a_plain_network_is_kept(row, kind):
    evaluate = Evaluate()
    out = row("gc", evaluate)
    source = artifact.read(out)
    source.module()
    search = source.provenance["search"]
    size = {"vid2vid": 2**4, "gaugan": 2**3}.get(kind[0].teacher, 2**2)
    assert len(evaluate.seen) == len(set(evaluate.seen)) == search["evaluated"] == size
    assert {"teacher", "distill", "supernet"} == set(source.provenance["stages"])
    curves = read_table(out / "curves.parquet").to_pydict()
    assert len(curves["step"]) == sum(LENGTHS.values())
    own = kind[0].teacher in ("pix2pix", "gaugan")  # whose own objective has such a loss
    taught = {"distill"} if own else {"distill", "recon"}
    assert {"distill", "recon"} & set(curves) == taught
    assert all(np.isnan(curves[name]).tolist() == [True] * 2 + [False] * 7 for name in taught)
    history = read_table(out / "search.parquet").to_pydict()
    assert history["config"] == list(dict.fromkeys(history["config"])) and len(history["config"]) == len(
        evaluate.seen
    )
    best = history["chosen"].index(True)
    assert history["config"][best] == search["chosen"] and history["front"][best]
    assert history["video_distance_lite0"][best] == min(history["video_distance_lite0"])
    assert history["macs"][best] == search["values"]["macs"] and search["original"]["psnr"] > 0
    assert "<svg" in (out / "search.svg").read_text()
    assert not (out / "state").exists()


def test_the_fast_pipeline_has_two_stages_and_the_original_for_teacher(row):
    out = row("gc", pipeline="fast", iterations={"supernet": 2, "finetune": 0}, search="evolution",
              evolution={"population": 4, "generations": 2})  # fmt: skip
    provenance = artifact.read(out).provenance
    assert "stages" not in provenance and provenance["teacher"] == "original"
    assert provenance["search"]["by"] == "evolution"
    assert len(read_table(out / "curves.parquet")) == 2
    artifact.read(out).module()


def test_within_a_budget_the_best_is_chosen_and_nothing_above_it_is_tried(row, kind, original):
    own = channel_space(artifact.read(original).spec, kind[0].width, Options(**SPACE))
    shares = own.share(list(own))
    budget = float(np.sort(shares)[len(shares) // 2])
    out = row("gc", budget=budget, metric="psnr")
    history = read_table(out / "search.parquet").to_pydict()
    assert len(history["config"]) == int((shares <= budget).sum()) < own.size
    best = history["chosen"].index(True)
    assert history["psnr"][best] == max(history["psnr"])  # the metric of which more is better
    assert max(history["share_of_original_macs"]) <= budget


FILES = (
    "weights.safetensors",
    "translator.json",
    "curves.parquet",
    "training.json",
    "search.parquet",
    "search.svg",
)


@pytest.mark.parametrize("at", ["teacher", "distill", "supernet", "search", "finetune"])
def test_killed_in_any_stage_it_ends_with_the_same_bytes(row, monkeypatch, at):
    """And nothing that was finished is done again."""
    changes = {"train": {"save_every": 1}}
    whole = row("whole", **changes)
    step, dies, made = loop.Training.step, [True], []

    def fragile(self, index):
        if dies[0] and self.run.part == at and index == 1:
            raise KeyboardInterrupt
        made.append((self.run.part, index))
        return step(self, index)

    class Fragile(Evaluate):
        def __call__(self, net):
            if dies[0] and at == "search" and len(self.seen) == 2:
                raise KeyboardInterrupt
            return super().__call__(net)

    monkeypatch.setattr(loop.Training, "step", fragile)
    first, second = Fragile(), Fragile()
    with pytest.raises(KeyboardInterrupt):
        row("killed", first, **changes)
    dies[0] = False
    killed = row("killed", second, **changes)
    assert len(made) == len(set(made)) == sum(LENGTHS.values())
    assert not set(first.seen) & set(second.seen)
    for file in FILES:
        assert (killed / file).read_bytes() == (whole / file).read_bytes(), file


def test_a_decomposed_teacher_may_begin_as_the_original(kind, original, told):
    settings, store = kind
    run, source = told(store), artifact.read(original)
    own = channel_space(source.spec, settings.width, Options())
    decomposed = run.network(own.spec([settings.width] * len(own.positions)))
    begin_as(decomposed, source.module())
    whole, new = source.module().state_dict(), decomposed.state_dict()
    shared = [name for name in new if name in whole and new[name].shape == whole[name].shape]
    assert all(torch.equal(new[name], whole[name]) for name in shared)
    blocks = [name for name in new if ".body." in name]
    assert blocks and {n for n in new if n not in shared} == {n for n in blocks if n not in shared}


def test_without_pairs_the_teachers_frames_are_the_pairs(recyclegan_settings, looks_task, told):
    run = told(looks_task)
    objective = student_objective(run, recyclegan_settings)
    assert set(objective.discriminators) == {"target_disc"}
    net = run.network(recyclegan.generator_spec(recyclegan_settings, run.data.meta.condition))
    batch = objective.sample(np.random.default_rng(0), 0)
    (view,) = objective.unroll(net, batch)
    g, d = objective.losses(view)
    assert set(g) == {"gan_target"} and set(d) == {"disc_target"}
    assert student_objective(told(looks_task), recyclegan_settings).networks(net).keys() == {
        "generator", "target_disc",
    }  # fmt: skip


def test_statistics_are_the_mean_over_all_pictures(tiny_settings, tiny_task, told):
    """The release's momentum of 1 leaves those of the last batch."""
    settings = tiny_settings.model_copy(update={"norm": "batch"})
    run = told(tiny_task)
    net = run.network(vid2vid.generator_spec(settings, run.data.meta.condition))
    objective = vid2vid.Objective(run, settings)
    assert needs_statistics(net)
    batches = drawn_batches(objective, 15)
    assert len(batches) == 3  # of 2 x 3 frames
    seen = []
    handle = net.down_seg[1].register_forward_hook(lambda *args: seen.append(args[-1].detach()))
    take_statistics(net, objective, batches)
    handle.remove()
    norm = net.down_seg[2]
    assert len(seen) == 9 and not net.training and norm.momentum == 0.1
    torch.testing.assert_close(norm.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    variances = [x.transpose(0, 1).flatten(1).var(1) for x in seen]
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(norm.running_mean, seen[-1].mean((0, 2, 3)), rtol=1e-3)


def test_a_sub_network_is_judged_with_its_own_statistics(tiny_task, tiny_settings, told, tmp_path):
    """Of batch norm, they differ from the first entries of the whole's."""
    settings = tiny_settings.model_copy(update={"norm": "batch"})
    train_original(told(tiny_task, tmp_path / "original"), settings)
    run = told(tiny_task, tmp_path / "gc", row="gc")
    nets = []

    class Keeping(Evaluate):
        def __call__(self, net):
            nets.append(net) if "separable" in net.spec["kind"] else None
            return super().__call__(net)

    options = {"iterations": {**LENGTHS, "finetune": 0}, "budget": 1.0, "calibrate": 12}
    options |= {"stem": [0.5], "trunk": [0.75, 0.5], "up": [0.5]}
    compress(
        run,
        MethodSettings(method="gan_compression", options=options),
        teacher=tmp_path / "original",
        teacher_settings=settings,
        cost=Costs(run),
        evaluate=Keeping(),
    )
    means = [net.state_dict()["up_img.1.running_mean"] for net in nets]
    assert len({tuple(mean.tolist()) for mean in means}) == len(means) > 1
    kept = artifact.read(tmp_path / "gc")
    assert kept.provenance["search"]["statistics_frames"] == 12
    chosen = next(
        net for net in nets if net.spec == kept.spec or json.dumps(net.spec) == json.dumps(kept.spec)
    )
    assert torch.equal(
        kept.module().state_dict()["up_img.1.running_mean"], chosen.state_dict()["up_img.1.running_mean"]
    )


def test_of_single_pictures_the_search_wants_their_distance(row, tmp_path):
    said = artifact.read(row("gc", Evaluate(pictures=True))).provenance["search"]
    assert said["metric"] == "frame_distance_lite0" and said["values"]["frame_distance_lite0"] > 0
    with pytest.raises(
        SlimvidError, match=r"gc\.options\.metric: video_d.* is not measured .* frame_d.*, psnr"
    ):
        row("other", Evaluate(pictures=True), metric="video_distance_lite0")
    assert not (tmp_path / "other").exists()


def test_a_metric_that_a_task_lacks_names_those_that_there_are(row, tmp_path):
    with pytest.raises(
        SlimvidError, match=r"methods.gc.options.metric: ssim is not measured .* give one of video_d.*, psnr"
    ):
        row("gc", metric="ssim")
    assert not (tmp_path / "gc").exists()  # before anything was trained


@every_kind
def test_budgets_that_cannot_be_are_refused_before_anything_runs(kind):
    settings, _ = kind
    condition = SimpleNamespace(channels=1, foreground=())
    below = teacher_module(settings).generator_spec(settings, condition)
    with pytest.raises(SlimvidError, match=r"budget: 0.001 .* which costs 0\.\d+ to 0\.\d+; raise it"):
        student_spec(settings, condition, Options(budget=0.001), below)
    with pytest.raises(SlimvidError, match="take `over` away"):
        student_spec(settings, condition, Options(), {**below, "norm": "instance_affine"})
    own = space(kind, **SPACE)
    ordered = sorted(own, key=lambda config: own.share([config])[0])
    budget = own.share(ordered[2:3])[0]
    spec = student_spec(settings, condition, Options(**SPACE, budget=budget), below)
    assert own.share([config for config in own if own.spec(config) == spec]).tolist() == [budget]


@pytest.mark.parametrize(("pipeline", "size", "widest"), [("full", 15_552, 48), ("fast", 128_000, 64)])
def test_the_spaces_of_gaugan_are_the_releases(pipeline, size, widest):
    own = channel_space(spade_spec(64), 64, Options(pipeline=pipeline))
    assert own.size == size and own.largest == (widest,) * 8
    paper = own.spec((32, 32, 48, 32, 32, 32, 32, 24))
    assert paper == spade_subnet_spec("32_32_48_32_32_32_32_24")


def test_a_unet_is_refused(pix2pix_settings):
    condition = SimpleNamespace(channels=1)
    below = teacher_module(pix2pix_settings).generator_spec(pix2pix_settings, condition)
    with pytest.raises(SlimvidError, match="a unet has none; say `generator: resnet`"):
        student_spec(pix2pix_settings, condition, Options(), below)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"stem": []}, "stem: Value should have at least 1 item"),
        ({"up": [0.5, 0.5]}, "up: 0.5 stands there twice"),
        ({"teacher_width": 0.5}, "teacher_width: 0.5 is less than 0.75"),
        ({"pipeline": "fast", "teacher_start": "original"}, "teacher_start belongs to `pipeline: full`"),
        ({"pipeline": "fast", "iterations": {"distill": 2}}, "iterations.distill belongs to"),
        ({"budget": 0}, "budget: Input should be greater than 0"),
        ({"evolution": {"mutate": 0}}, "evolution.mutate"),
    ],
)
def test_options_that_cannot_be_are_one_line(options, fault):
    with pytest.raises(SlimvidError, match=fault):
        check(Options, options, origin="methods.gc.options")


def test_a_damaged_or_foreign_cache_is_one_line_and_loses_nothing_else(tmp_path, caplog):
    cache = Cache(tmp_path, "a" * 64)
    for i in range(4):
        cache.add(f"{i}_8", {"macs": i, "psnr": None})
    again = Cache(tmp_path, "a" * 64)
    assert again.found == cache.found and not caplog.records
    lines = cache.path.read_text().splitlines()
    lines[1] = lines[1].replace('"macs": 1', '"macs": 7')
    cache.path.write_text("\n".join(lines)[:-5])  # and the last was being written when the process died
    torn = Cache(tmp_path, "a" * 64)
    assert sorted(torn.found) == ["0_8", "2_8"]
    (record,) = caplog.records
    assert "2 of 4 lines are damaged or of another search" in record.message
    assert cache.path.with_suffix(".damaged").read_text() == "\n".join(lines)[:-5]
    torn.add("9_8", {"macs": 1})
    assert sorted(Cache(tmp_path, "a" * 64).found) == ["0_8", "2_8", "9_8"] and len(caplog.records) == 1
    other = Cache(tmp_path, "b" * 64)
    assert not other.found and other.path != cache.path
    other.path.write_bytes(cache.path.read_bytes())
    assert not Cache(tmp_path, "b" * 64).found and "3 of 3 lines" in caplog.records[-1].message
    other.path.write_bytes(b"\x00\xff\n[1]\n")
    assert not Cache(tmp_path, "b" * 64).found


def test_export_is_quick(kind):
    from time import perf_counter

    from slimvid.nets import build

    own = space(kind)
    net = build(own.spec(own.largest))
    begun = perf_counter()
    sub_network(net.state_dict(), own.spec(own.smallest))
    assert perf_counter() - begun < 5  # it is a hundredth of a second: what is refused is drawing weights

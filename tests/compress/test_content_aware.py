"""Content-aware compression: what is scored, what stays, whose weights it is, where it learns."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from slimvid import artifact
from slimvid.compress import content_aware
from slimvid.compress.content_aware import ContentDistillation, student_spec
from slimvid.compress.content_aware_options import Options
from slimvid.compress.content_aware_region import Content
from slimvid.compress.content_aware_scores import Scorer, _salt_and_pepper
from slimvid.data.clip import Clip
from slimvid.data.condition import ConditionSpec
from slimvid.data.drawing import face_region
from slimvid.data.store import PreparedTask, TaskMeta, write_prepared
from slimvid.errors import SlimvidError
from slimvid.nets.framewise import Drawn, FrameWise
from slimvid.nets.pruning import Stream, strongest
from slimvid.settings import MethodSettings
from slimvid.teachers import teacher_module, train_original
from slimvid.training import loop
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.objective import View
from slimvid.training.sequences import Batch, sample

FACE = np.stack([np.linspace(8, 24, 68), 16 - 8 * np.sin(np.linspace(0, 3, 68))], 1).astype(np.float32)
FACE[:17] = np.stack([np.linspace(8, 24, 17), 16 + 10 * np.sin(np.linspace(0, np.pi, 17))], 1)
SPLITS = ("train", "val", "test")
STREET = ConditionSpec(kind="labels", label_names=("road", "car", "sky"), foreground=(1,))


FRAMES = 12


def clip(name, seed, **maps):
    """Noise with a bright patch, and the maps of its condition, the same in every frame."""
    frames = np.random.default_rng(seed).integers(0, 256, (FRAMES, 32, 32, 3)).astype(np.uint8)
    still = {"flow": np.zeros((2, 32, 32), np.float16), "flow_valid": np.ones((32, 32), np.uint8)}
    return Clip(
        name=name, fps=10.0, frames=frames, **{k: np.stack([m] * FRAMES) for k, m in (still | maps).items()}
    )


def street():
    """A car below right, sky above, road elsewhere, no label at the left border."""
    labels = np.zeros((32, 32), np.uint8)
    labels[:12], labels[20:, 16:], labels[:, :2] = 2, 1, 255
    return labels


def box(rows, columns, value):
    canvas = np.zeros((32, 32, *np.shape(value)), np.uint8)
    canvas[rows, columns] = value
    return canvas


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Prepared stores: a face with landmarks, a street with a car, a body at the right."""
    root = tmp_path_factory.mktemp("stores")
    surface = box(slice(8, 24), slice(20, 28), (200, 100, 50))
    corners = box([4, 4, 20], [4, 10, 10], 255)
    kinds = {
        "face": (ConditionSpec(kind="edges"), {"edges": corners, "landmarks": FACE}),
        "street": (STREET, {"labels": street()}),
        "body": (
            ConditionSpec(kind="pose"),
            {"densepose": surface, "keypoints": np.zeros((1, 25, 3), np.float32)},
        ),
    }
    for name, (condition, maps) in kinds.items():
        meta = TaskMeta(task=name, source="toy", condition=condition, height=32, width=32, fps=10.0)
        write_prepared(root / name, meta, {s: [clip(s, i, **maps)] for i, s in enumerate(SPLITS)})
    return root


@pytest.fixture
def student(compressed, tiny_task, tiny_settings, tiny_teacher, tmp_path):
    """student(name, ...): the folder of a row's artifact, after two steps."""

    def run(name="0", *, row="student", **options):
        options = {"removed": 0.5, "samples": 2, "train": {"iterations": 2}, **options}
        settings = MethodSettings(method="content_aware", options=options)
        below = {"teacher": tiny_teacher, "teacher_settings": tiny_settings}
        compressed(settings, tiny_task, tmp_path / name, row=row, **below)
        return tmp_path / name

    return run


def provenance(folder):
    return json.loads((folder / "translator.json").read_text())["provenance"]


class Halves(FrameWise, nn.Module):
    """Draws the left half from channel 0 alone, the right half from channel 1."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(2, 3, 1)

    def forward(self, x):
        seen = torch.zeros(len(x), 2, *x.shape[2:])
        half = x.shape[3] // 2
        seen[:, 0, :, :half] = seen[:, 1, :, half:] = 1
        return self.last(seen).tanh()


def halves_score(mask, *, noise=0.5, samples=3):
    """The scores of the two channels by content where ``mask`` (32 x 32) is 1."""
    net = Halves()
    batch = Batch(*(torch.zeros(2, 1, c, 32, 32) for c in (3, 1, 2, 1)), [("clip", [0])] * 2)
    content = SimpleNamespace(
        region="toy", masks=lambda b: torch.as_tensor(mask).float().expand(len(b.frames), 1, 1, 32, 32)
    )
    found = [Stream(read=[("last.weight", 1)])]
    scorer = Scorer(net=net, found=found, first="zero", given=0, content=content, noise=noise)
    objective = SimpleNamespace(run=SimpleNamespace(seed=0), sample=lambda rng, index: batch)
    return scorer.score(objective, samples=samples)


def test_a_channel_that_matters_outside_the_content_alone_scores_nothing():
    right = torch.zeros(32, 32)
    right[:, 16:] = 1
    found = halves_score(right)
    assert found.values[0][0] == 0 < found.values[0][1]
    assert found.frames == 3 and found.pixels == 3 * 32 * 16
    most = right + 0.0
    most[:, 12:16] = 1  # a quarter of the left half belongs to it, too
    left, whole = halves_score(most).values[0]
    assert 0 < left < whole


def test_noise_is_salt_and_pepper_on_a_share_of_the_pixels():
    hit, value = _salt_and_pepper(np.random.default_rng(0), (1, 1, 200, 200), 0.05)
    assert hit.mean() == pytest.approx(0.05, abs=0.01) and set(np.unique(hit)) == {0, 1}
    assert set(np.unique(value)) == {-1, 1} and abs(value.mean()) < 0.05


def test_content_that_no_noise_meets_is_one_line():
    with pytest.raises(SlimvidError, match=r"content: 'toy': no noise fell on it in the 3 frames.*`samples`"):
        halves_score(torch.zeros(32, 32))


@pytest.mark.parametrize("removed", [0.0, 0.5])
def test_the_student_begins_with_the_originals_own_weights(student, tiny_teacher, monkeypatch, removed):
    begun, kept = [], []

    def begin(run, net, *rest, **more):
        begun.append({name: t.clone() for name, t in net.state_dict().items()})
        return loop.train(run, net, *rest, **more)

    def choose(scores, count):
        kept.append(strongest(scores, count))
        return kept[-1]

    monkeypatch.setattr(content_aware, "train", begin)
    monkeypatch.setattr(content_aware, "strongest", choose)
    folder = student(removed=removed)
    (ours,), theirs = begun, artifact.read(tiny_teacher).module().state_dict()
    if not removed:
        assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
        return
    # hidden streams in the order of the network: 0, 1, 4, 5 of the encoders, 2 the residual stream
    of = dict(enumerate(kept))
    for name, written, read in (
        ("down_seg.1.weight", of[0], None),
        ("down_seg.2.running_var", of[0], None),
        ("down_seg.4.weight", of[1], of[0]),
        ("down_seg.7.weight", of[2], of[1]),
        ("down_img.7.weight", of[2], of[5]),
        ("down_img.10.body.1.weight", of[6], of[2]),
        ("down_img.10.body.5.weight", of[2], of[6]),
        ("res_flow.0.body.5.weight", of[2], of[10]),
        ("up_flow.0.weight", of[2], of[11]),  # transposed: it reads along the first dimension
        ("final_w.1.weight", None, of[12]),
    ):
        wanted = theirs[name] if written is None else theirs[name][written]
        assert torch.equal(ours[name], wanted if read is None else wanted[:, read]), name
    said = provenance(folder)["kept"]
    assert said["channels"] == sum(map(len, kept)) == said["of"] // 2 and said["content"] == "drawn"
    assert said["samples"] == 2 and said["frames"] == 2 * 3 and len(said["sha256"]) == 64


def test_it_goes_on_with_the_originals_discriminators(student, tiny_teacher, monkeypatch):
    begun = []

    def begin(run, net, objective, *rest, **more):
        begun.append({name: t.clone() for name, t in objective.discriminators.state_dict().items()})
        return loop.train(run, net, objective, *rest, **more)

    monkeypatch.setattr(content_aware, "train", begin)
    student()
    theirs = artifact.read(tiny_teacher).discriminators()
    assert begun[0].keys() == theirs.keys()
    assert all(torch.equal(begun[0][name], tensor) for name, tensor in theirs.items())


def test_a_row_that_kept_no_discriminators_is_refused(
    compressed, tiny_task, tiny_settings, student, tmp_path
):
    below = student(removed=0)
    settings = MethodSettings(method="content_aware")
    with pytest.raises(SlimvidError, match=r"student of tiny kept no discriminators"):
        compressed(settings, tiny_task, tmp_path / "on", teacher=below, teacher_settings=tiny_settings)


def test_which_channels_stay_follows_from_seed_and_options(student, monkeypatch):
    scores = []

    def score(self, *args, **kwargs):
        scores.append(found(self, *args, **kwargs).values)
        return SimpleNamespace(values=scores[-1], frames=6, pixels=6)

    found = Scorer.score
    monkeypatch.setattr(Scorer, "score", score)
    monkeypatch.setattr(loop, "learn", lambda *_, **__: {})
    kept = {
        name: provenance(student(name, **options))["kept"]["sha256"]
        for name, options in {
            "a": {},
            "b": {},
            "c": {"distill": 1.0},
            "d": {"noise": 0.5},
            "e": {"removed": 0.25},
        }.items()
    }
    assert kept["a"] == kept["b"] == kept["c"] != kept["e"]
    # So few channels may come in the same order under other noise: what it changes is their scores.
    same = [all(map(torch.equal, scores[0], one)) for one in scores[1:]]
    assert same == [True, True, False, True]


def test_a_killed_run_ends_with_the_same_bytes(student, tmp_path, monkeypatch):
    step = loop.Training.step

    def killed(self, index):
        if index == 3:
            raise KeyboardInterrupt
        return step(self, index)

    train = {"iterations": 5, "save_every": 2}
    monkeypatch.setattr(loop.Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        student("killed", train=train)
    assert json.loads((tmp_path / "killed" / "state" / "state.json").read_text())["done"] == 2
    monkeypatch.setattr(loop.Training, "step", step)
    killed, whole = student("killed", train=train), student("alone", train=train)
    for name in ("weights.safetensors", "translator.json", "curves.parquet", "training.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


def test_it_learns_from_the_original_in_the_content_alone(stores, tiny_settings, tiny_teacher, told):
    run = told(stores / "face")
    teacher = FrozenTeacher(tiny_teacher, run)
    distillation = ContentDistillation(Options(), teacher, content=Content(None, tiny_settings, run.data))
    batch = sample(run.data, np.random.default_rng(0), batch=2, length=3)
    distillation.begin(batch, index=0)
    theirs = distillation.beside(View(t=1, batch=batch, out=Drawn(batch.frames[:, 1])))
    inside = distillation.masks[:, 1]
    assert 0.1 < inside.mean() < 0.6 and inside.shape == (2, 1, 32, 32)

    def loss(change):
        out = Drawn((theirs.out.image + change).requires_grad_())
        (value,) = distillation.losses(View(t=1, batch=batch, out=out), theirs).values()
        return value

    assert loss(1 - inside) == 0
    assert loss(inside).item() == pytest.approx(3 * inside.mean().item(), rel=1e-5)
    assert loss(torch.ones_like(inside)) == loss(inside)


def masks(stores, name, region, settings, batch=2):
    data = PreparedTask(stores / name, splits=("train",))
    content = Content(region, settings, data)
    places = [("train", [0, 3])] * batch
    window = data.window("train", "train", [0, 3], flow=False)
    conditions = torch.from_numpy(np.stack([window.conditions] * batch))
    found = content.masks(Batch(conditions, conditions, conditions, conditions, places))
    assert found.shape == (batch, 2, 1, 32, 32) and set(found.unique().tolist()) <= {0, 1}
    return content.region, found[0, 1, 0].bool().numpy()


def test_the_content_is_what_the_condition_shows(stores, tiny_settings):
    region, face = masks(stores, "face", None, tiny_settings)
    assert region == "face" and np.array_equal(face, face_region(FACE, height=32, width=32))
    region, car = masks(stores, "street", None, tiny_settings)
    assert region == "foreground" and car.sum() == 12 * 16 and car[20:, 16:].all()
    region, body = masks(stores, "body", None, tiny_settings)
    assert region == "body" and body.sum() == 16 * 8
    assert masks(stores, "street", "frame", tiny_settings)[1].all()
    assert masks(stores, "street", "labelled", tiny_settings)[1].sum() == 32 * 30
    hull = masks(stores, "face", "drawn", tiny_settings)[1]  # a triangle's corners are drawn
    assert hull[4, 4:11].all() and hull[4:21, 10].all() and hull[10, 9] and hull[:, 11:].sum() == 0
    assert 50 < hull.sum() < 7 * 17


def test_a_foreground_branch_shows_no_other_layer(stores, tiny_settings, told, compressed, tmp_path):
    """By default it is scored by all that is labelled; by its own classes alone the rest cannot be scored."""
    settings = tiny_settings.model_copy(update={"foreground": True, "iterations": 1})
    train_original(told(stores / "street", tmp_path / "t"), settings)
    assert masks(stores, "street", None, settings)[0] == "labelled"

    def run(region):
        options = {"content": region, "samples": 2, "train": {"iterations": 1}}
        row = MethodSettings(method="content_aware", options=options)
        below = {"teacher": tmp_path / "t", "teacher_settings": settings}
        compressed(row, stores / "street", tmp_path / f"{region}", **below)

    run(None)
    wanted = r"methods\.student\.options: on street: content: 'foreground': none of it hangs on down_seg\.4 "
    with pytest.raises(SlimvidError, match=wanted):
        run("foreground")


def test_an_original_without_memory_is_compressed_by_whole_frames(
    looks_task, recyclegan_settings, told, compressed, tmp_path
):
    train_original(told(looks_task, tmp_path / "t"), recyclegan_settings)
    row = MethodSettings(method="content_aware", options={"content": "frame", "train": {"iterations": 2}})
    below = {"teacher": tmp_path / "t", "teacher_settings": recyclegan_settings}
    compressed(row, looks_task, tmp_path / "0", **below)
    made = json.loads((tmp_path / "0" / "translator.json").read_text())
    assert made["spec"]["stem"] == [4, 8, 16] and made["provenance"]["kept"]["frames"] == 8
    assert "distill" in pq.read_table(tmp_path / "0" / "curves.parquet").column_names


def spec(settings, condition, below=None, **options):
    module = teacher_module(settings)
    original = module.generator_spec(settings, condition) if below is None else below
    return student_spec(settings, condition, Options(**options), original)


def test_widths_follow_from_the_share_that_is_removed(tiny_settings):
    edges = ConditionSpec(kind="edges")
    widths = {
        (width, removed): spec(tiny_settings.model_copy(update={"width": width}), edges, removed=removed)[
            "width"
        ]
        for width, removed in ((128, 0.6), (128, 0.64), (16, 0.6), (13, 0), (13, 0.5))
    }
    assert widths == {(128, 0.6): 52, (128, 0.64): 46, (16, 0.6): 6, (13, 0): 13, (13, 0.5): 7}


@pytest.mark.parametrize(
    ("options", "condition", "message"),
    [
        ({"removed": 0.9}, "edges", r"removed: 0\.9 of the original's 8 channels .* at most 0\.75"),
        (
            {"content": "body"},
            "edges",
            "content: 'body' is nothing .* 'edges' shows here; give face or drawn",
        ),
        ({}, "image", "'image' shows no content of interest; say `content: frame`"),
        ({"content": "foreground"}, "labels", "give labelled or frame"),
        ({"below": {"kind": "vid2vid"}}, "edges", "compressed row does not keep; take `over` away"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(tiny_settings, options, condition, message):
    names = ("a", "b") if condition == "labels" else ()
    with pytest.raises(SlimvidError, match=message) as error:
        spec(tiny_settings, ConditionSpec(kind=condition, label_names=names), **options)
    assert "\n" not in str(error.value)


def test_a_face_without_landmarks_is_refused(student):
    wanted = r"methods\.student\.options: on tiny: content: .*has no landmarks.*`content: drawn`"
    with pytest.raises(SlimvidError, match=wanted):
        student(content="face")

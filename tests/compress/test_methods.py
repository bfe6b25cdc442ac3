"""The methods: what their students are, what ties them to the teacher."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from slimvid.compress.fast_vid2vid import STKD, PartTime, plan_gaps
from slimvid.compress.fast_vid2vid_options import Options
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.nets.framewise import Drawn
from slimvid.settings import MethodSettings, PlanSettings
from slimvid.teachers import train_original
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.objective import View
from slimvid.training.sequences import sample


@pytest.fixture
def student(compressed, tiny_task, tiny_settings, tiny_teacher, tmp_path):
    """student(settings): its artifact's folder."""

    def run(settings):
        compressed(
            settings,
            tiny_task,
            tmp_path / "0",
            teacher=tiny_teacher,
            teacher_settings=tiny_settings,
            keyframes=lambda: [[0, 2, 4, 7]],
        )
        return tmp_path / "0"

    return run


def document(folder):
    return json.loads((folder / "translator.json").read_text())


def test_uniform_scales_every_width_and_walks_every_frame(student):
    settings = MethodSettings(method="uniform", options={"width": 0.5, "train": {"iterations": 2}})
    made = document(student(settings))
    assert made["spec"]["width"] == 4 and made["plan"]["kind"] == "every_frame"
    assert made["provenance"]["teacher"] == "original"


def test_fast_vid2vid_is_decomposed_low_demand_and_part_time(student):
    settings = MethodSettings(
        method="fast_vid2vid",
        plan=PlanSettings(kind="keyframes"),
        options={"train": {"iterations": 3}, "spatial_share": 0.34},
    )
    out = student(settings)
    made = document(out)
    assert made["spec"]["decomposed"] and made["spec"]["low_demand"]
    assert made["plan"]["kind"] == "keyframes" and made["plan"]["window"] == 3
    assert "random" in made["provenance"]["video_features"]
    import pyarrow.parquet as pq

    curves = pq.read_table(out / "curves.parquet").to_pydict()
    assert np.isnan(curves["ltkd"][0]) and not np.isnan(curves["ltkd"][1])  # the first stage is spatial
    assert not any(np.isnan(curves["skd"]))


@pytest.fixture
def stkd(tiny_task, tiny_teacher, told):
    run = told(tiny_task)
    teacher = FrozenTeacher(tiny_teacher, run)
    batch = sample(run.data, np.random.default_rng(0), batch=2, length=3, gap=2)
    distiller = STKD(Options(), teacher, vgg=None, spatial_until=0)
    distiller.begin(batch, index=0)
    return distiller, teacher, batch


def drawn_by(teacher, batch):
    """B x n x 3 x H x W"""
    return torch.stack([view.out.image for view in teacher.views(batch)], 1)


def view(batch, drawn, image):
    """The third frame of a sequence."""
    return View(t=2, batch=batch, drawn=drawn, out=Drawn(image))


def test_a_student_that_equals_the_teacher_has_no_loss(stkd):
    distiller, teacher, batch = stkd
    third = teacher.views(batch)[2]
    losses = distiller.losses(view(batch, third.drawn, third.out.image.clone()), third)
    assert set(losses) == {"skd", "ltkd", "gtkd"}
    assert all(float(v) == 0 for v in losses.values())


def test_local_and_global_losses_carry_gradient_with_the_papers_weights(stkd):
    distiller, teacher, batch = stkd
    third = teacher.views(batch)[2]
    image = (third.out.image * 0.5).requires_grad_()
    losses = distiller.losses(view(batch, third.drawn, image), third)
    assert losses["ltkd"].item() == pytest.approx(4 * losses["skd"].item())  # gamma * alpha : sigma
    (gradient,) = torch.autograd.grad(losses["gtkd"], image)
    assert gradient.abs().sum() > 0


def test_the_global_loss_sees_time(stkd):
    """The same frames in another order are another sequence: the two are compared in time order."""
    distiller, teacher, batch = stkd
    third = teacher.views(batch)[2]
    swapped = distiller.losses(view(batch, third.drawn[::-1], third.out.image), third)
    assert float(swapped["gtkd"]) > 0


def test_teacher_frames_are_those_of_a_stream_from_the_sequences_start(stkd, tiny_teacher, tiny_task):
    """Full-time: it generates the frames between the batch's as well, and starts where the student starts."""
    import slimvid

    _, teacher, batch = stkd
    data = PreparedTask(tiny_task)
    name, indices = batch.places[0]
    conditions = [data.condition("train", name, i) for i in range(indices[0], indices[-1] + 1)]
    stream = list(slimvid.load(tiny_teacher, device="cpu").draw(conditions))
    ours = ((drawn_by(teacher, batch)[0] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert len(stream) == 5 and np.array_equal(ours, np.stack(stream[::2]))


@pytest.fixture
def given_first(tiny_task, tiny_settings, told, tmp_path):
    """An original that is given true first frames."""
    settings = tiny_settings.model_copy(update={"first": "real", "iterations": 1})
    train_original(told(tiny_task, tmp_path / "real"), settings)
    return tmp_path / "real"


@pytest.mark.parametrize("gap", [1, 3])
def test_a_given_start_is_the_sequences_own(given_first, tiny_task, told, gap):
    """The teacher starts from true frames at the sequence's start, wherever in the clip that is."""
    import slimvid

    run = told(tiny_task)
    data = run.data
    batch = sample(data, np.random.default_rng(3), batch=2, length=4, gap=gap, given=2)
    frames = drawn_by(FrozenTeacher(given_first, run), batch)
    assert torch.equal(frames[:, :2], batch.frames[:, :2])
    name, indices = batch.places[0]
    assert [i - indices[0] for i in indices] == ([0, 1, 2, 3] if gap == 1 else [0, 1, 3, 6])
    every = range(indices[0], indices[-1] + 1)
    first = [data.frame("train", name, i) for i in every[:2]]
    conditions = [data.condition("train", name, i) for i in every]
    stream = list(slimvid.load(given_first, device="cpu").draw(conditions, first_frames=first))
    ours = ((frames[0, 2:] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert indices[0] > 0 and np.array_equal(ours, np.stack([stream[i - indices[0]] for i in indices[2:]]))


def test_the_student_is_trained_at_the_gaps_that_its_plan_meets(tiny_task, tiny_settings, told):
    rng = np.random.default_rng(0)
    job = SimpleNamespace(run=told(tiny_task), keyframes=lambda: [[0, 3, 4, 11], [0, 11]])
    gaps = plan_gaps(job, Options(), tiny_settings)
    assert sorted(gaps) == [1, 3, 7, 11]  # the longest training clip has 12 frames
    objective = PartTime(job.run, tiny_settings, gaps=gaps, from_step=5)
    assert objective.pace(4, rng) == (1, None)
    assert {objective.pace(5, rng) for _ in range(60)} == {(3, 4), (1, None), (7, 2), (11, 2)}
    assert plan_gaps(job, Options(gap_max=3), tiny_settings).tolist() == [2, 3]


def test_a_plan_without_gaps_is_refused_in_one_line(tiny_task, tiny_settings, told):
    job = SimpleNamespace(run=told(tiny_task, row="fast"), keyframes=lambda: [[0], [0]])
    with pytest.raises(SlimvidError, match="plan of fast chooses one key-frame a training clip"):
        plan_gaps(job, Options(), tiny_settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (MethodSettings(method="magic"), "no module slimvid.compress.magic"),
        (MethodSettings(method="uniform", options={"width": 2}), r"methods.student.options.width"),
        (MethodSettings(method="uniform", options={"depth": 2}), r"options.depth: Extra inputs"),
        (
            MethodSettings(method="uniform", options={"train": {"iterations": 0}}),
            r"options.train.iterations",
        ),
        (
            MethodSettings(method="fast_vid2vid", options={"train": {"first": "real", "past": 12}}),
            "no training clip is long enough for 14 frames at gap 2",
        ),
        (MethodSettings(method="fast_vid2vid", options={"i3d": "none.pt"}), r"none.pt: no such file"),
    ],
)
def test_wrong_options_are_named(settings, message, student):
    with pytest.raises(SlimvidError, match=message):
        student(settings)

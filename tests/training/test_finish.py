"""What a training that was killed is resumed by: another identity for whatever its bytes depend on."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import pytest
import torch

from slimvid.compress.content_aware_options import Options as ContentOptions
from slimvid.compress.fast_vid2vid_options import Options as FastOptions
from slimvid.compress.omgd_options import Options as OnlineOptions
from slimvid.compress.shortcut_options import Options as ShortcutOptions
from slimvid.compress.uniform_options import Options as UniformOptions
from slimvid.originals import kinds, settings_class
from slimvid.runtime import Runtime
from slimvid.settings import MethodSettings, PlanSettings
from slimvid.teachers import train_original, vid2vid
from slimvid.training import loop


class Asked(Exception):
    """Ends a training where it would begin."""


@pytest.fixture
def identity(monkeypatch, tmp_path):
    """identity(act): the identity of the training that ``act`` starts."""

    def learn(training, schedule, *, identity):
        raise Asked(identity)

    monkeypatch.setattr(loop, "learn", learn)

    def found(act) -> str:
        with pytest.raises(Asked) as asked:
            act()
        return asked.value.args[0]

    return found


def runtime(precision: str = "fp32") -> Runtime:
    return Runtime(device="cpu", precision=precision, threads=1)


def other(field, value):
    """Another value that the field takes."""
    choices = [c for c in get_args(field.annotation) if isinstance(c, str)]
    if choices:
        return next(choice for choice in choices if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return tuple(v + 1 for v in value)
    if isinstance(value, float):
        return value / 2 if value else 0.2
    return value + 1


@pytest.fixture
def stores(request):
    """Settings and a prepared store of every kind of original."""
    tasks = {"vid2vid": "tiny_task", "gaugan": "labels_task"}
    named = {kind: f"{kind}_settings" for kind in kinds()} | {"vid2vid": "tiny_settings"}
    return {
        kind: (request.getfixturevalue(named[kind]), request.getfixturevalue(tasks.get(kind, "looks_task")))
        for kind in kinds()
    }


FIELDS = [(kind, name) for kind in kinds() for name in settings_class(kind).model_fields]
# vgg: below, by content. foreground: refused without classes; it is in the network's spec.
# precision: the runtime's is what counts. save_every: below.
# start, going_on: tests/teachers/test_shipped.py
ELSEWHERE = {"vgg", "foreground", "precision", "save_every", "start", "going_on"}


@pytest.mark.parametrize(("kind", "name"), [pair for pair in FIELDS if pair[1] not in ELSEWHERE])
def test_every_setting_of_an_original_is_in_its_identity(stores, told, identity, kind, name):
    settings, prepared = stores[kind]
    field = type(settings).model_fields[name]
    changed = settings.model_copy(update={name: other(field, getattr(settings, name))})
    ids = [identity(lambda s=s: train_original(told(prepared), s)) for s in (settings, settings, changed)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("kind", kinds())
def test_how_often_a_state_is_saved_decides_bytes_where_a_run_may_fall_back(stores, told, identity, kind):
    settings, prepared = stores[kind]
    ids = {
        (precision, every): identity(
            lambda p=precision, e=every: train_original(
                told(prepared, runtime=runtime(p)), settings.model_copy(update={"save_every": e})
            )
        )
        for precision in ("fp32", "bf16")
        for every in (2, 3)
    }
    assert ids["fp32", 2] == ids["fp32", 3]
    assert len(set(ids.values())) == 3


def test_seed_threads_and_the_content_of_weights_are_in_it(
    tiny_task, tiny_settings, told, identity, tmp_path, monkeypatch
):
    monkeypatch.setattr(vid2vid, "perceptual", lambda path: path and torch.nn.Identity())

    def train(settings=tiny_settings, seed=0, **changes):
        run = told(tiny_task, seed=seed, runtime=replace(runtime(), **changes))
        return identity(lambda: train_original(run, settings))

    vgg = tmp_path / "vgg.pth"
    weighed = tiny_settings.model_copy(update={"vgg": vgg})
    vgg.write_bytes(b"one")
    one = train(weighed)
    (tmp_path / "moved.pth").write_bytes(b"one")
    assert train(tiny_settings.model_copy(update={"vgg": tmp_path / "moved.pth"})) == one  # no path
    vgg.write_bytes(b"two")
    ids = [train(), train(seed=1), train(threads=2), train(precision="bf16"), one, train(weighed)]
    assert len(set(ids)) == len(ids)


@pytest.fixture
def student(compressed, tiny_task, tiny_settings, tiny_teacher, tmp_path, identity):
    """student(method, ...): the identity of its training, as a row's settings start it."""
    judge = SimpleNamespace(identity=lambda: "asked by no test here")
    below = {"teacher": tiny_teacher, "teacher_settings": tiny_settings, "evaluate": judge}

    def of(method, *, options=None, plan=None, keys=((0, 2, 4, 7),)) -> str:
        row = MethodSettings(method=method, options=options or {}, plan=PlanSettings(**(plan or {})))
        keyframes = lambda: [list(k) for k in keys]  # noqa: E731
        return identity(lambda: compressed(row, tiny_task, tmp_path, keyframes=keyframes, **below))

    return of


PLANS = {
    "uniform": {},
    "content_aware": {},
    "omgd": {},
    "fast_vid2vid": {"kind": "keyframes"},
    "shortcut": {"kind": "shortcut", "max_interval": 3},
}
OPTIONS = {
    "uniform": UniformOptions,
    "fast_vid2vid": FastOptions,
    "content_aware": ContentOptions,
    "omgd": OnlineOptions,
    "shortcut": ShortcutOptions,
}
# Options whose values cannot be derived from their default; `train`, `vgg` and `i3d` are below or of files.
GIVEN = {
    "cut": "high",
    "hidden": 8,
    "interval": 2,
    "decode": "raw",
    "gap_max": 3,
    "content": "frame",
    "best_every": 2,
    "layers": ("res_img.0",),
}


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (m, n)
        for m, options in OPTIONS.items()
        for n in options.model_fields
        if n not in ("train", "vgg", "i3d")
    ],
)
def test_every_option_of_a_method_is_in_its_identity(student, method, name):
    field = OPTIONS[method].model_fields[name]
    value = GIVEN[name] if name in GIVEN else other(field, field.default)
    plan = PLANS[method]
    same, changed = student(method, plan=plan), student(method, plan=plan, options={name: value})
    assert same == student(method, plan=plan) != changed


def test_the_plan_and_the_key_frames_that_a_student_trains_for_are_in_it(student):
    plan = PLANS["fast_vid2vid"]
    ids = [
        student("fast_vid2vid", plan=plan),
        student("fast_vid2vid", plan={**plan, "window": 5}),
        student("fast_vid2vid", plan={**plan, "max_gap": 4}),
        student("fast_vid2vid", plan=plan, keys=[(0, 1, 5, 7)]),  # as another rule would choose them
        student("fast_vid2vid", plan=plan, options={"train": {"iterations": 3}}),
        student("shortcut", plan=PLANS["shortcut"]),
        student("shortcut", plan={"kind": "shortcut", "max_interval": 4}),
        student("uniform"),
        student("uniform", plan={"kind": "keyframes"}),
    ]
    assert len(set(ids)) == len(ids)


def test_a_run_killed_under_another_plan_starts_afresh(
    compressed, tiny_task, tiny_settings, tiny_teacher, tmp_path, monkeypatch, caplog
):
    """The state of the killed one is not taken, and one line says so; the bytes are those of a run alone."""

    def go(out, interval):
        plan = PlanSettings(kind="keyframes", strategy="fixed", interval=interval)
        compressed(
            MethodSettings(method="fast_vid2vid", plan=plan),
            tiny_task,
            out,
            teacher=tiny_teacher,
            teacher_settings=tiny_settings,
            keyframes=lambda: [list(range(0, 12, interval))],
        )
        return (out / "weights.safetensors").read_bytes(), json.loads((out / "translator.json").read_text())

    step = loop.Training.step

    def killed(self, index):
        if index == 3:
            raise KeyboardInterrupt
        return step(self, index)

    monkeypatch.setattr(loop.Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "a", 2)
    assert json.loads((tmp_path / "a" / "state" / "state.json").read_text())["done"] == 2
    monkeypatch.setattr(loop.Training, "step", step)
    again, alone = go(tmp_path / "a", 5), go(tmp_path / "b", 5)
    assert again == alone and again[1]["provenance"]["gaps"] == {"5": 2}
    lines = [r.message for r in caplog.records if "state.json" in r.message]
    assert len(lines) == 1 and "other settings" in lines[0] and "from the beginning" in lines[0]

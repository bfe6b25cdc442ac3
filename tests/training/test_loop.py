"""The training loop: what happens where numbers stop being finite, and what a training spends."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.runtime import Runtime
from slimvid.training import loop
from slimvid.training.loop import Training
from slimvid.training.objective import Objective, View

TOLD = {"seed": 0, "part": None, "after": None, "label": "line"}
LENGTH = SimpleNamespace(iterations=9, decay_from=0.5, save_every=2)


class Line(Objective):
    """Fits a line; in mixed precision it breaks at the steps ``broken``, by its loss or by its gradient."""

    def __init__(self, precision="bf16", broken=(5,), by="loss", always=False):
        runtime = Runtime(device="cpu", precision=precision, threads=1)
        super().__init__(SimpleNamespace(**TOLD, runtime=runtime), SimpleNamespace(lr=0.1))
        self.broken, self.by, self.always, self.seen = broken, by, always, []
        self.discriminators["judge"] = torch.nn.Linear(2, 1)

    def sample(self, rng, index):
        self.seen.append((index, self.run.runtime.precision))
        return torch.randn(4, 2, generator=torch.Generator().manual_seed(index))

    def unroll(self, generator, x):
        yield View(batch=x, out=SimpleNamespace(image=generator(x)))

    def losses(self, view):
        loss = (view.out.image**2).mean()
        index, precision = self.seen[-1]
        if index in self.broken and (self.always or precision == "bf16"):
            # by the loss alone: its gradient stays; by the gradient alone: adds 0, whose gradient is infinite
            loss = loss + (float("nan") if self.by == "loss" else (loss - loss.detach()).abs().sqrt())
        return {"g": loss}, {"d": (self.discriminators["judge"](view.batch) ** 2).mean()}


class Interrupted(Line):
    def sample(self, rng, index):
        if index == 7:
            raise KeyboardInterrupt
        return super().sample(rng, index)


def fitting(*args, kind=Line, **options) -> Training:
    torch.manual_seed(0)
    net, objective = torch.nn.Linear(2, 1), kind(*args, **options)
    return Training(objective.run, net, objective)


def run(training, state, identity="x"):
    training.run.state = state
    return loop.learn(training, LENGTH, identity=identity)


def weights(training):
    return [p.detach().clone() for m in training.networks.values() for p in m.parameters()]


@pytest.mark.parametrize("by", ["loss", "gradient"])
@pytest.mark.parametrize(("broken", "last"), [((5,), 4), ((0,), 0), ((8,), 8)])
def test_what_is_not_finite_in_mixed_precision_is_done_again_in_fp32(by, broken, last, tmp_path, caplog):
    """From the last state on; the run ends as one that was in bf16 up to there and in fp32 after."""
    training = fitting(broken=broken, by=by)
    with caplog.at_level(logging.WARNING):
        curves = run(training, tmp_path / "a")
    again = [seen for seen in training.objective.seen if seen[1] == "fp32"]
    assert again == [(i, "fp32") for i in range(last, 9)]
    assert training.tally.fp32_from == last and training.tally.updates == 9 and training.tally.samples == 36
    assert all(torch.isfinite(c).all() for c in curves.values())
    (line,) = [r.message for r in caplog.records]
    assert line.startswith(f"mixed precision off: line: {by}") and f"at step {broken[0]}" in line
    whole = fitting(precision="fp32")
    run(whole, tmp_path / "b")  # this model computes alike in both precisions
    assert all(torch.equal(a, b) for a, b in zip(weights(training), weights(whole), strict=True))


def test_a_run_that_left_mixed_precision_stays_in_fp32_when_it_is_resumed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(fitting(kind=Interrupted), tmp_path)
    resumed = fitting(broken=(5, 8))
    run(resumed, tmp_path)
    assert resumed.objective.seen == [(i, "fp32") for i in (6, 7, 8)]
    assert resumed.tally.fp32_from == 4 and resumed.tally.updates == 9


def test_in_fp32_the_run_ends_with_one_line_that_names_the_step(tmp_path):
    for by, name in (
        ("loss", "loss 'g'|gradient of the generator"),
        ("gradient", "gradient of the generator"),
    ):
        with pytest.raises(
            SlimvidError, match=f"line: ({name}) became NaN or infinite at step 5; lower `lr`"
        ):
            run(fitting("fp32", by=by, always=True), tmp_path / by)


def test_a_gradient_that_is_not_finite_changes_no_weight():
    training = fitting(by="gradient", broken=(0,))
    before = weights(training)
    with pytest.raises(loop.NotFiniteError, match="gradient of the generator"):
        training.step(0)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(training), strict=True))


def test_the_budget_lies_beside_the_artifact_and_leaves_its_bytes_alone(tiny_teacher):
    spent = json.loads((tiny_teacher / "training.json").read_text())
    assert (spent["updates"], spent["samples"]) == (4 * 3, 4 * 3 * 2)  # iterations x frames x batch
    assert spent["precision"] == "fp32" and spent["fp32_from"] is None
    clock = json.loads((tiny_teacher / "clock.json").read_text())
    assert set(clock) == {"cpu_seconds", "wall_seconds"} and all(clock.values())
    for name in ("translator.json", "training.json"):  # the same in every run
        assert "seconds" not in (tiny_teacher / name).read_text()


def emptied(path):
    path.write_bytes(b"")


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed(path):
    """Of the right length, as after a power cut on some file systems."""
    path.write_bytes(path.read_bytes()[:-64] + bytes(64))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("file", "harm"),
    [
        ("step-6.safetensors", emptied),
        ("step-6.safetensors", halved),
        ("step-6.safetensors", zeroed),
        ("step-6.safetensors", lambda path: path.unlink()),
        ("state.json", emptied),
        ("state.json", halved),
        ("state.json", lambda path: path.write_text("[]")),
    ],
)
def test_a_state_that_cannot_be_read_whole_is_left_aside_in_one_line(file, harm, precision, tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        run(fitting(precision, broken=(), kind=Interrupted), tmp_path / "a")
    harm(tmp_path / "a" / file)
    again, whole = (fitting(precision, broken=()) for _ in range(2))
    run(again, tmp_path / "a")
    run(whole, tmp_path / "b")
    assert again.objective.seen[0][0] == 0 and again.tally.updates == 9
    assert all(torch.equal(a, b) for a, b in zip(weights(again), weights(whole), strict=True))
    lines = [r.message for r in caplog.records]
    assert len(lines) == 1 and file.split("-")[0] in lines[0] and "from the beginning" in lines[0]


def test_a_state_of_another_identity_is_left_aside_in_one_line(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        run(fitting("fp32", kind=Interrupted), tmp_path)
    again = fitting("fp32")
    run(again, tmp_path, identity="y")
    assert again.objective.seen[0] == (0, "fp32")
    (line,) = [r.message for r in caplog.records]
    assert "other settings" in line and "from the beginning" in line

"""The training loop: what happens where numbers stop being finite, and what a training spends."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.runtime import Runtime
from slimvid.training import loop

LENGTH = SimpleNamespace(iterations=9, decay_from=0.5, save_every=2)


class Line:
    """Fits a line; in mixed precision it breaks at the steps ``broken``, by its loss or by its gradient."""

    def __init__(self, precision="bf16", broken=(5,), by="loss"):
        self.runtime = Runtime(device="cpu", precision=precision, threads=1)
        self.broken, self.by, self.seen = broken, by, []
        torch.manual_seed(0)
        self.modules = {"generator": torch.nn.Linear(2, 1), "judge": torch.nn.Linear(2, 1)}
        self.optimisers = {name: loop.adam(m, 0.1) for name, m in self.modules.items()}
        self.tally = loop.Tally()

    def step(self, index):
        self.seen.append((index, self.runtime.precision))
        x = torch.randn(4, 2, generator=torch.Generator().manual_seed(index))
        loss = (self.modules["generator"](x) ** 2).mean()
        other = (self.modules["judge"](x) ** 2).mean()
        broken = index in self.broken and self.runtime.precision == "bf16"
        if broken and self.by == "gradient":
            loss = loss + (loss - loss.detach()).abs().sqrt()  # adds 0, whose gradient is infinite
        loop.descend(self.modules, self.optimisers, {"g": loss}, {"d": other})
        self.tally.learned(len(x))
        return {"g": loss.detach() * (float("nan") if broken else 1), "d": other.detach()}


def run(training, state, identity="x"):
    return loop.run(training, LENGTH, state=state, identity=identity, label="line")


def weights(training):
    return [p.detach().clone() for m in training.modules.values() for p in m.parameters()]


@pytest.mark.parametrize("by", ["loss", "gradient"])
@pytest.mark.parametrize(("broken", "last"), [((5,), 4), ((0,), 0), ((8,), 8)])
def test_what_is_not_finite_in_mixed_precision_is_done_again_in_fp32(by, broken, last, tmp_path, caplog):
    """From the last state on; the run ends as one that was in bf16 up to there and in fp32 after."""
    training = Line(broken=broken, by=by)
    with caplog.at_level(logging.WARNING):
        curves = run(training, tmp_path / "a")
    again = [seen for seen in training.seen if seen[1] == "fp32"]
    assert again == [(i, "fp32") for i in range(last, 9)]
    assert training.tally.fp32_from == last and training.tally.updates == 9 and training.tally.samples == 36
    assert all(torch.isfinite(c).all() for c in curves.values())
    (line,) = [r.message for r in caplog.records]
    assert line.startswith(f"mixed precision off: line: {by}") and f"at step {broken[0]}" in line
    whole = Line(precision="fp32")
    run(whole, tmp_path / "b")  # this model computes alike in both precisions
    assert all(torch.equal(a, b) for a, b in zip(weights(training), weights(whole), strict=True))


def test_a_run_that_left_mixed_precision_stays_in_fp32_when_it_is_resumed(tmp_path):
    class Killed(Line):
        def step(self, index):
            if index == 7:
                raise KeyboardInterrupt
            return super().step(index)

    with pytest.raises(KeyboardInterrupt):
        run(Killed(), tmp_path)
    resumed = Line(broken=(5, 8))
    run(resumed, tmp_path)
    assert resumed.seen == [(i, "fp32") for i in (6, 7, 8)]
    assert resumed.tally.fp32_from == 4 and resumed.tally.updates == 9


def test_in_fp32_the_run_ends_with_one_line_that_names_the_step(tmp_path):
    class Broken(Line):
        def step(self, index):
            self.runtime.precision = "bf16"
            try:
                return super().step(index)
            finally:
                self.runtime.precision = "fp32"

    for by, name in (
        ("loss", "loss 'g'|gradient of the generator"),
        ("gradient", "gradient of the generator"),
    ):
        with pytest.raises(
            SlimvidError, match=f"line: ({name}) became NaN or infinite at step 5; lower `lr`"
        ):
            run(Broken("fp32", by=by), tmp_path / by)


def test_a_gradient_that_is_not_finite_changes_no_weight():
    training = Line(by="gradient", broken=(0,))
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


class Interrupted(Line):
    def step(self, index):
        if index == 7:
            raise KeyboardInterrupt
        return super().step(index)


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
        run(Interrupted(precision, broken=()), tmp_path / "a")
    harm(tmp_path / "a" / file)
    again, whole = (Line(precision, broken=()) for _ in range(2))
    run(again, tmp_path / "a")
    run(whole, tmp_path / "b")
    assert again.seen[0][0] == 0 and again.tally.updates == 9
    assert all(torch.equal(a, b) for a, b in zip(weights(again), weights(whole), strict=True))
    lines = [r.message for r in caplog.records]
    assert len(lines) == 1 and file.split("-")[0] in lines[0] and "from the beginning" in lines[0]


def test_a_state_of_another_identity_is_left_aside_in_one_line(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted("fp32"), tmp_path)
    again = Line("fp32")
    run(again, tmp_path, identity="y")
    assert again.seen[0] == (0, "fp32")
    (line,) = [r.message for r in caplog.records]
    assert "other settings" in line and "from the beginning" in line

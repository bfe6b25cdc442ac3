"""What a method that searches may ask: only of the validation clips, and as the search itself measures."""

import shutil
from types import SimpleNamespace

import pytest
import torch

from slimvid import artifact
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import in_memory, load
from slimvid.measure import search
from slimvid.measure.evaluate import Costs, Evaluation
from slimvid.measure.evaluator import train_evaluator
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.training.taps import Taps


@pytest.fixture(scope="module")
def painted(street_looks):
    return street_looks(label_frames=False, val=(100, 101, 102, 103))


@pytest.fixture(scope="module")
def judge(painted, settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluator")
    train_evaluator(painted, settings, path)
    return path


def network(spread: float) -> torch.nn.Module:
    """A frame-wise network; at spread 0 it draws grey."""
    torch.manual_seed(0)
    net = build(resnet_spec(4, blocks=2))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=spread)
    return net


@pytest.fixture
def evaluation(painted, judge, settings, cpu, tmp_path):
    """Over a store whose training and test frames were taken away."""
    shutil.copytree(painted, tmp_path / "task")
    for split in ("train", "test"):
        (tmp_path / "task" / f"{split}.arrow").unlink()
    data = PreparedTask(painted, splits=("train",))
    run = SimpleNamespace(row="row", plan={"kind": "every_frame"}, data=data, runtime=cpu)
    return Evaluation(run=run, prepared=tmp_path / "task", evaluator=judge, settings=settings)


def test_a_network_in_memory_measures_as_its_artifact_does_in_the_search(
    evaluation, painted, judge, settings, tmp_path
):
    net = network(0.2).train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    found = evaluation(net)
    saved = {"task": "looks", "method": "original", "spec": net.spec, "plan": {"kind": "every_frame"}}
    condition = PreparedTask(painted).meta.condition.to_dict()
    artifact.save(tmp_path / "0", **saved, condition=condition, provenance={}, state=net.state_dict())
    trial = search.open_trial(painted, judge, settings)
    point = search.Point(row="original", translator=load(tmp_path / "0", device="cpu"))
    assert len(list(search.walk(trial, [point]))) == 4
    assert found == search.quality(trial, point) and found["psnr"] > 0
    assert net.training and all(torch.equal(t, before[n]) for n, t in net.state_dict().items())
    assert evaluation.identity().startswith("embedded:")


def test_a_worse_network_measures_as_worse_and_the_truth_is_looked_at_once(evaluation, monkeypatch):
    asked, features = [], search._features
    monkeypatch.setattr(search, "_features", lambda *a: asked.append(1) or features(*a))
    grey, noise = (evaluation(network(spread)) for spread in (0.0, 0.5))
    assert grey["psnr"] > noise["psnr"]
    assert len(asked) == 3 * 4  # the true clips, and what either network made of them


def test_hooks_of_a_training_do_not_come_along(evaluation):
    net = network(0.2)
    taps = Taps(net, ["model.4"], whose="student")
    evaluation(net)
    assert taps.take() == {}


def test_the_cost_of_a_spec_is_that_of_its_network(evaluation):
    net = network(0.2)
    run = evaluation.run
    translator = in_memory(net, plan=run.plan, condition=run.data.meta.condition, runtime=run.runtime)
    meta = run.data.meta
    assert Costs(run)(net.spec) == translator.cost(height=meta.height, width=meta.width)
    with pytest.raises(SlimvidError, match="kind 'none': unknown"):
        Costs(run)({"kind": "none"})

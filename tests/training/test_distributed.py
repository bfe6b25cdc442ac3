"""Several processes: they learn as one."""

import json
import os
import subprocess
import sys

import torch

from slimvid.training import distributed

SCRIPT = """
import json, torch
from pathlib import Path
from types import SimpleNamespace
from slimvid.runtime import Runtime
from slimvid.training import distributed, loop
from slimvid.training.objective import Objective
with distributed.group("cpu") as device:
    rank, processes = distributed.world()
    net = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(net.weight)
    judge = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(judge.weight)
    class Sum(Objective):
        def optimizers(self, generator):
            return {n: torch.optim.SGD(m.parameters(), lr=1.0) for n, m in self.networks(generator).items()}
    runtime = Runtime(device="cpu", precision="fp32", threads=1)
    objective = Sum(SimpleNamespace(runtime=runtime, seed=0, after=None), None)
    objective.discriminators["judge"] = judge
    training = loop.Training(objective.run, net, objective)
    x = torch.tensor([[1.0, 0.0]]) if rank == 0 else torch.tensor([[0.0, 4.0]])
    drawn = net(x)
    training._descend({"g": drawn.sum()}, {"d": (judge(x) * drawn.detach()).sum()})
    rng = loop.step_rng(0, 5)
    said = {"processes": processes, "weights": net.weight.tolist()[0], "draw": int(rng.integers(10**9))}
    said["any"] = [distributed.any_process(rank == k) for k in (0, 1, 2)]
    Path(f"{rank}.json").write_text(json.dumps(said))  # lines on a shared stream may run together
"""


def test_gradients_are_averaged_and_draws_differ(tmp_path):
    (tmp_path / "run.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "run.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    for process in said:
        assert process["processes"] == 2
        assert process["weights"] == [0.5, -1.0]  # 1 - mean(1, 0), 1 - mean(0, 4)
        assert process["any"] == [True, True, False]
    assert said[0]["draw"] != said[1]["draw"]


def test_alone_nothing_happens():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    distributed.average_gradients([parameter])
    assert parameter.grad.tolist() == [3.0, 3.0] and distributed.world() == (0, 1)

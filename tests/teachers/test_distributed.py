"""Several processes: they learn as one."""

import os
import subprocess
import sys

import torch

from slimvid.teachers import distributed

SCRIPT = """
import sys, torch
from slimvid.teachers import distributed, loop
with distributed.group("cpu") as device:
    rank, processes = distributed.world()
    net = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(net.weight)
    judge = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(judge.weight)
    modules = {"generator": net, "judge": judge}
    optimisers = {n: torch.optim.SGD(m.parameters(), lr=1.0) for n, m in modules.items()}
    x = torch.tensor([[1.0, 0.0]]) if rank == 0 else torch.tensor([[0.0, 4.0]])
    drawn = net(x)
    loop.descend(modules, optimisers, {"g": drawn.sum()}, {"d": (judge(x) * drawn.detach()).sum()})
    rng = loop.step_rng(0, 5)
    print("weights", rank, processes, net.weight.tolist()[0], int(rng.integers(10**9)))
"""


def test_gradients_are_averaged_and_draws_differ(tmp_path):
    (tmp_path / "run.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "run.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = sorted(line.split(maxsplit=3) for line in done.stdout.splitlines() if line.startswith("weights"))
    assert [line[1:3] for line in lines] == [["0", "2"], ["1", "2"]]
    weights = [line[3].rsplit("]", 1)[0] for line in lines]
    assert weights[0] == weights[1] == "[0.5, -1.0"  # 1 - mean(1, 0), 1 - mean(0, 4)
    assert lines[0][3].split()[-1] != lines[1][3].split()[-1]


def test_alone_nothing_happens():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    distributed.average_gradients([parameter])
    assert parameter.grad.tolist() == [3.0, 3.0] and distributed.world() == (0, 1)

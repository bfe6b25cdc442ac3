"""CAT's budget: what a generated frame of the student may cost, in true MACs or measured time (CAT 3.2)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from slimvid.compress import Job
from slimvid.compress.cat_options import Options
from slimvid.errors import SlimvidError
from slimvid.files import read_json, sha256_json, write_json
from slimvid.nets.inception_budget import Choice, floor, out_of_reach, prune
from slimvid.nets.inception_macs import true_macs
from slimvid.training.distributed import world
from slimvid.training.run import STATE

GIGA, MILLI = 1e9, 1e-3
CHOICE = "choice.json"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be spent.

    Attributes:
        key, value: as the options say it. cost_of: what the network of a spec costs, in that key's unit.
        said: what the artifact says of how costs were found.
    """

    key: str
    value: float
    cost_of: Callable[[Mapping[str, Any]], float]
    said: Mapping[str, Any]

    def check(self, teacher: Mapping[str, Any], *, least: int) -> None:
        """Refuse a budget that no pruning of a teacher of this spec meets.

        Raises:
            SlimvidError: names the option and what can be reached.
        """
        left = self.cost_of(floor(teacher, least=least))
        if left > self.value:
            raise SlimvidError(
                f"{self.key}: {self.value:g} cannot be met; {out_of_reach(left, self.cost_of(teacher))} "
                f"(`least: {least}` channels stay outside the blocks)"
            )


def budget_of(job: Job, options: Options, original: Mapping[str, Any]) -> Budget:
    """The budget of a row's options, on frames of the task's size.

    Args:
        original: spec of the network that it is a share of.

    Raises:
        SlimvidError: a latency under several processes, of which each would measure another.
    """
    key, value = options.budget
    if key.startswith("macs"):
        meta = job.run.data.meta
        size = {"height": meta.height, "width": meta.width}
        return macs_budget(options, original, job.cost, lambda spec: true_macs(spec, **size))
    if world()[1] > 1:
        raise SlimvidError(
            f"{key}: a latency is measured by one process; train in one, or give `macs_share` or `macs_g`"
        )
    return _latency_budget(job, key, value, original)


def macs_budget(
    options: Options,
    original: Mapping[str, Any],
    cost: Callable[[Mapping[str, Any]], Any],
    count: Callable[[Mapping[str, Any]], int] | None = None,
) -> Budget:
    """A budget in true MACs of one generated frame.

    Args:
        cost: as ``job.cost``. count: true MACs of a spec, quicker; none: what ``cost`` counts.
    """
    key, value = options.budget

    def counted(spec: Mapping[str, Any]) -> int:
        return cost(spec).macs_per_generated_frame

    unit, count = GIGA if key == "macs_g" else counted(original), count or counted
    said = {"macs": "true, of one generated frame"}
    return Budget(key=key, value=value, cost_of=lambda spec: count(spec) / unit, said=said)


def _latency_budget(job: Job, key: str, value: float, original: Mapping[str, Any]) -> Budget:
    """Every network is timed in turns with the original: what slows the machine down slows both."""
    (whole,) = job.latency([original])
    unit = 1.0 if key == "latency_share" else whole / MILLI
    known: dict[str, float] = {}

    def cost_of(spec: Mapping[str, Any]) -> float:
        name = sha256_json(dict(spec))
        if name not in known:
            own, beside = job.latency([spec, original])
            known[name] = unit * own / beside
        return known[name]

    said = {**job.latency.protocol(), "original_ms": whole / MILLI}
    return Budget(key=key, value=value, cost_of=cost_of, said=said)


def choose(
    job: Job, net: nn.Module, budget: Budget, *, least: int, identity: str
) -> tuple[Choice, dict[str, Any]]:
    """Prune a trained teacher; gives what is left of it and what the artifact says of the search.

    What measured latencies chose is kept beside the state, until the artifact is whole: a run that was killed
    later goes on with that choice, where another measurement might make another.

    Args:
        identity: of the teacher's training.
    """
    path = job.run.out / STATE / CHOICE
    wanted = sha256_json([identity, budget.key, budget.value, least])
    kept = read_json(path) if path.is_file() else {}
    if kept.get("identity") != wanted:
        found = prune(net, budget.value, cost_of=budget.cost_of, least=least)
        facts = {budget.key: budget.value, "reached": found.cost, **budget.said}
        kept = {"identity": wanted, "choice": asdict(found), "facts": facts}
        if not budget.key.startswith("macs"):
            write_json(path, kept)
    choice = Choice(**kept["choice"])
    return choice, {"budget": kept["facts"], "threshold": choice.threshold}


def is_chosen(job: Job) -> bool:
    """Whether an interrupted run has chosen by latency already."""
    return (job.run.out / STATE / CHOICE).is_file()

"""The same network under another plan: nothing is trained.

With ``over: <row>`` that row's artifact is written anew with this row's plan: another interval of a Shortcut
block, a budget in place of it, other key-frames or another interpolation for Fast-Vid2Vid's student. Without
``over`` the original walks anew: its every n-th frame, held or interpolated, is what any method that skips
frames has to beat.
"""

from typing import Any

from slimvid import artifact
from slimvid.compress import Job
from slimvid.compress.replan_options import Options
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import write_json
from slimvid.paths import BUDGET, CLOCK
from slimvid.runtime import code_revision
from slimvid.settings import TeacherSettings
from slimvid.training.finish import write_curves
from slimvid.training.state import Tally


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: dict[str, Any]
) -> dict[str, Any]:
    """The network below."""
    return below


def compress(job: Job) -> None:
    """Copy the artifact below with this row's plan. Nothing is learned: empty curves, a budget of 0."""
    job.parse(Options)
    below, out = artifact.read(job.teacher), job.run.out
    own, wanted = below.plan.get("kind", "every_frame"), job.run.plan["kind"]
    if "shortcut" in (own, wanted) and own != wanted:
        raise SlimvidError(
            f"methods.{job.run.row}.plan: kind {wanted!r}, the row below has {own!r}; a shortcut plan and a "
            "network with a Shortcut block need each other"
        )
    artifact.save(
        out,
        task=job.run.task,
        method=job.run.row,
        spec=below.spec,
        plan={**job.run.plan, **({"first": below.plan["first"]} if "first" in below.plan else {})},
        condition=below.condition,
        provenance={
            **{k: v for k, v in below.provenance.items() if k != "weights_sha256"},
            "replanned": below.method,
            "code": code_revision(),
        },
        state=artifact.read_tensors(below.path / artifact.WEIGHTS),
    )
    write_curves(out / "curves.parquet", {})
    write_json(out / BUDGET, Tally().budget())
    write_json(out / CLOCK, Tally().clock())

"""Originals that learn from pairs: what they cannot learn from."""

from slimvid.data.store import TaskMeta
from slimvid.errors import SlimvidError
from slimvid.originals import teachers_of_two_domains


def check_pairs(meta: TaskMeta, kind: str) -> None:
    """Refuse, for an original of this kind, a task whose training clips are of two domains.

    Raises:
        SlimvidError: names the task and the remedy.
    """
    if "train" not in meta.aligned:
        raise SlimvidError(
            f"{meta.task}: its training frames are no truth of their conditions, and {kind} learns from "
            f"pairs; give the task an original that learns from two domains: {teachers_of_two_domains()}"
        )

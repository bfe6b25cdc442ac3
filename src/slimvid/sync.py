"""Snakemake and DVC in step: the one verb that may tell either that what lies on disk is current.

Both keep books on the same files. ``dvc commit --force`` records whatever is there, and ``snakemake --touch``
declares whatever is there to be new; each is done only where the other side vouches for the files.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from slimvid.config import load
from slimvid.dvc_inputs import write_inputs
from slimvid.errors import SlimvidError

NOTHING_TO_DO = "Nothing to be done"
TARGETS = ("results/table1.csv",)  # what dvc.yaml versions


def sync(root: Path) -> str:
    """Bring DVC's and Snakemake's records of the default profile in step, and say in a line what was done.

    After a direct ``snakemake`` run: Snakemake has nothing to do and knows who made each file, so DVC commits
    them. That writes them back out of its cache with new times, by which Snakemake judges the large ones; so
    it is told that they are what it made. After ``dvc pull`` or ``dvc checkout``: DVC's status is clean, so
    Snakemake touches the files in order.

    Raises:
        SlimvidError: ``root`` is not the project's folder, neither side vouches for the files, or one of the
            two tools failed.
    """
    for name in ("Snakefile", "dvc.yaml", ".dvc"):
        if not (root / name).exists():
            raise SlimvidError(f"{root / name}: missing; run `slimvid sync` in the project's folder")
    made = _nothing_to_do(root)
    write_inputs(load(root / "config" / "demo.yaml"), root)  # a clone has no links to footage
    versioned = not _changes(root)
    unknown = _unknown_files(root) if made else []
    if made and versioned and not unknown:
        return "DVC and Snakemake are in step already"
    if versioned:
        _touch(root)
        return _done(root, "Snakemake takes what DVC checked out as current")
    if unknown:
        raise SlimvidError(
            f"{unknown[0]}: Snakemake has no record of making it, so DVC must not record it; run "
            f"`snakemake --cores 8 --forcerun {unknown[0]}` or `dvc checkout`, and sync again"
        )
    if made:
        _run(root, "dvc", "commit", "--force")
        _touch(root)
        return _done(root, "DVC has recorded what Snakemake made; commit dvc.lock to Git")
    raise SlimvidError(
        "dvc.lock: neither DVC nor Snakemake vouches for the files on disk; run "
        f"`snakemake --cores 8 {TARGETS[0]}` (or `dvc checkout`, to go back) and sync again"
    )


def _touch(root: Path) -> None:
    """Have Snakemake take the files on disk as current."""
    _run(root, "snakemake", "--touch", "--forceall", "--cores", "1", "--", *TARGETS)


def _nothing_to_do(root: Path) -> bool:
    """Whether Snakemake finds every target current."""
    said = _run(root, "snakemake", "--dry-run", "--nocolor", "--", *TARGETS)
    return NOTHING_TO_DO in said.stdout + said.stderr


def _changes(root: Path) -> dict:
    """DVC's changed stages."""
    return json.loads(_run(root, "dvc", "status", "--json").stdout)


def _unknown_files(root: Path) -> list[str]:
    """Files that Snakemake did not make itself: of them it knows no parameters and sees only times."""
    summary = _run(root, "snakemake", "--summary", "--nocolor", "--", *TARGETS).stdout
    rows = [line.split("\t") for line in summary.splitlines()[1:]]
    # every rule has a log: "-" in its column is the mark of a file without a record
    return [file for file, _, _, log, *_ in rows if log == "-" and (root / file).exists()]


def _done(root: Path, message: str) -> str:
    """The message, once both sides agree."""
    left = _changes(root)
    if left or not _nothing_to_do(root):
        where = next(iter(left), TARGETS[0])
        raise SlimvidError(f"{where}: still out of step after the sync; see `dvc status` and `snakemake -n`")
    return message


def _run(root: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the two tools, from the environment that runs this."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}  # whatever the locale says
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, encoding="utf-8")
    if result.returncode != 0:
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise SlimvidError(f"{module} {' '.join(arguments)}: failed ({lines[-1] if lines else 'no message'})")
    return result

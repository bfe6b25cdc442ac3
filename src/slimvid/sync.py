"""Snakemake and DVC in step: the one verb that may tell either that what lies on disk is current.

Both keep books on the same files. ``dvc commit --force`` records whatever is there, and ``snakemake --touch``
declares whatever is there to be new; each is done only where the other side vouches for the files.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slimvid.dvc_inputs import write_inputs
from slimvid.dvc_stages import DEFAULT, MAIN, current
from slimvid.errors import SlimvidError

NOTHING_TO_DO = "Nothing to be done"
TARGETS = ("results/table1.csv",)  # what dvc.yaml versions


def sync(root: Path) -> str:
    """Bring DVC's and Snakemake's records of the main table in step, and say in a line what was done.

    The configuration is the one that dvc.yaml was written from.

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
    config, files = current(root)
    books = Books(root, [] if files == [DEFAULT] else ["--configfile", *map(str, files)])
    made = books.nothing_to_do()
    write_inputs(config, root)  # a clone has no links to footage
    versioned = not books.changes()
    unknown = books.unknown_files() if made else []
    if made and versioned and not unknown:
        return "DVC and Snakemake are in step already"
    if versioned:
        books.touch()
        return books.done("Snakemake takes what DVC checked out as current")
    if unknown:
        raise SlimvidError(
            f"{unknown[0]}: Snakemake has no record of making it, so DVC must not record it; run "
            f"`snakemake --cores 8 --forcerun {unknown[0]}` or `dvc checkout`, and sync again"
        )
    if made:
        books.record()
        books.touch()
        return books.done("DVC has recorded what Snakemake made; commit dvc.lock to Git")
    raise SlimvidError(
        "dvc.lock: neither DVC nor Snakemake vouches for the files on disk; run "
        f"`snakemake --cores 8 {TARGETS[0]}` (or `dvc checkout`, to go back) and sync again"
    )


@dataclass(frozen=True)
class Books:
    """What both tools say of the main table.

    Attributes:
        root: the project's folder. options: what Snakemake is told of the configuration.
    """

    root: Path
    options: Sequence[str]

    def touch(self) -> None:
        """Have Snakemake take the files on disk as current."""
        self._snakemake("--touch", "--forceall", "--cores", "1")

    def nothing_to_do(self) -> bool:
        """Whether Snakemake finds every target current."""
        said = self._snakemake("--dry-run", "--nocolor")
        return NOTHING_TO_DO in said.stdout + said.stderr

    def unknown_files(self) -> list[str]:
        """Files that Snakemake did not make itself: of them it knows no parameters and sees only times."""
        summary = self._snakemake("--summary", "--nocolor").stdout
        rows = [line.split("\t") for line in summary.splitlines()[1:]]
        # every rule has a log: "-" in its column is the mark of a file without a record
        return [file for file, _, _, log, *_ in rows if log == "-" and (self.root / file).exists()]

    def changes(self) -> dict:
        """DVC's changed stages."""
        return json.loads(self.run("dvc", "status", "--json", str(MAIN)).stdout)

    def record(self) -> None:
        """Have DVC record the files on disk."""
        self.run("dvc", "commit", "--force", str(MAIN))

    def done(self, message: str) -> str:
        """The message, once both sides agree."""
        left = self.changes()
        if left or not self.nothing_to_do():
            where = next(iter(left), TARGETS[0])
            said = "still out of step after the sync; see `dvc status` and `snakemake -n`"
            raise SlimvidError(f"{where}: {said}")
        return message

    def _snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("snakemake", *self.options, *arguments, "--", *TARGETS)

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the two tools, from the environment that runs this."""
        command = [sys.executable, "-m", module, *arguments]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}  # whatever the locale says
        result = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, encoding="utf-8"
        )
        if result.returncode != 0:
            lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
            said = lines[-1] if lines else "no message"
            raise SlimvidError(f"{module} {' '.join(arguments)}: failed ({said})")
        return result

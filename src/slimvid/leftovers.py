"""Temporary siblings that say who writes them, so that what a killed writer left can be told and removed.

No lock does it: on some network drives a lock is refused, or holds on one machine only. The name of a
temporary sibling holds the machine, the process and the moment it was started instead.
"""

import os
import platform
import re
import secrets
import shutil
import time
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

ABANDONED = 7 * 24 * 3600  # seconds without a byte after which another machine's writer counts as dead
_OWNER = re.compile(r"^\..*-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}(\.[^.]*)?$", re.DOTALL)


def temporary_sibling(path: Path) -> Path:
    """A hidden name beside ``path``, of this process and unused, with the same suffix."""
    owner = f"{_machine()}-{os.getpid()}-{_started(os.getpid())}"
    return path.with_name(f".{path.stem}-{owner}-{secrets.token_hex(4)}{path.suffix}")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of dead writers in a folder; what a living one writes stays.

    A writer on another machine cannot be asked: what it wrote counts as left after a week without a change.
    """
    with os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if entry.name.startswith(".") and _is_left(entry)]
    for path in left:
        with suppress(OSError):  # another process removes it too, or it is not ours to remove
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _is_left(entry: os.DirEntry) -> bool:
    owner = _OWNER.match(entry.name)
    if owner is None:
        return False
    machine, process, started = owner.group(1), int(owner.group(2)), int(owner.group(3))
    if machine == _machine():
        return not _lives(process, started)
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
    except FileNotFoundError:  # finished meanwhile
        return False


@cache
def _machine() -> str:
    """The machine and, in containers, the space that process numbers are counted in."""
    space = Path("/proc/self/ns/pid")
    known = f"{platform.node()} {space.stat().st_ino if space.exists() else 0}"
    return sha256(known.encode()).hexdigest()[:8]


def _lives(process: int, started: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user's
    return _started(process) in (started, 0)


def _started(process: int) -> int:
    """When a process was started, in clock ticks from the machine's start; 0 where the system does not tell.

    A process's number alone is no proof: a later one gets it again, in a container nearly always.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])

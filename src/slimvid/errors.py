"""The one exception that users see, and what the system's own errors become."""

import errno
import os
import re
from pathlib import Path

_REMEDIES = {
    errno.EACCES: "permit it to the user who runs slimvid, or work in another folder",
    errno.EPERM: "permit it to the user who runs slimvid, or work in another folder",
    errno.EROFS: "work in a folder that can be written",
    errno.ENOSPC: "free some space on this disk and run it again",
    errno.EDQUOT: "free some space of your quota and run it again",
    errno.EFBIG: "write to a disk that holds files of this size",
    errno.ENOTDIR: "a part of this path is a file: rename the file or the folder",
    errno.EEXIST: "a file is in the place of a folder: rename or move it",
    errno.EISDIR: "a folder is in the place of a file: rename or move it",
    errno.ENOTEMPTY: "another file or folder is in its place: rename or move it",
    errno.ENAMETOOLONG: "use shorter names",
    errno.ELOOP: "its symbolic links lead in a circle: mend them",
    errno.ENOENT: "check the path",
    errno.EMFILE: "too many files are open: raise `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine: close some programs",
    errno.EIO: "the disk or network drive fails: check it",
    errno.ESTALE: "the network drive fails: check it",
    errno.ENOLCK: "its disk takes no file locks: work on another",
    errno.EBUSY: "another program uses it: wait for it",
    errno.ETXTBSY: "another program uses it: wait for it",
}


class SlimvidError(Exception):
    """Bad input: one line that names the file or field, what is wrong with it, and the mend.

    The command line prints it without a traceback and exits with status 1.
    """


def is_system_error(error: BaseException) -> bool:
    """Whether the system refuses to read or write, which a user can mend; no fault of the code."""
    return isinstance(error, Exception) and _number(error) in _REMEDIES


def system_error(error: Exception, path: Path | str | None = None) -> SlimvidError:
    """The system's error as one line.

    Args:
        error: an `OSError`, or a library's error that quotes one ("os error 28").
        path: what was being read or written; the error's own file name goes before it.
    """
    number = _number(error)
    reason = os.strerror(number) if number else " ".join(str(error).split())
    name = getattr(error, "filename2", None) or getattr(error, "filename", None) or path or "a file"
    remedy = _REMEDIES.get(number, "check the file and its disk")
    return SlimvidError(f"{os.fsdecode(name)}: {reason}; {remedy}")


def _number(error: Exception) -> int | None:
    """The system's number: pyarrow and safetensors have it in their text only."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    quoted = re.search(r"\b(?:errno|os error)\D{0,2}(\d+)", str(error), re.IGNORECASE)
    return int(quoted.group(1)) if quoted else None

"""Files: atomic writes, JSON documents and content hashes."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slimvid.errors import SlimvidError, is_system_error, system_error
from slimvid.leftovers import remove_leftovers, temporary_sibling


@contextmanager
def system_errors(path: Path | str | None = None) -> Iterator[None]:
    """Turn the system's errors (full disk, no permission, a file in a folder's place) into one clear line.

    Everything that writes does so inside, by `atomic_path` and the store's writer; so does every command as a
    whole, for what it reads.

    Args:
        path: named where the error does not name a file itself.

    Raises:
        SlimvidError: in the place of the system's error.
    """
    try:
        yield
    except SlimvidError:
        raise
    except Exception as error:
        if not is_system_error(error):
            raise
        raise system_error(error, path) from None


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that becomes ``path`` when the block ends well.

    A reader sees the old file or the whole new one, never a part; a block that raises leaves no trace, and
    what a killed process left in the folder goes when the next one writes there.
    The sibling keeps the suffix, because encoders choose their format by it.

    Raises:
        SlimvidError: the system does not let it be written; names the file and the remedy.
    """
    path = Path(path)
    with system_errors(path):
        yield from _replaced(path)


def _replaced(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    temporary = temporary_sibling(path)
    temporary.touch(exist_ok=False)
    mode = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(mode)  # safetensors puts a file of its own there, which nobody else may read
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_json(path: Path | str, document: Any) -> None:
    """Write a JSON document atomically, keys in the given order; NaN is refused because JSON has none."""
    with atomic_path(path) as temporary:
        text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON document.

    Raises:
        SlimvidError: the file is missing, or is not JSON; names the file.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SlimvidError(f"{path}: missing; run the step that makes it first") from None
    except OSError as error:
        raise system_error(error, path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SlimvidError(
            f"{path}: not a JSON document in UTF-8 ({error}); copy it again, or make it anew"
        ) from None


def sha256_file(path: Path | str) -> str:
    """Hex SHA-256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(document: Any) -> str:
    """Hex SHA-256 of a document in canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

"""What a search has evaluated so far, on disk: a line a configuration, each with a check of its own.

A line is added as soon as a configuration has been measured, so a killed search goes on where it was. The
file is named by what its figures depend on, so another search's is left alone. A line that cannot be read
costs its own configuration and no other.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimvid.files import atomic_path, sha256_json, system_errors
from slimvid.runtime import log
from slimvid.training.distributed import world

Values = dict[str, float | None]


class Cache:
    """Evaluations by configuration.

    Args:
        folder: where the file lies. identity: hash of all that the figures depend on besides.

    Attributes:
        found: configuration as text -> values.
    """

    def __init__(self, folder: Path, identity: str):
        self.path, self.identity = folder / f"evaluations-{identity[:16]}.jsonl", identity
        self.found: dict[str, Values] = {}
        if self.path.is_file():
            self._read()

    def add(self, config: str, values: Mapping[str, Any]) -> None:
        """Keep a configuration's values; under several processes the first one writes them."""
        self.found[config] = dict(values)
        if world()[0] == 0:
            with system_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8", newline="\n") as stream:
                    stream.write(self._line(config, self.found[config]))

    def _line(self, config: str, values: Values) -> str:
        return json.dumps({"config": config, "values": values, "check": self._check(config, values)}) + "\n"

    def _check(self, config: str, values: Values) -> str:
        """Binds a line to its content and to this search."""
        return sha256_json([self.identity, config, values])[:16]

    def _read(self) -> None:
        lines = self.path.read_bytes().split(b"\n")
        whole = [self._parsed(line) for line in lines if line]
        self.found = dict(entry for entry in whole if entry is not None)
        lost = len(whole) - len([entry for entry in whole if entry is not None])
        if lost == 0 and (not lines or lines[-1] == b""):
            return
        if world()[0] != 0:
            return
        if lost:
            aside = self.path.with_suffix(".damaged")
            log.warning(
                "%s: %d of %d lines are damaged or of another search; these configurations are evaluated "
                "anew, the file is kept as %s",
                *(self.path, lost, len(whole), aside.name),
            )
            aside.write_bytes(self.path.read_bytes())
        with atomic_path(self.path) as temporary:
            text = "".join(self._line(config, values) for config, values in self.found.items())
            temporary.write_text(text, encoding="utf-8", newline="\n")

    def _parsed(self, line: bytes) -> tuple[str, Values] | None:
        """A line's configuration and values; None where it is not one that this search wrote."""
        try:
            entry = json.loads(line)
            config, values, check = entry["config"], entry["values"], entry["check"]
        except (ValueError, KeyError, TypeError):
            return None
        return (config, values) if check == self._check(config, values) else None

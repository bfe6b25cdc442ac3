"""python .ci/left_precision.py PRECISION FOLDER...: fails where a training below the folders was not in it.

A training's record keeps the precision that it was asked for, and the step from which it went on in fp32.
"""

import json
import sys
from pathlib import Path


def left(document: dict, precision: str) -> str | None:
    """Why a training was not wholly in ``precision``; None: it was, or it trained nothing."""
    if not document["updates"]:
        return None
    if document["precision"] != precision:
        return f"in {document['precision']}"
    return None if document["fp32_from"] is None else f"in fp32 from step {document['fp32_from']} on"


def main(precision: str, *folders: str) -> int:
    """Print a line for each that left; gives their number, or 1 where no training was found."""
    records = [path for folder in folders for path in sorted(Path(folder).rglob("training.json"))]
    trained = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in records]
    found = [(path, why) for path, document in trained if (why := left(document, precision))]
    for path, why in found:
        print(f"{path}: {why}")
    print(f"{len(records) - len(found)} of {len(records)} trainings in {precision}")
    return len(found) if any(document["updates"] for _, document in trained) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

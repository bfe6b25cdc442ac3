"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two jobs with two threads each run far slower than one each

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real footage, or a skip that says where it was looked for."""
    path = Path(os.environ.get("SLIMVID_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real footage at {path}; set SLIMVID_REAL_DATA to the folder that holds it")
    return path

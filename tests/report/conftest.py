"""A tiny finished run."""

from pathlib import Path

import pytest
from fake_run import document, write_measures

from slimvid.config import Config, validate


@pytest.fixture
def config() -> Config:
    return validate(document(), origin="test")


@pytest.fixture
def measures(tmp_path: Path, config: Config) -> Path:
    root = tmp_path / "results" / "measures"
    write_measures(root, config)
    return root

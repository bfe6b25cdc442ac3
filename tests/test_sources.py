"""Which files a training depends on."""

from pathlib import Path

import pytest

from slimvid import sources
from slimvid.errors import SlimvidError
from slimvid.rows import training_modules
from slimvid.settings import MethodSettings


def names(*modules: str) -> set[str]:
    return {str(path.relative_to(sources.PACKAGE)) for path in sources.training_sources(*modules)}


def test_a_method_depends_on_its_own_module_and_on_what_that_imports() -> None:
    found = names("compress.uniform", "teachers.vid2vid")
    assert {"compress/uniform.py", "teachers/vid2vid.py", "training/loop.py", "nets/vid2vid.py"} <= found
    assert "compress/fast_vid2vid.py" not in found


def test_a_method_depends_on_what_chooses_its_key_frames() -> None:
    """The gaps that it trains at follow from them, in a room below its own."""
    found = {
        m: names(*training_modules(MethodSettings(method=m), "vid2vid")) for m in ("fast_vid2vid", "uniform")
    }
    assert "infer/keyframes.py" in found["fast_vid2vid"]
    assert "infer/keyframes.py" not in found["uniform"]


def test_services_doors_and_later_rooms_are_left_out() -> None:
    found = names("compress.fast_vid2vid", "teachers.vid2vid")
    assert {name.split("/")[0] for name in found} == {"nets", "training", "teachers", "compress"}
    assert not any(name in found for name in ("nets/__init__.py", "compress/__init__.py"))


def test_relative_imports_and_folders_are_followed(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "compress" / "cat"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from .search import find\nfrom . import prune\n\ndef compress(job): ...\n"
    )
    (folder / "search.py").write_text("def late():\n    from slimvid.nets import blocks\n")
    (folder / "prune.py").write_text("import slimvid.nets.warp\nimport numpy\n")
    (tmp_path / "nets").mkdir()
    for name in ("blocks", "warp", "unused"):
        (tmp_path / "nets" / f"{name}.py").write_text("")
    monkeypatch.setattr(sources, "PACKAGE", tmp_path)
    assert names("compress.cat") == {
        "compress/cat/__init__.py", "compress/cat/search.py", "compress/cat/prune.py",
        "nets/blocks.py", "nets/warp.py",
    }  # fmt: skip
    assert sources.method_module("cat") == "compress.cat"


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(SlimvidError, match=r"no module slimvid.compress.magic; use .*cat, .*omgd, .*uniform"):
        sources.method_module("magic")


def test_a_folder_that_snakemake_cannot_name_is_refused(tmp_path: Path) -> None:
    sources.check_folder(tmp_path / "my project #1")
    with pytest.raises(SlimvidError, match="braces"):
        sources.check_folder(tmp_path / "take{1}" / "slimvid")


def test_paths_below_the_working_directory_are_shown_relative(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sources.display(tmp_path / "a" / "b.py") == "a/b.py"
    assert sources.display(tmp_path.parent / "b.py") == str(tmp_path.parent / "b.py")

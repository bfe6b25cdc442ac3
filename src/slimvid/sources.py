"""Which source files a training depends on: the modules whose change must retrain, and no others.

The workflow gives them to a training rule as inputs. They are found from the import statements, so a new
method or network needs no list to be kept. Services, the rooms that only prepare or measure, and the rooms'
doors (``nets/__init__.py``: a table of names) are left out on purpose: a new network's name in a table must
not cost two days of training.
"""

import ast
from functools import cache
from pathlib import Path

from slimvid.errors import SlimvidError

PACKAGE = Path(__file__).resolve().parent
TRAINING_ROOMS = ("nets", "training", "teachers", "compress")


def training_sources(*modules: str) -> list[Path]:
    """Source files of the modules, of any room, and of everything in the training rooms that they import.

    Args:
        modules: dotted names below ``slimvid``, such as ``"compress.uniform"``.

    Raises:
        SlimvidError: a module does not exist.
    """
    found: dict[str, Path] = {}
    queue = list(modules)
    while queue:
        name = queue.pop()
        if name in found or name in TRAINING_ROOMS:
            continue
        if name.split(".")[0] not in TRAINING_ROOMS and name not in modules:
            continue
        found[name] = _file(name)
        queue += [imported for imported in _imports(found[name]) if _exists(imported)]
    return sorted(set(found.values()))


def method_module(method: str) -> str:
    """The module of a compression method.

    Raises:
        SlimvidError: there is none; names those that there are.
    """
    known = sorted(path.stem for path in (PACKAGE / "compress").iterdir() if _is_method(path))
    if method not in known:
        raise SlimvidError(f"no module slimvid.compress.{method}; use {', '.join(known)}")
    return f"compress.{method}"


def display(path: Path) -> str:
    """The path relative to the working directory where it lies below it, else absolute."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def check_folder(folder: Path | str) -> None:
    """Refuse a folder of the project, or to work in, with braces: to Snakemake's own code they are wildcards.

    Raises:
        SlimvidError: names the folder.
    """
    if "{" in str(folder) or "}" in str(folder):
        raise SlimvidError(f"{folder}: Snakemake reads braces as wildcards; use a folder without")


def _is_method(path: Path) -> bool:
    door = path / "__init__.py" if path.is_dir() else path
    return (
        not path.stem.startswith("_")
        and door.is_file()
        and "\ndef compress(" in door.read_text(encoding="utf-8")
    )


def _exists(name: str) -> bool:
    base = PACKAGE.joinpath(*name.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _file(name: str) -> Path:
    base = PACKAGE.joinpath(*name.split("."))
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Dotted names below ``slimvid`` that a file imports, at any depth (lazy imports count)."""
    here = path.relative_to(PACKAGE).parent.parts
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name.removeprefix("slimvid.") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, here)
            if base is not None:
                names += [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)]
    return tuple(name for name in names if name)


def _absolute(node: ast.ImportFrom, here: tuple[str, ...]) -> str | None:
    """The module an import names, below ``slimvid``; None where it is somebody else's."""
    if node.level:
        parts = here[: len(here) - node.level + 1]
        return ".".join((*parts, node.module) if node.module else parts)
    if node.module == "slimvid":
        return ""
    if node.module and node.module.startswith("slimvid."):
        return node.module.removeprefix("slimvid.")
    return None

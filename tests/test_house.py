"""The house: which room may import which, and what every file keeps to."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "slimvid"
ROOMS = ("nets", "data", "training", "teachers", "compress", "infer", "measure", "report")
FREE = (
    "cli",
    "track",
    "architectures",
    "__init__",
    "__main__",
)  # services at the front door: they may import any room
EXCEPTIONS = {  # file -> rooms that it may import all the same, and why
    "artifact.py": {"nets"},  # an artifact is a network on disk: reading one builds it
    "infer/translator.py": {"measure"},  # cost() belongs to the translator protocol, counting to measure/
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """First part below ``slimvid`` of everything a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import; name the module in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("slimvid.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_rooms_before_it_and_services_none(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    room = name.split("/")[0].removesuffix(".py")
    used = imported(path) & set(ROOMS) - EXCEPTIONS.get(name, set())
    if room in ROOMS:
        later = set(ROOMS[ROOMS.index(room) + 1 :])
        assert not used & later
        assert not imported(path) & {"cli", "track", "sync"}
    elif room not in FREE:
        assert not used, "a service imports no room"


def test_nothing_of_one_method_is_in_anothers_file() -> None:
    from slimvid.config import load

    methods = {m.method for p in ("demo", "paper") for m in load(ROOT / f"config/{p}.yaml").methods.values()}
    for method in methods:
        text = (PACKAGE / "compress" / f"{method}.py").read_text()
        others = {other for other in methods - {method} if f"compress.{other}" in text}
        assert not others, f"{method} imports {others}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 400
    assert not lines or lines[0].startswith('"""'), "say in a docstring what the file is for"


def named(call: ast.Call) -> str:
    """The last part of what is called: ``open`` of ``path.open("w")``."""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def opens_text(call: ast.Call) -> bool:
    """Whether a call opens a file as text, by the mode that it names."""
    owner = getattr(getattr(call.func, "value", None), "id", "")
    if named(call) != "open" or owner in ("av", "Image", "os"):
        return False
    modes = [
        *call.args[isinstance(call.func, ast.Name) :][:1],
        *(k.value for k in call.keywords if k.arg == "mode"),
    ]
    return not any("b" in getattr(mode, "value", "") for mode in modes)


def without_encoding(tree: ast.AST) -> list[int]:
    """Lines that read or write text in whatever encoding the locale has.

    ruff's PLW1514 sees half of them: no path whose type it does not know, no subprocess, no log file.
    """
    takers = {"read_text", "write_text", "FileHandler"}
    nodes = list(ast.walk(tree))
    takers |= {
        node.name
        for node in nodes
        if isinstance(node, ast.ClassDef) and "FileHandler" in {getattr(b, "attr", "") for b in node.bases}
    }
    found = []
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        given = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
        pipe = True in (given.get("text"), given.get("universal_newlines"))
        if (named(call) in takers or pipe or opens_text(call)) and "encoding" not in given:
            found.append(call.lineno)
    return found


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("temporary.write_text(text)", False),
        ("path.read_text(encoding='utf-8')", True),
        ("open(path)", False),
        ("path.open('w')", False),
        ("open(path, mode='rb')", True),
        ("path.open('ab')", True),
        ("av.open(name, 'w')", True),
        ("subprocess.run(command, text=True)", False),
        ("subprocess.run(command, encoding='utf-8')", True),
        ("logging.FileHandler(path)", False),
        ("class Log(logging.FileHandler):\n pass\nLog(path)", False),
    ],
)
def test_a_call_without_encoding_is_found(line: str, good: bool) -> None:
    assert bool(without_encoding(ast.parse(line))) != good


TRAININGS = [
    p for room in ("training", "teachers", "compress") for p in sorted((PACKAGE / room).glob("*.py"))
]


@pytest.mark.parametrize("path", TRAININGS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_training_is_told_in_at_most_six_parameters(path: Path) -> None:
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    for function in functions:
        named = [a.arg for a in (*function.args.args, *function.args.kwonlyargs)]
        given = [name for name in named if name not in ("self", "cls")]
        assert len(given) <= 6, f"{path.name}: {function.name}{given}"


def test_every_text_names_its_encoding() -> None:
    files = [path for folder in ("src", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): without_encoding(ast.parse(path.read_bytes())) for path in files}
    assert not {path: lines for path, lines in found.items() if lines}
    for path in (ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bopen\(|(read|write)_text\(|text=True", text), (
            f"{path}: the package opens files"
        )


def test_the_snakefile_is_an_overview() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 40


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "cv2", "av", "mlflow", "pandas", "scipy", "pyarrow", "numpy")
    code = f"import sys, slimvid, slimvid.config; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_no_dependency_names_a_registry() -> None:
    for name in ("requirements.in", "requirements.lock", "environment.yml", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text()
        assert "http" not in text.replace("aiohttp", "").replace("dvc-http", ""), name
        assert not re.search("index.url", text), name


def test_the_lock_holds_what_is_asked_for() -> None:
    locked = {
        line.split("==")[0]
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line and not line.startswith(" ")
    }
    for line in (ROOT / "requirements.in").read_text().splitlines():
        name = line.split("#")[0].strip().split("=")[0].split(">")[0]
        assert not name or name in locked

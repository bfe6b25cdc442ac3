"""The command line: quick to answer, and one line for what a user can mend."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slimvid.cli import main

ROOT = Path(__file__).resolve().parent.parent


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit status of `slimvid ARGUMENTS` in this process."""
    monkeypatch.setattr(sys, "argv", ["slimvid", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code


def test_help_names_every_step_of_the_workflow(monkeypatch, capsys) -> None:
    assert call(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for line in file.read_text().splitlines():
            if line.startswith("rule "):
                step = line.removeprefix("rule ").removesuffix(":").replace("_", "-")
                assert step.split("-published")[0] in shown


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["prepare", "--help"]])
def test_it_answers_without_the_heavy_libraries(arguments: list[str]) -> None:
    heavy = ("torch", "cv2", "av", "mlflow", "pandas", "scipy", "pyarrow", "numpy")
    code = (
        f"import sys\nfrom slimvid.cli import main\nsys.argv[1:] = {arguments}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_a_missing_config_is_one_line(monkeypatch, capsys, tmp_path: Path) -> None:
    status = call(monkeypatch, "prepare", "sketch2face", "--config", str(tmp_path / "none.yaml"))
    message = capsys.readouterr().err
    assert status == 1
    assert message.count("\n") == 1
    assert message.startswith(f"slimvid: {tmp_path / 'none.yaml'}: no such config file")


def test_an_unknown_task_or_method_names_those_there_are(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    smoke = ["--config", str(ROOT / "config" / "smoke.yaml"), "--log", str(tmp_path / "a.log")]
    assert call(monkeypatch, "prepare", "sketch2cat", *smoke) == 1
    assert "tasks has no 'sketch2cat'; it has sketch2face" in capsys.readouterr().err
    assert call(monkeypatch, "select-keyframes", "sketch2face", "magic", *smoke) == 1
    assert "methods has no 'magic'; it has uniform" in capsys.readouterr().err
    assert "methods has no 'magic'" in (tmp_path / "a.log").read_text()


@pytest.mark.parametrize("command", ["prepare pose2body", "track", "translate pose2body uniform 0"])
def test_every_command_names_a_mistyped_option(command, monkeypatch, capsys, tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("variants: {x: {of: uniform, options: {widht: 1}}}\n")
    smoke = str(ROOT / "config" / "smoke.yaml")
    assert call(monkeypatch, *command.split(), "--config", smoke, "--config", str(over)) == 1
    said = capsys.readouterr().err
    assert "field variants.x.options.widht: Extra inputs" in said and said.count("\n") == 1


def test_a_later_config_overrides_an_earlier_one(monkeypatch, capsys, tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("teachers: {vid2vid: {iterations: none}}\n")
    smoke = str(ROOT / "config" / "smoke.yaml")
    assert call(monkeypatch, "prepare", "sketch2face", "--config", smoke, "--config", str(over)) == 1
    assert "field teachers.vid2vid.iterations" in capsys.readouterr().err


THREADS_SEEN = """
import sys
from slimvid import cli
def look():
    import numpy, threadpoolctl, torch
    print(sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info()}))
cli.app = look
cli.main()
"""


def test_one_thread_is_one_thread_for_every_library(tmp_path):
    """Snakemake exports a job's share of --cores under each library's own name."""
    names = ("OMP", "OPENBLAS", "GOTO", "MKL", "NUMEXPR")
    env = {**os.environ, **{f"{name}_NUM_THREADS": "8" for name in names}}
    done = subprocess.run(
        [sys.executable, "-c", THREADS_SEEN],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[1]"


def test_the_machine_says_what_a_green_run_was_green_on(monkeypatch, capsys):
    assert call(monkeypatch, "machine") in (0, None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split(" ")[0] for line in lines] == ["processor", "torch", "device"]
    assert lines[-1].endswith(("precision auto: fp32 (bf16 would be emulated)", "precision auto: bf16"))


def test_a_locale_without_a_letter_prints_its_number(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr("slimvid.runtime.machine", lambda: ["straße ≤ 1"])
    assert call(monkeypatch, "machine") == 0
    out.flush()
    assert out.buffer.getvalue() == "straße \\u2264 1\n".encode("latin-1")

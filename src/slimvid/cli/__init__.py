"""The command line: one command per step of the workflow, each runnable without the workflow too.

A step finds its files through :mod:`slimvid.paths`, relative to the working directory. Everything heavy is
imported by the step that needs it, so that ``slimvid --help`` answers at once. ``steps`` has what makes rows,
``search`` what tries them under other plans, ``tables`` what shows them.
"""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from slimvid.cli import search, steps, tables
from slimvid.cli.options import ConfigFiles
from slimvid.errors import SlimvidError
from slimvid.files import system_errors

app = typer.Typer(
    help="Compress video-to-video translation GANs and prove what the compression cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(steps.app)
app.add_typer(search.app)
app.add_typer(tables.app)
app.add_typer(tables.cost_app, name="cost")
app.add_typer(tables.bench_app, name="bench")


THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def main() -> None:
    """Entry point of the ``slimvid`` command: a SlimvidError becomes one line on stderr and status 1.

    So does what the system refuses to read or write, in whatever step.
    """
    # Before NumPy is imported: its linear algebra with two threads made the bootstrap six times dearer. Torch
    # gets the config's `threads`. Snakemake exports a job's share of --cores in all of these, which is
    # neither, and OpenBLAS heeds its own name before OpenMP's.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a locale without a letter shows its number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with system_errors():
            app()
    except SlimvidError as error:
        print(f"slimvid: {error}", file=sys.stderr)
        raise SystemExit(1) from None


@app.command()
def version() -> None:
    """Print the version."""
    from slimvid import __version__

    print(__version__)


@app.command()
def machine() -> None:
    """Say what decides a run's numbers on this machine: processor, torch, device and precision."""
    from slimvid.runtime import machine as run

    print("\n".join(run()))


@app.command()
def stages(
    config_files: ConfigFiles = None,
    papers: Annotated[
        bool, typer.Option("--papers", help="also those of other papers' tables, in workflow/dvc/PAPER/")
    ] = False,
) -> None:
    """Write DVC's stages of a configuration: dvc.yaml has those of the main table."""
    from slimvid.config import load
    from slimvid.dvc_stages import DEFAULT, write_stages

    files = config_files or [DEFAULT]
    for path in write_stages(load(*files), files, Path(), papers=papers):
        print(path)


@app.command()
def inputs() -> None:
    """Write down for DVC what each step reads of the configuration of dvc.yaml, in data/inputs."""
    from slimvid.dvc_inputs import write_inputs
    from slimvid.dvc_stages import current

    config, _ = current(Path())
    write_inputs(config, Path.cwd())


@app.command()
def sync() -> None:
    """Reconcile DVC and Snakemake after a direct run of one of them, or after `dvc pull`."""
    from slimvid.sync import sync as run

    print(run(Path.cwd()))

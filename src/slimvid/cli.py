"""The command line: one command per step of the workflow, each runnable without the workflow too.

A step finds its files through :mod:`slimvid.paths`, relative to the working directory. Everything heavy is
imported by the step that needs it, so that ``slimvid --help`` answers at once.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slimvid import paths
from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from slimvid.config import Config
    from slimvid.runtime import Runtime

app = typer.Typer(
    help="Compress video-to-video translation GANs and prove what the compression cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
cost_app = typer.Typer(help="Cost of the papers' networks, counted without weights.", no_args_is_help=True)
bench_app = typer.Typer(help="Speed of the papers' networks, timed without training.", no_args_is_help=True)
app.add_typer(cost_app, name="cost")
app.add_typer(bench_app, name="bench")

Task = Annotated[str, typer.Argument(help="task, a key of `tasks` in the config", show_default=False)]
Method = Annotated[str, typer.Argument(help="row: `original` or a key of `methods`", show_default=False)]
Seed = Annotated[int, typer.Argument(help="training seed", min=0, show_default=False)]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--config", help="config file, config/demo.yaml if none; a later one overrides an earlier one"
    ),
]
LogFile = Annotated[Path | None, typer.Option("--log", help="write the log to this file (appended)")]


def main() -> None:
    """Entry point of the ``slimvid`` command: a SlimvidError becomes one line on stderr and status 1."""
    # Before NumPy is imported: its linear algebra with two threads made the bootstrap six times dearer. Torch
    # gets the config's `threads`. Snakemake exports a job's share of --cores here, which is neither.
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        app()
    except SlimvidError as error:
        print(f"slimvid: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def default_config() -> Path:
    """``config/demo.yaml`` of the working directory, else that of the source tree."""
    here = Path("config/demo.yaml")
    return here if here.is_file() else Path(__file__).resolve().parents[2] / "config" / "demo.yaml"


@contextmanager
def _job(files: list[Path] | None, log: Path | None) -> Iterator["Config"]:
    """The validated config, with the job's log open; what goes wrong is in the log as well."""
    from slimvid.config import load
    from slimvid.runtime import logging_to

    with logging_to(log):
        try:
            yield load(*(files or [default_config()]))
        except SlimvidError as error:
            if log is not None:
                logging.getLogger("slimvid").error("%s", error)
            raise
        except Exception:
            if log is not None:
                logging.getLogger("slimvid").exception("stopped by an unexpected error")
            raise


def _section(table: dict, name: str, section: str):
    """``table[name]`` with an error that names the config section."""
    if name not in table:
        raise SlimvidError(f"config: {section} has no {name!r}; it has {', '.join(table) or 'nothing'}")
    return table[name]


@contextmanager
def _training(config: "Config", *, precision: str) -> Iterator["Runtime"]:
    """Where a training runs; under torchrun, as one of its processes."""
    from dataclasses import replace

    from slimvid.runtime import resolve
    from slimvid.teachers.distributed import group

    runtime = resolve(device=config.device, precision=precision, threads=config.threads)
    with group(runtime.device) as device:
        yield replace(runtime, device=device)


def _plan(config: "Config", task: str, method: str):
    _section(config.tasks, task, "tasks")
    if method != "original":
        _section(config.methods, method, "methods")
    return config.plan_of(task, method)


def _keyframes(config: "Config", task: str, method: str) -> Path | None:
    return paths.keyframes(task, method) if _plan(config, task, method).kind == "keyframes" else None


def _drawn(config: "Config", task: str, method: str, seed: int) -> Path | None:
    """Which frames the whole network draws, for plans that skip some."""
    if _plan(config, task, method).kind == "shortcut":
        return paths.drawn_in_full(task, method, seed)
    return _keyframes(config, task, method)


def _frames(config: "Config", task: str, method: str, seed: int) -> Path:
    return paths.frames(task, method, seed, kind=_plan(config, task, method).kind)


@app.command()
def version() -> None:
    """Print the version."""
    from slimvid import __version__

    print(__version__)


@app.command()
def prepare(task: Task, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Render or read a task's clips into the prepared store."""
    with _job(config, log) as settings:
        from slimvid.data.prepare import prepare as run

        run(task, _section(settings.tasks, task, "tasks"), paths.prepared(task))


@app.command()
def train_evaluator(task: Task, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Train the evaluator (segmenter or key-point net) that measures a task's frames."""
    with _job(config, log) as settings:
        from slimvid.measure.evaluator import train_evaluator as run

        run(paths.prepared(task), settings.measure, paths.evaluator(task))


@app.command()
def train_teacher(task: Task, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Train the original translator of a task; a killed run resumes."""
    with _job(config, log) as settings:
        from slimvid.teachers import teacher_module

        _section(settings.tasks, task, "tasks")
        teacher = settings.teacher_settings(task)
        with _training(settings, precision=teacher.precision) as runtime:
            teacher_module(teacher).train(
                task=task,
                settings=teacher,
                seed=seed,
                prepared=paths.prepared(task),
                out=paths.checkpoint(task, "original", seed),
                runtime=runtime,
            )


@app.command()
def compress(task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Compress a task's original (or the row that the method is put over); a killed run resumes."""
    with _job(config, log) as settings:
        from slimvid.compress import compress as run

        _section(settings.tasks, task, "tasks")
        _section(settings.methods, method, "methods")
        teacher, below = settings.teacher_settings(task), settings.teacher_row(method)
        with _training(settings, precision=teacher.precision) as runtime:
            run(
                task=task,
                row=method,
                settings=settings.row(task, method),
                teacher_settings=teacher,
                seed=seed,
                prepared=paths.prepared(task),
                teacher=paths.checkpoint(task, below, seed),
                out=paths.checkpoint(task, method, seed),
                runtime=runtime,
            )


@app.command()
def select_keyframes(task: Task, method: Method, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Choose the key-frames of a task's test clips under a method's plan."""
    with _job(config, log) as settings:
        from slimvid.infer.keyframes import select_keyframes as run
        from slimvid.runtime import set_threads

        set_threads(settings.threads)
        run(paths.prepared(task), _plan(settings, task, method), paths.keyframes(task, method))


@app.command()
def translate(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Draw a task's test clips with a trained translator (key-frames only where its plan says so)."""
    with _job(config, log) as settings:
        from slimvid.infer.translate import translate as run

        run(
            paths.checkpoint(task, method, seed),
            paths.prepared(task),
            _keyframes(settings, task, method),
            paths.generated(task, method, seed),
            paths.drawn_in_full(task, method, seed),
            device=settings.device,
            threads=settings.threads,
        )


@app.command()
def interpolate(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Complete clips of which only key-frames were drawn."""
    with _job(config, log) as settings:
        from slimvid.infer.interpolate import interpolate as run
        from slimvid.runtime import set_threads

        set_threads(settings.threads)
        run(
            paths.generated(task, method, seed),
            paths.prepared(task),
            _plan(settings, task, method),
            paths.interpolated(task, method, seed),
        )


@app.command()
def measure_cost(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Count MACs, parameters and activation memory of a trained translator."""
    with _job(config, log) as settings:
        from slimvid.measure.cost import measure_cost as run

        run(
            paths.checkpoint(task, method, seed),
            paths.prepared(task),
            _drawn(settings, task, method, seed),
            paths.measure(task, method, seed, "cost"),
        )


@app.command()
def measure_latency(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Time a trained translator, network only and end to end; leave the machine alone meanwhile."""
    with _job(config, log) as settings:
        from slimvid.measure.latency import measure_latency as run

        run(
            paths.checkpoint(task, method, seed),
            paths.prepared(task),
            settings.measure,
            paths.measure(task, method, seed, "latency"),
            device=settings.device,
            threads=settings.threads,
        )


@app.command()
def measure_quality(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Measure a row's frames against the truth."""
    with _job(config, log) as settings:
        from slimvid.measure.quality import measure_quality as run

        run(
            _frames(settings, task, method, seed),
            paths.prepared(task),
            paths.evaluator(task),
            settings.measure,
            paths.measure(task, method, seed, "quality"),
            skip_first=settings.teacher_settings(task).given,
        )


@app.command()
def strip(task: Task, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Draw a task's picture strip: condition, every row of the table, truth."""
    with _job(config, log) as settings:
        from slimvid.report.strips import write_strip

        seed = settings.seeds[0]
        methods = settings.table1.methods
        rows = [(m, _frames(settings, task, m, seed)) for m in methods]
        marks = {m: file for m in methods if (file := _drawn(settings, task, m, seed)) is not None}
        write_strip(paths.prepared(task), rows, paths.strip(task), key_frames=marks)


@app.command()
def table(
    config: ConfigFiles = None,
    log: LogFile = None,
    from_mlflow: Annotated[
        Path | None, typer.Option(help="write the CSV here instead, made from MLflow's runs alone")
    ] = None,
) -> None:
    """Write the main comparison, results/table1.csv and .md, from the measures."""
    with _job(config, log) as settings:
        if from_mlflow is not None:
            from slimvid.files import atomic_path
            from slimvid.track import rebuild_table1

            with atomic_path(from_mlflow) as temporary:
                temporary.write_text(rebuild_table1(settings), encoding="utf-8", newline="\n")
            return
        from slimvid.report.table1 import write_table1

        strips = {task: paths.strip(task) for task in settings.table1.tasks}
        write_table1(settings, paths.MEASURES, paths.TABLE1_CSV, paths.TABLE1_MD, strips)


@app.command()
def track(config: ConfigFiles = None, log: LogFile = None) -> None:
    """Log the table's rows, pictures and clips to MLflow (sqlite:///mlflow.db)."""
    with _job(config, log) as settings:
        from slimvid.track import track_table

        track_table(settings, paths.MLFLOW_RECORD)


@app.command()
def report(config: ConfigFiles = None, log: LogFile = None) -> None:
    """Write results/report.html: tables, strips, trade-offs, the configuration."""
    with _job(config, log) as settings:
        from slimvid.report.html import write_report

        write_report(settings, paths.REPORT)


@app.command()
def sync() -> None:
    """Reconcile DVC and Snakemake after a direct run of one of them, or after `dvc pull`."""
    from slimvid.sync import sync as run

    print(run(Path.cwd()))


@cost_app.command("published")
def cost_published(log: LogFile = None) -> None:
    """Recount every published MACs and parameter figure: results/cost/published.csv."""
    from slimvid.report.published_cost import write_published
    from slimvid.runtime import logging_to

    with logging_to(log):
        write_published(paths.COST_PUBLISHED)


@bench_app.command("paper-scale")
def bench_paper_scale(
    network: Annotated[list[str] | None, typer.Option(help="time this one only (repeatable)")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16")] = "fp32",
    threads: Annotated[int, typer.Option(help="CPU threads", min=1)] = 1,
    repeats: Annotated[int, typer.Option(help="timed passes, of which the median counts", min=1)] = 3,
    warmup: Annotated[int, typer.Option(help="passes before them", min=0)] = 1,
    log: LogFile = None,
) -> None:
    """Time the papers' networks at full size with random weights: results/cost/latency.csv."""
    from slimvid.report.published_latency import write_latency
    from slimvid.runtime import logging_to, resolve

    with logging_to(log):
        runtime = resolve(device=device, precision=precision, threads=threads)
        write_latency(
            paths.COST_LATENCY, runtime=runtime, networks=network or (), repeats=repeats, warmup=warmup
        )

"""The commands that make a row: data, trainings, frames, measures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from slimvid import paths
from slimvid.cli.options import (
    ConfigFiles,
    LogFile,
    Method,
    Seed,
    Task,
    below,
    drawn,
    job,
    keyframes,
    plan,
    section,
)

if TYPE_CHECKING:
    from slimvid.config import Config
    from slimvid.training.run import Run

app = typer.Typer()


@contextmanager
def training(
    config: "Config", task: str, row: str, seed: int, *, plan: Mapping[str, Any], precision: str
) -> Iterator["Run"]:
    """What a training is told; under torchrun, as one of its processes."""
    from dataclasses import replace

    from slimvid.data.store import PreparedTask
    from slimvid.runtime import resolve
    from slimvid.training.distributed import group
    from slimvid.training.run import Run

    runtime = resolve(device=config.device, precision=precision, threads=config.threads)
    with group(runtime.device) as device:
        yield Run(
            task=task,
            row=row,
            seed=seed,
            data=PreparedTask(paths.prepared(task), splits=("train",)),
            plan=plan,
            out=paths.checkpoint(task, row, seed),
            runtime=replace(runtime, device=device),
        )


@app.command()
def prepare(task: Task, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Render or read a task's clips into the prepared store."""
    with job(config, log) as settings:
        from slimvid.data.prepare import prepare as run

        run(task, section(settings.tasks, task, "tasks"), paths.prepared(task))


@app.command()
def train_evaluator(task: Task, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Train the evaluator (segmenter or key-point net) that measures a task's frames."""
    with job(config, log) as settings:
        from slimvid.measure.evaluator import train_evaluator as run

        run(paths.prepared(task), settings.measure, paths.evaluator(task))


@app.command()
def train_teacher(task: Task, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Train the original translator of a task; a killed run resumes."""
    with job(config, log) as settings:
        from slimvid.teachers import train_original

        section(settings.tasks, task, "tasks")
        teacher, plan = settings.teacher_settings(task), {"kind": "every_frame"}
        with training(settings, task, "original", seed, plan=plan, precision=teacher.precision) as run:
            train_original(run, teacher)


@app.command()
def ship(task: Task, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Put a trained original into data/originals, where it is better on `val` than the one there."""
    with job(config, log) as settings:
        from slimvid.measure.ship import ship as run

        section(settings.tasks, task, "tasks")
        out = paths.ORIGINALS / f"{task}.safetensors"
        card = run(paths.checkpoint(task, "original", seed), paths.prepared(task), out)
        typer.echo(
            f"{out}: {card['updates']} updates, perceptual distance on val {card['val']['perceptual']:.4f}"
        )


@app.command()
def compress(task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Compress a task's original (or the row that the method is put over); a killed run resumes."""
    with job(config, log) as settings:
        from slimvid.compress import compress as compress_run
        from slimvid.infer.keyframes import split_keys
        from slimvid.measure.evaluate import Costs, Evaluation
        from slimvid.measure.latency import Latencies

        section(settings.tasks, task, "tasks")
        section(settings.methods, method, "methods")
        teacher, original = settings.teacher_settings(task), settings.teacher_row(method)
        row = settings.row(task, method)
        precision = row.options.get("train", {}).get("precision", teacher.precision)
        plan = row.plan.model_dump(exclude_none=True)
        with training(settings, task, method, seed, plan=plan, precision=precision) as run:
            compress_run(
                run,
                row,
                teacher=paths.checkpoint(task, original, seed),
                teacher_settings=teacher,
                cost=Costs(run),
                latency=Latencies(run),
                keyframes=lambda: list(split_keys(run.data, "train", row.plan).values()),
                evaluate=Evaluation(
                    run=run,
                    prepared=paths.prepared(task),
                    evaluator=paths.evaluator(task),
                    settings=settings.measure,
                    first={"first": teacher.first} if hasattr(teacher, "first") else {},
                    given=teacher.given,
                ),
            )


@app.command()
def select_keyframes(task: Task, method: Method, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Choose the key-frames of a task's test clips under a method's plan."""
    with job(config, log) as settings:
        from slimvid.infer.keyframes import select_keyframes as run
        from slimvid.runtime import set_threads

        set_threads(settings.threads)
        run(paths.prepared(task), plan(settings, task, method), paths.keyframes(task, method))


@app.command()
def translate(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Draw a task's test clips with a trained translator, whole ones also where its plan skips frames."""
    with job(config, log) as settings:
        from slimvid.infer.complete import translate_whole as run

        run(
            paths.checkpoint(task, method, seed),
            paths.prepared(task),
            plan(settings, task, method),
            keyframes(settings, task, method),
            paths.frames(task, method, seed),
            device=settings.device,
            threads=settings.threads,
        )


@app.command()
def measure_real(task: Task, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Measure the true test frames by the task's evaluator: what its rows are set against."""
    with job(config, log) as settings:
        from slimvid.measure.real import measure_real as run

        section(settings.tasks, task, "tasks")
        run(paths.prepared(task), paths.evaluator(task), settings.measure)


@app.command()
def measure_latency(
    task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None
) -> None:
    """Time a trained translator beside its original; leave the machine alone meanwhile."""
    with job(config, log) as settings:
        from slimvid.measure.latency import measure_latency as run

        run(
            paths.checkpoint(task, method, seed),
            paths.checkpoint(task, "original", seed),
            paths.prepared(task),
            settings.measure,
            paths.measure(task, method, seed, "latency"),
            device=settings.device,
            threads=settings.threads,
            below=below(settings, task, method, seed),
        )


@app.command()
def measure(task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Count what a row costs, and measure its frames against the truth."""
    with job(config, log) as settings:
        from slimvid.measure.cost import measure_cost
        from slimvid.measure.quality import measure_quality

        measure_cost(
            paths.checkpoint(task, method, seed),
            paths.prepared(task),
            drawn(settings, task, method, seed),
            paths.measure(task, method, seed, "cost"),
            below=below(settings, task, method, seed),
        )
        measure_quality(
            paths.frames(task, method, seed),
            paths.prepared(task),
            paths.evaluator(task),
            settings.measure,
            paths.measure(task, method, seed, "quality"),
            skip_first=settings.teacher_settings(task).given,
        )

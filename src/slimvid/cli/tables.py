"""The commands that show rows: tables, strips, reports, MLflow, and cost and speed at the papers' sizes."""

from pathlib import Path
from typing import Annotated

import typer

from slimvid import paths
from slimvid.cli.options import (
    TABLES,
    ConfigFiles,
    LogFile,
    Method,
    Seed,
    Table,
    Task,
    drawn,
    job,
    plan,
    rows_of,
    section,
)

app = typer.Typer()
cost_app = typer.Typer(help="Cost of the papers' networks, counted without weights.", no_args_is_help=True)
bench_app = typer.Typer(help="Speed of the papers' networks, timed without training.", no_args_is_help=True)


@app.command()
def strip(task: Task, table: Table = "table1", config: ConfigFiles = None, log: LogFile = None) -> None:
    """Draw a task's picture strip: condition, every row of a table, truth."""
    with job(config, log) as settings:
        from slimvid.report.strips import others, write_strip

        seed = settings.seeds[0]
        methods = rows_of(settings, table, task)
        rows = [(m, paths.frames(task, m, seed)) for m in methods]
        marks: dict[str, dict[str, Path]] = {}
        for m in methods:
            kind, file = others(plan(settings, task, m)), drawn(settings, task, m, seed)
            if file is not None:
                marks.setdefault(kind, {})[m] = file
        write_strip(paths.prepared(task), rows, paths.strip(task, table), marks=marks)


@app.command()
def offsets(task: Task, method: Method, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Draw what a Shortcut block aligns and blends on frames of a test clip (Shortcut-V2V, Figure 4)."""
    with job(config, log) as settings:
        from slimvid.report.offsets import write_offsets

        plan(settings, task, method)  # an unknown name is one clear error
        write_offsets(
            paths.checkpoint(task, method, seed),
            paths.prepared(task),
            paths.offsets(task),
            name=f"{task}/{method}/{seed}",
            device=settings.device,
            threads=settings.threads,
        )


@app.command()
def table(
    config: ConfigFiles = None,
    log: LogFile = None,
    from_mlflow: Annotated[
        Path | None, typer.Option(help="write the CSV here instead, made from MLflow's runs alone")
    ] = None,
) -> None:
    """Write the main comparison, results/table1.csv and .md, from the measures."""
    with job(config, log) as settings:
        if from_mlflow is not None:
            from slimvid.files import atomic_path
            from slimvid.track import rebuild_table1

            with atomic_path(from_mlflow) as temporary:
                temporary.write_text(rebuild_table1(settings), encoding="utf-8", newline="\n")
            return
        from slimvid.report.table1 import write_table1

        strips = {task: paths.strip(task) for task in settings.table1.tasks}
        write_table1(settings, paths.MEASURES, paths.TABLE1_CSV, paths.TABLE1_MD, strips)


@app.command("paper-table")
def paper_table(
    paper: Annotated[str, typer.Argument(help="paper, a key of `papers` in the config")],
    table: Annotated[str, typer.Argument(help="its table or figure, a key of `papers.PAPER`")],
    config: ConfigFiles = None,
    log: LogFile = None,
) -> None:
    """Write a paper's table, results/PAPER/TABLE.csv and .md (of a figure also .svg), from the measures."""
    with job(config, log) as settings:
        section(section(settings.papers, paper, "papers"), table, f"papers.{paper}")
        from slimvid.report.paper_tables import write_paper_table

        name = f"{paper}/{table}"
        files = paths.figure(name) if paths.is_figure(name) else paths.table(name)
        strips = {task: paths.strip(task, name) for task in dict(settings.rows_of(name))}
        write_paper_table(settings, name, paths.MEASURES, files, strips)


@app.command()
def track(table: Table = "table1", config: ConfigFiles = None, log: LogFile = None) -> None:
    """Log a table's rows, pictures and clips to MLflow (sqlite:///mlflow.db)."""
    with job(config, log) as settings:
        from slimvid.track import track_table

        section(settings.tables, table, TABLES)
        track_table(settings, paths.mlflow_record(table), table)


@app.command()
def report(config: ConfigFiles = None, log: LogFile = None) -> None:
    """Write results/report.html: tables, strips, trade-offs, the configuration."""
    with job(config, log) as settings:
        from slimvid.report.html import write_report

        write_report(settings, paths.REPORT)


@app.command()
def calibrate(
    footage: Annotated[list[Path], typer.Argument(help="video files, or folders of pictures in order")],
    out: Annotated[Path, typer.Option(help="the page; its plot is written beside it")] = paths.CALIBRATION,
    log: LogFile = None,
) -> None:
    """Show what the quality columns say of graded damage to real footage: results/rulers.md."""
    from slimvid.report.rulers import write_calibration
    from slimvid.runtime import logging_to, set_threads

    with logging_to(log):
        set_threads(1)
        write_calibration(footage, out)


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

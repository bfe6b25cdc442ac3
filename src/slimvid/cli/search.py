"""The command that looks for the best trade-offs among trained rows."""

import typer

from slimvid import paths
from slimvid.cli.options import ConfigFiles, LogFile, Seed, Task, job, section
from slimvid.errors import SlimvidError

app = typer.Typer()


@app.command()
def search(task: Task, seed: Seed, config: ConfigFiles = None, log: LogFile = None) -> None:
    """Find the front of MACs against video distance over Shortcut blocks' width, cut and interval."""
    with job(config, log) as settings:
        section(settings.tasks, task, "tasks")
        wanted = settings.search
        if wanted is None or wanted.task != task:
            has = "no section `search:`" if wanted is None else f"`search.task: {wanted.task}`"
            raise SlimvidError(f"config: it has {has}; say there what to search on {task}")
        from slimvid.measure.search import search as run
        from slimvid.report.search import write_search

        out = paths.search(task)
        run(
            {row: paths.checkpoint(task, row, seed) for row in ("original", *wanted.methods)},
            paths.prepared(task),
            paths.evaluator(task),
            wanted,
            settings.measure,
            out["json"],
            device=settings.device,
            threads=settings.threads,
        )
        write_search(out["json"], csv=out["csv"], md=out["md"], svg=out["svg"])

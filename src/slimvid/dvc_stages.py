"""DVC's stages, written from the configuration: one per artefact, each a Snakemake call that makes it.

``dvc.yaml`` has those of the main table. Where asked for, ``workflow/dvc/<paper>/dvc.yaml`` has what the
tables of another paper take on top: ``dvc repro`` makes the main table, ``dvc repro`` of that file the
others. A stage takes what its rules take; what they read of the configuration stands in data/inputs
(`dvc_inputs`).
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slimvid import paths
from slimvid.config import Config, load
from slimvid.errors import SlimvidError
from slimvid.files import atomic_path
from slimvid.rows import needs
from slimvid.settings import TASK_FILES
from slimvid.yaml_file import read_mapping

DEFAULT = Path("config/demo.yaml")  # the Snakefile's own: named in no command
MAIN = Path("dvc.yaml")
PAPERS = Path("workflow/dvc")
HEAD = """\
# Written by `slimvid stages{command}`: change the configuration and run that again, do not edit.
# DVC versions what is expensive; Snakemake owns the DAG and makes it. One stage per artefact, each a call
# of Snakemake that may run the rules of that stage alone. Never `persist`: DVC removes exactly the stale
# output, and Snakemake then makes exactly that one. Measures and tables are not cached: they are small,
# and belong in Git where somebody wants to keep them. The stage `inputs` writes down what each step
# reads, as Snakemake's rules see it: settings, source files, and links to footage and weights, which DVC
# follows. Keys below `params` stand there already; named again, `dvc status` and `--dry` see them change
# at once. `slimvid sync` reconciles DVC and Snakemake after a direct run of one of them.
"""
SOURCES = ("compress", "infer/keyframes.py", "nets", "teachers", "training")  # that `inputs` hashes


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage.

    Attributes:
        rules: that Snakemake may run for it. targets: what it is asked for.
        deps, outs: paths. cached: whether DVC keeps copies of the outputs.
        keys: of the configuration that the rules read, dotted; for DVC to see at once where a file has them.
    """

    name: str
    rules: Sequence[str]
    targets: Sequence[Path]
    deps: Sequence[Path]
    outs: Sequence[Path]
    keys: Sequence[str] = ()
    cached: bool = True


class Writer:
    """How stages are written down.

    Args:
        files: that the configuration was read from, later ones over earlier, relative to ``root``.
    """

    def __init__(self, files: Sequence[Path], root: Path):
        self.files, own = files, list(files) != [DEFAULT]
        self.documents = [read_mapping(root / file) for file in files]
        self.options = f" --configfile {' '.join(map(str, files))}" if own else ""  # for Snakemake
        self.flags = "".join(f" --config {file}" for file in files) if own else ""  # for slimvid

    def document(self, stages: Sequence[Stage], *, folder: Path, inputs: bool) -> str:
        """A dvc.yaml that lies in ``folder``."""
        up = os.path.relpath(".", folder)
        own = {"inputs": self._inputs()} if inputs else {}
        for stage in stages:
            written = self._written(stage)
            own[stage.name] = written if up == "." else {"wdir": up, **written}
        body = yaml.safe_dump({"stages": own}, sort_keys=False, width=10_000)
        return HEAD.format(command=self.flags) + body

    def _inputs(self) -> dict[str, Any]:
        return {
            "cmd": "slimvid inputs",
            "params": [{str(file): None} for file in self.files],  # all of them
            "deps": [f"src/slimvid/{source}" for source in SOURCES],
            "outs": [str(paths.DVC_INPUTS)],
        }

    def _written(self, stage: Stage) -> dict[str, Any]:
        targets = " ".join(map(str, stage.targets))
        command = f"snakemake --cores 8{self.options} --allowed-rules {' '.join(stage.rules)} -- {targets}"
        params = [
            {str(file): keys}
            for file, document in zip(self.files, self.documents, strict=True)
            if (keys := [key for key in stage.keys if _has(document, key)])
        ]
        outs = [str(out) if stage.cached else {str(out): {"cache": False}} for out in stage.outs]
        found = {"cmd": command, "params": params, "deps": [str(dep) for dep in stage.deps], "outs": outs}
        return {key: value for key, value in found.items() if value}


def write_stages(config: Config, files: Sequence[Path], root: Path, *, papers: bool) -> list[Path]:
    """Write ``dvc.yaml`` below ``root``, and those of the papers or remove them; gives what it wrote.

    Args:
        files: that the configuration was read from, relative to ``root``, which is the working directory.

    Raises:
        SlimvidError: a file lies outside of ``root``, where DVC does not look.
    """
    outside = [file for file in files if file.is_absolute() or ".." in file.parts]
    if outside:
        raise SlimvidError(f"{outside[0]}: outside of the project's folder; DVC takes files within it")
    texts = documents(config, files, root, papers=papers)
    for old in _of_papers(root):
        if old not in texts:
            (root / old).unlink()
    for path, text in texts.items():
        with atomic_path(root / path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return list(texts)


def current(root: Path) -> tuple[Config, list[Path]]:
    """The configuration that ``dvc.yaml`` was written from, and its files.

    Raises:
        SlimvidError: there is no dvc.yaml of ours, or the configuration asks for other stages by now.
    """
    again = "run `slimvid stages` (with the same --config)"
    try:
        written = (root / MAIN).read_text(encoding="utf-8")
        params = yaml.safe_load(written)["stages"]["inputs"]["params"]
        files = [Path(file) for entry in params for file in entry]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise SlimvidError(f"{root / MAIN}: is not what `slimvid stages` writes; {again}") from None
    config = load(*(root / file for file in files))
    for path, text in documents(config, files, root, papers=bool(_of_papers(root))).items():
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text:
            raise SlimvidError(f"{path}: its stages are not those of {', '.join(map(str, files))}; {again}")
    return config, files


def _of_papers(root: Path) -> list[Path]:
    return [path.relative_to(root) for path in sorted((root / PAPERS).glob("*/dvc.yaml"))]


def documents(config: Config, files: Sequence[Path], root: Path, *, papers: bool) -> dict[Path, str]:
    """The text of every dvc.yaml, by its path."""
    writer = Writer(files, root)
    main = list(_unique([*_rows(config, ["table1"]), *_table1(config)]))
    found = {MAIN: writer.document(main, folder=Path(), inputs=True)}
    for paper in config.papers if papers else ():
        tables = [f"{paper}/{table}" for table in config.papers[paper]]
        own = [*_rows(config, tables), *(stage for table in tables for stage in _paper(config, table))]
        stages = list(_unique(own, but=main))
        folder = PAPERS / paper
        found[folder / "dvc.yaml"] = writer.document(stages, folder=folder, inputs=False)
    return found


def _rows(config: Config, tables: Sequence[str]) -> Iterator[Stage]:
    """What the rows of some tables take: data, evaluators, originals, students, measures, strips."""
    rows = [row for table in tables for row in config.rows_of(table)]
    tasks = list(dict.fromkeys(task for task, _ in rows))
    for task in tasks:
        yield from _data(config, task)
        for seed in config.seeds:
            yield _original(config, task, seed)
    for task, method in rows:
        for row in reversed(config.trained(method)):
            if row != "original":
                yield from (_student(config, task, row, seed) for seed in config.seeds)
    for task, method in rows:
        yield from (_measure(config, task, method, seed) for seed in config.seeds)
    for table in tables:
        for task in dict(config.rows_of(table)):
            yield _strip(config, table, task)


def _data(config: Config, task: str) -> Iterator[Stage]:
    """The prepared clips, the evaluator, and what the true test frames measure."""
    files = [paths.DVC_INPUTS / "files" / "tasks" / task / key for key in TASK_FILES]
    made = paths.prepared_files(task)
    targets = [made["manifest"]]
    yield Stage(
        name=f"prepare-{task}", rules=["prepare"], targets=targets, deps=files,
        outs=list(made.values()), keys=[f"tasks.{task}"],
    )  # fmt: skip
    judged = [paths.DVC_INPUTS / "evaluator.json", paths.DVC_INPUTS / "files" / "evaluator"]
    judge, real = paths.evaluator_files(task), paths.real_files(task)
    yield Stage(
        name=f"train_evaluator-{task}", rules=["train_evaluator"], targets=[judge["evaluator"]],
        deps=[*judged, *paths.prepared_files(task, "train").values()], outs=list(judge.values()),
    )  # fmt: skip
    seen = [*paths.prepared_files(task, "test").values(), *judge.values()]
    yield Stage(
        name=f"measure_real-{task}", rules=["measure_real"], targets=[real["real"]],
        deps=[*judged, *seen], outs=list(real.values()),
    )  # fmt: skip


def _original(config: Config, task: str, seed: int) -> Stage:
    row = task, "original", seed
    looked_at = [
        paths.DVC_INPUTS / "files" / "teachers" / task,
        paths.DVC_INPUTS / "teachers" / f"{task}.json",
    ]
    return Stage(
        name=f"train_teacher-{task}-{seed}",
        rules=["train_teacher"],
        targets=[paths.artifact_files(*row)["translator"]],
        deps=[*looked_at, *paths.prepared_files(task, "train").values()],
        outs=list(paths.training_files(*row).values()),
        keys=[_teacher(config, task)],
    )


def _student(config: Config, task: str, method: str, seed: int) -> Stage:
    row, read = (task, method, seed), paths.DVC_INPUTS
    looked_at = [read / "files" / "rows" / task / method, read / "files" / "teachers" / task]
    below = paths.artifact_files(task, config.teacher_row(method), seed)
    judged = []
    if "evaluate" in needs(config.row(task, method)):
        judged = [paths.prepared_files(task, "val")["val"], *paths.evaluator_files(task).values()]
    data = [*paths.prepared_files(task, "train").values(), *judged]
    return Stage(
        name=f"compress-{task}-{method}-{seed}",
        rules=["compress"],
        targets=[paths.artifact_files(*row)["translator"]],
        deps=[*looked_at, read / "rows" / task / f"{method}.json", *data, *below.values()],
        outs=list(paths.training_files(*row).values()),
        keys=[f"methods.{method}", f"variants.{method}", _teacher(config, task)],
    )


def _measure(config: Config, task: str, method: str, seed: int) -> Stage:
    row, read = (task, method, seed), paths.DVC_INPUTS
    made = [paths.measure(*row, family) for family in paths.FAMILIES]
    judge = [*paths.evaluator_files(task).values(), *paths.real_files(task).values()]
    trained = dict.fromkeys([*config.trained(method), "original"])  # rows are timed beside their original
    return Stage(
        name=f"measure-{task}-{method}-{seed}",
        rules=["select_keyframes", "translate", "measure", "measure_latency"],
        targets=made,
        deps=[
            *(read / "files" / "evaluator", read / "measures" / task / f"{method}.json"),
            *paths.prepared_files(task, "test").values(),
            *judge,
            *(paths.checkpoint(task, below, seed) for below in trained),
        ],
        outs=made,
        cached=False,
    )


def _strip(config: Config, table: str, task: str) -> Stage:
    name = table.replace("/", "-")
    rows = [method for found, method in config.rows_of(table) if found == task]
    return Stage(
        name=f"strip-{task}" if table == "table1" else f"strip-{name}-{task}",
        rules=["select_keyframes", "translate", "strip" if table == "table1" else "paper_strip"],
        targets=[paths.strip(task, table)],
        deps=[
            paths.DVC_INPUTS / "strips" / table / f"{task}.json",
            *paths.prepared_files(task, "test").values(),
            *(paths.checkpoint(task, row, config.seeds[0]) for row in rows),
        ],
        outs=[paths.strip(task, table)],
        keys=[".".join(_section(table))],
    )


def _table1(config: Config) -> Iterator[Stage]:
    outs = [paths.MLFLOW_RECORD, paths.TABLE1_CSV, paths.TABLE1_MD]
    yield _table(config, "table1", rules=["track", "table"], outs=outs, target=paths.TABLE1_CSV)


def _paper(config: Config, table: str) -> Iterator[Stage]:
    figure = paths.is_figure(table)
    files = paths.figure(table) if figure else paths.table(table)
    rule = "paper_figure" if figure else "paper_table"
    outs = [paths.mlflow_record(table), *files.values()]
    yield _table(config, table, rules=["track_paper", rule], outs=outs, target=paths.mlflow_record(table))


def _table(config: Config, table: str, *, rules: list[str], outs: list[Path], target: Path) -> Stage:
    """A table, its plot if it has one, and its record in MLflow; frames that are gone are made again."""
    rows = config.rows_of(table)
    per_row = [(task, row, seed) for task, row in rows for seed in config.seeds]
    tasks = dict(rows)
    return Stage(
        name="table" if table == "table1" else f"table-{table.replace('/', '-')}",
        rules=["select_keyframes", "translate", *rules],
        targets=[target],
        deps=[
            paths.DVC_INPUTS / "tables" / f"{table}.json",
            *(paths.DVC_INPUTS / "measures" / task / f"{row}.json" for task, row in rows),
            *(paths.prepared(task) for task in tasks),
            *(paths.checkpoint(*row) for row in per_row),
            *(paths.measure(*row, paths.FAMILIES[0]).parent for row in per_row),
            *(paths.strip(task, table) for task in tasks),
        ],
        outs=outs,
        keys=["profile", ".".join(_section(table))],
        cached=False,
    )


def _teacher(config: Config, task: str) -> str:
    """The section of the task's kind of original."""
    return f"teachers.{config.tasks[task].teacher}"


def _section(table: str) -> list[str]:
    """Where a table stands in the configuration."""
    return [table] if table == "table1" else ["papers", *table.split("/")]


def _unique(stages: Sequence[Stage], *, but: Sequence[Stage] = ()) -> Iterator[Stage]:
    """Each stage once, without those of ``but``."""
    seen = {stage.name for stage in but}
    for stage in stages:
        if stage.name not in seen:
            seen.add(stage.name)
            yield stage


def _has(document: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(document, dict) or part not in document:
            return False
        document = document[part]
    return True

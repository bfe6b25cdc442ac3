# The validated config, and what the rules read from it. No rules here.
import math
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

from slimvid import paths, reads, sources
from slimvid.architectures import check_before_the_dag
from slimvid.config import located, validate
from slimvid.data import inputs
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json, write_json
from slimvid.rows import needs, row_files
from slimvid.section import files_of
from slimvid.yaml_file import read_mapping

try:
    for folder in (workflow.basedir, sources.PACKAGE, Path.cwd()):
        sources.check_folder(folder)
    for file in workflow.configfiles:  # Snakemake keeps the last of a key given twice
        read_mapping(Path(file))
    ORIGIN = " + ".join(map(str, workflow.configfiles))
    SETTINGS = validate(config, origin=ORIGIN)
    with located(config, origin=ORIGIN):
        check_before_the_dag(SETTINGS, Path(".snakemake/slimvid"))
except SlimvidError as error:
    sys.exit(f"slimvid: {error}")  # one line, before the DAG is built

# Named by its content: a dry run with another config cannot change what a running job reads.
DOCUMENT = SETTINGS.model_dump(mode="json")
CONFIG_FILE = Path(".snakemake/slimvid") / f"config-{sha256_json(DOCUMENT)[:12]}.json"
if not CONFIG_FILE.is_file():
    write_json(CONFIG_FILE, DOCUMENT)

os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),
    OMP_WAIT_POLICY="PASSIVE",  # waiting threads must not take the cores of the job beside them
    SLIMVID_JOB="1",
)

CORES = workflow.resource_settings.cores or os.cpu_count()
# What a job of `threads` threads takes of --cores: with `--cores 8` on a machine of two, eight trainings at
# once would only take each other's cache and memory.
USABLE = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
)
SLOTS = max(SETTINGS.threads, math.ceil(SETTINGS.threads * CORES / USABLE))
HAS_CUDA = shutil.which("nvidia-smi") is not None
GPU = int(
    SETTINGS.device.startswith("cuda") or (SETTINGS.device == "auto" and HAS_CUDA)
)

KEYFRAME_METHODS = [
    m for m, s in SETTINGS.methods.items() if s.plan.kind == "keyframes"
]
TABLE = SETTINGS.table1


wildcard_constraints:
    task="|".join(SETTINGS.tasks),
    method="|".join(["original", *SETTINGS.methods]),
    seed=r"\d+",


def any_of(names):
    """Regular expression of these names alone."""
    return "|".join(names) or "(?!)"


def task_by_task(within=0):
    """Priority of a step: tasks as the configuration has them, so that the first one is done early.

    Trainings before the rest of a task (``within``), as everything waits for them.
    """
    tasks = list(SETTINGS.tasks)
    return lambda wildcards: 100 * (len(tasks) - tasks.index(wildcards.task)) + within


def config_file(wildcards, resources):
    """Path of the merged config; asking for `resources` keeps a change of it from rerunning anything."""
    return str(CONFIG_FILE.absolute())


def root(wildcards, output):
    """The folder that a step's paths are relative to: `.`, or where Snakemake keeps copies of a storage."""
    found = re.match("(.*/)?(data/prepared|checkpoints|results)/", str(output[0]))
    return found[1] or "."


def teacher_code(wildcards):
    return code(wildcards.task, "original")


def method_code(wildcards):
    return code(wildcards.task, wildcards.method)


def code(task, row):
    found = reads.code(SETTINGS, task, row)
    return [local(sources.display(path)) for path in found]


@cache
def footage(task):
    """The state of the files a task is prepared from: as inputs, 100,000 frames would stop the DAG."""
    state = inputs.footage_state(SETTINGS.tasks[task])
    return {} if state is None else {"footage": state}


def task_reads(wildcards):
    return {**reads.prepare(SETTINGS, wildcards.task), **footage(wildcards.task)}


def weights(files):
    """The state of weights given by path; nothing where none are."""
    return {"weights": inputs.files_state(files)} if files else {}


def teacher_reads(wildcards):
    given = files_of(SETTINGS.teacher_settings(wildcards.task))
    return {**reads.train_teacher(SETTINGS, wildcards.task), **weights(given)}


def method_reads(wildcards):
    row = (SETTINGS, wildcards.task, wildcards.method)
    own = {**reads.compress(*row), "teacher": teacher_reads(wildcards)}
    return {**own, **weights(row_files(*row))}


def below_input(wildcards):
    """The artifact that a method starts from: the original, or the row it is put over."""
    below = SETTINGS.teacher_row(wildcards.method)
    files = paths.artifact_files(wildcards.task, below, wildcards.seed)
    return [str(path) for path in files.values()]


def method_input(wildcards):
    """What a method that evaluates networks looks at: the validation clips and the task's evaluator."""
    if "evaluate" not in needs(SETTINGS.row(wildcards.task, wildcards.method)):
        return []
    files = {
        **paths.prepared_files(wildcards.task, "val"),
        **paths.evaluator_files(wildcards.task),
    }
    return sorted(str(path) for path in files.values())


def trained_files(name):
    """What the trainings of a row, and of the students that it is put over, left."""

    def found(wildcards):
        rows = SETTINGS.trained(wildcards.method)
        made = [(wildcards.task, row, wildcards.seed) for row in rows]
        return [str(paths.training_files(*row)[name]) for row in made]

    return found


def plan_reads(wildcards):
    return reads.select_keyframes(SETTINGS, wildcards.task, wildcards.method)


def translation_reads(wildcards):
    return reads.translate(SETTINGS, wildcards.task, wildcards.method)


def latency_reads(wildcards):
    return reads.measure_latency(SETTINGS)


def measure_reads(wildcards):
    return {**reads.measure(SETTINGS, wildcards.task), **EVALUATOR_WEIGHTS}


def keyframes_input(wildcards):
    """The key-frame list of a row, for plans that have one."""
    if wildcards.method not in KEYFRAME_METHODS:
        return []
    return str(paths.keyframes(wildcards.task, wildcards.method))


def drawn_of(task, method, seed):
    """Which frames the whole network draws, for plans that skip some."""
    kind = SETTINGS.plan_of(task, method).kind
    if kind == "shortcut":
        return [str(paths.drawn_in_full(task, method, seed))]
    return [str(paths.keyframes(task, method))] if kind == "keyframes" else []


def drawn_input(wildcards):
    return drawn_of(wildcards.task, wildcards.method, wildcards.seed)


def table_name(wildcards):
    """The table that a strip or record is of, as in `Config.tables`."""
    paper = getattr(wildcards, "paper", None)
    return f"{paper}/{wildcards.table}" if paper else "table1"


def strip_rows(wildcards):
    return reads.strip(SETTINGS, table_name(wildcards), wildcards.task)


def strip_frames(wildcards):
    seed = SETTINGS.seeds[0]
    return [str(paths.frames(wildcards.task, m, seed)) for m in strip_rows(wildcards)]


def strip_drawn(wildcards):
    rows = [(wildcards.task, m, SETTINGS.seeds[0]) for m in strip_rows(wildcards)]
    return [path for row in rows for path in drawn_of(*row)]


def track_frames(wildcards):
    rows = SETTINGS.rows_of(table_name(wildcards))
    return [str(paths.frames(*row, seed)) for row in rows for seed in SETTINGS.seeds]


def offsets_artifact(wildcards):
    row = (wildcards.task, OFFSETS[wildcards.task], SETTINGS.seeds[0])
    return [str(path) for path in paths.artifact_files(*row).values()]


# Figure 4 of Shortcut-V2V: of each task in its main table or trade-off the first row with a block.
OFFSETS = {}
for name in ("shortcut_v2v/table1", "shortcut_v2v/figure3"):
    for task, method in SETTINGS.rows_of(name) if name in SETTINGS.tables else ():
        if SETTINGS.plan_of(task, method).kind == "shortcut":
            OFFSETS.setdefault(task, method)
OFFSET_PICTURES = [str(paths.offsets(task)) for task in OFFSETS]
PAPER_STRIPS = {
    name: [str(paths.strip(t, name)) for t in dict(SETTINGS.rows_of(name))]
    for name in SETTINGS.tables
    if name != "table1"
}
PAPER_TABLES = {name.split("/")[1] for name in PAPER_STRIPS}
FIGURES = {name for name in PAPER_TABLES if paths.is_figure(name)}


def paper_strips(wildcards):
    return PAPER_STRIPS[table_name(wildcards)]


def paper_measures(wildcards):
    rows = SETTINGS.rows_of(table_name(wildcards))
    wanted = [(*row, seed) for row in rows for seed in SETTINGS.seeds]
    return [str(paths.measure(*row, f)) for row in wanted for f in paths.FAMILIES]


def paper_reads(wildcards):
    return reads.table(SETTINGS, table_name(wildcards))


def paper_results(paper):
    """Tables, figures, strips and MLflow records of a paper, as the config names them."""
    found = []
    for name in (f"{paper}/{table}" for table in SETTINGS.papers.get(paper, {})):
        files = paths.figure(name) if paths.is_figure(name) else paths.table(name)
        found += [*map(str, files.values()), *PAPER_STRIPS[name]]
        found.append(str(paths.mlflow_record(name)))
    return found


ROWS = [(*row, seed) for row in SETTINGS.rows_of("table1") for seed in SETTINGS.seeds]
TABLE_MEASURES = [str(paths.measure(*row, f)) for row in ROWS for f in paths.FAMILIES]
TABLE_STRIPS = [str(paths.strip(task)) for task in TABLE.tasks]
TABLE_FRAMES = [str(paths.frames(*row)) for row in ROWS]
TABLE_READS = reads.table(SETTINGS)
EVALUATOR_WEIGHTS = weights(reads.measure_files(SETTINGS, *reads.EVALUATOR_FIELDS))
EVALUATOR_READS = {
    **reads.fields(SETTINGS, *reads.EVALUATOR_FIELDS),
    **EVALUATOR_WEIGHTS,
}

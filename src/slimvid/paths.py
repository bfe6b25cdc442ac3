"""Where every produced file lies, relative to the working directory.

The command line and the workflow both ask here, so no path is spelled twice. The workflow passes wildcards
for the arguments: ``prepared("{task}")``.
"""

from pathlib import Path

BUDGET = "training.json"  # what a training learned from, beside the artifact; the same in every run
CLOCK = "clock.json"  # the seconds that it took, which are not
ORIGINALS = Path("data/originals")  # weights that come with the project
FAMILIES = ("cost", "latency", "quality")  # measures of one row, one file each
TABLE1_CSV = Path("results/table1.csv")
TABLE1_MD = Path("results/table1.md")
REPORT = Path("results/report.html")
DVC_INPUTS = Path("data/inputs")  # what each step reads, written down for DVC
MEASURES = Path("results/measures")
MLFLOW_RECORD = Path("results/mlflow/table1.json")
CALIBRATION = Path("results/rulers.md")
COST_PUBLISHED = Path("results/cost/published.csv")
COST_LATENCY = Path("results/cost/latency.csv")
RESULT_FOLDERS = (  # below results/, where the tables of a paper have a folder of the paper's name
    *("benchmarks", "cost", "evaluators", "frames", "keyframes", "logs", "measures"),
    *("mlflow", "strips"),
)


def prepared(task: str) -> Path:
    """Folder of a task's prepared store."""
    return Path("data/prepared") / task


def prepared_files(task: str, *splits: str) -> dict[str, Path]:
    """The prepared store's files by name: the manifest, and those of ``splits`` (none named: of all)."""
    folder = prepared(task)
    named = {split: folder / f"{split}.arrow" for split in splits or ("train", "val", "test")}
    return {"manifest": folder / "manifest.parquet", **named}


def evaluator(task: str) -> Path:
    """Folder of the evaluator that is trained in the pipeline."""
    return Path("results/evaluators") / task


def evaluator_files(task: str) -> dict[str, Path]:
    """The evaluator's files by name."""
    folder = evaluator(task)
    return {"evaluator": folder / "evaluator.json", "evaluator_weights": folder / "weights.safetensors"}


def real_files(task: str) -> dict[str, Path]:
    """What the real test frames measure: floors and ceilings, and the features that rows are set against."""
    folder = evaluator(task)
    return {"real": folder / "real.json", "real_features": folder / "real.safetensors"}


def checkpoint(task: str, method: str, seed: int | str) -> Path:
    """Folder of a trained translator; resume state lies in its ``state/`` and is nobody's output."""
    return Path("checkpoints") / task / method / str(seed)


def shipped_original(task: str) -> Path | None:
    """The weights of a task's original that come with the project; None where none do."""
    file = ORIGINALS / f"{task}.safetensors"
    found = [place for place in (file, Path(__file__).resolve().parents[2] / file) if place.is_file()]
    return found[0] if found else None


def artifact_files(task: str, method: str, seed: int | str) -> dict[str, Path]:
    """The two files that are a translator."""
    folder = checkpoint(task, method, seed)
    return {"translator": folder / "translator.json", "weights": folder / "weights.safetensors"}


def training_files(task: str, method: str, seed: int | str) -> dict[str, Path]:
    """What a training leaves: the translator, its loss curves, what it learned from and how long it took."""
    folder = checkpoint(task, method, seed)
    own = {"curves": folder / "curves.parquet", "budget": folder / BUDGET, "clock": folder / CLOCK}
    if method == "original":  # methods go on from its discriminators
        own["discriminators"] = folder / "discriminators.safetensors"
    return {**artifact_files(task, method, seed), **own}


def keyframes(task: str, method: str) -> Path:
    """Key-frames of a task's test clips under a method's plan."""
    return Path("results/keyframes") / task / f"{method}.json"


def frames(task: str, method: str, seed: int | str) -> Path:
    """Complete test clips of a row, whatever its plan."""
    return Path("results/frames") / task / method / str(seed) / "frames.arrow"


def drawn_in_full(task: str, method: str, seed: int | str) -> Path:
    """Which of those frames the whole network drew: not the ones of a shortcut, nor between key-frames."""
    return frames(task, method, seed).with_name("drawn_in_full.json")


def measure(task: str, method: str, seed: int | str, family: str) -> Path:
    """One family of a row's measures; ``family`` is one of :data:`FAMILIES`."""
    return MEASURES / task / method / str(seed) / f"{family}.json"


def strip(task: str, table: str = "table1") -> Path:
    """The picture strip of a task: the rows of a table, named as in ``Config.tables``."""
    if table == "table1":
        return Path("results/strips") / f"{task}.png"
    paper, name = table.split("/")
    return Path("results") / paper / "strips" / name / f"{task}.png"


def offsets(task: str) -> Path:
    """Offsets and masks of a task's Shortcut block drawn on frames (Shortcut-V2V, Figure 4)."""
    return Path("results/shortcut_v2v/figure4") / f"{task}.png"


def table(name: str = "table1") -> dict[str, Path]:
    """A table, named as in ``Config.tables``, for programs and for people."""
    return {kind: Path("results") / f"{name}.{kind}" for kind in ("csv", "md")}


def figure(name: str) -> dict[str, Path]:
    """A table that is a figure's data, and its plot."""
    return {**table(name), "svg": Path("results") / f"{name}.svg"}


def is_figure(name: str) -> bool:
    """Whether a table, named as in ``Config.tables``, is a figure's data: ``shortcut_v2v/figure3``."""
    return name.split("/")[-1].startswith("figure")


def search(task: str) -> dict[str, Path]:
    """What the search writes: the measure document, and what people read of it."""
    folder = Path("results/shortcut_v2v/search")
    return {kind: folder / f"{task}.{kind}" for kind in ("json", "csv", "md", "svg")}


def mlflow_record(table: str = "table1") -> Path:
    """The runs that a table, named as in ``Config.tables``, was tracked as."""
    return MLFLOW_RECORD.parent / f"{table}.json"


def log(step: str, *wildcards: str) -> Path:
    """Log of a step's job."""
    return Path("results/logs") / step / Path(*wildcards).with_suffix(".log")


def benchmark(step: str, *wildcards: str) -> Path:
    """Snakemake's record of a job's time and memory."""
    return Path("results/benchmarks") / step / Path(*wildcards).with_suffix(".tsv")

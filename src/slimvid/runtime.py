"""Where a job runs: device, precision, threads and randomness, found once and recorded; and its progress."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slimvid.errors import SlimvidError

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("slimvid")


# Kinds of layer with weights (`layer_kind`) whose forward and backward pass in bf16 a test has compared with
# fp32 on that kind of device: tests/training/test_precision.py, which prints the set of its device.
# A Conv3d that pads time by itself is not among them: torch 2.15 gives it wrong weight gradients on a CPU.
# No CUDA device has run it yet.
COMPARED = {
    "cpu": frozenset(
        {
            *("Conv2d", "Conv2d in groups", "Conv3d", "ConvTranspose2d"),
            *("BatchNorm2d", "InstanceNorm2d", "ShortcutBlock", "AdaBD"),
            *("ElasticConv2d", "ElasticConv2d in groups", "ElasticConvTranspose2d"),
            *("ElasticBatchNorm2d", "ElasticInstanceNorm2d"),
        }
    ),
    "cuda": frozenset(),
}


@dataclass(kw_only=True)
class Runtime:
    """Device, precision and CPU threads of one job, all resolved (nothing is "auto" any more).

    One object is shared by all parts of a job: a change of its precision reaches them all.

    Attributes:
        precision: "fp32", or "bf16": mixed precision.
        automatic: the precision was chosen for the device, not asked for.
    """

    device: str
    precision: str
    threads: int
    automatic: bool = False

    def autocast(self):
        """Context of mixed precision for a forward pass; nothing in fp32."""
        if self.precision != "bf16":
            return nullcontext()
        import torch

        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16)

    def settle(self, modules: Iterable["nn.Module"]) -> None:
        """Before networks run: leave a mixed precision that nobody asked for if a layer was not compared."""
        if self.precision == "fp32" or not self.automatic:
            return
        kind = self.device.split(":")[0]
        compared = COMPARED.get(kind, frozenset())
        unknown = sorted(layer_kinds(modules) - compared)
        if unknown:
            named = ", ".join(unknown) if compared else "no layer was ever"
            self.leave_mixed(f"{named} {'not ' if compared else ''}compared with fp32 on {kind}")

    def leave_mixed(self, why: str) -> None:
        """Go on in fp32; says so in one line."""
        self.precision = "fp32"
        log.warning("mixed precision off: %s; fp32 from here", why)

    def describe(self) -> dict[str, str | int]:
        """What a protocol states: device name, precision, threads, torch's version."""
        import torch

        name = torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else _cpu_name()
        own = {"device": self.device, "precision": self.precision, "threads": self.threads}
        return {**own, "device_name": name, "torch": torch.__version__}


def layer_kinds(modules: Iterable["nn.Module"]) -> set[str]:
    """The kinds of all layers that have weights of their own."""
    from torch.nn.utils.parametrize import ParametrizationList

    layers = [m for net in modules for m in net.modules() if m._parameters]
    return {layer_kind(m) for m in layers if not isinstance(m, ParametrizationList)}


def layer_kind(layer: "nn.Module") -> str:
    """A layer's class, and what else decides which kernels compute it."""
    from torch.nn.utils.parametrize import type_before_parametrizations

    name = type_before_parametrizations(layer).__name__
    padding = getattr(layer, "padding", 0)
    facts = {
        "in groups": getattr(layer, "groups", 1) > 1,
        "dilated": any(d > 1 for d in getattr(layer, "dilation", ())),
        "that pads time": "3d" in name and padding != 0 and (isinstance(padding, str) or padding[0] > 0),
    }
    return " ".join([name, *(fact for fact, holds in facts.items() if holds)])


def resolve(*, device: str = "auto", precision: str = "auto", threads: int = 1) -> Runtime:
    """Find the device and the precision, and set the process up for them.

    "auto" means bf16 where the hardware multiplies it natively, for layers that a test has compared with fp32
    there (``COMPARED``), else fp32: emulated bf16 is slower. Threads are set for torch and OpenCV alike: two
    jobs with two threads each on two cores ran 29 times slower than with one each.
    """
    import torch

    if precision not in ("auto", "fp32", "bf16"):
        raise SlimvidError(f"precision {precision!r}: unknown; use 'fp32', 'bf16' or 'auto'")
    if not isinstance(threads, int) or threads < 1:
        raise SlimvidError(f"threads {threads!r}: give a whole number from 1")
    set_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise SlimvidError(f"device {device!r}: not usable here ({reason}); use 'auto' or 'cpu'") from None
    automatic = precision == "auto"
    if automatic:
        precision = "bf16" if _native_bf16(device) else "fp32"
    if device.startswith("cuda"):  # a resumed run must end with the same bytes; on one CPU thread it does
        torch.use_deterministic_algorithms(True, warn_only=True)  # 4 s of imports
        torch.utils.deterministic.fill_uninitialized_memory = False  # costs 5 %, guards only against bugs
        torch.backends.cudnn.benchmark = False
    return Runtime(device=device, precision=precision, threads=threads, automatic=automatic)


def set_threads(threads: int) -> None:
    """Limit OpenCV's CPU threads, and torch's where the step has imported it."""
    import cv2

    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _native_bf16(device: str) -> bool:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and "avx512_bf16" in _cpu_flags()


def _cpuinfo(field: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def _cpu_flags() -> set[str]:
    return set(_cpuinfo("flags").split())


def _cpu_name() -> str:
    import platform

    return _cpuinfo("model name") or platform.processor() or platform.machine()


PRECISION_FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_tile")


def machine() -> list[str]:
    """Lines on what decides a run's numbers here: processor, its flags, torch's build, threads, precision."""
    import torch

    flags = [flag for flag in PRECISION_FLAGS if flag in _cpu_flags()]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    native, why = ("bf16", "") if _native_bf16(device) else ("fp32", " (bf16 would be emulated)")
    if native == "bf16" and not COMPARED[device]:
        native, why = "fp32", f" (no layer was ever compared in bf16 on {device})"
    return [
        f"processor: {_cpu_name()}, {os.cpu_count()} cores ({', '.join(flags) or 'no known flags'})",
        f"torch {torch.__version__}: CPU capability {torch.backends.cpu.get_cpu_capability()}, oneDNN "
        f"{'on' if torch.backends.mkldnn.is_available() else 'off'}, {torch.get_num_threads()} threads",
        f"device auto: {device}; precision auto: {native}{why}",
    ]


def code_revision() -> str:
    """The git revision that holds this source, with "+" where it was changed since.

    "unknown" where none does: outside git, or where the repository around it is another project's.
    """
    import subprocess

    here = Path(__file__).resolve()
    # What a hook of git sets for its own repository must not answer for ours.
    env = {k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        options = {"capture_output": True, "check": True, "timeout": 20}
        return subprocess.run(command, cwd=here.parent, env=env, encoding="utf-8", **options).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", here.name)
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def library_versions() -> dict[str, str]:
    """Versions of the libraries on which a trained artifact's bytes depend."""
    from importlib.metadata import version

    names = ("torch", "numpy", "opencv-python-headless")
    return {name: version(name) for name in names}


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Send the job's log to a file as well (append: a resumed run continues it)."""
    handlers: list[logging.Handler] = []
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_LogFile(path, encoding="utf-8"))
    else:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
    before = log.level
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(before)
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Lose a line that the disk does not take: what the job itself writes will say so, in one line."""


class Progress:
    """Progress of a long loop: a bar where a person watches one job, a line now and then elsewhere.

    On a terminal it draws rich's bar with it/s and ETA. Inside a workflow (SLIMVID_JOB is set by the
    rules) several jobs share the terminal, so each prints one line every ``every`` seconds. The log gets
    a line at each tenth.
    """

    def __init__(self, label: str, total: int, *, start: int = 0, every: float = 20.0):
        self.label, self.total, self.start, self.every = label, total, start, every
        self.begun = self.last = time.monotonic()
        self.tenth = start * 10 // max(total, 1)
        self.bar = None
        if sys.stderr.isatty() and not os.environ.get("SLIMVID_JOB"):
            self.bar = _rich_bar()
            self.bar.start()
            self.task = self.bar.add_task(label, total=total, completed=start)

    def update(self, done: int, **values: float) -> None:
        """Report that ``done`` of ``total`` steps are finished; ``values`` are shown in the log."""
        if self.bar is not None:
            self.bar.update(self.task, completed=done)
        now = time.monotonic()
        rate = (done - self.start) / max(now - self.begun, 1e-9)
        left = (self.total - done) / max(rate, 1e-9)
        line = (
            f"{self.label}: {done}/{self.total}  {rate:.1f} it/s  ETA {int(left) // 60}:{int(left) % 60:02d}"
        )
        if sys.stderr.isatty() and self.bar is None and now - self.last >= self.every:
            print(line, file=sys.stderr, flush=True)
            self.last = now
        if done * 10 // max(self.total, 1) > self.tenth:
            self.tenth = done * 10 // max(self.total, 1)
            shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            log.info("%s  %s", line, shown)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()


def _rich_bar():
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    )

"""Ship an original: choose on ``val`` between what a training gave and what is shipped, and write the better.

Both are judged as they are shipped, with their weights rounded to fp16: the mean perceptual distance
(``measure.perceptual``) of all validation frames but the given ones. The test split is not opened.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from slimvid import artifact
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json
from slimvid.infer.translator import Translator
from slimvid.measure import perceptual
from slimvid.paths import BUDGET, CLOCK
from slimvid.runtime import log, resolve
from slimvid.teachers import shipped

SPLIT = "val"


def ship(checkpoint: Path, prepared: Path, out: Path, *, threads: int = 1) -> dict[str, Any]:
    """Write a trained original to ``out`` where it is better on "val" than what lies there; gives the card.

    Args:
        checkpoint: the original's artifact, with its discriminators. prepared: the task's prepared store.
        out: ``data/originals/<task>.safetensors``.

    Raises:
        SlimvidError: the artifact is no original, kept no discriminators, or what lies at ``out`` is damaged.
    """
    source = artifact.read(checkpoint)
    if source.method != "original":
        raise SlimvidError(f"{checkpoint}: is the row {source.method!r}; give an original's artifact")
    parts = {
        "generator": artifact.read_tensors(checkpoint / artifact.WEIGHTS),
        "discriminators": source.discriminators(),
    }
    if source.back is not None:
        parts["back"] = source.way_back().state_dict()
    task = PreparedTask(prepared, splits=("train", SPLIT))
    translator = Translator(source, resolve(device="cpu", precision="fp32", threads=threads))
    judged = {"perceptual": on_val(translator, task), "frames": frames_of(task, translator.given)}
    card = {**_card(source, task), SPLIT: judged}
    before = shipped.read(out) if out.is_file() else None
    if before is not None and _comparable(before.card, card):
        _fill(translator.net, before)
        kept = on_val(translator, task)
        log.info("%s: perceptual on val %.4f, shipped %.4f", source.task, judged["perceptual"], kept)
        if kept <= judged["perceptual"]:
            return dict(before.card)
    elif before is not None:
        log.info("%s: what was shipped was of another network or other data; replaced", source.task)
    shipped.write(out, card, parts)
    return shipped.read(out).card


def on_val(translator: Translator, task: PreparedTask) -> float:
    """Mean perceptual distance of the validation frames beyond the given ones, with weights in fp16."""
    _round(translator.net)
    found = []
    for clip in task.clips(SPLIT):
        truth = np.stack([task.frame(SPLIT, clip.name, i) for i in range(clip.length)])
        conditions = (task.condition(SPLIT, clip.name, i) for i in range(clip.length))
        given = translator.given
        drawn = np.stack(list(translator.draw(conditions, first_frames=list(truth[:given]))))
        found.append(perceptual.compare(drawn[given:], truth[given:])[0])
    return float(np.concatenate(found).mean())


def frames_of(task: PreparedTask, given: int) -> int:
    """How many frames `on_val` looks at."""
    return sum(clip.length - given for clip in task.clips(SPLIT))


def _round(net: nn.Module) -> None:
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.dtype == torch.float32:
                tensor.copy_(tensor.half().float())


def _fill(net: nn.Module, original: shipped.Shipped) -> None:
    tensors, prefix = artifact.read_tensors(original.path), "generator/"
    state = {k.removeprefix(prefix): t.float() for k, t in tensors.items() if k.startswith(prefix)}
    net.load_state_dict(state)


def _comparable(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in ("spec", "data"))


def _card(source: artifact.Artifact, task: PreparedTask) -> dict[str, Any]:
    spent, clock = read_json(source.path / BUDGET), read_json(source.path / CLOCK)
    told = source.provenance
    return {
        "task": source.task,
        "spec": source.spec,
        "plan": source.plan,
        "data": shipped.described(task),
        "data_sha256": told["data"]["sha256"],
        "recipe": told["settings"],
        "started_from": told.get("started_from"),
        "seed": told["seed"],
        "runtime": told["runtime"],
        "code": told["code"],
        "libraries": told["libraries"],
        "updates": spent["updates"],
        "samples": spent["samples"],
        "cpu_seconds": round(clock["cpu_seconds"]),
    }

"""Originals that come with the project: trained for hours once, gone on from in a run of minutes.

``data/originals/<task>.safetensors`` holds the generators and the discriminators in fp16, ``<task>.json``
beside it is its card: recipe, revision, data, what the training spent, the SHA-256 of the weights.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from slimvid.artifact import read_tensors, save_tensors
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json, sha256_file, write_json
from slimvid.training.objective import Objective
from slimvid.training.run import Run

FORMAT = 1


@dataclass(frozen=True)
class Shipped:
    """A shipped original: the path of its weights, and its card."""

    path: Path
    card: Mapping[str, Any]

    def misfit(self, run: Run, spec: Mapping[str, Any]) -> str | None:
        """Why a training can't go on from it, in words; None where it can.

        Its own task must be of the same source, kind and size; the shipped training may have seen more clips
        of it. A task of another name, a video of the user's, may go on from an original of its kind and size.
        """
        own, theirs = _as_read(spec), self.card["spec"]
        if other := [key for key in {**own, **theirs} if own.get(key) != theirs.get(key)]:
            return f"its network has another {other[0]!r}"
        data = described(run.data)
        same = ("source", "height", "width", "fps", "condition")
        wanted = same if run.task == self.card["task"] else ("height", "width")
        other = [key for key in wanted if self.card["data"].get(key) != data[key]]
        return f"it was trained on data of another {other[0]!r}" if other else None

    def load(self, generator: nn.Module, objective: Objective) -> None:
        """Put its weights into a training's networks.

        Raises:
            SlimvidError: the discriminators are of other settings; names the first tensor.
        """
        tensors, states = read_tensors(self.path), {}
        parts = {"generator": generator, "discriminators": objective.discriminators}
        if (back := objective.other_way()) is not None:
            parts["back"] = back
        for part, module in parts.items():
            own = module.state_dict()
            found = {k.removeprefix(f"{part}/"): t for k, t in tensors.items() if k.startswith(f"{part}/")}
            for name in (*own, *found):
                if name not in own or name not in found or own[name].shape != found[name].shape:
                    raise SlimvidError(f"its {part} have another {name!r}")
            states[part] = {name: t.to(own[name].dtype) for name, t in found.items()}
        for part, module in parts.items():  # only once all are known to fit
            module.load_state_dict(states[part])

    def provenance(self) -> dict[str, Any]:
        """What an original that goes on from it says: which, and what that one's training spent."""
        spent = ("updates", "samples", "cpu_seconds")
        return {"weights_sha256": self.card["weights_sha256"], **{name: self.card[name] for name in spent}}


def read(path: Path) -> Shipped:
    """Read a shipped original's card and check that its weights are the ones it names.

    Raises:
        SlimvidError: a file is missing, torn, of another format, or of another hash.
    """
    place = path.with_suffix(".json")
    card = read_json(place)
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise SlimvidError(f"{place}: no card of a shipped original of format {FORMAT}; restore both files")
    missing = [key for key in ("task", "spec", "data", "weights_sha256", "updates") if key not in card]
    if missing:
        raise SlimvidError(f"{place}: field {missing[0]!r} is missing; restore the file")
    if not path.is_file():
        raise SlimvidError(f"{path}: missing; restore it (git checkout), or set `start: scratch`")
    if sha256_file(path) != card["weights_sha256"]:
        raise SlimvidError(
            f"{path}: not the weights that {place.name} names (SHA-256); restore both, or set "
            "`start: scratch`"
        )
    return Shipped(path, card)


def write(path: Path, card: Mapping[str, Any], parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write a shipped original: the weights in fp16, then the card.

    Args:
        parts: state dicts of "generator" and "discriminators", and of "back" where it keeps the other way.
    """
    tensors = {
        f"{part}/{name}": t.half() if t.dtype == torch.float32 else t
        for part, state in parts.items()
        for name, t in state.items()
    }
    save_tensors(path, tensors)
    write_json(path.with_suffix(".json"), {"format": FORMAT, **card, "weights_sha256": sha256_file(path)})


def described(data: PreparedTask) -> dict[str, Any]:
    """What the training data are, JSON-ready; not their bytes, whose last bit may be a processor's."""
    meta, clips = data.meta, data.clips("train")
    facts = {
        "source": meta.source,
        "height": meta.height,
        "width": meta.width,
        "fps": meta.fps,
        "condition": meta.condition.to_dict(),
        "clips": len(clips),
        "frames": sum(clip.length for clip in clips),
    }
    return _as_read(facts)


def _as_read(document: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: lists for tuples."""
    return json.loads(json.dumps(document))

"""A trained translator on disk: ``translator.json`` and ``weights.safetensors``. Nothing is pickled.

translator.json holds the architecture spec (enough for ``nets.build``), the plan, the condition spec, and the
provenance. Its bytes depend on nothing but the training: no date, no host, no path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from slimvid.errors import SlimvidError
from slimvid.files import atomic_path, read_json, sha256_file, write_json
from slimvid.section import first_fault
from slimvid.settings import PlanSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = 1
DOCUMENT, WEIGHTS = "translator.json", "weights.safetensors"
DISCRIMINATORS = "discriminators.safetensors"  # kept where a method may go on from them
BACK = "back/"  # before the names, in that file, of the tensors of the generator of the other way
FIRST = ("zero", "real", "generator")
FIELDS = {"task": str, "method": str, **dict.fromkeys(("spec", "plan", "condition", "provenance"), dict)}


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What ``translator.json`` says. ``path`` is its folder.

    ``back`` is the spec of the generator from frames to conditions, where one is kept (see `way_back`).
    """

    path: Path
    task: str
    method: str
    spec: dict[str, Any]
    plan: dict[str, Any]
    condition: dict[str, Any]
    provenance: dict[str, Any]
    back: dict[str, Any] | None = None

    def digest(self) -> str:
        """SHA-256 of the weights: the artifact's identity in a student's provenance."""
        return sha256_file(self.path / WEIGHTS)

    @property
    def first(self) -> str:
        """Where a stream's first frames come from, one of `FIRST`."""
        return self.plan.get("first", "zero")

    def plan_settings(self) -> PlanSettings:
        """How a clip is walked.

        Raises:
            SlimvidError: there is no such plan; names the field.
        """
        try:
            return PlanSettings(**{key: value for key, value in self.plan.items() if key != "first"})
        except ValidationError as error:
            raise self.damaged(first_fault(error, field="plan")) from None

    def damaged(self, what: str) -> SlimvidError:
        """The error for a document that cannot be used: the field and what is wrong with it."""
        return SlimvidError(f"{self.path / DOCUMENT}: {what}; copy the artifact again or train it anew")

    def network(self) -> "nn.Module":
        """The network that the spec describes, freshly initialised.

        Raises:
            SlimvidError: it describes none.
        """
        return self._built("spec", self.spec)

    def _built(self, field: str, spec: Mapping[str, Any]) -> "nn.Module":
        from slimvid import nets

        try:
            return nets.build(spec)
        except Exception as error:  # what was edited may fail anywhere in any network
            raise self.damaged(f"{field}: {' '.join(str(error).split())}") from error

    def module(self, device: str = "cpu") -> "nn.Module":
        """The network with its weights, in eval mode.

        Raises:
            SlimvidError: the spec describes no network, or the weights are another's.
        """
        module = self.network()
        load_weights(self.path / WEIGHTS, module)
        return module.to(device).eval()

    def load_discriminators(self, module: "nn.Module") -> None:
        """Load the discriminators that the artifact kept into those of a student's objective.

        Raises:
            SlimvidError: it kept none, they are not the ones it names, or the objective has others.
        """
        _fill(self.path / DISCRIMINATORS, self.discriminators(), module)

    def discriminators(self) -> dict[str, "Tensor"]:
        """The state dict of the discriminators that the artifact kept.

        Raises:
            SlimvidError: it kept none, or they are not the ones it names.
        """
        return {name: t for name, t in self._second().items() if not name.startswith(BACK)}

    def way_back(self, device: str = "cpu") -> "nn.Module":
        """The generator from frames (N x 3 x H x W in [-1, 1]) to conditions in [-1, 1], in eval mode.

        Raises:
            SlimvidError: the artifact kept none, or not the one it names.
        """
        if self.back is None:
            raise SlimvidError(f"{self.path}: {self.method} of {self.task} kept no generator of the way back")
        found = {name: t for name, t in self._second().items() if name.startswith(BACK)}
        module = self._built("back", self.back)
        own = {name.removeprefix(BACK): t for name, t in found.items()}
        _fill(self.path / DISCRIMINATORS, own, module)
        return module.to(device).eval()

    def _second(self) -> dict[str, "Tensor"]:
        """The tensors of the second file, which is the one that the document names."""
        path, named = self.path / DISCRIMINATORS, self.provenance.get("discriminators_sha256")
        if named is None or not path.is_file():
            raise SlimvidError(
                f"{path}: missing; {self.method} of {self.task} kept no discriminators, train it anew"
            )
        if sha256_file(path) != named:
            raise SlimvidError(f"{path}: not the file that {DOCUMENT} names (SHA-256); copy both again")
        return read_tensors(path)


def save(
    path: Path,
    *,
    task: str,
    method: str,
    spec: Mapping[str, Any],
    plan: Mapping[str, Any],
    condition: Mapping[str, Any],
    provenance: Mapping[str, Any],
    state: Mapping[str, "Tensor"],
    discriminators: Mapping[str, "Tensor"] | None = None,
    back: "nn.Module | None" = None,
) -> None:
    """Write an artifact; the weights first, so that a translator.json on disk is always whole.

    Args:
        state: the network's weights. discriminators: those of its training, where they are to be kept; with
            them ``back``, the generator of the other way.
    """
    save_tensors(path / WEIGHTS, state)
    hashes = {"weights_sha256": sha256_file(path / WEIGHTS)}
    if discriminators is not None:
        way = {} if back is None else {f"{BACK}{name}": t for name, t in back.state_dict().items()}
        save_tensors(path / DISCRIMINATORS, {**discriminators, **way})
        hashes["discriminators_sha256"] = sha256_file(path / DISCRIMINATORS)
    write_json(
        path / DOCUMENT,
        {
            "format": FORMAT,
            "task": task,
            "method": method,
            "spec": dict(spec),
            "plan": dict(plan),
            "condition": dict(condition),
            "provenance": {**provenance, **hashes},
            **({} if back is None else {"back": dict(back.spec)}),
        },
    )


def read(path: Path | str) -> Artifact:
    """Read an artifact's document.

    Raises:
        SlimvidError: missing, not JSON, of an unknown format, with a field that is missing or of a wrong
            kind, or its weights are not the ones it names.
    """
    path = Path(path)
    if path.is_file():
        raise SlimvidError(f"{path}: is a file; give the artifact's folder, {path.parent}")
    document = read_json(path / DOCUMENT)
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise SlimvidError(
            f"{path / DOCUMENT}: format {version!r}, this version reads {FORMAT}; train it anew"
        )
    missing = [key for key in FIELDS if key not in document]
    if missing:
        raise SlimvidError(f"{path / DOCUMENT}: field {missing[0]!r} is missing; train it anew")
    kinds = {**FIELDS, **({"back": dict} if "back" in document else {})}
    found = Artifact(path=path, **{key: document[key] for key in kinds})
    for key, kind in kinds.items():
        if not isinstance(document[key], kind):
            wanted = "text" if kind is str else "a mapping"
            raise found.damaged(f"{key}: must be {wanted}, not {document[key]!r}")
    found.plan_settings()
    if found.first not in FIRST:
        raise found.damaged(f"plan.first: {found.first!r} is none of {', '.join(FIRST)}")
    if not (path / WEIGHTS).is_file():
        raise SlimvidError(f"{path / WEIGHTS}: missing; copy it from where {DOCUMENT} came from")
    if sha256_file(path / WEIGHTS) != document["provenance"].get("weights_sha256"):
        raise SlimvidError(
            f"{path / WEIGHTS}: not the weights that {DOCUMENT} names (SHA-256); copy both again"
        )
    return found


def save_tensors(path: Path, tensors: Mapping[str, "Tensor"]) -> None:
    """Write tensors as safetensors, atomically, on CPU; the bytes depend on nothing but the values."""
    from safetensors.torch import save_file

    with atomic_path(path) as temporary:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary)


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """Read a safetensors file.

    Raises:
        SlimvidError: missing or not safetensors; names the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise SlimvidError(f"{path}: missing; train it first") from None
    except SafetensorError as error:
        raise SlimvidError(f"{path}: not a whole safetensors file ({error}); copy or train it anew") from None


def load_weights(path: Path, module: "nn.Module") -> None:
    """Load weights into a module of the same architecture.

    Raises:
        SlimvidError: a tensor is missing, left over, or of another shape; names the first.
    """
    _fill(path, read_tensors(path), module)


def _fill(path: Path, tensors: Mapping[str, "Tensor"], module: "nn.Module") -> None:
    """`load_weights` of tensors that were read from ``path``."""
    wanted = module.state_dict()
    for name in (*wanted, *tensors):
        if name not in tensors or name not in wanted:
            where = "lacks" if name in wanted else "has a left-over"
            raise SlimvidError(f"{path}: {where} tensor {name!r}; it belongs to another architecture spec")
        if tensors[name].shape != wanted[name].shape:
            shapes = f"{tuple(tensors[name].shape)}, the spec needs {tuple(wanted[name].shape)}"
            raise SlimvidError(f"{path}: tensor {name!r} is {shapes}")
    module.load_state_dict(tensors)

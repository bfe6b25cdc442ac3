"""Weights given by path: whatever the file holds, one line that names it and its field."""

from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from slimvid.errors import SlimvidError
from slimvid.files import sha256_file
from slimvid.measure import standard
from slimvid.measure.fcn import load_fcn
from slimvid.teachers.content import ContentLoss
from slimvid.training.losses import Perceptual
from slimvid.weights import load_i3d, load_state


def vgg16_layers() -> dict[str, torch.Tensor]:
    """The names and shapes of VGG-16's convolutions, which begin like VGG-19's."""
    found, channels, index = {}, 3, 0
    for stage in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for width in stage:
            found[f"features.{index}.weight"] = torch.zeros(width, channels, 3, 3)
            found[f"features.{index}.bias"] = torch.zeros(width)
            channels, index = width, index + 2
        index += 1
    return found


WRONG = {
    "another.pth": lambda path: torch.save({"a": torch.zeros(3)}, path),
    "part.pth": lambda path: torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path),
    "vgg16.pth": lambda path: torch.save(vgg16_layers(), path),
    "whole_run.pth": lambda path: torch.save({"epoch": 3, "state_dict": {"a": torch.zeros(1)}}, path),
    "list.pth": lambda path: torch.save([torch.zeros(3)], path),
    "number.pth": lambda path: torch.save(3, path),
    "text.pth": lambda path: path.write_text("not weights"),
    "empty.pth": lambda path: path.write_bytes(b""),
    "other.safetensors": lambda path: save_file({"a": torch.zeros(3)}, path),
    "text.safetensors": lambda path: path.write_text("not weights"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("wrong")
    for name, make in WRONG.items():
        make(root / name)
    return {name: root / name for name in WRONG}


def one_line(load, path: Path) -> None:
    with pytest.raises(SlimvidError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("load", [ContentLoss, partial(load_fcn, hidden=4)])
def test_weights_of_another_kind_are_one_line(load, files) -> None:
    for path in files.values():
        one_line(load, path)


def test_vgg19_is_told_from_its_family_and_from_parts_of_itself(files) -> None:
    for name in ("vgg16.pth", "part.pth", "another.pth"):
        one_line(Perceptual, files[name])


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_what_has_the_hash_of_another_kind_is_one_line_too(files) -> None:
    for load, name in ((standard.load_inception, "text.pth"), (standard.load_inception, "list.pth")):
        one_line(partial(load, sha256=sha256_file(files[name])), files[name])
    path = files["another.pth"]
    one_line(partial(load_i3d, field="measure.i3d", sha256=sha256_file(path)), path)


def test_every_loader_names_a_missing_file_and_a_folder(tmp_path) -> None:
    for load in (
        *(Perceptual, ContentLoss, load_fcn),
        partial(standard.load_inception, sha256="0" * 64),
        partial(load_i3d, field="options.i3d"),
    ):
        one_line(load, tmp_path)
        one_line(load, tmp_path / "none.pth")


def test_nothing_in_a_file_is_run(tmp_path) -> None:
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weight": Harmful()}, tmp_path / "harm.pth")
    load = partial(load_state, nn.Linear(1, 1), field="vgg", what="my", mend="get others")
    one_line(load, tmp_path / "harm.pth")
    assert not (tmp_path / "ran").exists()


def test_the_right_weights_arrive_from_both_formats(tmp_path) -> None:
    state = {"weight": torch.full((1, 1), 3.0), "bias": torch.full((1,), 4.0)}
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        net = nn.Linear(1, 1)
        load_state(net, tmp_path / name, field="vgg", what="my", mend="get others")
        assert net(torch.ones(1, 1)).item() == 7

"""The standard extractors with random weights in files: loading, hash, pre-processing, architecture."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slimvid.errors import SlimvidError
from slimvid.files import sha256_file
from slimvid.measure import standard
from slimvid.settings import MeasureSettings
from slimvid.weights import I3D_SHA256, load_i3d


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    net = standard.inception_network()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)  # the default lets the signal die out
    state = net.state_dict()
    kept = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(kept, path)  # the published file is older than that counter
    return path


class TinyI3D(torch.nn.Module):
    """Takes what StyleGAN-V's script takes and gives 400 numbers of it."""

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        if rescale:
            x = x / 127.5 - 1
        mean = x.mean(dim=(3, 4)).flatten(1)
        return torch.cat([mean] * 9, dim=1)[:, :400]


@pytest.fixture(scope="module")
def i3d_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "i3d.pt"
    torch.jit.save(torch.jit.script(TinyI3D()), str(path))
    return path


def test_inception_has_the_ports_shapes():
    state = standard.inception_network().state_dict()
    assert state["fc.weight"].shape == (1008, 2048)
    assert state["Mixed_5b.branch_pool.conv.weight"].shape == (32, 192, 1, 1)
    assert state["Mixed_6b.branch7x7_1.conv.weight"].shape == (128, 768, 1, 1)
    assert not any(name.startswith("AuxLogits") for name in state)
    assert len(state) == 94 * 6 + 2  # 94 convolutions: weight and five of the batch norm; one linear layer


def test_poolings_are_those_of_the_port():
    torch.manual_seed(1)
    net = standard.inception_network()
    x = torch.randn(1, 2048, 8, 8)
    seen = {}
    for name in ("Mixed_7b", "Mixed_7c"):
        block = getattr(net, name)
        block.branch_pool.register_forward_hook(lambda _m, i, _o, name=name: seen.update({name: i[0]}))
        block(x[:, :1280] if name == "Mixed_7b" else x)
    assert torch.equal(seen["Mixed_7c"], F.max_pool2d(x, 3, 1, 1))
    corner = x[0, :1280, :2, :2].mean(dim=(1, 2))  # four pixels, not nine: the padding is not counted
    assert torch.allclose(seen["Mixed_7b"][0, :, 0, 0], corner, atol=1e-6)


def test_inception_loads_checks_and_measures(inception_file):
    net = standard.load_inception(inception_file, sha256=sha256_file(inception_file))
    frame = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    features = standard.inception_features(net, [frame, frame[:, ::-1]])
    assert features.shape == (2, 2048)
    x = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None] / 255
    x = F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
    with torch.no_grad():
        assert np.allclose(net(2 * x - 1)[0].numpy(), features[0], rtol=1e-4)
    assert not np.allclose(features[0], features[1], rtol=1e-2)


@pytest.mark.parametrize("load", [standard.load_inception, partial(load_i3d, field="measure.i3d")])
def test_a_file_of_another_hash_is_never_loaded(load, tmp_path, monkeypatch):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"anything")
    monkeypatch.setattr(torch, "load", None)
    monkeypatch.setattr(torch.jit, "load", None)
    with pytest.raises(SlimvidError, match=r"weights\.pt: SHA-256 .* get the published weights"):
        load(path, sha256="0" * 64)
    with pytest.raises(SlimvidError, match=r"absent\.pt: no such file \(field measure\."):
        load(tmp_path / "absent.pt", sha256="0" * 64)


def test_published_hashes_are_the_ones_checked():
    assert standard.INCEPTION_SHA256[:8] == "6726825d"  # also in the published file's name
    assert len(standard.INCEPTION_SHA256) == len(I3D_SHA256) == 64


def test_weights_of_another_network_are_named(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(SlimvidError, match="not FID Inception weights"):
        standard.load_inception(path, sha256=sha256_file(path))


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")  # the published file is TorchScript
def test_i3d_takes_windows_of_sixteen(i3d_file, monkeypatch):
    known = partial(load_i3d, sha256=sha256_file(i3d_file))
    monkeypatch.setattr(standard, "load_i3d", known)
    clips = [np.full((n, 8, 8, 3), 255, np.uint8) for n in (20, 10, 16)]
    settings = MeasureSettings(i3d=i3d_file, window_stride=2)
    features = standard.clip_features(settings, lambda: iter(clips), [20, 10, 16])
    assert set(features) == {"fvd"}
    assert features["fvd"].shape == (4, 400)  # starts 0, 2, 4 of the first clip and 0 of the last
    assert np.allclose(features["fvd"], 1)  # rescale is on: 255 arrives as 1
    with pytest.raises(SlimvidError, match="16 frames"):
        standard.clip_features(settings, lambda: iter(clips[1:2]), [10])


def test_nothing_is_measured_without_weights():
    assert standard.clip_features(MeasureSettings(), lambda: iter(()), []) == {}

"""FCN-8s: the released layers, aligned with the picture, refused weights."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from slimvid.errors import SlimvidError
from slimvid.measure.fcn import FCN8s, fcn_segment, load_fcn


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return FCN8s(hidden=4).eval()


def test_scores_cover_the_picture(net):
    with torch.no_grad():
        assert net(torch.zeros(1, 3, 40, 72)).shape == (1, 32, 40, 72)


def test_layers_are_the_released_ones():
    with torch.device("meta"):
        full = FCN8s()
    shapes = {name: tuple(p.shape) for name, p in full.state_dict().items()}
    assert shapes["fc6.weight"] == (4096, 512, 7, 7) and shapes["conv5_3.weight"] == (512, 512, 3, 3)
    assert shapes["upscore8.weight"] == (32, 32, 16, 16) and "upscore8.bias" not in shapes
    assert shapes["score_fr.bias"] == (32,) and len(shapes) == 13 * 2 + 5 * 2 + 3


def bilinear(layer: torch.nn.ConvTranspose2d) -> None:
    size = layer.kernel_size[0]
    middle, factor = (size - 1) / 2, (size + 1) // 2
    ramp = 1 - (torch.arange(size) - middle).abs() / factor
    layer.weight.zero_()[0, 0] = ramp[:, None] * ramp


@pytest.mark.parametrize(("layer", "stride"), [("score_pool3", 8), ("score_pool4", 16), ("score_fr", 32)])
@torch.no_grad()
def test_each_path_puts_a_spot_where_it_was(layer, stride):
    """All layers hand on channel 0 as it is; only one of the three paths to the scores is open."""
    net = FCN8s(hidden=1)
    for part in net.modules():
        if isinstance(part, torch.nn.ConvTranspose2d):
            bilinear(part)
        elif isinstance(part, torch.nn.Conv2d):
            part.weight.zero_()[0, 0, part.kernel_size[0] // 2, part.kernel_size[1] // 2] = 1
            part.bias.zero_()
    for name in {"score_pool3", "score_pool4", "score_fr"} - {layer}:
        getattr(net, name).weight.zero_()
    for y, x in ((20, 36), (60, 100), (90, 140)):
        picture = torch.zeros(1, 3, 128, 160)
        picture[0, 0, y : y + 4, x : x + 4] = 1
        scores = net(picture)[0, 0]
        rows, columns = torch.meshgrid(torch.arange(128), torch.arange(160), indexing="ij")
        centre = [float((scores * at).sum() / scores.sum()) for at in (rows, columns)]
        assert abs(centre[0] - y - 1.5) <= stride / 2 + 1 and abs(centre[1] - x - 1.5) <= stride / 2 + 1


def test_weights_round_trip_and_wrong_ones_are_named(net, tmp_path):
    save_file(net.state_dict(), tmp_path / "fcn.safetensors")
    torch.save({"model_state_dict": net.state_dict()}, tmp_path / "fcn.pt")
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    found = [
        fcn_segment(load_fcn(tmp_path / f"fcn.{kind}", hidden=4), frame) for kind in ("safetensors", "pt")
    ]
    assert found[0].shape == (64, 96) and found[0].dtype == np.uint8 and np.array_equal(*found)
    with pytest.raises(SlimvidError, match=r"none\.pt: no such file \(field measure\.fcn\)"):
        load_fcn(tmp_path / "none.pt")
    with pytest.raises(SlimvidError, match=r"fcn\.pt: not FCN-8s weights"):
        load_fcn(tmp_path / "fcn.pt", hidden=5)

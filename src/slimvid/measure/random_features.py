"""Random features: the embedded extractors of RFD-4 (frames) and RFVD-4 (16-frame windows). No download.

Four randomly initialised convolutional networks look at 64 x 64 tiles. Each has two layers (16 and 32
channels) whose activations are pooled to their mean and their spread: over time at each place for windows,
over the place for frames. That gives d = 96 features a network. Activations are normalised with statistics of
the real *training* split, and so are the features; the distance is the mean over the networks of the Fréchet
distance divided by d. Random convolutions keep the texture and motion that a network trained on labels
throws away, and the mean of four orders graded blur, noise, held, dropped and shuffled frames and flicker
strictly (a test holds it). The numbers say nothing beside published FID or FVD.

Weights are uniform numbers of NumPy's legacy Mersenne Twister, whose stream is frozen by NumPy's policy and
takes no logarithm: they depend on no global state, no library version and no platform.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEEDS = (0, 1, 2, 3)
TILE = 64  # pixels: the side of the squares that are looked at
MAX_SAMPLES = 2048  # more samples are thinned evenly, so that cost and memory are bounded at any size
CHANNELS = (3, 16, 32)
FEATURES = 2 * sum(CHANNELS[1:])
_KERNELS = {2: ((5, 5), (3, 3)), 3: ((3, 5, 5), (3, 3, 3))}
_STRIDES = {2: ((2, 2), (2, 2)), 3: ((1, 2, 2), (1, 2, 2))}


class RandomNet(nn.Module):
    """One seeded network. ``dimensions`` 2: N x 3 x H x W in; 3: N x 3 x T x H x W in; N x 96 out.

    Inputs are in [-1, 1]. The normalisation is the identity until ``calibrate``.
    """

    def __init__(self, dimensions: int, seed: int):
        super().__init__()
        self.dimensions = dimensions
        draw = np.random.RandomState(1000 * dimensions + seed)
        for layer, kernel in enumerate(_KERNELS[dimensions]):
            shape = (CHANNELS[layer + 1], CHANNELS[layer], *kernel)
            fan_in = int(np.prod(shape[1:]))
            weight = draw.uniform(-1, 1, shape) * np.sqrt(
                6.0 / fan_in
            )  # variance 2 / fan-in (He et al. 2015)
            self.register_buffer(f"weight{layer}", torch.from_numpy(weight.astype(np.float32)))
            self.register_buffer(f"mean{layer}", torch.zeros(shape[0]))
            self.register_buffer(f"scale{layer}", torch.ones(shape[0]))
        self.register_buffer("feature_mean", torch.zeros(FEATURES, dtype=torch.float64))
        self.register_buffer("feature_scale", torch.ones(FEATURES, dtype=torch.float64))

    def convolve(self, x: Tensor, layer: int) -> Tensor:
        """Layer ``layer`` before its normalisation; time is extended by its first and last frame."""
        conv = F.conv2d if self.dimensions == 2 else F.conv3d
        if self.dimensions == 3:
            x = F.pad(x, (0, 0, 0, 0, 1, 1), mode="replicate")
        return conv(x, self.get_buffer(f"weight{layer}"), stride=_STRIDES[self.dimensions][layer])

    def normalise(self, x: Tensor, layer: int) -> Tensor:
        shape = (1, -1) + (1,) * self.dimensions
        mean, scale = self.get_buffer(f"mean{layer}"), self.get_buffer(f"scale{layer}")
        return F.relu((x - mean.view(shape)) * scale.view(shape))

    def pool(self, x: Tensor) -> Tensor:
        """N x C x ... -> N x 2C: mean, and standard deviation over time (windows) or place (frames)."""
        axis = (2, 3) if self.dimensions == 2 else (2,)
        mean = x.mean(dim=axis, keepdim=True)
        spread = (x - mean).square().mean(dim=axis).sqrt()  # torch's own std takes twice as long
        if self.dimensions == 3:
            mean, spread = mean.mean(dim=(3, 4)), spread.mean(dim=(2, 3))
        return torch.cat((mean.flatten(1), spread), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = []
        for layer in range(len(CHANNELS) - 1):
            x = self.normalise(self.convolve(x, layer), layer)
            pooled.append(self.pool(x))
        features = torch.cat(pooled, dim=1).double()
        return (features - self.feature_mean) * self.feature_scale


def networks(dimensions: int) -> list[RandomNet]:
    """The four uncalibrated networks for frames (2) or windows (3)."""
    return [RandomNet(dimensions, seed).eval() for seed in SEEDS]


@torch.no_grad()
def calibrate(nets: Sequence[RandomNet], samples: Sequence[np.ndarray]) -> None:
    """Set every normalisation, layer by layer, from real training samples; then the feature scales.

    Args:
        samples: uint8 tiles H x W x 3 (frames) or T x H x W x 3 (windows), at least two.
    """
    for net in nets:
        for layer in range(len(CHANNELS) - 1):
            _calibrate_layer(net, layer, samples)
        features = np.concatenate([net(_tensor(s)).numpy() for s in samples])
        scale = features.std(0)
        floor = 1e-3 * scale.max()  # a feature that never varies on real data must not explode
        net.feature_mean.copy_(torch.from_numpy(features.mean(0)))
        net.feature_scale.copy_(torch.from_numpy(1 / np.maximum(scale, max(floor, 1e-12))))


def _calibrate_layer(net: RandomNet, layer: int, samples: Sequence[np.ndarray]) -> None:
    total = square = count = 0
    for sample in samples:
        x = _tensor(sample)
        for before in range(layer):
            x = net.normalise(net.convolve(x, before), before)
        x = net.convolve(x, layer).transpose(0, 1).flatten(1).double()
        total, square, count = total + x.sum(1), square + (x**2).sum(1), count + x.shape[1]
    mean = total / count
    variance = (square / count - mean**2).clamp_min(0)
    net.get_buffer(f"mean{layer}").copy_(mean)
    net.get_buffer(f"scale{layer}").copy_((variance + 1e-5).rsqrt())


@torch.no_grad()
def extract(nets: Sequence[RandomNet], samples: Iterable[np.ndarray]) -> np.ndarray:
    """Features of uint8 tiles: float64 K x n x 96 for K networks.

    Each sample goes through alone, so its features do not depend on what is measured beside it.
    """
    rows = []
    for sample in samples:
        x = _tensor(sample)
        rows.append([net(x)[0].numpy() for net in nets])
    return np.asarray(rows, np.float64).reshape(-1, len(nets), FEATURES).transpose(1, 0, 2)


def _tensor(sample: np.ndarray) -> Tensor:
    """uint8 [T,] H, W, 3 -> float32 1 x 3 x [T x] H x W in [-1, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(sample, -1, 0)))
    return x.float().div_(127.5).sub_(1)[None]


def tile_starts(size: int, tile: int = TILE) -> list[int]:
    """First pixels of the fewest tiles that cover ``size`` pixels, evenly spaced (they may overlap)."""
    tile = min(size, tile)
    count = -(-size // tile)
    return [round(i * (size - tile) / max(count - 1, 1)) for i in range(count)]


def sample_places(
    lengths: Sequence[int], height: int, width: int, *, window: int, stride: int, limit: int = MAX_SAMPLES
) -> list[tuple[int, int, int, int]]:
    """Where the samples lie: (clip number, first frame, y, x), the same for real and generated clips.

    Args:
        lengths: frames of each clip; clips shorter than ``window`` give no sample.
        window: frames of a sample (1 for RFD-4).
        stride: frames between the starts of windows.
        limit: no more samples than this; a longer list is thinned evenly.
    """
    places = [
        (clip, start, y, x)
        for clip, length in enumerate(lengths)
        for start in range(0, length - window + 1, stride)
        for y in tile_starts(height)
        for x in tile_starts(width)
    ]
    if len(places) <= limit:
        return places
    return [places[i] for i in np.linspace(0, len(places) - 1, limit).round().astype(int)]


def cut_samples(
    frames: np.ndarray, places: Iterable[tuple[int, int, int, int]], *, window: int
) -> Iterator[np.ndarray]:
    """The tiles of one clip (uint8 T x H x W x 3) at its ``places``; frames (window 1) lose the time axis."""
    for _, start, y, x in places:
        tile = frames[start : start + window, y : y + TILE, x : x + TILE]
        yield tile[0] if window == 1 else tile


def network_hash(nets: Sequence[RandomNet]) -> str:
    """SHA-256 over names and bytes of everything the networks hold: the extractor's identity."""
    import hashlib

    digest = hashlib.sha256()
    for number, net in enumerate(nets):
        for name, value in sorted(net.state_dict().items()):
            digest.update(f"{number}.{name}{tuple(value.shape)}".encode())
            digest.update(np.ascontiguousarray(value.numpy()).astype(value.numpy().dtype.newbyteorder("<")))
    return digest.hexdigest()

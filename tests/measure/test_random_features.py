"""The embedded extractors: where their weights come from, and what they may depend on."""

import numpy as np
import pytest
import torch

from slimvid.measure import random_features as rf

# of the uncalibrated networks: changes only if the extractors do, and then every RFD-4 and RFVD-4 with them
FRAME_NETS, WINDOW_NETS = "eea171334658a992", "08c4cf1a293e7ab5"


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (6, 32, 40, 3), dtype=np.uint8) for _ in range(5)]


def test_weights_are_pinned_and_ignore_the_global_generators():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 (the global generator is the point)
    assert rf.network_hash(rf.networks(2))[:16] == FRAME_NETS
    assert rf.network_hash(rf.networks(3))[:16] == WINDOW_NETS


def test_building_leaves_the_global_generators_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    rf.networks(3)
    assert torch.equal(torch.rand(1), expected)


def test_features_do_not_depend_on_what_is_measured_beside(windows):
    nets = rf.networks(3)
    together = rf.extract(nets, windows)
    alone = np.concatenate([rf.extract(nets, [w]) for w in windows], axis=1)
    assert together.shape == (4, 5, rf.FEATURES)
    assert np.array_equal(together, alone)


def test_calibration_standardises_the_real_features(windows):
    nets = rf.networks(3)
    rf.calibrate(nets, windows)
    features = rf.extract(nets, windows)
    assert np.abs(features.mean(1)).max() < 1e-9
    assert np.median(features.std(1)) == pytest.approx(1, abs=1e-9)
    assert features.std(1).max() < 1 + 1e-9


def test_a_layer_is_normalised_to_zero_mean_unit_variance(windows):
    net = rf.networks(3)[0]
    rf.calibrate([net], windows)
    x = torch.cat([net.convolve(rf._tensor(w), 0) for w in windows])
    mean, scale = (net.get_buffer(f"{n}0").view(1, -1, 1, 1, 1) for n in ("mean", "scale"))
    y = (x - mean) * scale
    assert y.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-4
    assert (y.var(dim=(0, 2, 3, 4), correction=0) - 1).abs().max() < 1e-3


def test_windows_see_order_and_frames_do_not(windows):
    nets3, nets2 = rf.networks(3), rf.networks(2)
    shuffled = windows[0][[3, 0, 5, 1, 4, 2]]
    assert not np.allclose(rf.extract(nets3, [windows[0]]), rf.extract(nets3, [shuffled]), atol=1e-3)
    frames, again = rf.extract(nets2, windows[0]), rf.extract(nets2, shuffled)
    assert np.allclose(frames.mean(1), again.mean(1))


@pytest.mark.parametrize(
    ("size", "starts"), [(64, [0]), (48, [0]), (128, [0, 64]), (100, [0, 36]), (160, [0, 48, 96])]
)
def test_tiles_cover_the_frame(size, starts):
    assert rf.tile_starts(size) == starts


def test_places_skip_short_clips_and_are_thinned_evenly():
    places = rf.sample_places([20, 6, 10], 64, 128, window=8, stride=4)
    assert [p for p in places if p[3] == 0] == [
        (0, 0, 0, 0),
        (0, 4, 0, 0),
        (0, 8, 0, 0),
        (0, 12, 0, 0),
        (2, 0, 0, 0),
    ]
    assert len(places) == 10
    few = rf.sample_places([400], 64, 64, window=1, stride=1, limit=50)
    assert len(set(few)) == 50
    assert few[0][1] == 0 and few[-1][1] == 399


def test_samples_are_cut_where_they_are_said_to_lie():
    clip = np.arange(5 * 70 * 70 * 3, dtype=np.uint8).reshape(5, 70, 70, 3)
    window, frame = (next(iter(rf.cut_samples(clip, [(0, 2, 6, 1)], window=w))) for w in (3, 1))
    assert np.array_equal(window, clip[2:5, 6:70, 1:65])
    assert np.array_equal(frame, clip[2, 6:70, 1:65])

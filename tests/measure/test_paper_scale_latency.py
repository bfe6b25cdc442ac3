"""Timing without training, on networks made small; no clock is judged."""

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.measure import paper_scale_latency as bench
from slimvid.measure.published_networks import NETWORKS, Whole
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.runtime import Runtime

CPU = Runtime(device="cpu", precision="fp32", threads=1)


def test_everything_compressed_has_its_original_among_the_timed():
    for name in bench.TIMED:
        assert bench.original_of(name) in bench.TIMED
        assert bench.original_of(bench.original_of(name)) == bench.original_of(name)
    assert bench.original_of("fast_vid2vid pose2body") == "vid2vid pose2body"
    assert bench.original_of("shortcut viper2city") == "recyclegan viper2city"
    assert bench.original_of("gan_compression edges2shoes") == "resnet9"


def test_shortcut_networks_are_those_of_the_counts():
    assert set(bench.SHORTCUTS) <= set(NETWORKS)
    assert bench.SHORTCUTS["shortcut sketch2face"].interval == 6
    assert bench.SHORTCUTS["shortcut segmentation2city"].interval == 3


def test_a_whole_network(monkeypatch):
    small = Whole(lambda: build(resnet_spec(4, blocks=2)), (16, 24))
    monkeypatch.setitem(bench.NETWORKS, "resnet9", small)
    timing = bench.time_network("resnet9", runtime=CPU, repeats=2)
    assert (timing.height, timing.width, timing.plan) == (16, 24, "every frame")
    assert timing.drawn_ms == timing.mean_ms > 0
    assert timing.memory_from == "counted" and timing.memory_mb > 0


def test_key_frames_take_their_share_and_the_interpolation(monkeypatch):
    spec = {"kind": "vid2vid", "condition_channels": 2, "width": 4, "downs": 2, "blocks": 2}
    with torch.device("meta"):
        one = Whole(lambda: build(spec), (32, 32))().macs["thop"]
    small = Whole(lambda: build(spec), (32, 32), mean_macs=one / 4)
    monkeypatch.setitem(bench.NETWORKS, "fast_vid2vid sketch2face", small)
    monkeypatch.setattr(bench, "figures", lambda name: small())
    timing = bench.time_network("fast_vid2vid sketch2face", runtime=CPU, repeats=1)
    assert timing.plan == "key-frames, 0.250 of all"
    assert timing.mean_ms == pytest.approx(timing.drawn_ms / 4 + timing.interpolation_ms)
    assert timing.interpolation_ms > 0


def test_a_shortcut_network(monkeypatch):
    small = bench.Shortcut(lambda: resnet_spec(8, blocks=2), (16, 24), 4, 3)
    monkeypatch.setitem(bench.SHORTCUTS, "shortcut viper2city", small)
    timing = bench.time_network("shortcut viper2city", runtime=CPU, repeats=1)
    assert timing.plan == "shortcut, 1 frame of 3 in full"
    assert timing.mean_ms > 2 / 3 * timing.drawn_ms


def test_all_networks_of_a_comparison_are_timed_in_one_precision(monkeypatch):
    """A ratio of an original in bf16 and a student in fp32 would say nothing of the student."""
    plain = Whole(lambda: build(resnet_spec(4, blocks=1)), (16, 24))
    grouped = Whole(lambda: torch.nn.Sequential(torch.nn.ConvTranspose2d(4, 4, 3, groups=2)), (16, 24))
    monkeypatch.setitem(bench.NETWORKS, "resnet9", plain)
    monkeypatch.setitem(bench.NETWORKS, "unet", grouped)
    monkeypatch.setattr(bench, "TIMED", ("resnet9", "unet"))
    for names, precision in ((["resnet9"], "bf16"), (["resnet9", "unet"], "fp32")):
        chosen = Runtime(device="cpu", precision="bf16", threads=1, automatic=True)
        bench.settle(chosen, names)
        assert chosen.precision == precision


def test_the_same_seed_gives_the_same_weights():
    first, second = (bench._seeded(lambda: build(resnet_spec(4)), "cpu", 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_bad_arguments():
    with pytest.raises(SlimvidError, match="vid2vid sketch2face"):
        bench.time_network("stylegan", runtime=CPU)
    with pytest.raises(SlimvidError, match="repeats 0"):
        bench.time_network("resnet9", runtime=CPU, repeats=0)

"""The latency table: ratios from timings, counts and print; no clock is involved."""

import csv

import pytest

from slimvid.measure.paper_scale_latency import TIMED, Timing
from slimvid.report import published_latency
from slimvid.report.published_latency import COLUMNS, latency_table, write_latency
from slimvid.runtime import Runtime


def _timing(network, drawn, mean):
    return Timing(
        network=network,
        plan="every frame",
        height=256,
        width=512,
        drawn_ms=drawn,
        mean_ms=mean,
        interpolation_ms=0.0,
        memory_mb=10.0,
        memory_from="counted",
    )


DESCRIBED = {"device": "cpu", "device_name": "a CPU", "precision": "fp32", "threads": 1, "torch": "2"}


def test_speed_up_stands_beside_the_ratios_of_macs_and_of_published_fps():
    timings = [_timing("recyclegan viper2city", 90.0, 90.0), _timing("shortcut viper2city", 30.0, 50.0)]
    table = latency_table(timings, DESCRIBED)
    assert tuple(table.columns) == COLUMNS
    original, shortcut = table.to_dict("records")
    assert (original["measured_speedup"], original["true_macs_ratio"]) == ("1.00", "1.00")
    assert (shortcut["measured_speedup"], shortcut["true_macs_ratio"]) == ("1.80", "2.15")
    assert (shortcut["published_fps"], shortcut["published_fps_ratio"]) == ("99.67", "1.13")
    assert (shortcut["fps"], shortcut["mean_fps"]) == ("33.333", "20.000")
    assert (shortcut["device_name"], shortcut["threads"]) == ("a CPU", 1)


def test_without_the_original_there_is_no_speed_up():
    row = latency_table([_timing("omgd viper2city", 30.0, 30.0)], DESCRIBED).to_dict("records")[0]
    assert row["measured_speedup"] == "" and row["published_fps"] == ""
    assert row["original"] == "recyclegan viper2city"


@pytest.mark.parametrize(
    ("network", "fps", "ratio"),
    [("fast_vid2vid sketch2face", "18.56", "6.70"), ("shortcut sketch2face", "12.86", "2.28")],
)
def test_published_speeds(network, fps, ratio):
    row = latency_table([_timing(network, 30.0, 30.0)], DESCRIBED).to_dict("records")[0]
    assert (row["published_fps"], row["published_fps_ratio"]) == (fps, ratio)


def test_the_file_grows_network_by_network(tmp_path, monkeypatch):
    from slimvid.measure import paper_scale_latency

    asked = []

    def fake(name, **how):
        asked.append(name)
        return _timing(name, 10.0, 10.0)

    monkeypatch.setattr(paper_scale_latency, "time_network", fake)
    out = tmp_path / "cost" / "latency.csv"
    runtime = Runtime(device="cpu", precision="fp32", threads=1)
    write_latency(out, runtime=runtime, networks=["resnet9", "gan_compression horse2zebra"])
    with out.open() as stream:
        rows = list(csv.DictReader(stream))
    assert asked == [row["network"] for row in rows] == ["resnet9", "gan_compression horse2zebra"]
    assert set(asked) <= set(TIMED) and tuple(rows[0]) == published_latency.COLUMNS

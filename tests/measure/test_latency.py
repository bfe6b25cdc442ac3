"""Latency: what is timed, over what, under which protocol (never how fast)."""

import json
import shutil
from dataclasses import replace

import numpy as np

from slimvid.data.store import PreparedTask
from slimvid.infer.translator import load
from slimvid.measure import latency
from slimvid.measure.latency import Latencies, end_to_end, measure_latency, network_times
from slimvid.settings import MeasureSettings


def test_document_states_its_protocol(tiny_teacher, tiny_task, tmp_path):
    settings = MeasureSettings(latency_frames=12, latency_warmup=2)
    out = tmp_path / "latency.json"
    measure_latency(tiny_teacher, tiny_teacher, tiny_task, settings, out, device="cpu")
    document = json.loads(out.read_text())
    assert (document["task"], document["method"], document["seed"]) == ("tiny", "original", 0)
    protocol = document["protocol"]
    assert protocol["device"] == "cpu" and protocol["precision"] == "fp32" and protocol["threads"] == 1
    assert (protocol["height"], protocol["width"], protocol["batch"]) == (32, 32, 1)
    assert protocol["network_frames"] == 10 and protocol["end_to_end_frames"] == 50  # 5 clips of 10
    timed = {
        "speedup",
        "speedup_low",
        "speedup_high",
        "fps",
        "fps_network",
        "latency_ms_p50",
        "latency_ms_p99",
    }
    assert set(document["values"]) == {*timed, "training_cpu_seconds"}
    assert all(value > 0 for value in document["values"].values())
    assert document["values"]["speedup"] == 1  # it is the original
    assert document["values"]["latency_ms_p50"] <= document["values"]["latency_ms_p99"]


def test_network_time_has_one_entry_per_drawn_frame_and_skips_the_warm_up(tiny_teacher, tiny_task):
    translator, data = load(tiny_teacher, device="cpu"), PreparedTask(tiny_task)
    conditions = [data.condition("test", "test0", i) for i in range(6)]
    calls = []
    translator.net.register_forward_hook(lambda *a: calls.append(1))
    times = network_times(translator, conditions, warmup=3)
    assert len(times) == 6 and len(calls) == 9


def test_streams_take_turns_and_the_first_of_each_is_not_counted(tiny_teacher, tiny_task):
    translator, data = load(tiny_teacher, device="cpu"), PreparedTask(tiny_task)
    conditions = [data.condition("test", "test0", i) for i in range(4)]
    order = []

    class Named:
        runtime = translator.runtime

        def __init__(self, name):
            self.name = name

        def stream(self, conditions, first_frames):
            order.append(self.name)
            yield from translator.stream(conditions, first_frames=first_frames)

    seconds = end_to_end([Named("row"), Named("original")], conditions, rounds=3)
    assert seconds.shape == (2, 3) and (seconds > 0).all()
    assert order == ["row", "original", "original", "row", "row", "original", "original", "row"]


def test_the_speed_up_is_of_whole_streams_beside_the_original(tiny_teacher, tiny_task, tmp_path, monkeypatch):
    """The row takes half as long as the original in each pair, whatever the machine does in between."""
    made = np.array([[1.0, 3.0, 2.0, 1.5, 9.0], [2.0, 6.0, 4.0, 3.0, 18.1]])
    monkeypatch.setattr("slimvid.measure.latency.end_to_end", lambda timed, *a, **k: made[: len(timed)])
    row = tmp_path / "row"
    shutil.copytree(tiny_teacher, row)
    measure_latency(row, tiny_teacher, tiny_task, MeasureSettings(), tmp_path / "l.json", device="cpu")
    values = json.loads((tmp_path / "l.json").read_text())["values"]
    assert values["speedup"] == values["speedup_low"] == 2 and values["speedup_high"] == 18.1 / 9
    assert values["fps"] == 10 / 1.0  # the best stream of its 10 frames


def test_networks_of_specs_take_turns_in_fp32_and_a_turns_first_pass_is_not_counted(
    tiny_task, told, monkeypatch
):
    def spec(width):
        return {"kind": "vid2vid", "condition_channels": 1, "width": width, "downs": 2, "blocks": 2}

    drawn, walk = [], latency._walk

    def counted(translator, conditions, first):
        drawn.append((translator.source.spec["width"], translator.runtime.precision, len(conditions)))
        took = len([w for w, *_ in drawn if w == translator.source.spec["width"]])
        assert len(walk(translator, conditions, first)) == 4
        return [99.0, 1.0 * took, 10.0 * translator.source.spec["width"], 2.0 * took]

    monkeypatch.setattr(latency, "_walk", counted)
    run = told(tiny_task)
    mixed = replace(run.runtime, precision="bf16")
    found = Latencies(replace(run, runtime=mixed))([spec(4), spec(8)])
    assert drawn == [(4, "fp32", 4), (8, "fp32", 4)] * 8
    assert found == [10.0, 10.0]  # of 21 frames each: those of the first turn would make it less
    assert mixed.precision == "bf16" and Latencies(run).protocol()["precision"] == "fp32"


def test_latencies_of_specs_are_times(tiny_task, told):
    run = told(tiny_task)
    spec = {"kind": "vid2vid", "condition_channels": 1, "width": 4, "downs": 2, "blocks": 2}
    assert all(0 < seconds < 60 for seconds in Latencies(run)([spec]))

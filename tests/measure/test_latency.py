"""Latency: what is timed, over what, under which protocol (never how fast)."""

import json

from slimvid.data.store import PreparedTask
from slimvid.infer.translator import load
from slimvid.measure.latency import end_to_end, measure_latency, network_times
from slimvid.settings import MeasureSettings


def test_document_states_its_protocol(tiny_teacher, tiny_task, tmp_path):
    settings = MeasureSettings(latency_frames=12, latency_warmup=2)
    out = tmp_path / "latency.json"
    measure_latency(tiny_teacher, tiny_task, settings, out, device="cpu")
    document = json.loads(out.read_text())
    assert (document["task"], document["method"], document["seed"]) == ("tiny", "original", 0)
    protocol = document["protocol"]
    assert protocol["device"] == "cpu" and protocol["precision"] == "fp32" and protocol["threads"] == 1
    assert (protocol["height"], protocol["width"], protocol["batch"]) == (32, 32, 1)
    assert protocol["network_frames"] == 10 and protocol["end_to_end_frames"] == 20  # whole clips of 10
    timed = {"fps", "fps_network", "latency_ms_p50", "latency_ms_p99"}
    assert set(document["values"]) == {*timed, "training_cpu_seconds"}
    assert all(value > 0 for value in document["values"].values())
    assert document["values"]["latency_ms_p50"] <= document["values"]["latency_ms_p99"]


def test_network_time_has_one_entry_per_drawn_frame_and_skips_the_warm_up(tiny_teacher, tiny_task):
    translator, data = load(tiny_teacher, device="cpu"), PreparedTask(tiny_task)
    conditions = [data.condition("test", "test0", i) for i in range(6)]
    calls = []
    translator.net.register_forward_hook(lambda *a: calls.append(1))
    times = network_times(translator, conditions, warmup=3)
    assert len(times) == 6 and len(calls) == 9


def test_end_to_end_counts_whole_streams(tiny_teacher, tiny_task):
    translator, data = load(tiny_teacher, device="cpu"), PreparedTask(tiny_task)
    conditions = [data.condition("test", "test0", i) for i in range(4)]
    seconds, frames = end_to_end(translator, conditions, least=6)
    assert frames == 8 and seconds > 0

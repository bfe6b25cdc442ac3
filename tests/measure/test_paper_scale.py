"""vid2vid and Fast-Vid2Vid at full size: every published figure to its last printed digit."""

from pathlib import Path

import pytest

from slimvid.compress import uniform_options
from slimvid.config import load
from slimvid.errors import SlimvidError
from slimvid.measure.conventions import rounded
from slimvid.measure.paper_scale import SIZES, is_paper_network, paper_condition, paper_scale, spec

ROOT = Path(__file__).resolve().parent.parent.parent
# task, method, thop 1e9, parameters 1e6, true MACs 1e9
EXACT = [
    ("sketch2face", "original", 2066.684576, 364.996230, 1717.215),
    ("segmentation2city", "original", 1254.168199, 411.335241, 1057.493),
    ("pose2body", "original", 1769.505554, 364.826886, 1463.720),
    ("sketch2face", "fast_vid2vid", 767.624741, 63.172230, 418.055),
    ("segmentation2city", "fast_vid2vid", 455.288553, 71.803977, 258.551),
    ("pose2body", "fast_vid2vid", 661.960786, 63.002886, 356.087),
]


@pytest.mark.parametrize(("task", "method", "thop", "params", "true"), EXACT)
def test_counts_at_full_size(task, method, thop, params, true):
    cost = paper_scale(task, method)
    assert round(cost.macs_g_thop, 6) == thop
    assert round(cost.params_m, 6) == round(cost.params_m_thop, 6) == params
    assert round(cost.macs_g, 3) == true


@pytest.mark.parametrize(
    ("task", "method", "macs", "params"),
    [
        ("sketch2face", "original", "2066.69", "365.00"),
        ("segmentation2city", "original", "1254.17", "411.34"),
        ("sketch2face", "fast_vid2vid", "767.63", "63.17"),
        ("segmentation2city", "fast_vid2vid", "455.29", "71.80"),
    ],
)
def test_shortcut_v2v_prints_these(task, method, macs, params):
    cost = paper_scale(task, method)
    assert rounded(cost.macs_g_thop, 2, "double") == macs
    assert rounded(cost.params_m_thop, 2, "double") == params


@pytest.mark.parametrize(
    ("task", "macs"), [("sketch2face", "2066"), ("segmentation2city", "1254"), ("pose2body", "1769")]
)
def test_fast_vid2vid_prints_these(task, macs):
    assert rounded(paper_scale(task, "original").macs_g_thop, 0, "truncate") == macs


def test_a_narrower_network_costs_about_quadratically_less():
    full = paper_scale("sketch2face", "original")
    half = paper_scale("sketch2face", "uniform", options={"width": 0.5})
    assert 3.7 < full.macs_g / half.macs_g < 4.05
    assert 3.9 < full.params_m / half.params_m < 4.05


def test_a_shortcut_translator_is_counted_over_the_papers_interval(monkeypatch):
    from slimvid.measure import paper_scale as module
    from slimvid.nets.shortcut_net import shortcut_spec

    teacher = {"kind": "vid2vid", "condition_channels": 15, "width": 8, "downs": 2, "blocks": 2}
    made = {"original": teacher, "shortcut": shortcut_spec(teacher)}
    monkeypatch.setattr(module, "spec", lambda task, method, options=None, over=(): made[method])
    module._counted.cache_clear()
    full, mixed = paper_scale("sketch2face", "original"), paper_scale("sketch2face", "shortcut")
    module._counted.cache_clear()
    assert full.macs_g / 6 < mixed.macs_g < full.macs_g
    assert paper_scale("sketch2face", "shortcut", full_share=1 / 6) == mixed
    assert mixed.macs_g < paper_scale("sketch2face", "shortcut", full_share=1 / 3).macs_g < full.macs_g
    assert mixed.macs_g_thop < full.macs_g_thop and mixed.params_m > full.params_m


def test_the_original_under_another_plan_costs_there_what_it_costs():
    assert paper_scale("viper2city", "replan") == paper_scale("viper2city", "original")


def test_tasks_without_a_paper_size_have_no_cost_there():
    assert paper_scale("horse2zebra", "original") is None


def test_widths_that_a_training_finds_are_not_made_up(monkeypatch):
    monkeypatch.setattr(uniform_options, "SEARCHED", True, raising=False)
    with pytest.raises(SlimvidError, match="method uniform: its widths follow from a training"):
        spec("sketch2face", "uniform")
    with pytest.raises(SlimvidError, match="method uniform: its widths follow from a training"):
        spec("sketch2face", "replan", over=[("uniform", {})])


@pytest.mark.parametrize("task", SIZES)
def test_the_papers_profile_trains_the_papers_networks_and_no_other_does(task):
    config = load(ROOT / "config" / "paper.yaml")
    own, channels = config.tasks[task], paper_condition(task).channels
    settings = config.teacher_settings(task)
    size = {"height": own.height, "width": own.width, "condition_channels": channels}
    assert is_paper_network(task, settings, **size)
    assert not is_paper_network(task, settings, **size | {"height": own.height // 2})
    assert not is_paper_network(task, settings, **size | {"condition_channels": channels + 1})
    assert not is_paper_network(task, settings.model_copy(update={"width": 16}), **size)
    assert not is_paper_network("another", settings, **size)
    assert not is_paper_network(task, load(ROOT / "config" / "demo.yaml").teacher_settings(task), **size)


def test_unknown_names_and_options_say_so():
    with pytest.raises(SlimvidError, match="sketch2face"):
        spec("horse2zebra", "original")
    with pytest.raises(SlimvidError, match="no module"):
        paper_scale("sketch2face", "no_such_method")
    with pytest.raises(SlimvidError, match="options"):
        paper_scale("sketch2face", "uniform", options={"widht": 1})


@pytest.mark.parametrize(("task", "published"), [("viper2city", 84.712), ("label2viper", 42.356)])
def test_recyclegan_costs_what_was_published(task, published):
    """Unsupervised RecycleGAN: 84.61 G there is torchprofile's count of the same network; 42.36 is thop's."""
    found = paper_scale(task, "original")
    assert (found.macs_g_thop, found.params_m) == (pytest.approx(published, abs=5e-4), 7.837699)
    half = paper_scale(task, "uniform", options={"width": 0.5})
    assert half.macs_g < 0.3 * found.macs_g

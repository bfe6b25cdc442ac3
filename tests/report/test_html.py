"""The trade-off plot and the self-contained page."""

import re

import pytest
from fake_run import TASKS, document, fake_scale, write_frames_of, write_measures

from slimvid.config import validate
from slimvid.errors import SlimvidError
from slimvid.report.html import write_report
from slimvid.report.strips import write_strip
from slimvid.report.table1 import table1
from slimvid.report.tradeoff import write_tradeoff


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_plot_has_a_panel_per_task_and_the_same_bytes_every_time(config, measures, tmp_path, suffix):
    frame = table1(config, measures, paper_scale=fake_scale)
    for name in ("a", "b"):
        write_tradeoff(frame, tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    if suffix == "svg":
        text = (tmp_path / "a.svg").read_text()
        assert all(f"<!-- {word} -->" in text for word in (*TASKS, "original", "uniform", "fast_vid2vid"))
        assert "<!-- cat -->" not in text  # printed figures share no axis with measured ones


def test_plots_of_nothing_are_refused(config, measures, tmp_path):
    frame = table1(config, measures, paper_scale=fake_scale)
    with pytest.raises(SlimvidError, match="'fid': not measured; choose one of macs_g"):
        write_tradeoff(frame, tmp_path / "a.svg", quality="fid")
    with pytest.raises(SlimvidError, match="no row has both macs_g and miou_seg"):
        write_tradeoff(frame, tmp_path / "a.svg", quality="miou_seg")
    with pytest.raises(SlimvidError, match=r"a\.pdf: plots are written as"):
        write_tradeoff(frame, tmp_path / "a.pdf")


def test_the_page_holds_everything_and_needs_no_other_file(tmp_path):
    config = validate(document(seeds=(0, 1)), origin="test")
    write_measures(tmp_path / "measures", config)
    run = write_frames_of(tmp_path / "frames")
    strip = tmp_path / "strip.png"
    write_strip(run["prepared"], [("original", run["original"])], strip)
    for name in ("a.html", "b.html"):
        write_report(
            config,
            tmp_path / name,
            measures=tmp_path / "measures",
            strips={"sketch2face": strip},
            paper_scale=fake_scale,
        )
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    page = (tmp_path / "a.html").read_text()
    assert set(re.findall(r'src="([^"]{5})', page)) == {"data:"}
    assert not re.search(r"<(script|link)|url\(", page)
    assert page.count("data:image/png") == 1 and page.count("data:image/svg") == 3
    assert "18.56" in page and "1717.215" in page  # printed, and the full-size network
    assert "<b>0.1543 (8×)</b>" in page
    assert "not comparable with published" in page
    assert "profile: test" in page
    for tag in ("table", "div", "tr", "ul", "pre"):
        assert len(re.findall(f"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_text_from_files_is_escaped(config, measures, tmp_path):
    from slimvid.files import read_json, write_json

    for path in (measures / "sketch2face").rglob("quality.json"):
        found = read_json(path)
        write_json(path, found | {"protocol": found["protocol"] | {"data": "<script>alert(1)</script>"}})
    write_report(config, tmp_path / "a.html", measures=measures, strips={}, paper_scale=fake_scale)
    assert "<script>" not in (tmp_path / "a.html").read_text()

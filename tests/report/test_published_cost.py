"""The five papers' MACs and parameter columns, regenerated: which come out, and why the rest do not."""

from collections import Counter
from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.measure.published_networks import NETWORKS
from slimvid.report import published, published_cost
from slimvid.report.published_cost import COLUMNS, RULES, published_table, rule_of, write_published


@pytest.fixture(scope="module")
def table():
    return published_table()


def _cells(table, paper, number, **where):
    chosen = (table["paper"] == paper) & (table["table"] == number)
    for column, value in where.items():
        chosen &= table[column].str.contains(value, regex=False)
    return table[chosen]


def test_one_row_for_every_printed_figure(table):
    printed = published.load()
    wanted = printed[printed["column"].isin(["macs", "params"]) & (printed["value"] != "")]
    assert tuple(table.columns) == COLUMNS
    assert list(table["published"]) == list(wanted["value"])
    assert set(table["match"]) == {"exact", "no"}


def test_what_does_not_match_says_why_and_what_matches_is_equal(table):
    exact, rest = table[table["match"] == "exact"], table[table["match"] == "no"]
    assert (exact["published"] == exact["regenerated"]).all()
    assert (exact["convention"] != "").all() and (exact["true_macs_g"] != "").all()
    assert (rest["reason"] != "").all()
    assert (rest["published"] != rest["regenerated"]).all()


def test_how_many_figures_come_out(table):
    exact = Counter(table.loc[table["match"] == "exact", "paper"])
    assert exact == {
        "fast_vid2vid": 4,
        "shortcut_v2v": 40,
        "gan_compression": 57,
        "cat": 13,
        "omgd": 35,
    }
    assert len(table) == 227


@pytest.mark.parametrize(
    ("paper", "number", "row", "quantity", "figures"),
    [
        ("fast_vid2vid", "1", "/ original", "macs", "2066 1254 1769"),
        ("shortcut_v2v", "1", "/ Original", "macs", "84.61 42.36 2066.69 1254.17"),
        ("shortcut_v2v", "1", "/ Original", "params", "7.84 7.84 365 411.34"),
        ("shortcut_v2v", "1", "/ Fast-Vid2Vid", "macs", "767.63 455.29"),
        ("shortcut_v2v", "1", "/ Fast-Vid2Vid", "params", "63.17 71.8"),
        ("shortcut_v2v", "1", "/ OMGD", "macs", "25.85 12.93 485.84 391.59"),
        ("shortcut_v2v", "1", "/ OMGD", "params", "1.21 1.21 35.81 47.83"),
        ("shortcut_v2v", "1", "/ Ours", "macs", "18.19 9.09 359.99 389.16"),
        ("shortcut_v2v", "1", "/ Ours", "params", "0.32 0.32 8.29 52.58"),
        ("shortcut_v2v", "4", "", "macs", "13.79 18.19 27.97 243.97 359.99 475.99"),
        ("shortcut_v2v", "4", "sketch2face", "params", "2.11 8.29 32.98"),
        ("gan_compression", "1", "/ Ours", "macs", "2.67 2.67 4.81 4.81 5.66 5.66 4.68 4.68 31.7 31.7"),
        ("gan_compression", "1", "/ Ours", "params", "0.34 0.34 0.70 0.70 0.71 0.71 0.75 0.75 20.4 20.4"),
        ("gan_compression", "1", "/ Original", "params", "11.3 11.3 11.3 11.3 93.0"),
        ("gan_compression", "4", "resBlocks", "macs", "18.3 1.4"),
        ("gan_compression", "4", "resBlocks", "params", "1.98 0.14"),
        ("gan_compression", "4", "upsample", "params", "11.05 0.70"),
        ("gan_compression", "6", "", "macs", "56.8 5.82 5.82 5.82 5.82 5.66"),
        ("gan_compression", "7", "", "params", "54.4 2.85 54.4 2.85"),
        ("cat", "1", "/ Original", "macs", "56.8 56.8 56.8 56.8 281"),
        ("omgd", "1", "OMGD 1.0x", "params", "0.137 3.404 0.137 3.404"),
        ("omgd", "1", "OMGD 0.5x", "macs", "0.333 0.333"),
        ("omgd", "1", "OMGD 1.5x", "macs", "2.904 2.904"),
    ],
)
def test_figures_to_the_last_printed_digit(table, paper, number, row, quantity, figures):
    cells = _cells(table, paper, number, row=row, quantity=quantity)
    assert sorted(cells["regenerated"]) == sorted(figures.split())
    assert set(cells["match"]) == {"exact"}


@pytest.mark.parametrize(
    ("paper", "number", "row", "reason"),
    [
        ("fast_vid2vid", "1", "/ Ours", "test videos"),
        ("cat", "1", "CAT (Ours)", "trained weights"),
        ("omgd", "1", "pix2pix/unet / edges2shoes / Original", "DMAD"),
        ("gan_compression", "4", "downsample, ngf=64", "down-samplings"),
    ],
)
def test_known_exceptions_and_their_reasons(table, paper, number, row, reason):
    cells = _cells(table, paper, number, row=row)
    assert set(cells["match"]) == {"no"}
    assert cells["reason"].str.contains(reason).any()


def test_one_printed_row_is_of_no_configuration(table):
    high = _cells(table, "shortcut_v2v", "4", row="viper2city / High", quantity="params")
    assert high[["published", "regenerated", "match"]].values.tolist() == [["1.38", "1.00", "no"]]
    assert "no configuration has both" in high["reason"].item()


def test_what_a_clip_really_costs(table):
    def mean(row, number="1"):
        cells = _cells(table, "shortcut_v2v", number, row=row, quantity="macs")
        return float(cells["per_frame_true_macs_g"].iloc[0])

    # printed as 4.7 and 5.7 times less than the original; over a clip, with the full frames, 2.1 and 3.4
    assert mean("viper2city / Original") / mean("viper2city / Ours") == pytest.approx(2.15, abs=0.01)
    assert mean("sketch2face / Original") / mean("sketch2face / Ours") == pytest.approx(3.38, abs=0.01)
    # the cheapest setting of Table 4 is the dearest once deformable convolutions are counted
    levels = [mean(f"viper2city / {level}", "4") for level in ("Low", "Medium", "High")]
    assert levels[0] > levels[2] > levels[1]


def test_every_network_is_used_and_every_rule_covers_something():
    assert {rule.network for rule in RULES} - {None} == set(NETWORKS)
    records = published.load().to_dict("records")
    records = [r for r in records if r["column"] in ("macs", "params") and r["value"]]
    assert set(RULES) == {rule_of(record) for record in records}


def test_a_figure_without_a_rule_is_an_error():
    record = {"source": "cat", "table": "9", "model": "m", "task": "t", "row": "r", "column": "macs"}
    with pytest.raises(SlimvidError, match="cat / 9 / m / t / r / macs"):
        rule_of(record)


def test_the_file_is_written_whole(tmp_path, monkeypatch, table):
    monkeypatch.setattr(published_cost, "published_table", lambda: table)
    out = tmp_path / "cost" / "published.csv"
    write_published(out)
    lines = out.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS) and len(lines) == len(table) + 1


def test_the_page_about_cost_says_what_the_table_says(table):
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    exact = int((table["match"] == "exact").sum())
    assert f"of {len(table)} printed MACs and parameter figures {exact} come" in page
    macs = table[table["quantity"] == "macs"]
    printed = {
        (row["row"].split(" / ")[1], row["published"]): float(row["per_frame_true_macs_g"])
        for row in macs.to_dict("records")
        if row["per_frame_true_macs_g"] and row["row"].count(" / ") == 2
    }
    task, rows = "", 0
    for line in page.splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        task = cells[0] if len(cells) == 6 and cells[0] else task
        if len(cells) == 6 and (task, cells[2]) in printed:
            rows += 1
            assert float(cells[4]) == pytest.approx(printed[task, cells[2]], rel=2e-3), line
    assert rows == 16

"""The transcription is complete, well-formed, and agrees with the arithmetic that the papers imply."""

import pytest

from slimvid.errors import SlimvidError
from slimvid.report import published

# (rows, columns) of every table of the five papers; the records of "text" are counted one by one.
SHAPES = {
    ("fast_vid2vid", "1"): (15, 5),
    ("fast_vid2vid", "2"): (4, 4),
    ("fast_vid2vid", "3"): (2, 2),
    ("fast_vid2vid", "4"): (3, 2),
    ("shortcut_v2v", "1"): (18, 3),
    ("shortcut_v2v", "2"): (8, 3),
    ("shortcut_v2v", "3"): (10, 1),
    ("shortcut_v2v", "4"): (6, 3),
    ("gan_compression", "1"): (16, 8),
    ("gan_compression", "2"): (3, 18),
    ("gan_compression", "3"): (14, 2),
    ("gan_compression", "4"): (7, 3),
    ("gan_compression", "5"): (5, 11),
    ("gan_compression", "6"): (6, 4),
    ("gan_compression", "7"): (4, 4),
    ("gan_compression", "8"): (6, 2),
    ("gan_compression", "9"): (8, 3),
    ("cat", "1"): (20, 3),
    ("cat", "2"): (9, 3),
    ("cat", "3"): (11, 1),
    ("omgd", "1"): (21, 6),
    ("omgd", "2"): (13, 5),
    ("omgd", "3"): (10, 2),
    ("omgd", "4"): (8, 1),
    ("omgd", "5"): (2, 4),
}
TEXT = {"fast_vid2vid": 23, "shortcut_v2v": 33, "gan_compression": 20, "cat": 18, "omgd": 15}
CELL = ["source", "table", "model", "task", "row", "column"]


def test_every_table_is_there_and_complete():
    frame = published.load()
    tables = frame[frame["table"] != "text"]
    assert set(tables.groupby(["source", "table"]).groups) == set(SHAPES)
    for (source, table), (rows, columns) in SHAPES.items():
        part = published.load(source, table)
        assert part.groupby(["model", "task", "row"]).ngroups == rows, (source, table)
        assert part["column"].nunique() == columns, (source, table)
        assert len(part) == rows * columns, (source, table)
    assert frame[frame["table"] == "text"].groupby("source").size().to_dict() == TEXT


def test_each_cell_is_transcribed_once():
    frame = published.load()
    assert not frame.duplicated(CELL).any(), frame[frame.duplicated(CELL, keep=False)]


def test_values_are_numbers_with_their_printed_digits():
    frame = published.load()
    text = frame[(frame["value"] != "") & frame["number"].isna()]
    assert set(text["unit"]) == {"name"}  # only GAN Compression's Table 5 names its GAN losses
    assert published.printed("fast_vid2vid", 1, column="fps", task="sketch2face", row="NAS") == "10.50"
    assert published.printed("cat", 2, column="kid_std", model="pix2pix", row="Original") == "0.010"


@pytest.mark.parametrize(
    ("source", "table", "where", "expected"),
    [
        ("fast_vid2vid", 1, {"column": "macs", "task": "pose2body", "row": "Ours"}, 191),
        ("fast_vid2vid", 1, {"column": "pose_error", "task": "pose2body", "method": "content_aware"}, 4.85),
        ("fast_vid2vid", 1, {"column": "fid", "task": "segmentation2city", "row": "Ours"}, None),
        ("fast_vid2vid", 4, {"column": "fvd", "row": "Random time gap"}, 6.22),
        ("shortcut_v2v", 1, {"column": "macs", "task": "sketch2face", "row": "Original"}, 2066.69),
        ("shortcut_v2v", 1, {"column": "params", "task": "segmentation2city", "row": "Ours"}, 52.58),
        ("shortcut_v2v", 2, {"column": "pixel_accuracy", "task": "label2viper", "row": "Ours"}, 43.5),
        ("gan_compression", 1, {"column": "miou", "model": "gaugan", "row": "Ours"}, 61.22),
        ("gan_compression", 2, {"column": "latency_nano_gpu", "model": "gaugan"}, 0.81),
        ("gan_compression", 4, {"column": "macs", "row": "Only change resBlocks, ngf=64"}, 18.3),
        ("cat", 1, {"column": "miou", "row": "CAT-B (Ours)"}, 54.71),
        ("cat", 3, {"column": "search_time", "task": "zebra2horse", "row": "CAT (Ours)"}, 3.62),
        (
            "omgd",
            1,
            {"column": "params", "model": "pix2pix/unet", "task": "edges2shoes", "row": "DMAD"},
            2.13,
        ),
        ("omgd", 5, {"column": "latency", "row": "Mi 10"}, 14.01),
    ],
)
def test_spot_checks(source, table, where, expected):
    assert published.value(source, table, **where) == expected


RATIO_TABLES = [("gan_compression", "1"), ("omgd", "1"), ("omgd", "2")]


@pytest.mark.parametrize(("source", "table"), RATIO_TABLES)
def test_printed_ratios_follow_from_the_figures_beside_them(source, table):
    """A slip of a digit breaks the ratio in the same row; the papers' own slips carry a note."""
    checked = 0
    for original, row in _rows_beside_their_original(source, table):
        for quantity in ("macs", "params"):
            printed = row["number", f"{quantity}_ratio"]
            if printed > 0 and "as printed" not in row["note", f"{quantity}_ratio"]:
                computed = original["number", quantity] / row["number", quantity]
                assert computed == pytest.approx(printed, rel=0.015), (source, table, row.name, quantity)
                checked += 1
    assert checked >= 15


def test_printed_losses_of_quality_follow_from_the_figures_beside_them():
    checked = 0
    for original, row in _rows_beside_their_original("gan_compression", "1"):
        for quantity, change in (("fid", "fid_rise"), ("miou", "miou_drop")):
            if row["value", change]:
                computed = abs(row["number", quantity] - original["number", quantity])
                assert computed == pytest.approx(row["number", change], abs=0.051), row.name
                checked += 1
    assert checked == 11


def _rows_beside_their_original(source, table):
    frame = published.load(source, table)
    wide = frame.pivot(index=["model", "task", "row"], columns="column", values=["value", "number", "note"])
    for _, rows in wide.groupby(level=["model", "task"]):
        original = rows.xs("Original", level="row").iloc[0]
        yield from ((original, row) for _, row in rows.iterrows())


def test_the_same_figure_agrees_between_tables():
    ours = {"column": "fvd", "task": "sketch2face", "row": "Ours"}
    assert published.value("fast_vid2vid", 1, **ours) == 5.79
    for table, row in ((2, "Spatial KD"), (3, "Motion Compensation"), (4, "Key-frames")):
        assert published.value("fast_vid2vid", table, column="fvd", row=row) == 5.79
    for model, task in (("recyclegan", "viper2city"), ("vid2vid", "sketch2face")):
        full = published.value("shortcut_v2v", 1, column="fvd", model=model, task=task, row="Ours")
        assert published.value("shortcut_v2v", 3, column="fvd", task=task, row="(e) Ours") == full
        assert published.value("shortcut_v2v", 4, column="fvd", task=task, row="Medium") == full


def test_errors_name_what_was_asked():
    with pytest.raises(SlimvidError, match="'fastvid': unknown; choose one of fast_vid2vid"):
        published.load("fastvid")
    with pytest.raises(SlimvidError, match="9 of fast_vid2vid: unknown; choose one of 1, 2, 3, 4, text"):
        published.load("fast_vid2vid", 9)
    with pytest.raises(SlimvidError, match="15 cells answer column='fvd'; narrow it"):
        published.value("fast_vid2vid", 1, column="fvd")
    with pytest.raises(SlimvidError, match="0 cells answer"):
        published.value("fast_vid2vid", 1, column="fvd", row="ours")

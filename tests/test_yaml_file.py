"""Config files: read as one mapping, nothing dropped in silence."""

from pathlib import Path

import pytest

from slimvid.errors import SlimvidError
from slimvid.yaml_file import read_mapping


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: 1\nb: 2\na: 3\n", "a"),
        ("x: {of: one, of: two}\n", "of"),
        ("x:\n  - {deep: {k: 1, k: 1}}\n", "k"),
        ("1: x\n1: y\n", "1"),
    ],
)
def test_a_key_given_twice_is_named_at_any_depth(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SlimvidError, match=rf"c\.yaml: not valid YAML \(line \d+: key '{name}' is given"):
        read_mapping(tmp_path / "c.yaml")


def test_so_it_is_in_json(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"a": {"b": 1, "b": 2}}')
    with pytest.raises(SlimvidError, match="key 'b' is given twice"):
        read_mapping(tmp_path / "c.json")


def test_anchors_and_merged_keys_are_no_repetition(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, y: 4}\nd: ü\n"
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    expected = {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": {"x": 3, "y": 4}, "d": "ü"}
    assert read_mapping(tmp_path / "c.yaml") == expected


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nspan: [0, 0040]\n", 2, "0040 would be read as an octal number; write it without leading"),
        ("n: 010\n", 1, "010 would be read as an octal"),
        ("n: -0_10\n", 1, "-0_10 would be read as an octal"),
        ("deep:\n  - {007: x}\n", 2, "007 would be read as an octal"),
        ("start: 1:30\n", 1, "1:30 would be read as a number in base 60; write it as a plain number"),
        ("start: 1:30.5\n", 1, "1:30.5 would be read as a number in base 60"),
        ("a: &a 0100\nb: *a\n", 1, "0100 would be read as an octal"),
    ],
)
def test_a_number_in_another_base_than_it_seems_is_refused(
    text: str, line: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SlimvidError) as refused:
        read_mapping(tmp_path / "c.yaml")
    assert str(refused.value).startswith(f"{tmp_path / 'c.yaml'}: line {line}: {said}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0", 0), ("-0", 0), ("0.5", 0.5), ("00.5", 0.5), ("100", 100), ("1_000", 1000), ("0x1F", 31)),
        *(
            ("'0040'", "0040"),
            ('"1:30"', "1:30"),
            ("/a/0040", "/a/0040"),
            ("0080", "0080"),
            ("cuda:0", "cuda:0"),
        ),
    ],
)
def test_other_numbers_and_texts_stay_what_they_are(text: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"a: {text}\n")
    assert read_mapping(tmp_path / "c.yaml") == {"a": value}

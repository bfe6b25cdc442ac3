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

"""Reading a YAML or JSON file as one mapping, in which nothing is dropped or changed in silence."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from slimvid.errors import SlimvidError

# What YAML 1.1 takes for a number in another base than its writer: 0040 is 32 and 1:30 is 90.
_OCTAL, _BASE_60 = re.compile(r"[-+]?0[0-9_]+"), re.compile(r"[^:]+(:[^:]+)+")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def read_mapping(path: Path) -> dict[str, Any]:
    """The document of a file; JSON where its name ends so (YAML 1.1 reads 1e-05 as a string).

    Raises:
        SlimvidError: missing, unreadable, neither YAML nor JSON, a key given twice, a number with leading
            zeros or colons, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            document = json.loads(text, object_pairs_hook=_unlike_keys)
        else:
            document = _parse(text, path)
    except FileNotFoundError:
        raise SlimvidError(f"{path}: no such config file; see config/ for the three profiles") from None
    except OSError as error:
        raise SlimvidError(f"{path}: cannot be read ({error.strerror}); give a YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SlimvidError(f"{path}: not valid YAML ({error})".replace("\n", " ")) from None
    if not isinstance(document, dict):
        raise SlimvidError(f"{path}: holds no mapping; see config/demo.yaml")
    return document


def _parse(text: str, path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check(root, path, seen=set())
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check(node: yaml.Node, path: Path, seen: set[int]) -> None:
    """Refuse a key given twice, of which PyYAML keeps the last, and numbers that are not what they seem."""
    if id(node) in seen:
        return
    seen.add(id(node))  # an anchor's node comes again with every alias
    if isinstance(node, yaml.ScalarNode):
        _check_number(node, path)
        return
    keys = []
    for item in node.value:
        if isinstance(node, yaml.MappingNode):
            key, item = item
            _check(key, path, seen)
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in keys:
                raise ValueError(f"line {key.start_mark.line + 1}: key {key.value!r} is given twice")
            keys.append((key.tag, key.value))
        _check(item, path, seen)


def _check_number(node: yaml.ScalarNode, path: Path) -> None:
    text = node.value
    if node.tag not in _NUMBERS:
        return
    if _OCTAL.fullmatch(text):
        what, remedy = "an octal number", "write it without leading zeros"
    elif _BASE_60.fullmatch(text):
        what, remedy = "a number in base 60", "write it as a plain number"
    else:
        return
    where = f"{path}: line {node.start_mark.line + 1}"
    raise SlimvidError(f"{where}: {text} would be read as {what}; {remedy}, or in quotes if it is text")


def _unlike_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"key {twice!r} is given twice")
    return dict(pairs)

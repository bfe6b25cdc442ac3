"""Reading a YAML or JSON file as one mapping, in which nothing is dropped in silence."""

import json
from pathlib import Path
from typing import Any

import yaml

from slimvid.errors import SlimvidError


def read_mapping(path: Path) -> dict[str, Any]:
    """The document of a file; JSON where its name ends so (YAML 1.1 reads 1e-05 as a string).

    Raises:
        SlimvidError: missing, unreadable, neither YAML nor JSON, a key given twice, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            document = json.loads(text, object_pairs_hook=_unlike_keys)
        else:
            document = _parse(text)
    except FileNotFoundError:
        raise SlimvidError(f"{path}: no such config file; see config/ for the three profiles") from None
    except OSError as error:
        raise SlimvidError(f"{path}: cannot be read ({error.strerror}); give a YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SlimvidError(f"{path}: not valid YAML ({error})".replace("\n", " ")) from None
    if not isinstance(document, dict):
        raise SlimvidError(f"{path}: holds no mapping; see config/demo.yaml")
    return document


def _parse(text: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_keys(root, seen=set())
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node, seen: set[int]) -> None:
    """Refuse a key given twice: YAML forbids it, PyYAML keeps the last one."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))  # an anchor's node comes again with every alias
    keys = []
    for item in node.value:
        if isinstance(node, yaml.MappingNode):
            key, item = item
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in keys:
                raise ValueError(f"line {key.start_mark.line + 1}: key {key.value!r} is given twice")
            keys.append((key.tag, key.value))
        _check_keys(item, seen)


def _unlike_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"key {twice!r} is given twice")
    return dict(pairs)

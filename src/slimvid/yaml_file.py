"""Reading a YAML or JSON file as one mapping, in which nothing is dropped in silence."""

import json
from pathlib import Path
from typing import Any

import yaml

from slimvid.errors import SlimvidError


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Safe YAML that refuses a key given twice: YAML forbids it, PyYAML keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: list[Any] = []
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise ValueError(f"line {key.start_mark.line + 1}: key {name!r} is given twice")
            seen.append(name)
        return super().construct_mapping(node, deep)


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
            document = yaml.load(text, _Loader)
    except FileNotFoundError:
        raise SlimvidError(f"{path}: no such config file; see config/ for the three profiles") from None
    except OSError as error:
        raise SlimvidError(f"{path}: cannot be read ({error.strerror}); give a YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SlimvidError(f"{path}: not valid YAML ({error})".replace("\n", " ")) from None
    if not isinstance(document, dict):
        raise SlimvidError(f"{path}: holds no mapping; see config/demo.yaml")
    return document


def _unlike_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"key {twice!r} is given twice")
    return dict(pairs)

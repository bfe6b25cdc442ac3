"""The kinds of original there are: each is ``teachers/NAME.py`` and its head ``teachers/NAME_settings.py``.

A head imports no torch and holds ``Settings``, a `slimvid.settings.TeacherSettings`: what a configuration may
say under ``teachers: {NAME: {...}}``. Adding a kind is these two files and such a section.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from slimvid.sources import PACKAGE

if TYPE_CHECKING:
    from slimvid.settings import TeacherSettings

HEAD = "_settings"


@cache
def kinds() -> tuple[str, ...]:
    """Their names, sorted."""
    heads = (path.stem.removesuffix(HEAD) for path in (PACKAGE / "teachers").glob(f"*{HEAD}.py"))
    return tuple(sorted(heads))


def known_kind(name: str) -> str:
    """The name, if there is such a kind of original.

    Raises:
        ValueError: there is none; names those that there are.
    """
    if name not in kinds():
        raise ValueError(f"there is no kind of original {name!r}; use {', '.join(kinds())}")
    return name


def settings_class(kind: str) -> "type[TeacherSettings]":
    """What a configuration may say of a kind of original."""
    return import_module(f"slimvid.teachers.{kind}{HEAD}").Settings


def teachers_of_two_domains() -> str:
    """The kinds that learn without pairs, as a task says them: for the remedy of an error."""
    return " or ".join(f"`teacher: {kind}`" for kind in kinds() if settings_class(kind).unpaired)


def training_keys() -> frozenset[str]:
    """Every key of every kind's settings: what a row may change of its student's training."""
    return frozenset(key for kind in kinds() for key in settings_class(kind).model_fields)

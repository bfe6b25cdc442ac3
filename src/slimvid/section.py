"""What every section of the configuration keeps to: its base class, and the types that its keys share."""

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from slimvid.files import sha256_file

T = TypeVar("T", bound=Hashable)
_NAME_OF_A_TYPE = re.compile(r"\[key\]|(literal|tuple|list|dict|constrained-\w+|function-\w+)\[.*\]")


class Section(BaseModel):
    """A mapping of the configuration: unknown keys, infinite numbers and yes/no for a number are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic would read `true` as 1, and 1 or "on" as `true`."""
        wanted = cls.model_fields[info.field_name].annotation
        if wanted is bool and not isinstance(value, bool):
            raise ValueError("give true or false")
        if wanted is not bool and bool not in get_args(wanted):
            inside = value if isinstance(value, list | tuple) else [value]
            if any(isinstance(item, bool) for item in inside):
                raise ValueError("is true or false; give a value")
        return value


def _all_differ(values: tuple[T, ...]) -> tuple[T, ...]:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{value!r} stands there twice; leave one out")
    return values


def _names_a_file(value: Any) -> Any:
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        raise ValueError("is empty; give a path, or leave the key out")
    return value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
UserPath = Annotated[Path, BeforeValidator(_names_a_file)]
Unique = Annotated[tuple[T, ...], AfterValidator(_all_differ)]


def files_of(section: Section) -> list[Path]:
    """The files and folders that a section names."""
    return [value for _, value in section if isinstance(value, Path)]


def recorded(section: Section, *, leave_out: Iterable[str] = ()) -> dict[str, Any]:
    """What an artifact says of a section, JSON-ready: a file by the hash of its content, not by its path.

    Args:
        leave_out: keys that decide no byte of what is made.
    """
    document = section.model_dump(mode="json", exclude=set(leave_out))
    hashes = {name: f"sha256:{sha256_file(value)}" for name, value in section if isinstance(value, Path)}
    return {name: hashes.get(name, value) for name, value in document.items()}


def first_fault(error: ValidationError, *, field: str = "") -> str:
    """The first thing that a document was refused for, in one line: ``field.of.it: what is wrong``.

    Args:
        field: what the validated document is in the whole one: ``teacher_of.my_task``.
    """
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if not _NAME_OF_A_TYPE.fullmatch(str(part))]
    where = ".".join([field, *parts] if field else parts)
    what = first["msg"].removeprefix("Value error, ").replace("\n", " ")
    return f"{where}: {what}" if where else what

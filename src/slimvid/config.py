"""The configuration: typed, validated before the DAG is built, one class per section (``settings``).

A config file is YAML whose keys are the field names of :class:`Config`. `config/demo.yaml` is the default
profile; a file given after another overrides its keys. The workflow hands every job the merged, validated
result.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from slimvid.errors import SlimvidError
from slimvid.originals import kinds, known_kind, settings_class
from slimvid.paths import RESULT_FOLDERS, shipped_original
from slimvid.rows import check_rows
from slimvid.section import Name, Section, Seed, Unique, first_fault
from slimvid.settings import (
    MeasureSettings,
    MethodSettings,
    PlanSettings,
    SearchSettings,
    TableSettings,
    TaskSettings,
    Teacher,
    TeacherSettings,
)

log = logging.getLogger("slimvid")


class Config(Section):
    """The whole configuration of one run."""

    profile: Name
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="cuda:1 is the second")
    threads: int = Field(1, ge=1, description="CPU threads of one training job")
    seeds: Unique[Seed] = Field((0,), min_length=1)
    tasks: dict[Name, TaskSettings] = Field(min_length=1)
    teachers: dict[Teacher, SerializeAsAny[TeacherSettings]] = Field(
        min_length=1, description="trainings by kind of original; overridden per task in `teacher_of`"
    )
    teacher_of: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    methods: dict[Name, MethodSettings] = Field(default_factory=dict)
    variants: dict[Name, dict[str, Any]] = Field(
        default_factory=dict, description="more rows: the row `of` with other keys laid on it, or whole ones"
    )
    measure: MeasureSettings = MeasureSettings()
    table1: TableSettings
    papers: dict[Name, dict[Name, TableSettings]] = Field(
        default_factory=dict, description="rows measured for the tables and figures of other papers"
    )
    search: SearchSettings | None = Field(None, description="blocks and plans to find the best trade-offs of")

    @model_validator(mode="before")
    @classmethod
    def _expand_variants(cls, values: Any) -> Any:
        """Variants become rows like all others: what was validated holds none."""
        if not isinstance(values, dict) or not isinstance(values.get("variants", {}), dict):
            return values  # whose shape the fields tell
        rows = values.get("methods", {})
        if not isinstance(rows, dict) or not values.get("variants"):
            return values
        rows = dict(rows)
        for name, changes in values["variants"].items():
            if not isinstance(changes, dict):
                raise ValueError(
                    f"variants.{name}: give a mapping: `of: <row>` and what differs, or a whole row"
                )
            own = dict(changes)
            of = own.pop("of", None)
            if of is not None and not (isinstance(of, str) and isinstance(rows.get(of), dict)):
                raise ValueError(f"variants.{name}.of: {of!r} is no row of `methods`, nor a variant above it")
            if name in rows:
                raise ValueError(f"variants.{name}: `methods` has a row of that name; choose another")
            rows[name] = merge(rows[of], own) if of else own
        return {**values, "methods": rows, "variants": {}}

    @model_validator(mode="before")
    @classmethod
    def _each_kind_has_its_own_keys(cls, values: Any) -> Any:
        """Sections of ``teachers`` become settings of their kind."""
        if isinstance(values, dict):
            values = _renamed(values)
        if not isinstance(values, dict) or not isinstance(values.get("teachers"), dict):
            return values  # whose shape the fields tell
        made = {}
        for kind, section in values["teachers"].items():
            try:
                made[kind] = settings_class(known_kind(kind)).model_validate(section)
            except ValidationError as error:
                raise ValueError(first_fault(error, field=f"teachers.{kind}")) from None
            except ValueError as error:
                raise ValueError(f"teachers.{kind}: {error}") from None
        return {**values, "teachers": made}

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        for name, table in self.tables.items():
            unknown = [t for t in table.tasks if t not in self.tasks]
            if unknown:
                raise ValueError(f"{name}.tasks names what `tasks` lacks: {', '.join(unknown)}")
            missing = [m for m in table.methods if m != "original" and m not in self.methods]
            if missing:
                raise ValueError(f"{name}.methods names rows that `methods` lacks: {', '.join(missing)}")
        unknown = [t for t in self.teacher_of if t not in self.tasks]
        if unknown:
            raise ValueError(f"teacher_of names tasks that `tasks` lacks: {', '.join(unknown)}")
        taken = [paper for paper in self.papers if paper in RESULT_FOLDERS]
        if taken:
            raise ValueError(
                f"papers.{taken[0]}: results/{taken[0]} holds other results; choose another name"
            )
        if "original" in self.methods:
            raise ValueError("methods.original: the name is taken by the teacher; choose another")
        for task in self.tasks:
            self.teacher_settings(task)
        self._rows_hold()
        self._search_holds()
        return self

    def _rows_hold(self) -> None:
        """Each row's plan is one on every task, and no row compresses what rests on itself."""
        if taken := sorted(set(kinds()) & set(self.tasks)):
            raise ValueError(f"tasks.{taken[0]}: is the name of a kind of original; choose another")
        for name, row in self.methods.items():
            unknown = [key for key in row.per if key not in self.tasks and key not in kinds()]
            if unknown:
                raise ValueError(f"methods.{name}.per.{unknown[0]}: neither a task nor a kind of original")
            for key, changes in row.per.items():
                if changes.plan.get("kind", row.plan.kind) != row.plan.kind:
                    raise ValueError(f"methods.{name}.per.{key}.plan.kind: must be the row's own; add a row")
            for task in self.tasks:
                self.row(task, name)
            chain = [name]
            while (below := self.methods[chain[-1]].over) not in (None, "original"):
                if below not in self.methods:
                    raise ValueError(f"methods.{chain[-1]}.over: there is no row {below!r}")
                if below in chain:
                    raise ValueError(f"methods.{name}.over: comes back to itself by {below!r}")
                chain.append(below)

    def _search_holds(self) -> None:
        """What is searched are rows of that task with a Shortcut block: any plan of that kind walks them."""
        if self.search is None:
            return
        task = self.search.task
        if task not in self.tasks:
            raise ValueError(f"search.task: there is no task {task!r} in `tasks`")
        for name in self.search.methods:
            if name not in self.methods:
                raise ValueError(f"search.methods: there is no row {name!r} in `methods` or `variants`")
            if not self.applies(task, name):
                raise ValueError(f"search.methods: row {name!r} does not apply to {task}, see its `teachers`")
            if self.plan_of(task, name).kind != "shortcut":
                raise ValueError(f"search.methods: row {name!r} has no plan `kind: shortcut` to be varied")

    @property
    def tables(self) -> dict[str, TableSettings]:
        """All tables by name: ``table1``, ``shortcut_v2v/table2`` ..."""
        nested = {f"{p}/{name}": table for p, named in self.papers.items() for name, table in named.items()}
        return {"table1": self.table1, **nested}

    def rows_of(self, table: str) -> list[tuple[str, str]]:
        """(task, method) of a table's measured rows, in the config's order."""
        chosen = self.tables[table]
        return [(task, m) for task in chosen.tasks for m in chosen.methods if self.applies(task, m)]

    def applies(self, task: str, method: str) -> bool:
        """Whether a row compresses this task's kind of original."""
        if method == "original":
            return True
        row = self.methods[method]
        fits = not row.teachers or self.tasks[task].teacher in row.teachers
        return fits and self.applies(task, row.over or "original")

    def row(self, task: str, method: str) -> MethodSettings:
        """A row's settings on a task: those of its kind of original, then the task's own, laid on them."""
        row = self.methods[method]
        plan, options = row.plan.model_dump(exclude_none=True), row.options
        keys = [key for key in (self.tasks[task].teacher, task) if key in row.per]
        for key in keys:
            plan, options = merge(plan, row.per[key].plan), merge(options, row.per[key].options)
        try:
            walked = PlanSettings.model_validate(plan)
        except ValidationError as error:
            raise ValueError(first_fault(error, field=f"methods.{method}.per.{keys[-1]}.plan")) from None
        return row.model_copy(update={"plan": walked, "options": options, "per": {}})

    def recipes(self, task: str, method: str) -> list[tuple[str, dict[str, Any]]]:
        """(module, options) of everything done to the original up to a row, first step first."""
        if method == "original":
            return []
        row = self.row(task, method)
        return [*self.recipes(task, row.over or "original"), (row.method, row.options)]

    def teacher_row(self, method: str) -> str:
        """The row whose artifact a method starts from: the original unless it says ``over``."""
        return self.methods[method].over or "original"

    def trained(self, method: str) -> list[str]:
        """The rows whose trainings made this one, itself first; without the original, which all share."""
        chain = [method]
        while chain[-1] != "original" and (below := self.teacher_row(chain[-1])) != "original":
            chain.append(below)
        return chain

    def teacher_settings(self, task: str) -> TeacherSettings:
        """The settings of a task's teacher: the section of its kind under the task's own keys."""
        kind = self.tasks[task].teacher
        if kind not in self.teachers:
            raise ValueError(f"tasks.{task}.teacher is {kind!r}, but `teachers` has no section of that name")
        section = self.teachers[kind]
        own = self.teacher_of.get(task, {})
        try:
            made = type(section).model_validate({**section.model_dump(), **own})
            file = shipped_original(task) if made.start == "shipped" else None
            return made if file is None else made.model_copy(update={"start": file})
        except ValidationError as error:
            raise ValueError(first_fault(error, field=f"teacher_of.{task}")) from None

    def plan_of(self, task: str, method: str) -> PlanSettings:
        """The plan of a row on a task; the original walks every frame."""
        return PlanSettings() if method == "original" else self.row(task, method).plan


RENAMED = {"teacher": "vid2vid", "recyclegan": "recyclegan"}  # sections that stood beside each other once


def _renamed(values: dict) -> dict:
    """A configuration of earlier versions: its sections of originals are those of ``teachers``."""
    for old, kind in RENAMED.items():
        if isinstance(values.get(old), dict) and isinstance(values.get("teachers", {}), dict):
            log.warning("config: `%s:` is read as `teachers: {%s: ...}`; write it so", old, kind)
            values = merge(values, {"teachers": {kind: values[old]}})
            del values[old]
    return values


def merge(base: dict, over: dict) -> dict:
    """``base`` with the keys of ``over`` laid on it, nested mappings merged."""
    out = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if nested else value
    return out


def validate(document: dict, *, origin: str) -> Config:
    """Check a merged document, with the options of every method; imports nothing heavy.

    Raises:
        SlimvidError: names the file and the first field that does not fit.
    """
    with located(document, origin=origin):
        try:
            config = Config.model_validate(document)
        except ValidationError as error:
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise SlimvidError(first_fault(error) + more) from None
        check_rows(config)
        return config


@contextmanager
def located(document: dict, *, origin: str) -> Iterator[None]:
    """Name the files and the field as the user wrote it in errors that begin with a field's path."""
    try:
        yield
    except SlimvidError as error:
        fault, variants = str(error), document.get("variants")
    else:
        return
    if isinstance(variants, dict):  # they became rows; the user looks for them where they were written

        def named(m: re.Match[str]) -> str:
            return f"{'variants' if m[1] in variants else 'methods'}.{m[1]}"

        fault = re.sub(r"^methods\.(\w+)", named, fault)
    raise SlimvidError(f"{origin}: field {fault}")


def load(*paths: Path | str) -> Config:
    """Read one or more YAML (or JSON) files, later ones over earlier ones, and validate the result."""
    from slimvid.yaml_file import read_mapping

    document: dict = {}
    for path in map(Path, paths):
        document = merge(document, read_mapping(path))
    return validate(document, origin=" + ".join(map(str, paths)))

"""A table of strengths: which values of a method were chosen for which task and number of steps, and how."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from dsg import yaml_text
from dsg.command.merge import Settings, at
from dsg.errors import UserError

NEEDED = ("task", "steps", "guidance", "set", "chosen")


@dataclass(frozen=True)
class Strength:
    """One row.

    Args:
        task: the task's class path.
        steps: number of reverse steps, at least 1.
        guidance: the method's class path.
        set: its arguments.
        chosen: how they were chosen.
        where: dotted settings that have to hold besides: their value, or a list of those that will do; null is a
            setting that is not stated.
    """

    task: str
    steps: int
    guidance: str
    set: Settings
    chosen: str
    where: Settings

    def holds(self, settings: Settings) -> bool:
        """Whether the row's conditions hold in `settings`."""
        allowed = {key: value if isinstance(value, list) else [value] for key, value in self.where.items()}
        return all(at(settings, key) in values for key, values in allowed.items())


def read_table(file: Path) -> list[Strength]:
    """The rows of a table of strengths: YAML with

        chosen: {name: how values were chosen}
        where: {name: {dotted.key: value}}
        strengths: a list of rows, which name one of `chosen` and may name one of `where`.

    Raises:
        UserError: naming file and row, for a file that is missing or holds anything else.
    """
    try:
        return _read(file, file.stat().st_mtime_ns)
    except OSError as error:
        raise UserError(f"strengths: cannot read {file}: {error.strerror}") from error
    except (yaml_text.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"strengths: {file} is not YAML: {' '.join(str(error).split())}") from error


@lru_cache(maxsize=8)  # a comparison asks for every run
def _read(file: Path, _changed: int) -> list[Strength]:
    content = yaml_text.load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("strengths"), list):
        raise UserError(f"strengths: {file} holds no `strengths`, a list of rows with {', '.join(NEEDED)}")
    rows: dict[str, Strength] = {}
    for number, row in enumerate(content["strengths"], 1):
        place = f"strengths: {file}, row {number}"
        made = _row(row, content, place)
        key = f"{made.guidance} for {made.task} in {made.steps} steps, {row.get('where')}"
        if key in rows:
            raise UserError(f"{place}: a second row of {key}; leave one")
        rows[key] = made
    return list(rows.values())


def _row(row: Any, content: Settings, place: str) -> Strength:
    columns = {field.name for field in fields(Strength)}
    if not isinstance(row, dict) or not set(NEEDED) <= set(row) <= columns:
        raise UserError(f"{place}: must hold {', '.join(NEEDED)} and may hold where, got {row!r}")
    if not isinstance(row["steps"], int) or row["steps"] < 1:
        raise UserError(f"{place}: steps must be a whole number of at least 1, got {row['steps']!r}")
    if not isinstance(row["set"], dict) or not row["set"]:
        raise UserError(f"{place}: set must hold `argument: value`, got {row['set']!r}")
    named = {}
    for key in ("chosen", "where"):
        explained = content.get(key) or {}
        if key in row and row[key] not in explained:
            known = ", ".join(explained) or "none"
            raise UserError(f"{place}: {key} is {row[key]!r}, and the table's own {key} has {known}")
        named[key] = explained[row[key]] if key in row else {}
    return Strength(**{**row, **named})

"""The strength of a method where nobody states it: from one table, by task and number of steps."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dsg.command.merge import Settings, at, is_another_class, merge, nested
from dsg.command.table_of_strengths import Strength, read_table
from dsg.errors import UserError

GUIDANCE, TASK = "model.guidance", "model.task"


def fill(settings: Settings, stated: Settings) -> tuple[Settings, str | None]:
    """`settings` with the arguments of their guidance that the table named by `strengths` knows and nobody states.

    A number of steps that the table lacks takes the nearest one that it has, by ratio; a task that it lacks leaves the
    class's own defaults. Either is told. A method that is in no row has no strength to choose, and nothing is told.

    Args:
        settings: of the files.
        stated: `settings` under the command line's options.

    Returns:
        The settings, without `strengths`, and the line that tells what was taken instead of a missing row, if any.

    Raises:
        UserError: for a table that cannot be read.
    """
    settings = {key: value for key, value in settings.items() if key != "strengths"}
    method, task = (_class(at(stated, key)) for key in (GUIDANCE, TASK))
    if (table := stated.get("strengths")) in (None, "null"):
        return settings, None
    if not isinstance(table, str):
        raise UserError(f"strengths: must be the file of a table, got {table!r}")
    rows = read_table(Path(table))
    if method is None or task is None:  # the parser says so
        return settings, None
    of_method = [row for row in rows if not is_another_class({"class_path": row.guidance}, method)]
    given = (method.get("init_args") or {}).keys()
    names = {"method": _name(method), "task": _name(task), "table": table}
    fitting = [row for row in of_method if not is_another_class({"class_path": row.task}, task) and row.holds(stated)]
    steps = _steps(at(stated, "model.steps"))
    if not fitting or steps is None:
        unstated = {name for row in of_method for name in row.set} - given
        return settings, _left_alone(method["class_path"], sorted(unstated), steps is None, **names)
    row = min(fitting, key=lambda row: abs(math.log(row.steps / steps)))
    taken = {name: value for name, value in row.set.items() if name not in given}
    if taken:
        section = {"class_path": method["class_path"], "init_args": taken}
        settings = merge(settings, nested(GUIDANCE, section))
    return settings, _nearest(fitting, row, steps, taken, **names) if taken and row.steps != steps else None


def _nearest(rows: Sequence[Strength], row: Strength, steps: int, taken: Settings, **names: Any) -> str:
    known = ", ".join(str(n) for n in sorted({row.steps for row in rows}))
    return (
        "strengths: {table} has {method} for {task} in ".format(**names)
        + f"{known} steps and not in {steps}: takes {_listed(taken)}, which is for {row.steps}"
    )


def _left_alone(class_path: str, unstated: Sequence[str], no_steps: bool, **names: Any) -> str | None:
    if not unstated:
        return None
    why = "no model.steps is stated" if no_steps else "{table} has no {method} for {task} as it is set here"
    return (
        f"strengths: {why}: takes {{method}}'s own ".format(**names)
        + f"{_listed(_defaults(class_path, unstated))}; state what you want, or add a row to the table"
    )


def _defaults(class_path: str, names: Sequence[str]) -> Settings:
    module, _, name = class_path.rpartition(".")
    try:
        parameters = inspect.signature(getattr(import_module(module), name)).parameters
    except Exception:  # a class that is not there is refused by the parser, with more to say
        return dict.fromkeys(names, "default")
    return {name: parameters[name].default for name in names if name in parameters}


def _listed(values: Settings) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _class(section: Any) -> Settings | None:
    """A class and its arguments, from either spelling; None where there is no class."""
    if isinstance(section, str):
        return {"class_path": section}
    return section if isinstance(section, dict) and isinstance(section.get("class_path"), str) else None


def _name(section: Settings) -> str:
    return section["class_path"].rsplit(".", 1)[-1]


def _steps(steps: Any) -> int | None:
    """Of `N` and `ddimN`; None where it is neither, which the model refuses."""
    digits = str(steps).removeprefix("ddim")
    return int(digits) if digits.isdecimal() and int(digits) > 0 else None

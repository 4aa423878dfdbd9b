"""The strength of a method where nobody states it: from one table, by task and number of steps."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dsg.command.merge import Settings, at, is_another_class, merge, nested
from dsg.command.table_of_strengths import read_table
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
    of_method = [row for row in rows if _is_class(method, row.guidance)]
    fitting = [row for row in of_method if _is_class(task, row.task) and row.holds(stated)]
    steps = _steps(at(stated, "model.steps"))
    about = f"strengths: {table} has {{}} {_name(method)} for {_name(task)}"
    given = (method.get("init_args") or {}).keys()
    if not fitting or steps is None:
        unstated = sorted({name for row in of_method for name in row.set} - given)
        defaults = _listed(_defaults(method["class_path"], unstated))
        advice = f"takes the class's own {defaults}; state what you want, or add a row to the table"
        return settings, f"{about.format('no')} as it is set here: {advice}" if unstated else None
    row = min(fitting, key=lambda row: abs(math.log(row.steps / steps)))
    taken = {name: value for name, value in row.set.items() if name not in given}
    if not taken:
        return settings, None
    filled = merge(settings, nested(GUIDANCE, {"class_path": method["class_path"], "init_args": taken}))
    known = ", ".join(str(n) for n in sorted({row.steps for row in fitting}))
    nearest = f"in {known} steps and not in {steps}: takes {_listed(taken)}, which is for {row.steps}"
    return filled, f"{about.format('a')} {nearest}" if row.steps != steps else None


def _is_class(section: Settings, class_path: str) -> bool:
    """Whether the section's class is the one at `class_path`, by whichever name."""
    own = section["class_path"]
    if not is_another_class(section, {"class_path": class_path}):
        return True
    found = _imported(own) if _name(section) == class_path.rsplit(".", 1)[-1] else None
    return found is not None and found is _imported(class_path)


def _imported(class_path: str) -> Any:
    """The class; None where there is none, which the parser refuses with more to say."""
    module, _, name = class_path.rpartition(".")
    try:
        return getattr(import_module(module), name, None)
    except Exception:
        return None


def _defaults(class_path: str, names: Sequence[str]) -> Settings:
    parameters = inspect.signature(found).parameters if (found := _imported(class_path)) else {}
    return {name: parameters[name].default if name in parameters else "default" for name in names}


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

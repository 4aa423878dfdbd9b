"""What divides the images of a report's runs into cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dsg.command.exit_codes import flat
from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL
from dsg.errors import UserError
from dsg.metrics.cells import AND, Cells
from dsg.metrics.per_image import DESCRIPTIVE
from dsg.metrics.worst_case import GAMMA, gamma_of
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.labels import at
from dsg.report.truth import open_data

OPTION = "--cells"
Columns = Mapping[str, Mapping[str, int | float | str]]


@dataclass(frozen=True)
class Division:
    """Cells of the images of all runs, and the γ of the tables; or why there are none.

    Args:
        cells: None where nobody asked for them and they cannot be made.
        gamma: in [0, log m].
        why_not: then, the reason.
    """

    cells: Cells | None
    gamma: float
    why_not: str = ""


def divisions(
    runs: Sequence[EvaluatedRun], asked: Sequence[str], gamma: float | None, trusted: Sequence[str] = ()
) -> list[Division]:
    """One for each column that is asked for; without any, by `label`, where the data of all runs knows it.

    Args:
        gamma: in nats; by default 1, or log m where that is less.

    Raises:
        UserError: for a column that is asked for and makes no cells, and for a γ beyond them.
    """
    if asked:
        return [_divide(runs, by, [_asked(run, by, trusted) for run in runs], gamma) for by in dict.fromkeys(asked)]
    try:
        known = [_known(run) for run in runs]
        lacking = [run.name for run, columns in zip(runs, known, strict=True) if LABEL not in columns]
        if len(lacking) == len(runs):
            return []
        if lacking:
            raise UserError(f"the data of {', '.join(lacking)} has none")
        return [_divide(runs, LABEL, known, gamma)]
    except UserError as reason:
        return [Division(None, GAMMA, str(reason))]


def _divide(runs: Sequence[EvaluatedRun], by: str, known: Sequence[Columns], gamma: float | None) -> Division:
    parts = []
    for run, columns in zip(runs, known, strict=True):
        try:
            parts.append(Cells.divide(by, columns, OPTION))
        except UserError as reason:
            raise UserError(f"{reason} ({run.name})" if len(runs) > 1 else str(reason)) from reason
    cells = Cells.merged(parts)
    return Division(cells, gamma_of(gamma, len(cells.names), "--gamma"))


def _known(run: EvaluatedRun) -> Columns:
    """What the run's data knows, as far as no file of labels has to be read that only the run folder names.

    Raises:
        UserError: if its data, which may know, cannot be read.
    """
    stated = at(run.settings, "data.init_args.labels")
    try:
        if run.data is None:
            raise UserError(run.no_data)
        return _columns(run.data if stated not in ("folders", "metadata") else open_data(run.settings, labels=True))
    except UserError as reason:
        raise UserError(f"the data of {run.name} cannot be read: {reason}") from reason


def _asked(run: EvaluatedRun, by: str, trusted: Sequence[str]) -> Columns:
    """What the run's data knows, its labels too, and those columns of `by` that its rows alone have."""
    names = by.split(AND)
    of_rows = {name: found for name in names if (found := _of_rows(run.good, name))}
    if run.data is None and not all(name in of_rows for name in names):
        raise UserError(f"{OPTION}: the data of {run.name} cannot be read: {run.no_data}")
    if run.data is None:
        return of_rows
    has_labels = LABEL in names and isinstance(at(run.settings, "data.init_args.labels"), str)
    data = open_data(run.settings, trusted, labels=True) if has_labels else run.data
    columns = _columns(data)
    return {**{name: found for name, found in of_rows.items() if name not in columns}, **columns}


def _columns(data: EvaluationData) -> Columns:
    try:
        return data.cell_columns()
    except Exception as error:  # any class may stand in a configuration
        raise UserError(f"{OPTION}: the data does not tell what divides its images ({flat(error)})") from error


def _of_rows(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, int | float | str]:
    """A column of per_image.csv, id → value; of several samples of an image the first."""
    found: dict[str, int | float | str] = {}
    for row in rows:
        value = row.get(name)
        if name in DESCRIPTIVE - {"group"} or not isinstance(value, int | float | str) or value == "":
            continue
        whole = isinstance(value, float) and math.isfinite(value) and value == int(value)
        found.setdefault(row["id"], int(value) if whole else value)
    return found

"""Every run of a grid is built and checked before the first sample is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from dsg.command.exit_codes import explain
from dsg.comparison.grid import Cell, Grid, PlannedRun
from dsg.comparison.plan import Comparison
from dsg.comparison.same_pictures import Looks
from dsg.data.base import EvaluationData
from dsg.errors import DoesNotFit, UserError
from dsg.metrics.cells import Cells
from dsg.metrics.worst_case import gamma_of
from dsg.run_folder.folder import RunFolder

Check = Callable[[list[str], dict[str, Any], Sequence[str]], EvaluationData]
"""Builds what `predict` would run, checks it, and returns the data that it would evaluate.

What it keeps in the dictionary serves the checks after it: runs of equal settings share their score model and data. The
metrics that are named have to be measured, as far as that is known before the first sample.
"""


@dataclass(frozen=True)
class Checked:
    """What can be run.

    Args:
        cells: those that fit.
        unfit: why the others do not.
        tuned: those of `cells` that have candidates to choose from.
        images: of each evaluation run.
        tuning_images: of each tuning run.
        divisions: (task, setting): the cells of its images, one for each of `comparison.cells`.
    """

    cells: list[Cell]
    unfit: dict[Cell, str]
    tuned: list[Cell]
    images: int
    tuning_images: int
    divisions: dict[tuple[str, str], list[Cells]] = field(default_factory=dict)


def check_all(grid: Grid, check: Check) -> Checked:
    """Check every run.

    Raises:
        UserError: naming the run and its mistake; also if tuning would see an image that is evaluated, under whatever
            name, and for columns that make no cells of the images.
    """
    cells, unfit, tuned, evaluated, seen = [], {}, [], 0, 0
    divided: dict[tuple[str, str], dict[int, list[Cells]]] = {}  # those of each data, by its id
    built: dict[str, Any] = {}
    looks = Looks()
    compared: set[tuple[int, int]] = set()
    for cell in grid.cells:
        first, *_ = candidates = grid.candidates(cell.method)
        try:
            data = _check(check, grid.evaluation(cell, first), built)
        except DoesNotFit as reason:
            if grid.comparison.unfit == "error":
                raise UserError(f"{cell}: {reason}; or say `unfit: skip`") from reason
            unfit[cell] = str(reason)
            continue
        cells.append(cell)
        evaluated = len(data.keys())
        of_data = divided.setdefault((cell.task, cell.setting), {})
        if id(data) not in of_data:
            of_data[id(data)] = _divide(data, grid.comparison)
        if not first.values:
            continue
        tuned.append(cell)
        for candidate in candidates:
            run = grid.tuning(cell, candidate)
            try:
                other = _check(check, run, built)
            except DoesNotFit as reason:
                raise UserError(f"{run.name}: {reason}; take the candidate away") from reason
            seen = len(other.keys())
            if (pair := (id(data), id(other))) not in compared:  # which `built` keeps alive
                _refuse_common_images(data, other, looks)
                compared.add(pair)
    divisions = {
        place: [Cells.merged(parts) for parts in zip(*of_data.values(), strict=True)]
        for place, of_data in divided.items()
    }
    return Checked(cells, unfit, tuned, evaluated, seen, divisions)


def refusal(check: Check, built: dict[str, Any], run: PlannedRun) -> str | None:
    """Why `run` cannot be; None if it can. `built` is for runs of equal settings, as `Check` has it."""
    try:
        _check(check, run, built)
    except UserError as reason:
        return str(reason)
    return None


def _divide(data: EvaluationData, comparison: Comparison) -> list[Cells]:
    """The cells of the evaluated images."""
    columns = data.cell_columns() if comparison.cells else {}
    found = [Cells.divide(by, columns, "comparison.cells") for by in comparison.cells]
    for cells in found:
        gamma_of(comparison.gamma, len(cells.names), "comparison.gamma")
    return found


def _refuse_common_images(evaluated: EvaluationData, tuning: EvaluationData, looks: Looks) -> None:
    mend = "give it other images in comparison.tuning.data"
    if both := sorted(dict(evaluated.keys()).keys() & dict(tuning.keys())):
        raise UserError(f"comparison.tuning: {len(both)} images, the first {both[0]}, are evaluated too; {mend}")
    if same := looks.in_common(evaluated, tuning):
        ours, theirs = same[0]
        raise UserError(
            f"comparison.tuning: {len({name for _, name in same})} pictures are evaluated too under another name, the "
            f"first {theirs} is {ours}; {mend}"
        )


def _check(check: Check, run: PlannedRun, built: dict[str, Any]) -> EvaluationData:
    said = io.StringIO()
    arguments = run.arguments()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            needed = [] if RunFolder(run.folder).is_finished() else run.needed  # it has been measured
            return check(arguments, built, needed)
    except SystemExit as end:  # the parser has said why
        raise UserError(f"{run.name}: {last_error(said.getvalue())}") from end
    except Exception as error:
        if reason := _unfit(error):
            raise DoesNotFit(str(reason)) from error
        raise UserError(f"{run.name}: {last_error(explain(error)[1])}") from error


def _unfit(error: BaseException | None) -> DoesNotFit | None:
    while error is not None and not isinstance(error, DoesNotFit):
        error = error.__cause__
    return error


def last_error(text: str) -> str:
    """The last line of `text` that is an error, without its first word; the last line if none is."""
    lines = text.strip().splitlines() or ["ended without a word"]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines)[-1].removeprefix("error: ")

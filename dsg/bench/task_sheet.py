"""A task's methods in their order, with what separates each from the best and from the baseline."""

from __future__ import annotations

from collections.abc import Callable

from dsg.bench.board import Board
from dsg.bench.sheet import Column, Sheet, passes_cell
from dsg.bench.standing import Ranked
from dsg.comparison.grid import Cell as Run
from dsg.comparison.made_otherwise import made_otherwise
from dsg.metrics.passes import Passes, headings
from dsg.metrics.placing import Place
from dsg.metrics.ranking import Standing, standings, verdict
from dsg.metrics.statistics import Interval, decimals
from dsg.report.table import NONE, Cell, mean, number

AS_GOOD, LOST, OTHERWISE = "†", "‡", "§"


def of_task(board: Board, task: Ranked) -> Sheet:
    """Those that fit, and behind them those that do not, with the reason."""
    here, numbers = task.board, {method.label: i for i, method in enumerate(board.methods)}
    runs = here.results
    counts = {label: Passes.of(run.mean) for label, run in runs.items()}
    kinds = headings(counts.values())
    otherwise = made_otherwise({Run(here.task, label, here.name): run for label, run in runs.items()})
    marked = {run.method for run in otherwise.cells}

    def measured(cell: Callable[[str], Cell]) -> Callable[[str], Cell]:
        return lambda label: cell(label) if label in runs else Cell(NONE)

    def who(label: str) -> Cell:
        return Cell(label, run=numbers[label], small="does not fit" * (label in here.unfit))

    def place(label: str) -> Cell:
        return _place(task.place(label)) if label in runs else Cell(NONE)

    columns = [Column("method", who), Column("place", place)]
    for metric in here.metrics:
        arrow = here.comparison.direction(metric).arrow
        columns.append(Column(f"{metric} {arrow}".strip(), measured(_value(task, metric, marked))))
    name = task.direction.compared_name(task.metric)
    for called, other in (("best", task.best), (here.baseline, here.baseline)):
        if other in runs:
            gaps = {label: task.gap(label, other) for label in runs}
            cell = measured(_gap(task, other, gaps))
            columns.append(Column(f"{name} − {called}", cell, interval=gaps.get if called == "best" else None))
    if task.worst:
        digits = decimals([(over.worst.low, over.worst.high) for over in task.worst.values()], 1)
        columns.append(Column("worst case", measured(lambda label: _worst(task, label, digits))))
        columns.append(Column("worst cell", measured(lambda label: _worst_cell(task, label, digits))))
    columns += [Column(kind, measured(lambda label, kind=kind: passes_cell(counts[label], kind))) for kind in kinds]
    columns += [
        Column("s/image", measured(lambda label: number(runs[label].mean("seconds"), ".3g"))),
        Column("chosen", measured(lambda label: Cell(str(here.known[label]["chosen"] or "not tuned")))),
        Column("tried", measured(lambda label: number(here.known[label]["tried"], "d"))),
        Column("failed", measured(lambda label: number(runs[label].failures, "d"))),
    ]
    order = [*sorted(runs, key=lambda label: task.place(label).place), *here.unfit]
    notes = [f"{OTHERWISE} made with other code or on another machine than most: {otherwise.what}."] if marked else []
    notes += [f"Did not take part: {', '.join(here.absent)}."] if here.absent else []
    best = task.best if len(runs) > 1 else None
    return Sheet(here.name, columns, order, best, notes, list(here.unfit.items()))


def _value(task: Ranked, metric: str, marked: set[str]) -> Callable[[str], Cell]:
    """The mean with its marks; that it was made otherwise is said once, of the first metric."""
    runs = task.board.results
    noisy = any(run.noisy for run in runs.values())
    standing = standings(runs, metric, task.board.comparison.direction(metric, noisy=noisy))
    digits = decimals([(found.low, found.high) for run in runs.values() if (found := run.interval(metric)).n > 1], 1)

    def cell(label: str) -> Cell:
        found = mean(runs[label].interval(metric), digits)
        here = standing.get(label, Standing())
        marks = AS_GOOD * here.as_good + LOST * (here.lost > 0)
        marks += OTHERWISE * (metric == task.metric and label in marked)
        return Cell(found.text + marks, found.value, found.small)

    return cell


def _gap(task: Ranked, other: str, gaps: dict[str, Interval]) -> Callable[[str], Cell]:
    """The paired difference to `other`, and whether these images tell the two apart."""
    runs = task.board.results
    digits = decimals([(gap.low, gap.high) for gap in gaps.values()], 1)
    said = {label: verdict(runs[label], runs[other], task.metric, task.direction) for label in runs if label != other}
    return lambda label: mean(gaps[label], digits, "+", said.get(label, ""))


def _worst(task: Ranked, label: str, digits: int) -> Cell:
    """W(γ) with its interval."""
    if label not in task.worst:
        return Cell(NONE)
    found = task.worst[label].worst
    cell = mean(Interval(found.mean, found.low, found.high), digits)
    return Cell(cell.text + LOST * (task.standings[label].lost > 0), cell.value, cell.small)


def _worst_cell(task: Ranked, label: str, digits: int) -> Cell:
    if label not in task.worst:
        return Cell(NONE)
    found = task.worst[label]
    return Cell(found.cell, small=f"{found.of_cell.mean:.{digits}f}")


def _place(found: Place) -> Cell:
    """`2`, and between which places the images leave it."""
    return Cell(str(found.place), found.place, "" if found.first == found.last else f"{found.first} to {found.last}")

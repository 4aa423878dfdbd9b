"""The tables of the page: all methods at a glance, and a table a task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dsg.bench.board import Board
from dsg.bench.standing import Overall, Ranked, overall, passes, spread, time_against, worst_place
from dsg.comparison.grid import Cell as Run
from dsg.comparison.made_otherwise import made_otherwise
from dsg.metrics.passes import Passes, headings
from dsg.metrics.placing import Place
from dsg.metrics.ranking import Standing, verdict
from dsg.metrics.statistics import Interval, decimals
from dsg.report.table import NONE, Cell, mean, number

AS_GOOD, LOST, OTHERWISE = "†", "‡", "§"


@dataclass(frozen=True)
class Sheet:
    """A table of the page.

    Args:
        title: its heading; empty for none.
        header: names of the columns; the first is that of the method.
        rows: a line a method, whose first cell has its index as `run`.
        best: index of the method that is printed in bold; None if nobody is.
        chapters: of each column the chapter that it is about; empty where it is about none alone.
        notes: below it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    best: int | None = None
    chapters: Sequence[str] = ()
    notes: Sequence[str] = field(default=())


def glance(board: Board, ranked: Sequence[Ranked]) -> Sheet:
    """Everybody in one table, the best mean place first."""
    every, titles = list(ranked), {name: c["title"] for name, c in board.suite["chapters"].items()}
    of_chapter = {name: [task for task in every if task.board.chapter == name] for name in titles}
    baseline = next((task.board.baseline for task in every if task.board.baseline), None)
    cells_by = sorted({task.board.divisions[0].by for task in every if task.worst})
    spreads = {method.label: spread(method.label, every) for method in board.methods}
    kind = next((metric for metric, _ in spreads.values() if metric), "")
    counts = {method.label: Passes(passes(method.label, every)) for method in board.methods}
    kinds = headings(counts.values())
    header = ["method", "place, all tasks", "first or †", *titles.values(), *["worst case, place"] * bool(cells_by),
              *[kind] * bool(kind), *kinds, *[f"seconds × {baseline}"] * bool(baseline), "failed"]  # fmt: skip
    rows = []
    for i, method in enumerate(board.methods):
        label, over = method.label, overall(method.label, every)
        lost = sum(task.board.results[label].failures for task in every if label in task.board.results)
        measured, value = spreads[label]
        rows.append([
            Cell(label, run=i, small="" if over.fits == over.tasks else f"fits {over.fits} of {over.tasks} tasks"),
            _mean_place(over), Cell(f"{over.leads} of {over.tasks}", over.leads),
            *(_mean_place(overall(label, tasks)) for tasks in of_chapter.values()),
            *[number(worst_place(label, every), ".1f")] * bool(cells_by),
            *[number(value if measured == kind else math.nan, ".2f")] * bool(kind),
            *(_passes(counts[label], name) for name in kinds),
            *[number(time_against(label, every), ".2f")] * bool(baseline), number(lost, "d"),
        ])  # fmt: skip
    rows.sort(key=lambda row: row[1].value if row[1].value is not None else math.inf)
    chapters = ["", "", "", *titles]
    best = rows[0][0].run if len(rows) > 1 else None
    return Sheet(
        "", header, rows, best, [*chapters, *[""] * (len(header) - len(chapters))], list(_about(cells_by, kind))
    )


def of_task(board: Board, task: Ranked) -> Sheet:
    """The methods that fit in their order, and then those that do not, with the reason."""
    place, methods = task.board, {method.label: i for i, method in enumerate(board.methods)}
    results = place.results
    digits = {m: decimals([(v.low, v.high) for r in results.values() if (v := r.interval(m)).n > 1], 1)
              for m in place.metrics}  # fmt: skip
    gaps = {label: (task.gap(label, task.best), task.gap(label, place.baseline)) for label in results}
    gap_digits = decimals([(gap.low, gap.high) for pair in gaps.values() for gap in pair], 1)
    counted = {label: Passes.of(run.mean) for label, run in results.items()}
    kinds = headings(counted.values())
    name, has_base = task.direction.compared_name(task.metric), place.baseline is not None
    header = ["method", "place", *(f"{m} {place.comparison.direction(m).arrow}".strip() for m in place.metrics),
              f"{name} − best", *[f"{name} − {place.baseline}"] * has_base,
              *["worst case", "worst cell"] * bool(task.worst), *kinds, "s/image", "chosen", "tried", "failed"]  # fmt: skip
    otherwise = made_otherwise({Run(place.task, label, place.name): run for label, run in results.items()})
    marked = {run.method for run in otherwise.cells}
    order = sorted(results, key=lambda label: task.place(label).place)
    rows = []
    for label in order:
        run, standing = results[label], task.standings.get(label, Standing())
        first, *others = [mean(run.interval(m), digits[m]) for m in place.metrics]
        marks = AS_GOOD * standing.as_good + LOST * (standing.lost > 0) + OTHERWISE * (label in marked)
        said = [verdict(run, results[other], task.metric, task.direction) if other and other != label else ""
                for other in (task.best, place.baseline)]  # fmt: skip
        to_best, to_base = (mean(gap, gap_digits, "+", mark) for gap, mark in zip(gaps[label], said, strict=True))
        known = place.known[label]
        rows.append([
            Cell(label, run=methods[label]), _place(task.place(label)),
            Cell(first.text + marks, first.value, first.small), *others, to_best, *[to_base] * has_base,
            *_worst(task, label), *(_passes(counted[label], kind) for kind in kinds),
            number(run.mean("seconds"), ".3g"), Cell(str(known["chosen"] or "not tuned")), number(known["tried"], "d"), number(run.failures, "d"),
        ])  # fmt: skip
    rows += [
        [Cell(label, run=methods[label]), Cell(NONE, small=f"does not fit: {why}"), *[Cell(NONE)] * (len(header) - 2)]
        for label, why in place.unfit.items()
    ]
    notes = [f"{OTHERWISE} made with other code or on another machine than most: {otherwise.what}."] if marked else []
    best = None if task.best is None or len(results) < 2 else methods[task.best]
    return Sheet(place.name, header, rows, best, notes=notes)


def _worst(task: Ranked, label: str) -> list[Cell]:
    """W(γ) and the worst cell by name, where the task has cells."""
    if not task.worst:
        return []
    if label not in task.worst:
        return [Cell(NONE), Cell(NONE)]
    digits = decimals([(over.worst.low, over.worst.high) for over in task.worst.values()], 1)
    found = task.worst[label]
    worst = Interval(found.worst.mean, found.worst.low, found.worst.high)
    return [mean(worst, digits), Cell(found.cell, small=f"{found.of_cell.mean:.{digits}f}")]


def _place(found: Place) -> Cell:
    """`2`, and between which places the images leave it."""
    return Cell(str(found.place), found.place, "" if found.first == found.last else f"{found.first} to {found.last}")


def _mean_place(over: Overall) -> Cell:
    return Cell(f"{over.place:.1f}", over.place, f"{over.first:.1f} to {over.last:.1f}")


def _passes(counts: Passes, kind: str) -> Cell:
    """Forward + backward, sorted by their sum."""
    found = [value for value in counts.through(kind) if math.isfinite(value)]
    if not found:
        return Cell(NONE)
    return Cell(" + ".join(NONE if v != v else format(v, ".4g") for v in counts.through(kind)), sum(found))


def _about(cells_by: Sequence[str], kind: str) -> list[str]:
    notes = [
        "place: the mean over tasks of a method's place by the task's first metric, and below it between which places "
        "these images leave it on average: only methods that are better, or worse, by a paired 95 % interval that "
        "leaves out 0 are counted. A task that a method does not fit counts as the place behind all that do.",
        f"first or {AS_GOOD}: on how many tasks it has the best mean, or cannot be told from it.",
    ]
    if cells_by:
        notes.append(
            f"worst case: the place by the worst mean over mixtures of cells of the images (by {', '.join(cells_by)})."
        )
    if kind == "spread_ratio":
        notes.append(
            "spread_ratio: the spread of a method's samples over that of the known posterior's; 1 is right, less is "
            "over-confident."
        )
    elif kind:
        notes.append(f"{kind}: how far several samples of an image are spread; neither more nor less of it is better.")
    notes.append("NFE: passes through the network an image, forward + backward, the mean over the tasks that it fits.")
    return notes

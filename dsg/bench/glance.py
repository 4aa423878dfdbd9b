"""All methods in one table: who, on the whole, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dsg.bench.board import Board
from dsg.bench.sheet import Column, Sheet, passes_cell
from dsg.bench.standing import Ranked, overall, passes, spread, time_against, worst_place
from dsg.metrics.passes import Passes, headings
from dsg.metrics.statistics import Interval
from dsg.report.table import NONE, Cell, number

PLACE = (
    "place: the mean over tasks of a method's place by the task's first metric, and below it between which places "
    "these images leave it on average: only methods that are better, or worse, by a paired 95 % interval without 0 "
    "are counted. A task that a method does not fit counts as the place behind all that do."
)
LEADS = "first or †: on how many tasks it has the best mean, or cannot be told from it."
WORST = "worst case: the place by the worst mean over mixtures of cells of the images (by {})."
SPREAD = {
    "spread_ratio": "spread_ratio: the spread of its samples over that of the known posterior's; 1 is right, less is "
    "over-confident.",
    "std_psnr": "std_psnr: how far several samples of an image are spread; neither more nor less of it is better.",
}
PASSES = "NFE: passes through the network an image, forward + backward, the mean over the tasks that it fits."
SECONDS = "seconds: over the baseline's on the same tasks; of other machines they say little."


def glance(board: Board, ranked: Sequence[Ranked]) -> Sheet:
    """Everybody, the best mean place first."""
    tasks, labels = list(ranked), [method.label for method in board.methods]
    numbers = {label: i for i, label in enumerate(labels)}
    every = {label: overall(label, tasks) for label in labels}
    counts = {label: Passes(passes(label, tasks)) for label in labels}
    kinds = headings(counts.values())
    baseline = next((task.board.baseline for task in tasks if task.board.baseline), None)
    cells_by = sorted({task.board.divisions[0].by for task in tasks if task.worst})
    kind = next((metric for label in labels if (metric := spread(label, tasks)[0])), "")

    def who(label: str) -> Cell:
        over = every[label]
        return Cell(label, run=numbers[label], small=f"fits {over.fits} of {over.tasks}" * (over.fits < over.tasks))

    def failed(label: str) -> Cell:
        return number(sum(run.failures for task in tasks if (run := task.board.results.get(label))), "d")

    def among(label: str) -> Interval:
        over = every[label]
        return Interval(over.place, over.first, over.last)

    columns = [
        Column("method", who),
        Column("place, all tasks", lambda label: _mean_place(label, tasks), interval=among, origin=1.0),
        Column("first or †", lambda label: Cell(f"{every[label].leads} of {every[label].tasks}", every[label].leads)),
    ]
    for name, chapter in board.suite["chapters"].items():
        columns.append(Column(str(chapter["title"]), _place_in(name, tasks), name))
    if cells_by:
        columns.append(Column("worst case, place", lambda label: number(worst_place(label, tasks), ".1f")))
    if kind:
        columns.append(Column(kind, lambda label: _spread(label, tasks, kind)))
    columns += [Column(name, lambda label, name=name: passes_cell(counts[label], name)) for name in kinds]
    if baseline:
        columns.append(Column(f"seconds × {baseline}", lambda label: number(time_against(label, tasks), ".2f")))
    columns.append(Column("failed", failed))
    about = {PLACE: True, LEADS: True, WORST.format(", ".join(cells_by)): cells_by, SPREAD.get(kind, ""): kind,
             PASSES: kinds, SECONDS: baseline}  # fmt: skip
    order = sorted(labels, key=lambda label: every[label].place)
    best = order[0] if len(order) > 1 else None
    return Sheet("", columns, order, best, [note for note, is_so in about.items() if is_so])


def firsts(ranked: Sequence[Ranked]) -> list[tuple[str, str, str, list[str]]]:
    """(chapter, task, the best, who cannot be told from it) of each task that somebody has numbers of."""
    return [
        (task.board.chapter, task.board.name, task.best, [name for name, s in task.standings.items() if s.as_good])
        for task in ranked
        if task.best is not None
    ]


def _place_in(chapter: str, ranked: Sequence[Ranked]) -> Callable[[str], Cell]:
    those = [task for task in ranked if task.board.chapter == chapter]
    return lambda label: _mean_place(label, those)


def _mean_place(label: str, ranked: list[Ranked]) -> Cell:
    over = overall(label, ranked)
    if not over.fits:
        return Cell(NONE)
    return Cell(f"{over.place:.1f}", over.place, f"{over.first:.1f} to {over.last:.1f}")


def _spread(label: str, ranked: list[Ranked], kind: str) -> Cell:
    metric, value = spread(label, ranked)
    return number(value if metric == kind else math.nan, ".2f")

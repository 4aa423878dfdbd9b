"""Runs over cells of their images: the rebalanced mean, the worst case, the worst cell by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dsg.metrics.cells import Cells
from dsg.metrics.cross_fit import REPLICATES
from dsg.metrics.order_over_cells import turns, turns_in_words, verdict_over_cells
from dsg.metrics.over_cells import OverCells, RunsOverCells
from dsg.metrics.statistics import Interval, decimals
from dsg.report.cells import Division
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.labels import at
from dsg.report.table import NONE, Cell, Table, mean, number
from dsg.report.tables import all_metrics, direction

POINTS = 25  # of a curve
MOST_NAMED = 30  # cells, of which the page tells each one's size
ABOUT = (
    "rebalanced: the mean of the cells' means, each image weighed by 1/density of its cell. γ = {gamma:g}: W(γ), "
    "the worst mean over mixtures q of the {m} cells with KL(q ‖ uniform) ≤ γ, from the rebalanced mean at γ = 0 to"
    " the worst cell alone at γ = log {m} = {most:.3g}. Half of each cell's images choose q and the other half are "
    "what is averaged, in turn; uncorrected: all images do both. On average the truth lies between the two, and a "
    "W(γ) no worse than the rebalanced mean says that the cells differ no more than images do by chance. Intervals:"
    " 95 %, over images inside the cells, of W(γ) by a bootstrap of {replicates} samples. Differences are to the "
    "first run of the task, over the images that both have: ▲ better, ▼ worse; without a mark these images do not "
    "tell the two apart."
)


@dataclass(frozen=True)
class Curve:
    """γ ↦ W(γ) of a run.

    Args:
        gammas: (k,), from 0 to log m.
        values: (k,).
        gamma: that of the tables, and `at` W there with its interval.
    """

    gammas: np.ndarray
    values: np.ndarray
    gamma: float
    at: Interval


@dataclass(frozen=True)
class WorstCase:
    """What the page shows of a division: a table, and of each metric a curve a run, by the run's index."""

    table: Table
    curves: dict[str, dict[int, Curve]]


def worst_case(runs: Sequence[EvaluatedRun], division: Division) -> WorstCase:
    """Of metrics of each image of which it is known what is better; without cells, a note that says why."""
    if (cells := division.cells) is None:
        return WorstCase(Table("Worst case", [], [], [f"There is none by label: {division.why_not}."]), {})
    many = len(runs) > 1
    rows, notes, curves = [], [], {}
    gammas = np.linspace(0, math.log(len(cells.names)), POINTS)
    for metric in all_metrics(runs):
        groups = list(_compared(runs, metric, cells, division.gamma))
        found = {i: group.of(i) for group in groups for i in group.runs if not group.too_small(i)}
        digits = decimals([(over.worst.low, over.worst.high) for over in found.values()])
        for group in groups:
            first, *_ = group.runs
            for i, run in ((i, runs[i]) for i in group.runs):
                if i in found:
                    cells_of = _row(found[i], digits) + (_differences(group, i, first, digits) if many else [])
                    rows.append([Cell(metric_heading(metric, group)), Cell(run.name, run=i), *cells_of])
                else:
                    notes.append(f"{run.name} is left out of {metric}: {group.too_small(i)}.")
            if many and (turned := turns(group))[1]:
                names = {i: runs[i].name for i in group.runs}
                notes.append(f"{metric}: {turns_in_words(*turned, division.gamma, names)}")
        if found:
            curves[metric_heading(metric, groups[0])] = {
                i: Curve(gammas, group.curve(i, gammas), division.gamma, found[i].worst)
                for group in groups for i in group.runs if i in found
            }  # fmt: skip
    at_gamma = f"γ = {division.gamma:g}"
    header = ["metric", "run", "images", "mean", "rebalanced", at_gamma, "uncorrected", "worst cell"]
    header += ["rebalanced − first", f"{at_gamma} − first"] * many
    most = math.log(len(cells.names))
    about = ABOUT.format(gamma=division.gamma, m=len(cells.names), most=most, replicates=REPLICATES)
    return WorstCase(Table(f"Worst case over {cells.by}", header, rows, [about, _sizes(cells), *notes]), curves)


def metric_heading(metric: str, runs: RunsOverCells[int]) -> str:
    """What is compared, with the arrow."""
    name = runs.direction.compared_name(metric)
    return f"{name} {'↑' if runs.direction.sign > 0 else '↓'}"


def _compared(runs: Sequence[EvaluatedRun], metric: str, cells: Cells, gamma: float) -> Iterator[RunsOverCells[int]]:
    """The runs of each task that have the metric of each image, by index."""
    towards = direction(metric, runs)
    those = [i for i, run in enumerate(runs) if metric in run.results.images and towards.sign]
    tasks = [at(runs[i].settings, "model.task") for i in those]
    for place in dict.fromkeys(tasks.index(task) for task in tasks):
        group = {i: runs[i].results for i, task in zip(those, tasks, strict=True) if task == tasks[place]}
        yield RunsOverCells(group, metric, towards, cells, gamma)


def _row(found: OverCells, digits: int) -> list[Cell]:
    """Images, mean, rebalanced, W(γ), uncorrected, worst cell."""
    three = [mean(_bare(value), digits) for value in (found.mean, found.rebalanced, found.worst)]
    worst = mean(found.of_cell, digits)
    named = Cell(found.cell, small=f"{worst.text} {worst.small}".strip())
    return [number(found.mean.n), *three, number(found.uncorrected, f".{digits}f"), named]


def _differences(runs: RunsOverCells[int], one: int, first: int, digits: int) -> list[Cell]:
    """To the first run, of the rebalanced mean and of W(γ)."""
    if one == first or runs.too_small(one, first):
        return [Cell(NONE), Cell(NONE)]
    gaps = (runs.rebalanced_difference(one, first), False), (runs.difference(one, first), True)
    return [mean(gap, digits, "+", verdict_over_cells(runs, one, first, at_gamma)) for gap, at_gamma in gaps]


def _sizes(cells: Cells) -> str:
    """How many images are in each cell; of many cells, in the smallest and the largest."""
    sizes = cells.sizes(cells.of)
    if len(sizes) > MOST_NAMED:
        return f"From {min(sizes.values())} to {max(sizes.values())} images are in each of {len(sizes)} cells."
    return f"Images in the cells: {', '.join(f'{name} {count}' for name, count in sizes.items())}."


def _bare(found: Interval) -> Interval:
    """Without the number of images, which has a column of its own."""
    return Interval(found.mean, found.low, found.high)

"""Where every method stands on every task: by the mean, in the worst case, at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from dsg.bench.board import Board, TaskBoard
from dsg.metrics.direction import Direction
from dsg.metrics.order_over_cells import places as places_over_cells
from dsg.metrics.over_cells import OverCells, RunsOverCells
from dsg.metrics.passes import NAMES
from dsg.metrics.placing import Place, places
from dsg.metrics.ranking import Standing, standings
from dsg.metrics.statistics import Interval
from dsg.metrics.worst_case import gamma_of

SPREADS = ("spread_ratio", "std_psnr")
"""Of what several samples of an image are spread by: over the truth's where that is known, else in dB."""


@dataclass(frozen=True)
class Ranked:
    """A task's methods by its first metric.

    Args:
        board: the task.
        metric: the first of the task.
        direction: of it.
        places: of each method that has the metric.
        standings: who is best, and who cannot be told from it.
        worst: method: what it is worth over the first division's cells; none without cells.
        worst_places: method: its place by W(γ).
    """

    board: TaskBoard
    metric: str
    direction: Direction
    places: Mapping[str, Place]
    standings: Mapping[str, Standing]
    worst: Mapping[str, OverCells] = field(default_factory=dict)
    worst_places: Mapping[str, int] = field(default_factory=dict)

    @property
    def best(self) -> str | None:
        return next((label for label, standing in self.standings.items() if standing.best), None)

    def gap(self, label: str, other: str | None) -> Interval:
        """The paired difference to another method; none to itself."""
        if other is None or label == other or other not in self.board.results:
            return Interval()
        return self.board.results[label].difference(self.board.results[other], self.metric, self.direction)

    def place(self, label: str) -> Place:
        """Behind all others where it does not fit or has no number."""
        last = len(self.places) + 1
        return self.places.get(label, Place(last, last, last))


@dataclass(frozen=True)
class Overall:
    """A method over several tasks.

    Args:
        place: the mean of its places; a task that it does not fit counts as a place behind all that do.
        first: the mean of the places that it is left by these images, at best.
        last: at worst.
        leads: tasks on which it is the best, or not told from the best.
        tasks: how many there are.
        fits: on how many it has a number.
    """

    place: float
    first: float
    last: float
    leads: int
    tasks: int
    fits: int


def rank(board: TaskBoard) -> Ranked:
    """By the first metric of the task."""
    metric = board.metrics[0]
    direction = board.comparison.direction(metric, noisy=any(run.noisy for run in board.results.values()))
    found = places(board.results, metric, direction)
    ranked = Ranked(board, metric, direction, found, standings(board.results, metric, direction))
    measured = {label: run for label, run in board.results.items() if metric in run.images}
    if not board.divisions or not direction.sign or not measured:
        return ranked
    cells = board.divisions[0]
    gamma = gamma_of(board.comparison.gamma, len(cells.names), "comparison.gamma")
    runs = RunsOverCells(measured, metric, direction, cells, gamma)
    worst = {label: runs.of(label) for label in measured if not runs.too_small(label)}
    order = places_over_cells(runs, {label: over.worst.mean for label, over in worst.items()})
    return Ranked(board, metric, direction, found, ranked.standings, worst, order)


def overall(label: str, ranked: list[Ranked]) -> Overall:
    """Of a method, over the tasks of a chapter or of all."""
    found = [task.place(label) for task in ranked]
    stands = [task.standings.get(label, Standing()) for task in ranked]
    leads = sum(standing.best or standing.as_good for standing in stands)
    fits = sum(label in task.places for task in ranked)
    place, first, last = (fmean(getattr(p, name) for p in found) for name in ("place", "first", "last"))
    return Overall(place, first, last, leads, len(found), fits)


def worst_place(label: str, ranked: list[Ranked]) -> float:
    """The mean of its places by the worst case; NaN where no task has cells. As `overall` for what does not fit."""
    those = [task for task in ranked if task.worst_places]
    return fmean(t.worst_places.get(label, len(t.worst_places) + 1) for t in those) if those else math.nan


def spread(label: str, ranked: list[Ranked]) -> tuple[str, float]:
    """(metric, mean over the tasks that have it) of how far its samples of an image are spread; ("", NaN) if none."""
    for metric in SPREADS:
        boards = [task.board for task in ranked if metric in task.board.metrics]
        if values := [run.mean(metric) for b in boards if (run := b.results.get(label)) and run.has(metric)]:
            return metric, fmean(values)
    return "", math.nan


def passes(label: str, ranked: list[Ranked]) -> dict[str, float]:
    """Passes an image by kind, the mean over the tasks that it fits; NaN where nobody counted."""
    runs = [run for task in ranked if (run := task.board.results.get(label))]
    every = {name: [value for run in runs if math.isfinite(value := run.mean(name))] for name in NAMES}
    return {name: fmean(values) if values else math.nan for name, values in every.items()}


def time_against(label: str, ranked: list[Ranked]) -> float:
    """Its seconds an image over the baseline's, the geometric mean over the tasks that both have; NaN if none."""
    ratios = []
    for task in ranked:
        run, base = (task.board.results.get(name or "") for name in (label, task.board.baseline))
        if run and base and run.mean("seconds") > 0 and base.mean("seconds") > 0:
            ratios.append(math.log(run.mean("seconds") / base.mean("seconds")))
    return math.exp(fmean(ratios)) if ratios else math.nan


def rank_all(board: Board) -> list[Ranked]:
    """Every task, in the suite's order."""
    return [rank(task) for task in board.tasks]

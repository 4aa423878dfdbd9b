"""A method's parameters, chosen on images that are not evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dsg.comparison.candidate import Candidate, ends, line, short
from dsg.comparison.grid import Cell, Grid, PlannedRun
from dsg.comparison.results import read_results
from dsg.metrics.ranking import best_of, with_fewest_failures
from dsg.metrics.results import Results


@dataclass(frozen=True)
class Choice:
    """The candidate that a cell is evaluated with.

    Args:
        candidate: the chosen values; empty for a method without parameters.
        at_end: the keys beyond whose number nothing was tried: a better one may lie there.
        failed: no candidate gave a number, and the first was taken.
        idle: all candidates gave the same numbers, so that there was nothing to choose.
    """

    candidate: Candidate
    at_end: frozenset[str] = frozenset()
    failed: bool = False
    idle: bool = False

    @property
    def flags(self) -> list[str]:
        if not self.candidate.values:
            return ["not tuned"]
        found = {
            "at an end of its grid": bool(self.at_end),
            "tuning failed": self.failed,
            "without effect": self.idle,
        }
        return [flag for flag, is_so in found.items() if is_so]

    @property
    def marked(self) -> str:
        """The values, each with a * beyond which nothing was tried."""
        marks = dict.fromkeys(self.at_end, "*")
        values = [f"{key.rsplit('.', 1)[-1]}={short(v)}{marks.get(key, '')}" for key, v in self.candidate.values]
        return ", ".join(values) + " (without effect)" * self.idle


class Tuning:
    """The search of every cell: what it begins with, and then beyond its ends as long as the budget lasts.

    It remembers nothing that the run folders do not hold, so that the same command goes the same way again.

    Args:
        grid: of all runs.
        cells: those that have something to choose.
        refused: why a run cannot be, None if it can: asked of every candidate that no configuration names.
    """

    def __init__(self, grid: Grid, cells: Sequence[Cell], refused: Callable[[PlannedRun], str | None]) -> None:
        self.grid, self.refused = grid, refused
        self.tried = {cell: grid.candidates(cell.method) for cell in cells}
        self.closed: dict[tuple[Cell, Candidate], str] = {}
        self._read: dict[tuple[Cell, Candidate], Results] = {}

    def begin(self) -> list[list[PlannedRun]]:
        """The runs of what the configuration names, in rounds; where the budget is in evaluations, the first candidate
        of each goes alone, and tells what the others will cost.
        """
        runs = {cell: [self.grid.tuning(cell, c) for c in tried] for cell, tried in self.tried.items()}
        if (budget := self.grid.comparison.budget) is None or budget.unit == "candidates":
            return [[run for some in runs.values() for run in some]]
        return [[some[0] for some in runs.values()], [run for some in runs.values() for run in some[1:]]]

    def check_cost(self, cell: Cell) -> None:
        """Raise UserError if what the configuration names costs more than the budget, by its first candidate."""
        if budget := self.grid.comparison.budget:
            cost = evaluations(self._result(cell, self.tried[cell][0]))
            if math.isfinite(cost):  # if the first one failed, nobody knows
                budget.check(str(cell), len(self.tried[cell]), cost)

    def widen(self) -> list[PlannedRun]:
        """The next round: of every cell whose best value is at an end, what lies beyond; none when all have settled."""
        return [self.grid.tuning(cell, candidate) for cell in self.tried for candidate in self._beyond(cell)]

    def notes(self) -> list[str]:
        """Why there was nothing beyond some ends."""
        return [f"{cell}: nothing beyond its grid at {c}: {why}" for (cell, c), why in self.closed.items()]

    def choose(self, cell: Cell) -> Choice:
        """The candidate of which the fewest samples failed; of several the best by the tuning metric, over the images
        that all of them have; of equal ones the first that is at no end.
        """
        tried = self.tried[cell]
        best = self._equals_of_the_best(self._results(cell), self.grid.comparison.tuned_by(cell.task))
        if not best:
            return Choice(tried[0], failed=True)
        axes = self.grid.axes(cell.method)
        idle = len(tried) > 1 and len(best) == len(tried)
        chosen = min(best, key=lambda candidate: len(ends(candidate, tried, axes)))
        if idle:
            return Choice(chosen, idle=True)
        return Choice(chosen, frozenset(axis.key for axis, _ in ends(chosen, tried, axes)))

    def _beyond(self, cell: Cell) -> list[Candidate]:
        budget, axes = self.grid.comparison.budget, self.grid.axes(cell.method)
        choice = self.choose(cell)
        if budget is None or choice.failed or choice.idle:
            return []
        costs = [evaluations(found) for found in self._results(cell).values()]
        dearest = max(filter(math.isfinite, costs), default=math.nan)  # one that failed took as much as any
        spent = sum(cost if math.isfinite(cost) else dearest for cost in costs)
        found: list[Candidate] = []
        for axis, upwards in ends(choice.candidate, self.tried[cell], axes):
            value = axis.beyond(line(choice.candidate, self.tried[cell], axis.key), upwards)
            if value is None or not budget.allows(len(costs) + len(found), spent + len(found) * dearest, dearest):
                continue
            candidate = choice.candidate.moved(axis.key, value)
            if (cell, candidate) in self.closed:
                continue
            if why := self.refused(self.grid.tuning(cell, candidate)):
                self.closed[cell, candidate] = why
                continue
            found.append(candidate)
        self.tried[cell] += found
        return found

    def _results(self, cell: Cell) -> dict[Candidate, Results]:
        return {candidate: self._result(cell, candidate) for candidate in self.tried[cell]}

    def _result(self, cell: Cell, candidate: Candidate) -> Results:
        """Of a run that has ended, read once."""
        if (cell, candidate) not in self._read:
            self._read[cell, candidate] = read_results(self.grid.tuning(cell, candidate).folder)
        return self._read[cell, candidate]

    def _equals_of_the_best(self, results: dict[Candidate, Results], metric: str) -> list[Candidate]:
        direction = self.grid.comparison.direction(metric, noisy=any(found.noisy for found in results.values()))
        able = with_fewest_failures(results, metric)
        best = best_of(able, metric, direction)
        if best is None:
            return []
        values = results[best].images.get(metric), results[best].mean(metric)
        return [c for c, found in able.items() if (found.images.get(metric), found.mean(metric)) == values]


def evaluations(results: Results) -> float:
    """Passes through the network, forward and backward, an image."""
    return results.mean("nfe_forward") + results.mean("nfe_backward")

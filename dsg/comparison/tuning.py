"""A method's parameters, chosen on images that are not evaluated."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.comparison.grid import Candidate, Cell, Grid
from dsg.comparison.results import read_results
from dsg.metrics.ranking import best_of, with_fewest_failures


@dataclass(frozen=True)
class Choice:
    """The candidate that a cell is evaluated with.

    Args:
        candidate: the chosen values; empty for a method without parameters.
        failed: no candidate gave a number, and the first was taken.
    """

    candidate: Candidate
    failed: bool = False

    @property
    def flags(self) -> list[str]:
        if not self.candidate.values:
            return ["not tuned"]
        found = {"at an end of its grid": self.candidate.at_end, "tuning failed": self.failed}
        return [flag for flag, is_so in found.items() if is_so]


def choose(grid: Grid, cell: Cell) -> Choice:
    """The candidate of which the fewest samples failed; of several the best by the tuning metric, over the images that
    all of them have.
    """
    candidates = grid.candidates(cell.method)
    if not candidates[0].values:
        return Choice(candidates[0])
    assert grid.comparison.tuning is not None  # the plan refuses values to choose from without it
    metric = grid.comparison.tuning["metric"]
    results = {c: read_results(grid.tuning(cell, c).folder) for c in candidates}
    direction = grid.comparison.direction(metric, noisy=any(found.noisy for found in results.values()))
    best = best_of(with_fewest_failures(results, metric), metric, direction)
    return Choice(candidates[0], failed=True) if best is None else Choice(best)

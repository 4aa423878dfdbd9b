"""A method's parameters, chosen on images that are not evaluated."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.comparison.grid import Candidate, Cell, Grid
from dsg.comparison.results import Results, read_results


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
    """The candidate with the fewest failed images, and of those the best mean of the tuning metric."""
    candidates = grid.candidates(cell.method)
    if not candidates[0].values:
        return Choice(candidates[0])
    assert grid.comparison.tuning is not None  # the plan refuses values to choose from without it
    metric = grid.comparison.tuning["metric"]
    sign = 1 if grid.comparison.larger(metric) else -1
    scores = {c: _score(read_results(grid.tuning(cell, c).folder), metric, sign) for c in candidates}
    best = max(candidates, key=lambda c: scores[c])
    return Choice(best, failed=scores[best][1] == -math.inf)


def _score(results: Results, metric: str, sign: int) -> tuple[int, float]:
    mean = results.mean(metric)
    return -results.failures, -math.inf if math.isnan(mean) else sign * mean

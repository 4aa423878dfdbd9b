"""The comparison over cells of the images: rebalanced means, worst cases, and who changes place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dsg.comparison.grid import Cell, Grid
from dsg.comparison.table import Row, flags_of
from dsg.metrics.cells import Cells
from dsg.metrics.order_over_cells import places, standings_over_cells, turns, turns_in_words
from dsg.metrics.over_cells import RunsOverCells
from dsg.metrics.ranking import Standing
from dsg.metrics.results import Results
from dsg.metrics.statistics import Interval
from dsg.metrics.worst_case import gamma_of

Divisions = Mapping[tuple[str, str], Sequence[Cells]]
"""(task, setting): the cells of its images, by each of `comparison.cells`."""


@dataclass(frozen=True)
class OverCells:
    """What a comparison says of cells.

    Args:
        rows: two a task, method, setting, metric and division: at γ = 0 and at the comparison's own.
        notes: of the first metric of each task, which pairs of methods change places, and who could not be looked at.
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def over_cells(grid: Grid, results: Mapping[Cell, Results], divisions: Divisions) -> OverCells:
    """The rows of every metric of each image of which it is known what is better, in the comparison's order."""
    found = OverCells()
    for (task, setting), divided in divisions.items():
        rivals = {cell.method: r for cell, r in results.items() if (cell.task, cell.setting) == (task, setting)}
        place = f"{task}, {setting}" if len(grid.comparison.settings) > 1 else task
        for cells in divided:
            gamma = gamma_of(grid.comparison.gamma, len(cells.names), "comparison.gamma")
            for metric in grid.comparison.metrics_of(task):
                direction = grid.comparison.direction(metric, noisy=any(rival.noisy for rival in rivals.values()))
                those = {method: run for method, run in rivals.items() if metric in run.images}
                if not direction.sign or not those:
                    continue
                runs = RunsOverCells(those, metric, direction, cells, gamma)
                if metric == grid.comparison.metrics_of(task)[0]:
                    found.notes.extend(f"{place}, {metric} over {cells.by}: {line}" for line in _notes(runs))
                row = Row(task, "", setting, metric, direction.arrow, cells=cells.by)
                found.rows.extend(_rows(row, runs, grid.comparison.reference))
    return found


def _notes(runs: RunsOverCells[str]) -> list[str]:
    notes = [f"{method} is left out: {why}." for method in runs.runs if (why := runs.too_small(method))]
    turned, pairs = turns(runs)
    return [*notes, *[turns_in_words(turned, pairs, runs.gamma, {name: name for name in runs.runs})] * (pairs > 0)]


def _rows(row: Row, runs: RunsOverCells[str], reference: str) -> list[Row]:
    """Of each method that has images enough in every cell, its rebalanced mean and its worst case."""
    found = {method: runs.of(method) for method in runs.runs if not runs.too_small(method)}
    by_mean = places(runs, {method: over.mean.mean for method, over in found.items()})
    by_cells = places(runs, {method: over.rebalanced.mean for method, over in found.items()})
    at_gamma = places(runs, {method: over.worst.mean for method, over in found.items()})
    standing = standings_over_cells(runs)
    rows = []
    for method, over in found.items():
        own = replace(row, method=method, worst_cell=over.cell, place_by_mean=by_mean.get(method, 0))
        has_gap = method != reference and reference in found and not runs.too_small(method, reference)
        gaps = [Interval(), Interval()]
        if has_gap:
            gaps = [runs.rebalanced_difference(method, reference), runs.difference(method, reference)]
        lost = Standing(lost=standing[method].lost)  # who is best is said of the worst case alone
        rows += [
            _row(own, over.rebalanced, gaps[0], lost, gamma=0.0, place=by_cells.get(method, 0)),
            _row(own, over.worst, gaps[1], standing[method], gamma=runs.gamma, place=at_gamma.get(method, 0),
                 uncorrected=over.uncorrected),
        ]  # fmt: skip
    return rows


def _row(row: Row, found: Interval, gap: Interval, standing: Standing, **further: float) -> Row:
    return replace(
        row, mean=found.mean, low=found.low, high=found.high, n=found.n, se=found.se, difference=gap.mean,
        difference_low=gap.low, difference_high=gap.high, pairs=gap.n, flags="; ".join(flags_of(standing)), **further,
    )  # fmt: skip

"""From the results of all runs to one row a task, method, setting and metric."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

from dsg.comparison.grid import Cell, Grid
from dsg.comparison.interval import interval
from dsg.comparison.results import Results
from dsg.comparison.tuning import Choice

BEST, AS_GOOD = "best", "not distinguishable from the best"
NONE = math.nan


@dataclass(frozen=True)
class Row:
    """One line of table.csv; NaN, an empty field there, for what does not exist.

    Args:
        metric: empty where the method does not fit the task, and `flags` says why.
        mean: over `n` images, from `low` to `high` with 95 % confidence, standard error `se`.
        difference: the method's value minus the baseline's on the same image, its mean over the `pairs` images that
            both have, with its interval.
        flags: joined by "; ".
        chosen: the values that tuning chose, each with a * at an end of its grid.
        seconds: per image, as are the network evaluations.
        failures: images that could not be read or sampled.
    """

    task: str
    method: str
    setting: str
    metric: str = ""
    mean: float = NONE
    low: float = NONE
    high: float = NONE
    n: int = 0
    se: float = NONE
    difference: float = NONE
    difference_low: float = NONE
    difference_high: float = NONE
    pairs: int = 0
    flags: str = ""
    chosen: str = ""
    seconds: float = NONE
    nfe_forward: float = NONE
    nfe_backward: float = NONE
    failures: int = 0

    @property
    def marks(self) -> list[str]:
        return self.flags.split("; ")


def make_table(
    grid: Grid, results: Mapping[Cell, Results], choices: Mapping[Cell, Choice], unfit: Mapping[Cell, str]
) -> list[Row]:
    """The rows, in the comparison's order; optional metrics that no run has are left out."""
    metrics = [metric for metric in grid.comparison.metrics if any(r.has(metric) for r in results.values())]
    rows = []
    for cell in grid.cells:
        row = Row(cell.task, cell.method, cell.setting)
        if cell in unfit:
            rows.append(replace(row, flags=f"does not fit: {unfit[cell]}"))
            continue
        result, choice = results[cell], choices[cell]
        seconds, forward, backward = (result.mean(name) for name in ("seconds", "nfe_forward", "nfe_backward"))
        row = replace(
            row, chosen=choice.candidate.marked, failures=result.failures,
            seconds=seconds, nfe_forward=forward, nfe_backward=backward,
        )  # fmt: skip
        rivals = {c: r for c, r in results.items() if (c.task, c.setting) == (cell.task, cell.setting)}
        for metric in metrics:
            flags = [*_standing(cell, rivals, metric, grid), *choice.flags]
            measured = _measured(replace(row, metric=metric, flags="; ".join(flags)), result, grid)
            rows.append(_against_baseline(measured, cell, rivals, grid))
    return rows


def as_csv(rows: Sequence[Row]) -> bytes:
    """table.csv."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value != value else value for name, value in asdict(row).items()})
    return table.getvalue().encode()


def _measured(row: Row, result: Results, grid: Grid) -> Row:
    if row.metric not in result.images and row.metric in result.overall:  # of all images together
        known = result.overall[row.metric]
        low, high = known.get("low", NONE), known.get("high", NONE)
        return replace(row, mean=result.mean(row.metric), low=low, high=high, n=known.get("n", 0))
    found = interval(result.values(row.metric), grid.comparison.interval)
    return replace(row, mean=found.mean, low=found.low, high=found.high, n=found.n, se=found.se)


def _against_baseline(row: Row, cell: Cell, rivals: Mapping[Cell, Results], grid: Grid) -> Row:
    baseline = Cell(cell.task, grid.comparison.reference, cell.setting)
    if cell == baseline or baseline not in rivals:
        return row
    found = interval(rivals[cell].differences(rivals[baseline], row.metric), grid.comparison.interval)
    return replace(
        row, difference=found.mean, difference_low=found.low, difference_high=found.high, pairs=found.n
    )  # fmt: skip


def _standing(cell: Cell, rivals: Mapping[Cell, Results], metric: str, grid: Grid) -> list[str]:
    """Whether the method is the best by its mean, or as good as far as the paired interval can tell."""
    sign = 1 if grid.comparison.larger(metric) else -1
    means = {c: sign * mean for c, r in rivals.items() if not math.isnan(mean := r.mean(metric))}
    if cell not in means:
        return []
    best = max(means, key=lambda c: means[c])
    if cell == best:
        return [BEST]
    gap = interval(rivals[cell].differences(rivals[best], metric), grid.comparison.interval)
    return [AS_GOOD] if gap.n and gap.low <= 0.0 <= gap.high else []

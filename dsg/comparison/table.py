"""From the results of all runs to one row a task, method, setting and metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

from dsg.comparison.grid import Cell, Grid
from dsg.comparison.made_otherwise import made_otherwise
from dsg.comparison.tuning import Choice
from dsg.metrics.direction import Direction
from dsg.metrics.passes import NAMES, NONE, Passes
from dsg.metrics.published import Published, beside
from dsg.metrics.ranking import Standing, standings
from dsg.metrics.results import Results
from dsg.metrics.statistics import Interval

BEST, AS_GOOD = "best", "not distinguishable from the best"
LOST = "lost images that others have"
OTHERWISE = "not made like the others"
UNFIT = "does not fit: "
TABLE = "table.csv"


@dataclass(frozen=True)
class Row:
    """One line of table.csv; NaN, an empty field there, for what does not exist.

    Args:
        metric: empty where the method does not fit the task, and `flags` says why.
        mean: over `n` images, from `low` to `high` with 95 % confidence, standard error `se`.
        better: `↑` where more is better, `↓` where less is, `→ 1` for nearer to 1; empty where that is not known.
        difference: the method's value minus the baseline's on the same image, its mean over the `pairs` images that
            both have, with its interval; of a metric with a right value, the distances to it are subtracted.
        flags: joined by "; ".
        chosen: the values that tuning chose, each with a * at an end of its grid.
        seconds: per image, as are the network evaluations, and the passes through a model's decoder and encoder.
        failures: samples that could not be read or sampled.
        cells: what divides the images, where the row is of their cells, and `mean` is that of what is compared: of the
            cells' means at `gamma` 0, and W(`gamma`) beyond (`dsg.comparison.worst_case`); else empty.
        gamma: in nats.
        uncorrected: W(gamma) without cross-fitting.
        worst_cell: the name of the cell with the worst mean.
        place: among the methods by `mean`, 1 for the best; 0 of a method that lost images.
        place_by_mean: likewise by the mean over images.
        published: what a paper states of this, by `published_source`.
        published_difference: ours − published, where the two are compared.
        published_inside: whether `low` to `high` holds it, `yes` or `no`, or why that is not said.
    """

    task: str
    method: str
    setting: str
    metric: str = ""
    better: str = ""
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
    nfe_decoder_forward: float = NONE
    nfe_decoder_backward: float = NONE
    nfe_encoder_forward: float = NONE
    nfe_encoder_backward: float = NONE
    failures: int = 0
    cells: str = ""
    gamma: float = NONE
    uncorrected: float = NONE
    worst_cell: str = ""
    place: int = 0
    place_by_mean: int = 0
    published: float = NONE
    published_difference: float = NONE
    published_inside: str = ""
    published_source: str = ""

    @property
    def passes(self) -> Passes:
        return Passes.of(partial(getattr, self))

    @property
    def marks(self) -> list[str]:
        return self.flags.split("; ")


def make_table(
    grid: Grid, results: Mapping[Cell, Results], choices: Mapping[Cell, Choice], unfit: Mapping[Cell, str]
) -> list[Row]:
    """The rows, in the comparison's order; optional metrics that no run has are left out."""
    otherwise = made_otherwise(results).cells
    stated = {(n.task, n.method, n.setting, n.metric): n.number for n in grid.comparison.published_numbers}
    rows = []
    for cell in grid.cells:
        row = Row(cell.task, cell.method, cell.setting)
        if cell in unfit:
            rows.append(replace(row, flags=f"{UNFIT}{unfit[cell]}"))
            continue
        result, choice = results[cell], choices[cell]
        row = replace(
            row, chosen=choice.marked, failures=result.failures,
            seconds=result.mean("seconds"), **{name: result.mean(name) for name in NAMES},
        )  # fmt: skip
        rivals = {c: r for c, r in results.items() if (c.task, c.setting) == (cell.task, cell.setting)}
        for metric in (m for m in grid.comparison.metrics_of(cell.task) if any(r.has(m) for r in rivals.values())):
            direction = grid.comparison.direction(metric, noisy=any(rival.noisy for rival in rivals.values()))
            standing = standings(rivals, metric, direction).get(cell, Standing())
            found = result.interval(metric)
            measured = replace(
                row, metric=metric, better=direction.arrow, 
                flags="; ".join([*flags_of(standing), *[OTHERWISE] * (cell in otherwise), *choice.flags]),
                mean=found.mean, low=found.low, high=found.high, n=found.n, se=found.se,
            )  # fmt: skip
            measured = _beside_published(measured, stated.get((cell.task, cell.method, cell.setting, metric)), found)
            rows.append(_against_baseline(measured, cell, rivals, grid.comparison.reference, direction))
    return rows


def as_csv(rows: Sequence[Row]) -> bytes:
    """table.csv."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value != value else value for name, value in asdict(row).items()})
    return table.getvalue().encode()


def read_unfit(folder: Path) -> dict[Cell, str]:
    """Of a finished comparison's table.csv, which methods do not fit which tasks, and why."""
    with (folder / TABLE).open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["flags"].startswith(UNFIT)]
    return {Cell(row["task"], row["method"], row["setting"]): row["flags"].removeprefix(UNFIT) for row in rows}


def flags_of(standing: Standing) -> list[str]:
    found = {BEST: standing.best, AS_GOOD: standing.as_good, LOST: standing.lost > 0}
    return [flag for flag, is_so in found.items() if is_so]


def _against_baseline(
    row: Row, cell: Cell, rivals: Mapping[Cell, Results], reference: str, direction: Direction
) -> Row:
    baseline = Cell(cell.task, reference, cell.setting)
    if cell == baseline or baseline not in rivals:
        return row
    found = rivals[cell].difference(rivals[baseline], row.metric, direction)
    return replace(
        row, difference=found.mean, difference_low=found.low, difference_high=found.high, pairs=found.n
    )  # fmt: skip


def _beside_published(row: Row, stated: Published | None, ours: Interval) -> Row:
    if stated is None:
        return row
    found = beside(stated, ours, row.failures)
    return replace(
        row, published=stated.value, published_difference=found.difference, published_inside=found.inside,
        published_source=stated.source,
    )  # fmt: skip

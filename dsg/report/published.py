"""The table of published numbers beside those of runs that a comparison made."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.comparison.published_file import numbers_of_run
from dsg.metrics.published import beside
from dsg.metrics.statistics import decimals
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.table import NONE, Cell, Table, mean, number

ABOUT = (
    "What papers state of these runs, by the comparison that made them (published.json beside its table), and whether "
    "the 95 % interval over the run's images holds it. It has an error of its own, which papers seldom tell, and may "
    "be of other images; a number of another variant of the metric or of the method is shown, and not compared."
)
HEADER = ["run", "metric", "published", "ours", "ours − published", "published in our interval", "source"]


def published(runs: Sequence[EvaluatedRun]) -> Table | None:
    """A row a run and number; None where nothing is published of them.

    Raises:
        UserError: for a published.json that cannot be read.
    """
    rows = []
    for i, run in enumerate(runs):
        for stated in numbers_of_run(run.folder.path):
            ours = run.results.interval(stated.metric)
            found, digits = beside(stated.number, ours, run.results.failures), decimals([(ours.low, ours.high)], 1)
            rows.append([
                Cell(run.name, run=i), Cell(stated.metric), number(stated.number.value, "g"), mean(ours, digits),
                number(found.difference, f"+.{digits}f"), Cell(found.inside or NONE), Cell(stated.number.source),
            ])  # fmt: skip
    return Table("Beside published numbers", HEADER, rows, [ABOUT]) if rows else None

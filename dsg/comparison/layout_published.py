"""The published numbers as they are read beside ours: a section a task and setting, a line a method and metric."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dsg.comparison.layout import Entry, Section, value_entry
from dsg.comparison.plan import Comparison
from dsg.comparison.published import PublishedNumber
from dsg.comparison.table import Row
from dsg.metrics.published import beside
from dsg.metrics.statistics import Interval, decimals

HEADER = ["method", "metric", "published", "ours", "ours − published", "published in our interval", "source"]
LEGEND = (
    "Beside published numbers: whether our 95 % interval, over the images of this comparison, holds what the paper "
    "states. That has an error of its own, which papers seldom tell, and may be of other images. A number of another "
    "variant of the metric or of the method is shown, and not compared."
)


def sections_published(rows: Sequence[Row], comparison: Comparison) -> list[Section]:
    """Of each task and setting of which something is published."""
    measured = {(row.task, row.method, row.setting, row.metric): row for row in rows}
    made = []
    for task in comparison.tasks:
        for setting in comparison.settings:
            here = [n for n in comparison.published_numbers if (n.task, n.setting) == (task, setting)]
            ordered = sorted(here, key=lambda number: list(comparison.methods).index(number.method))
            if ordered:
                title = f"{task}, {setting}" if len(comparison.settings) > 1 else task
                lines = [_line(n, measured.get((task, n.method, setting, n.metric))) for n in ordered]
                made.append(Section(f"{title}: beside published numbers", HEADER, lines))
    return made


def _line(stated: PublishedNumber, row: Row | None) -> list[Entry]:
    ours = Interval() if row is None else Interval(row.mean, row.low, row.high, row.n)
    found, digits = (
        beside(stated.number, ours, 0 if row is None else row.failures),
        decimals([(ours.low, ours.high)], 1),
    )
    value = Entry("–") if row is None else value_entry(row, digits)
    return [
        Entry(stated.method),
        Entry(stated.metric if row is None else f"{stated.metric} {row.better}".strip()),
        Entry(f"{stated.number.value:g}"),
        Entry(value.text, mark=value.mark),
        Entry("–" if math.isnan(found.difference) else f"{found.difference:+.{digits}f}"),
        Entry(found.inside),
        Entry(stated.number.source),
    ]

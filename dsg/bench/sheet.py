"""A table of the page: columns that are asked for the cell of a method."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dsg.metrics.passes import Passes
from dsg.metrics.statistics import Interval
from dsg.report.table import NONE, Cell


@dataclass(frozen=True)
class Bar:
    """An interval as it is drawn: where it begins, its mean, its end, and the origin, in per cent of the width."""

    low: float
    mean: float
    high: float
    origin: float


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: its heading.
        cell: of a method, by its label.
        chapter: that it is about; empty where it is about none alone.
        interval: of a method, drawn as a bar on the scale of all; None where nothing is drawn.
        origin: a value that the scale holds and marks.
    """

    name: str
    cell: Callable[[str], Cell]
    chapter: str = ""
    interval: Callable[[str], Interval | None] | None = None
    origin: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """A table.

    Args:
        title: its heading; empty for none.
        columns: the first is that of the method, whose cell has the method's index as `run`.
        labels: of the methods, a line each.
        best: the method that is printed in bold; None if nobody is.
        notes: below it.
        reasons: (method, why it does not fit).
    """

    title: str
    columns: Sequence[Column]
    labels: Sequence[str]
    best: str | None = None
    notes: Sequence[str] = field(default=())
    reasons: Sequence[tuple[str, str]] = field(default=())

    @property
    def rows(self) -> list[tuple[str, list[tuple[Column, Cell, Bar | None]]]]:
        """(label, its column, cell and bar each)."""
        bars = {column.name: _bars(column, self.labels) for column in self.columns}
        return [
            (label, [(column, column.cell(label), bars[column.name].get(label)) for column in self.columns])
            for label in self.labels
        ]


def _bars(column: Column, labels: Sequence[str]) -> dict[str, Bar]:
    """On one scale."""
    if column.interval is None:
        return {}
    every = {label: column.interval(label) for label in labels}
    found = {label: interval for label, interval in every.items() if interval and math.isfinite(interval.low)}
    ends = [
        column.origin,
        *(interval.low for interval in found.values()),
        *(interval.high for interval in found.values()),
    ]
    low, span = min(ends), max(ends) - min(ends)
    if not span:
        return {}

    def share(value: float) -> float:
        return round(100 * (value - low) / span, 1)

    return {label: Bar(share(i.low), share(i.mean), share(i.high), share(column.origin)) for label, i in found.items()}


def passes_cell(counts: Passes, kind: str) -> Cell:
    """Forward + backward, sorted by their sum."""
    found = [value for value in counts.through(kind) if math.isfinite(value)]
    if not found:
        return Cell(NONE)
    return Cell(" + ".join(NONE if v != v else format(v, ".4g") for v in counts.through(kind)), sum(found))

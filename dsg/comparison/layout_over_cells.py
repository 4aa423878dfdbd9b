"""The worst cases as they are read: a section a task and division, a line a method."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.comparison.layout import Entry, Section, difference_text, value_entry
from dsg.comparison.plan import Comparison
from dsg.comparison.table import Row
from dsg.metrics.statistics import decimals

LEGEND = (
    "Over cells of the images: rebalanced is the mean of the cells' means; at γ, the worst mean over mixtures q of the "
    "cells with KL(q ‖ uniform) ≤ γ, where half of each cell's images choose q and the other half are averaged, in "
    "turn; uncorrected: all images do both, and the truth lies between on average. Bold, † and ‡ are of γ. place: by "
    "the mean over images → at γ."
)


def sections_over_cells(rows: Sequence[Row], comparison: Comparison) -> list[Section]:
    """Of the first metric of each task; `table.csv` has the others."""
    made = []
    for task in comparison.tasks:
        metric = comparison.metrics_of(task)[0]
        for setting in comparison.settings:
            here = [row for row in rows if (row.task, row.setting, row.metric) == (task, setting, metric)]
            for cells in dict.fromkeys(row.cells for row in here):
                title = f"{task}, {setting}" if len(comparison.settings) > 1 else task
                own = [row for row in here if row.cells == cells]
                made.append(_section(f"{title}: {metric} over {cells}", own, comparison))
    return made


def _section(title: str, rows: Sequence[Row], comparison: Comparison) -> Section:
    even = {row.method: row for row in rows[0::2]}  # a method has a row of each, even where γ is 0
    worst = {row.method: row for row in rows[1::2]}
    row, *_ = rows
    name = comparison.direction(row.metric).compared_name(row.metric)
    arrow = "↑" if row.better == "↑" else "↓"
    at_gamma = f"γ = {rows[1].gamma:g}"
    header = ["method", f"{name}, rebalanced {arrow}", at_gamma, "uncorrected", "worst cell", "place",
              f"{at_gamma} − {comparison.reference}"]  # fmt: skip
    digits = decimals([(row.low, row.high) for row in worst.values()], 1)
    gaps = decimals([(row.difference_low, row.difference_high) for row in worst.values()], 1)
    lines = [
        [
            Entry(method),
            value_entry(even[method], digits),
            value_entry(worst[method], digits),
            Entry(f"{worst[method].uncorrected:.{digits}f}"),
            Entry(worst[method].worst_cell),
            Entry(_places(worst[method])),
            Entry(difference_text(worst[method], gaps)),
        ]
        for method in comparison.methods
        if method in worst
    ]
    return Section(title, header, lines)


def _places(row: Row) -> str:
    """`3 → 1`; – of a method that lost images."""
    return f"{row.place_by_mean} → {row.place}" if row.place else "–"

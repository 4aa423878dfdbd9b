"""The table as it is read: a section a task, a line a method; the same for Markdown, LaTeX and the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dsg.comparison.plan import Comparison
from dsg.comparison.table import AS_GOOD, BEST, Row


@dataclass(frozen=True)
class Entry:
    """One field: its text, whether it is the best, and whether it is as good as the best."""

    text: str = ""
    best: bool = False
    as_good: bool = False


@dataclass(frozen=True)
class Section:
    """The methods on one task under one of the settings."""

    title: str
    header: list[str]
    lines: list[list[Entry]]


def sections(rows: Sequence[Row], comparison: Comparison) -> list[Section]:
    """A section a task and setting, methods in the comparison's order."""
    metrics = [metric for metric in comparison.metrics if any(row.metric == metric for row in rows)]
    arrows = [f"{metric} {'↑' if comparison.larger(metric) else '↓'}" for metric in metrics]
    differences = [f"{metric} − {comparison.reference}" for metric in metrics[:1]]
    header = ["method", "chosen", *arrows, *differences, "s/image", "NFE", "failed"]
    made = []
    for task in comparison.tasks:
        for setting in comparison.settings:
            title = f"{task}, {setting}" if len(comparison.settings) > 1 else task
            here = [row for row in rows if (row.task, row.setting) == (task, setting)]
            digits = {m: _digits([(row.low, row.high) for row in here if row.metric == m]) for m in metrics}
            gaps = [(r.difference_low, r.difference_high) for r in here if r.metric in metrics[:1]]
            methods = {name: [row for row in here if row.method == name] for name in comparison.methods}
            lines = [_line(part, digits, _digits(gaps), len(header)) for part in methods.values() if part]
            made.append(Section(title, header, lines))
    return made


def overviews(rows: Sequence[Row], comparison: Comparison) -> list[Section]:
    """A section a metric, with a column a task and setting: every number at a glance. None for a single column."""
    columns = [(task, setting) for task in comparison.tasks for setting in comparison.settings]
    if len(columns) == 1:
        return []
    names = [f"{task}, {setting}" if len(comparison.settings) > 1 else task for task, setting in columns]
    made = []
    for metric in comparison.metrics:
        found = {(row.method, row.task, row.setting): row for row in rows if row.metric == metric}
        if not found:
            continue
        digits = {c: _digits([(r.low, r.high) for r in found.values() if (r.task, r.setting) == c]) for c in columns}
        lines = [
            [
                Entry(method),
                *(_value(found[method, *c], digits[c]) if (method, *c) in found else Entry("–") for c in columns),
            ]
            for method in comparison.methods
        ]
        made.append(Section(f"{metric} {'↑' if comparison.larger(metric) else '↓'}", ["method", *names], lines))
    return made


def legend(rows: Sequence[Row], comparison: Comparison) -> str:
    """What the marks mean, in one paragraph."""
    kind = "percentile bootstrap over images" if comparison.interval == "bootstrap" else "mean ± 1.96 standard errors"
    counts = sorted({row.n for row in rows if row.metric}) or [0]
    images = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    text = (
        f"Mean and 95 % interval ({kind}) over {images} images; ↑: more is better, ↓: less is. Bold: the best mean; †: "
        f"its paired difference to the best, image by image, has an interval with 0 in it. − {comparison.reference}: "
        "the paired difference, with its interval. NFE: network evaluations an image, forward + backward."
    )
    if comparison.tuning:
        text += (
            f" Parameters were chosen on other images, by {comparison.tuning['metric']}, from as many candidates for "
            "every method; *: at an end of its grid, a better value may lie beyond; not tuned: a method without."
        )
    return text


def _line(rows: list[Row], digits: dict[str, int], gap_digits: int, width: int) -> list[Entry]:
    first = rows[0]
    if not first.metric:
        return [Entry(first.method), Entry(first.flags), *[Entry()] * (width - 2)]
    found = {row.metric: row for row in rows}
    chosen = first.chosen or "not tuned"
    nfe = " + ".join(_number(n, "g") for n in (first.nfe_forward, first.nfe_backward))
    return [
        Entry(first.method),
        Entry(f"{chosen} (tuning failed)" if "tuning failed" in first.marks else chosen),
        *(_value(found[metric], digits[metric]) for metric in digits),
        *(Entry(_difference(found[metric], gap_digits)) for metric in list(digits)[:1]),
        Entry(_number(first.seconds, ".3g")),
        Entry(nfe),
        Entry(str(first.failures)),
    ]


def _value(row: Row, digits: int) -> Entry:
    if math.isnan(row.mean):
        return Entry("–")
    bounds = "" if math.isnan(row.low) else f" [{row.low:.{digits}f}, {row.high:.{digits}f}]"
    return Entry(f"{row.mean:.{digits}f}{bounds}", BEST in row.marks, AS_GOOD in row.marks)


def _difference(row: Row, digits: int) -> str:
    if math.isnan(row.difference):
        return ""
    return f"{row.difference:+.{digits}f} [{row.difference_low:+.{digits}f}, {row.difference_high:+.{digits}f}]"


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


def _digits(intervals: list[tuple[float, float]]) -> int:
    """Decimals such that the typical interval's half-width keeps two figures, from 1 to 5."""
    halves = [(high - low) / 2 for low, high in intervals if high > low]
    return min(5, max(1, 1 - math.floor(math.log10(median(halves))))) if halves else 3

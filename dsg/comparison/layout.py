"""The table as it is read: a section a task, a line a method; the same for Markdown, LaTeX and the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dsg.comparison.plan import Comparison
from dsg.comparison.table import AS_GOOD, BEST, LOST, OTHERWISE, Row
from dsg.metrics.passes import headings
from dsg.metrics.statistics import decimals


@dataclass(frozen=True)
class Entry:
    """One field: its text, whether it is the best, and the mark that stands behind its first word."""

    text: str = ""
    best: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Section:
    """The methods on one task under one of the settings."""

    title: str
    header: list[str]
    lines: list[list[Entry]]


def sections(rows: Sequence[Row], comparison: Comparison) -> list[Section]:
    """A section a task and setting, methods in the comparison's order."""
    made = []
    for task in comparison.tasks:
        for setting in comparison.settings:
            title = f"{task}, {setting}" if len(comparison.settings) > 1 else task
            here = [row for row in rows if (row.task, row.setting) == (task, setting)]
            metrics = [metric for metric in comparison.metrics_of(task) if any(row.metric == metric for row in here)]
            arrows = [_heading(metric, here) for metric in metrics]
            passes = headings(row.passes for row in here)
            gap = _difference_to(comparison, metrics[:1])
            header = ["method", "chosen", *arrows, *gap, "s/image", *passes, "failed"]
            digits = {m: decimals([(row.low, row.high) for row in here if row.metric == m], 1) for m in metrics}
            gaps = [(r.difference_low, r.difference_high) for r in here if r.metric in metrics[:1]]
            methods = {name: [row for row in here if row.method == name] for name in comparison.methods}
            lines = [_line(part, digits, decimals(gaps, 1), passes, len(header)) for part in methods.values() if part]
            made.append(Section(title, header, lines))
    return made


def overviews(rows: Sequence[Row], comparison: Comparison) -> list[Section]:
    """A section a metric of several columns, one for each task and setting that has it: every number at a glance."""
    everywhere = [(task, setting) for task in comparison.tasks for setting in comparison.settings]
    made = []
    for metric in comparison.all_metrics:
        found = {(row.method, row.task, row.setting): row for row in rows if row.metric == metric}
        columns = [column for column in everywhere if any(key[1:] == column for key in found)]
        if len(columns) < 2:  # its own table shows it
            continue
        names = [f"{task}, {setting}" if len(comparison.settings) > 1 else task for task, setting in columns]
        digits = {
            c: decimals([(r.low, r.high) for r in found.values() if (r.task, r.setting) == c], 1) for c in columns
        }
        lines = [
            [
                Entry(method),
                *(value_entry(found[method, *c], digits[c]) if (method, *c) in found else Entry("–") for c in columns),
            ]
            for method in comparison.methods
        ]
        made.append(Section(_heading(metric, rows), ["method", *names], lines))
    return made


def legend(rows: Sequence[Row], comparison: Comparison, otherwise: str = "") -> str:
    """What the marks mean, in one paragraph.

    Args:
        otherwise: in what the runs were not made alike.
    """
    text = (
        "Mean and 95 % interval (Student's t), in brackets over how many images; ↑: more is better, ↓: less is, → 1: "
        "nearer to 1, → 0: to 0. Bold: the best mean; †: its paired difference to the best, image by image, has an "
        f"interval with 0 in it. − {comparison.reference}: the paired difference, with its interval. NFE: network "
        "evaluations an image, forward + backward. failed: samples."
    )
    if len(headings(row.passes for row in rows)) > 1:
        text += " decoder, encoder: passes through those of a model of latents, forward + backward."
    if any(LOST in row.marks for row in rows):
        text += (
            " ‡: samples failed of images that another method has; the mean is of the others, which may be the easier "
            "ones, and is neither in bold nor marked †."
        )
    if otherwise:
        text += f" §: made with other code or on another machine than most, or by starts that differ: {otherwise}."
    if comparison.tuning:
        text += (
            f" Parameters were chosen on other images, by {_tuned_by(comparison)}, from {_budget(comparison)} "
            "for every method; *: at an end of its grid, a better value may lie beyond; not tuned: a method without."
        )
    return text


def _tuned_by(comparison: Comparison) -> str:
    return " or ".join(dict.fromkeys(comparison.tuned_by(task) for task in comparison.tasks))


def _budget(comparison: Comparison) -> str:
    budget = comparison.budget
    return "as many candidates" if budget is None else f"at most {budget.amount:g} {budget.unit}"


def _heading(metric: str, rows: Sequence[Row]) -> str:
    """With an arrow where all rows agree on it: a loss has one only without noise."""
    arrows = {row.better for row in rows if row.metric == metric}
    return f"{metric} {arrows.pop() if len(arrows) == 1 else ''}".strip()


def _difference_to(comparison: Comparison, metrics: Sequence[str]) -> list[str]:
    return [f"{comparison.direction(m).compared_name(m)} − {comparison.reference}" for m in metrics]


def _line(rows: list[Row], digits: dict[str, int], gap_digits: int, passes: list[str], width: int) -> list[Entry]:
    first = rows[0]
    if not first.metric:
        return [Entry(first.method), Entry(first.flags), *[Entry()] * (width - 2)]
    found = {row.metric: row for row in rows}
    chosen = first.chosen or "not tuned"
    return [
        Entry(first.method),
        Entry(f"{chosen} (tuning failed)" if "tuning failed" in first.marks else chosen),
        *(value_entry(found[metric], digits[metric]) for metric in digits),
        *(Entry(difference_text(found[metric], gap_digits)) for metric in list(digits)[:1]),
        Entry(_number(first.seconds, ".3g")),
        *(Entry(first.passes.text(name, "–")) for name in passes),
        Entry(str(first.failures)),
    ]


def value_entry(row: Row, digits: int) -> Entry:
    """The mean with its interval, the number of images and its marks."""
    if math.isnan(row.mean):
        return Entry("–")
    mark = "†" * (AS_GOOD in row.marks) + "‡" * (LOST in row.marks) + "§" * (OTHERWISE in row.marks)
    text = f"{row.mean:.{digits}f}{_bounds(row.low, row.high, f'.{digits}f')}"
    return Entry(f"{text} ({row.n})" if row.n else text, BEST in row.marks, mark)


def _bounds(low: float, high: float, form: str) -> str:
    return "" if math.isnan(low) else f" [{low:{form}}, {high:{form}}]"


def difference_text(row: Row, digits: int) -> str:
    """The paired difference with its interval and pairs; empty where there is none."""
    if math.isnan(row.difference):
        return ""
    bounds = _bounds(row.difference_low, row.difference_high, f"+.{digits}f")
    return f"{row.difference:+.{digits}f}{bounds} ({row.pairs})"


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)

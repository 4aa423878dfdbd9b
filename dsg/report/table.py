"""A table as both pages show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

NONE = "–"
MARKS = {"": "", "better": "▲", "worse": "▼"}


@dataclass(frozen=True)
class Cell:
    """One field.

    Args:
        text: what it says.
        value: the number it is sorted by; without one, the text.
        small: a second line, as an interval.
        mark: a key of MARKS.
        run: the index of the run that it names, if it does; gives the run's colour.
    """

    text: str
    value: float | None = None
    small: str = ""
    mark: str = ""
    run: int | None = None


@dataclass(frozen=True)
class Table:
    """A heading, a row of names, the rows, and what a reader has to know of them."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default=())


def number(value: float | None, form: str = ".4g") -> Cell:
    """A number, or – where there is none."""
    known = value is not None and math.isfinite(value)
    return Cell(format(value, form) if known else NONE, value if known else None)


def decimals(intervals: Iterable[tuple[float, float]]) -> int:
    """Decimals (0 to 5) with which the typical interval's half-width keeps two figures."""
    halves = [(high - low) / 2 for low, high in intervals if high > low]
    return min(5, max(0, 1 - math.floor(math.log10(median(halves))))) if halves else 3


def with_interval(mean: float, low: float, high: float, digits: int, sign: str = "", mark: str = "") -> Cell:
    """`mean` over `[low, high]`."""
    if not math.isfinite(mean):
        return Cell(NONE)
    form = f"{sign}.{digits}f"
    bounds = f"[{low:{form}}, {high:{form}}]" if math.isfinite(low) and math.isfinite(high) else ""
    return Cell(format(mean, form), mean, bounds, mark)

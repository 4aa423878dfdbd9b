"""A table as both pages show it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dsg.metrics.statistics import Interval

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


def mean(found: Interval, digits: int, sign: str = "", mark: str = "") -> Cell:
    """A mean over its interval and the number of images."""
    return with_interval(found.mean, found.low, found.high, found.n, digits, sign, mark)


def with_interval(middle: float, low: float, high: float, n: int, digits: int, sign: str = "", mark: str = "") -> Cell:
    """`middle` over `[low, high] (n)`."""
    if not math.isfinite(middle):
        return Cell(NONE)
    form = f"{sign}.{digits}f"
    bounds = f"[{low:{form}}, {high:{form}}]" if math.isfinite(low) and math.isfinite(high) else ""
    return Cell(format(middle, form), middle, f"{bounds} ({n})".strip() if n else bounds, mark)

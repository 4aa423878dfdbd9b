"""What an experiment finds: tables, a figure, and the numbers that have to come out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Check:
    """A measured number beside the one that it has to be.

    Args:
        what: in words.
        measured: what came out.
        exact: what theory says.
        tolerance: how far the two may be apart.
        below: `measured` only has to be below `exact` + `tolerance`.
    """

    what: str
    measured: float
    exact: float
    tolerance: float
    below: bool = False

    @property
    def holds(self) -> bool:
        """Whether it came out; a number that is not finite never does."""
        if not math.isfinite(self.measured):
            return False
        difference = self.measured - self.exact
        return (difference if self.below else abs(difference)) <= self.tolerance

    def __str__(self) -> str:
        sign = "<" if self.below else "±"
        verdict = "holds" if self.holds else "FAILS"
        return f"{verdict}: {self.what}: {self.measured:.6g}, should be {self.exact:.6g} {sign} {self.tolerance:.2g}"


@dataclass
class Findings:
    """Of one experiment.

    Args:
        tables: name: Markdown; each goes to the page, where `<!-- table: name -->` stands.
        checks: what has to come out.
        draw: the figure, if there is one; it is theory_<experiment>.png.
        further: name: another figure, theory_<name>.png.
    """

    tables: dict[str, str]
    checks: list[Check] = field(default_factory=list)
    draw: Callable[[], Figure] | None = None
    further: dict[str, Callable[[], Figure]] = field(default_factory=dict)


def table(header: Sequence[str], rows: Sequence[Sequence[str | float | int]], digits: int = 4) -> str:
    """Markdown; numbers are right-aligned and rounded to `digits` places."""
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(["---"] + ["--:"] * (len(header) - 1)) + "|"]
    for row in rows:
        cells = [f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def put_tables(page: Path, tables: dict[str, str]) -> list[str]:
    """Write tables into a page between `<!-- table: name -->` and `<!-- end -->`; returns the names without a place."""
    text, missing = page.read_text(encoding="utf-8"), []
    for name, markdown in tables.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        head, found, rest = text.partition(start)
        if not found or end not in rest or "<!-- table:" in rest[: rest.index(end)]:
            missing.append(name)
            continue
        text = head + start + markdown + rest[rest.index(end) :]
    page.write_text(text, encoding="utf-8")
    return missing

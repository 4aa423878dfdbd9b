"""What is printed of a comparison: a table a path, with a mark where a deviation is beyond its tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from dsg.replay.edm.deviation import Deviation
from dsg.replay.steps.compare import Row


def table(path: Path, rows: list[tuple[int, float, float | None]], tolerance: float) -> Table:
    """Of (t, deviation, free run) of each step."""
    made = _titled(path, ("t", "largest deviation", "free run"))
    for t, deviation, free in rows:
        made.add_row(str(t), _marked(deviation, deviation <= tolerance), "" if free is None else f"{free:.2e}")
    return made


def table_of_steps(path: Path, rows: Sequence[Row], tolerance: float | None) -> Table:
    """Of single steps, with the options that make each."""
    made = _titled(path)
    made.add_column("tag")
    made.add_column("step", justify="right")
    made.add_column("largest deviation", justify="right")
    made.add_column("option, or why none is equal", overflow="fold")
    for row in rows:
        deviation = "-" if row.deviation is None else _marked(row.deviation, row.passes(tolerance))
        made.add_row(row.tag, row.key, deviation, row.note)
    return made


def table_of_records(path: Path, rows: Sequence[Deviation], tolerance: float | None) -> Table:
    """Of what has a tolerance of its own."""
    made = _titled(path)
    made.add_column("of")
    made.add_column("largest deviation", justify="right")
    made.add_column("tolerance", justify="right")
    for row in rows:
        allowed = row.tolerance if tolerance is None else tolerance
        made.add_row(row.what, _marked(row.largest, row.passes(tolerance)), f"{allowed:.0e}")
    return made


def _titled(path: Path, numbers: Sequence[str] = ()) -> Table:
    made = Table(title=str(path), title_justify="left", title_style="bold", min_width=len(str(path)))
    for heading in numbers:
        made.add_column(heading, justify="right")
    return made


def _marked(deviation: float, passes: bool) -> str:
    return f"{deviation:.2e}{'' if passes else ' !'}"

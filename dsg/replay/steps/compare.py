"""Every recorded step of a file, taken again and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dsg.errors import UserError
from dsg.replay.steps.loss import LOSS
from dsg.replay.steps.posterior import POSTERIOR
from dsg.replay.steps.predictions import PREDICTIONS
from dsg.replay.steps.read import RecordedStep, read_steps
from dsg.replay.steps.replayed import Entry, Replayed, Table, Unequal
from dsg.replay.steps.tfg import TFG_REPOSITORY

TABLE: Table = {**LOSS, **TFG_REPOSITORY, **POSTERIOR, **PREDICTIONS}


@dataclass(frozen=True)
class Row:
    """How one step compares.

    Args:
        tag: the variant of the method.
        key: names the step.
        deviation: the largest of any number; None where the step cannot be equal.
        tolerance: what is equality.
        note: the options that make the record's numbers, or why none do.
    """

    tag: str
    key: str
    deviation: float | None
    tolerance: float
    note: str

    def passes(self, tolerance: float | None = None) -> bool:
        """Whether the step is equal, or is said not to be; NaN is not."""
        return self.deviation is None or self.deviation <= (self.tolerance if tolerance is None else tolerance)


FILES = sorted({key.partition("/")[0] for key in TABLE})


def compare(path: Path) -> Iterator[Row]:
    """A row a step. Raises UserError for a file whose steps nobody knows how to take."""
    if path.stem not in FILES:
        raise UserError(f"{path}: no steps that can be replayed are called {path.stem}; choose {', '.join(FILES)}")
    return (row(record) for record in read_steps(path))


def entry(record: RecordedStep) -> Entry | None:
    """How the steps of a file, or of a tag in it, are taken again."""
    name = f"{record.file}/{record.tag}"
    return next((TABLE[key] for key in TABLE if key == record.file or ("/" in key and name.startswith(key))), None)


def row(record: RecordedStep) -> Row:
    """The row of one step. Raises UserError for a tag that nobody knows."""
    take = entry(record)
    if take is None:
        raise UserError(f"{record.file}: its tag {record.tag} cannot be replayed")
    found = take(record)
    if isinstance(found, Replayed):
        return Row(record.tag, record.key, found.deviation(record), found.tolerance, found.options)
    assert isinstance(found, Unequal)
    return Row(record.tag, record.key, None, 0.0, found.reason)

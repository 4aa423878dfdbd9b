"""The table of how far a judge can be believed: its calibration, and what becomes of it in another world."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.metrics.calibration import Judged, Shift
from dsg.metrics.statistics import Interval
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.table import NONE, Cell, Table, mean, number

DIGITS = 3
ABOUT = (
    "Of each judged sample: whether the judge's most probable class is the one that it should have, and what "
    "probability it gives that class (confidence). ECE: expected calibration error, in 15 bins."
)
OF_SEVERAL = (
    "Δ: minus the first of these runs, by the images that both have, or, where they share none, as independent ones. "
    "AUROC: the chance that the judge is surer of a sample of the first run than of one of this; ½ where confidence "
    "does not tell them apart."
)


def calibration(runs: Sequence[EvaluatedRun]) -> Table | None:
    """A row a run with a judge of classes; None if there is none."""
    judged = [(i, run, found) for i, run in enumerate(runs) if len(found := Judged.of_rows(run.rows))]
    if not judged:
        return None
    _, first, reference = judged[0]
    names = ["run", "accuracy", "confidence", "confidence − accuracy → 0", "ECE ↓"]
    if several := len(judged) > 1:
        names += ["Δ accuracy", "Δ (confidence − accuracy)", "Δ ECE", "AUROC"]
    rows, notes = [], [f"{ABOUT} {OF_SEVERAL}" if several else ABOUT]
    for i, run, found in judged:
        row = [Cell(run.name, run=i), *(mean(part, DIGITS) for part in (found.accuracy, found.confidence)),
               mean(found.overconfidence, DIGITS, "+"), number(found.calibration_error, f".{DIGITS}f")]  # fmt: skip
        if several and run is first:
            row += [Cell(NONE)] * 4
        elif several:
            shift = Shift.between(reference, found)
            row += [
                *map(_change, (shift.accuracy, shift.overconfidence, shift.calibration_error)),
                mean(shift.auroc, DIGITS),
            ]
            if not shift.paired:
                notes.append(f"{run.name}: it has no image of {first.name}, so that its differences are not paired.")
        rows.append(row)
    return Table("Calibration of the judge", names, rows, notes)


def _change(found: Interval) -> Cell:
    return mean(found, DIGITS, "+")

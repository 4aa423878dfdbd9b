"""The tables of what is behind the numbers: failures, what is unavailable, settings."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.labels import where_they_differ
from dsg.report.table import Cell, Table, number

MOST_FAILURES = 200  # a run, that the page lists


def failures(runs: Sequence[EvaluatedRun]) -> Table:
    """Images that could not be read or sampled, and why."""
    rows, notes = [], []
    for i, run in enumerate(runs):
        for row in run.failed[:MOST_FAILURES]:
            reason = str(row["status"]).removeprefix("failed: ")
            rows.append([Cell(run.name, run=i), Cell(str(row["id"])), number(row["sample"]), Cell(reason)])
        if (more := len(run.failed) - MOST_FAILURES) > 0:
            notes.append(f"{run.name}: {more} more are in its per_image.csv.")
    return Table("Failures", ["run", "image", "sample", "reason"], rows, notes)


def unavailable(runs: Sequence[EvaluatedRun]) -> Table:
    """Metrics that could not be measured, and why."""
    rows = [
        [Cell(run.name, run=i), Cell(name), Cell(str(reason).removeprefix(f"{name}: "))]
        for i, run in enumerate(runs)
        for name, reason in run.results.unavailable.items()
    ]
    return Table("Unavailable metrics", ["run", "metric", "reason"], rows)


def different_settings(runs: Sequence[EvaluatedRun]) -> Table:
    """Only the settings that are not the same in all runs."""
    found = where_they_differ([run.settings for run in runs])
    rows = [[Cell(key), *map(Cell, values)] for key, values in found.items()]
    return Table("Settings in which the runs differ", ["setting", *(run.name for run in runs)], rows)

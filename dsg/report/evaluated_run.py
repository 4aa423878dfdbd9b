"""What a report knows of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsg.data.base import EvaluationData
from dsg.data.examples import IMAGE
from dsg.metrics.results import Results
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.trace_file import Trace

LAST = ("residual", "loss")  # columns that tell how well the measurement is met, not how good the picture is


@dataclass(frozen=True)
class EvaluatedRun:
    """One run folder.

    Args:
        name: what tells it from the other runs of the report: its path below the folder that holds them all.
        folder: where its pictures are.
        settings: config.yaml.
        head: the comment lines above it, which tell of git, versions and device where starts were not recorded yet.
        rows: the finished samples, failed ones too.
        results: its numbers, and those of each image.
        metrics: the columns that say how good, the first of which chooses the pictures; residual and loss come last.
        timing: what metrics.json says of warm-up and memory.
        notes: what a reader of its numbers has to know.
        data: what it evaluated, to read the truth again; None if that is not there any more, and `no_data` says why.
        compared_with: what of the data the samples are compared with, `image` or a column; None where that is nothing.
        assumed: why it is not known, and taken to be the image; empty where it is known.
        trace: what happened along its trajectories; None if it kept none.
    """

    name: str
    folder: RunFolder
    settings: dict[str, Any]
    head: list[str]
    rows: list[dict[str, Any]]
    results: Results
    metrics: list[str]
    timing: dict[str, Any]
    notes: list[str]
    data: EvaluationData | None
    no_data: str
    compared_with: str | None = IMAGE
    assumed: str = ""
    trace: Trace | None = None

    @property
    def good(self) -> list[dict[str, Any]]:
        """The rows of samples that did not fail."""
        return [row for row in self.rows if row["status"] == "ok"]

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["status"] != "ok"]

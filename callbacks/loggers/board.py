"""A run as a whole: what it is, how its means settle, how it ends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from callbacks.loggers.base import Sink
from callbacks.loggers.hparams import columns
from dsg import yaml_text
from dsg.metrics.per_image import COSTS, DESCRIPTIVE
from dsg.metrics.statistics import RunningMean
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.journal import Row
from dsg.run_folder.settings import SETTINGS

BINS = 30  # as many as TensorBoard draws


class Board:
    """Writes a run's settings, curves and results.

        config               the settings, as text
        metrics/<name>       mean over the samples done, against their number; it ends in what metrics.json says
        per_image/<column>   a column's distribution at the end

    and what the run is to HParams, at its beginning, so that runs can be chosen by it.

    Args:
        sink: whoever is told.
        folder: the run folder; a continued run's curves go on from the rows that it holds.
        samples: how many there are in all.
        ranks: how many processes sample; those that one sees count for as many.
    """

    def __init__(self, sink: Sink, folder: RunFolder, samples: int, ranks: int = 1) -> None:
        self._sink = sink
        self._folder = folder
        self._samples = samples
        self._ranks = ranks
        self._means: dict[str, RunningMean] = defaultdict(RunningMean)
        rows = [row for row in folder.rows() if row["status"] == "ok"]
        self._done = len(rows)
        self._add(rows)
        self._tell_settings(folder.path / SETTINGS)

    def add(self, rows: Iterable[Row]) -> None:
        """Move the running means on by a batch."""
        rows = [row for row in rows if row["status"] == "ok"]
        self._done = min(self._done + len(rows) * self._ranks, self._samples)
        for name in self._add(rows):
            self._sink.scalar(f"metrics/{name}", self._means[name].mean, self._done)

    def end(self, metrics: dict[str, Any]) -> None:
        """Tell the results where the curves do not end in them, and how they are distributed."""
        finished = metrics["samples"] - len(metrics["failures"])
        for name, value in metrics["metrics"].items():
            if name in COSTS or not value["n"]:
                continue
            # NaN, where there is no curve, is close to nothing
            if not math.isclose(value["mean"], self._means[name].mean, rel_tol=1e-9):
                self._sink.scalar(f"metrics/{name}", value["mean"], finished)
        if metrics.get("interrupted"):
            return
        every = defaultdict(list)
        for row in self._folder.rows():
            for name, value in _measured(row):
                every[name].append(value)
        for name, values in every.items():
            self._sink.histogram(f"per_image/{name}", np.asarray(values), finished, BINS)
        self._sink.ended()

    def _add(self, rows: Iterable[Row]) -> set[str]:
        """Move the means on; returns the columns that were in the rows."""
        changed = set()
        for row in rows:
            for name, value in _measured(row):
                self._means[name].add(value)
                changed.add(name)
        return changed

    def _tell_settings(self, file: Path) -> None:
        """The text, and HParams' columns; nothing where the folder has no settings."""
        if not file.is_file():
            return
        text = file.read_text(encoding="utf-8")
        self._sink.settings(text, columns(yaml_text.load(text)), first=not self._done)


def _measured(row: Row) -> Iterable[tuple[str, float]]:
    """A finished row's finite numbers that say how good the sample is."""
    if row["status"] != "ok":
        return
    for name, value in row.items():
        if name not in DESCRIPTIVE | COSTS and isinstance(value, int | float) and math.isfinite(value):
            yield name, value

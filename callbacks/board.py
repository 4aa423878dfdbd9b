"""A run as a whole in TensorBoard: what it is, how its means settle, how it ends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from callbacks.settings import columns
from dsg.metrics.summary import DESCRIPTIVE
from dsg.results import SETTINGS, Row, RunFolder

COSTS = frozenset({"nfe_forward", "nfe_backward", "seconds"})  # their curves are under timing/


class Board:
    """Writes a run's settings, curves and results.

        config                  the settings, as text
        running_mean/<column>   mean of a column over the samples done, against their number
        metrics/<name>          what metrics.json says at the end
        per_image/<column>      a column's distribution at the end

    and what the run is to HParams, at its beginning, so that runs can be chosen by it, with its metrics at its end.

    Args:
        writer: of the run's event file.
        folder: the run folder; a continued run's curves go on from the rows that it holds.
        ranks: how many processes sample; those that one sees count for as many.
    """

    def __init__(self, writer: SummaryWriter, folder: RunFolder, ranks: int = 1) -> None:
        self._writer = writer
        self._folder = folder
        self._ranks = ranks
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        rows = [row for row in folder.rows() if row["status"] == "ok"]
        self._done = len(rows)
        self._add(rows)
        self._columns = self._tell_settings(folder.path / SETTINGS)

    def add(self, rows: Iterable[Row]) -> None:
        """Move the running means on by a batch."""
        rows = [row for row in rows if row["status"] == "ok"]
        self._done += len(rows) * self._ranks
        for name in self._add(rows):
            self._writer.add_scalar(f"running_mean/{name}", self._sums[name] / self._counts[name], self._done)

    def end(self, metrics: dict[str, Any]) -> None:
        """Tell the results: the means, how they are distributed, and the line of HParams that they belong to."""
        told = {f"metrics/{name}": value["mean"] for name, value in metrics["metrics"].items() if value["n"]}
        for tag, mean in told.items():
            self._writer.add_scalar(tag, mean, metrics["images"])
        if metrics.get("interrupted"):
            return
        every = defaultdict(list)
        for row in self._folder.rows():
            for name, value in _measured(row):
                every[name].append(value)
        for name, values in every.items():
            self._writer.add_histogram(f"per_image/{name}", np.asarray(values), metrics["images"])
        if self._columns:
            # of all runs below a logdir, TensorBoard takes the columns of one: it has to name those it lacks itself
            experiment, _, _ = hparams({"strength": 0.0, **self._columns}, told)
            _, _, ended = hparams({}, {})
            for summary in (experiment, ended):
                self._writer._get_file_writer().add_summary(summary)

    def _add(self, rows: Iterable[Row]) -> set[str]:
        """Add to the sums; returns the columns that were."""
        changed = set()
        for row in rows:
            for name, value in _measured(row):
                self._sums[name] += value
                self._counts[name] += 1
                changed.add(name)
        return changed

    def _tell_settings(self, file: Path) -> dict[str, Any]:
        """HParams' columns; none where the folder has no settings."""
        if not file.is_file():
            return {}
        text = file.read_text(encoding="utf-8")
        if not self._done:
            self._writer.add_text("config", f"```yaml\n{text}\n```")
        found = columns(yaml.safe_load(text))
        _, started, _ = hparams(found, {})
        self._writer._get_file_writer().add_summary(started)
        return found


def _measured(row: Row) -> Iterable[tuple[str, float]]:
    """A finished row's finite numbers that say how good the sample is."""
    if row["status"] != "ok":
        return
    for name, value in row.items():
        if name not in DESCRIPTIVE | COSTS and isinstance(value, int | float) and math.isfinite(value):
            yield name, value

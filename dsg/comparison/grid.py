"""The grid of a comparison: which run is where, and with which settings."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from dsg.command.config import as_yaml
from dsg.command.merge import Settings, merge, nested
from dsg.command.strengths import fill
from dsg.comparison.candidate import Axis, Candidate, product
from dsg.comparison.plan import TUNING_KEYS, Comparison
from dsg.run_folder.atomic import write_atomically


@dataclass(frozen=True)
class Cell:
    """One method on one task under one of the settings."""

    task: str
    method: str
    setting: str

    def __str__(self) -> str:
        return f"{self.task}/{self.method}/{self.setting}"


@dataclass(frozen=True)
class PlannedRun:
    """One ordinary run of `predict`.

    Args:
        name: what the progress and the errors call it; its folder's path below the comparison's.
        out_dir: the comparison's folder.
        settings: all that `predict` is told.
        needed: the metrics that it has to have, where it has measured anything.
        note: a line to tell whoever runs this; None where there is nothing to tell.
    """

    name: str
    out_dir: Path
    settings: Settings
    needed: list[str] = field(default_factory=list)
    note: str | None = None

    @property
    def folder(self) -> Path:
        return self.out_dir / self.name

    @property
    def log(self) -> Path:
        return self.out_dir / "logs" / f"{self.name}.log"

    def arguments(self) -> list[str]:
        """The command line of the run, after its settings have been written."""
        file = self.out_dir / "configs" / f"{self.name}.yaml"
        content = as_yaml(self.settings).encode()
        if not file.is_file() or file.read_bytes() != content:
            write_atomically(file, content)
        return ["predict", "--config", str(file), "--run_dir", str(self.folder), "--trainer.devices", "1"]


class Grid:
    """All runs of a comparison.

    Args:
        comparison: what is compared.
        shared: the settings of every run.
        out_dir: where everything is written.
    """

    def __init__(self, comparison: Comparison, shared: Settings, out_dir: Path) -> None:
        self.comparison, self.shared, self.out_dir = comparison, shared, out_dir
        axes = (comparison.tasks, comparison.methods, comparison.settings)
        self.cells = [Cell(*names) for names in itertools.product(*axes)]

    def axes(self, method: str) -> list[Axis]:
        """What tuning begins with; none where there is nothing to tune."""
        return self.comparison.axes(method)

    def candidates(self, method: str) -> list[Candidate]:
        """Those that tuning begins with; one empty candidate where there is nothing to tune."""
        return product(self.axes(method))

    def evaluation(self, cell: Cell, candidate: Candidate) -> PlannedRun:
        """The run whose results are in the table. Its folder is named by what was chosen, so that another choice, of a
        wider grid, leaves it as it is.
        """
        needed = self.comparison.needed(cell.task)
        return self._run("runs", cell, candidate, self._settings(cell, candidate), needed)

    def tuning(self, cell: Cell, candidate: Candidate) -> PlannedRun:
        """The run that measures a candidate."""
        tuning = {key: value for key, value in (self.comparison.tuning or {}).items() if key not in TUNING_KEYS}
        needed = [self.comparison.tuned_by(cell.task)]
        return self._run("tuning", cell, candidate, merge(self._settings(cell, candidate), tuning), needed)

    def notes(self) -> list[str]:
        """What is to be told of the runs, each line once."""
        runs = [self.evaluation(cell, candidate) for cell in self.cells for candidate in self.candidates(cell.method)]
        return list(dict.fromkeys(run.note for run in runs if run.note))

    def _run(self, kind: str, cell: Cell, candidate: Candidate, settings: Settings, needed: list[str]) -> PlannedRun:
        chosen = [candidate.folder] if candidate.values else []
        filled, note = fill(settings, settings)
        return PlannedRun("/".join([kind, str(cell), *chosen]), self.out_dir, filled, needed, note)

    def _settings(self, cell: Cell, candidate: Candidate) -> Settings:
        task = {k: v for k, v in self.comparison.tasks[cell.task].items() if k != "metrics"}
        method = {k: v for k, v in self.comparison.methods[cell.method].items() if k != "tune"}
        settings = self.shared
        for part in (task, method, *(nested(*pair) for pair in candidate.values)):
            settings = merge(settings, part)
        return merge(settings, self.comparison.settings[cell.setting])

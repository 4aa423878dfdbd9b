"""A suite's comparisons with the methods that take part, chapter by chapter, and what came out."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg import yaml_text
from dsg.bench.entrant import Entrant
from dsg.bench.suite import Chapter, Suite
from dsg.command.config import as_yaml
from dsg.command.merge import Settings
from dsg.comparison.check import Check, check_all
from dsg.comparison.command import run_grid
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.plan import read_comparison
from dsg.comparison.run import Predict
from dsg.comparison.table import read_unfit
from dsg.comparison.tuning import Choice, Tuning
from dsg.errors import UserError
from dsg.metrics.cells import Cells
from dsg.run_folder.atomic import write_atomically


@dataclass(frozen=True)
class Outcome:
    """What became of a method on a task under one of its settings.

    Args:
        chapter: its name.
        cell: the task, the method and the setting.
        unfit: why the method does not fit; empty if it does.
        choice: what tuning chose.
        tried: how many candidates it chose from.
        folder: of the run that was evaluated.
    """

    chapter: str
    cell: Cell
    unfit: str = ""
    choice: Choice | None = None
    tried: int = 0
    folder: Path = Path()


class TakingPart:
    """The comparisons of a suite.

    Args:
        suite: what is asked.
        entrants: who takes part; with one name each.
        out_dir: a folder a chapter is made in it, each that of an ordinary comparison.
    """

    def __init__(self, suite: Suite, entrants: Sequence[Entrant], out_dir: Path) -> None:
        self.suite, self.entrants, self.out_dir = suite, entrants, out_dir
        self.cells: dict[tuple[str, str], list[Cells]] = {}
        """(chapter, task): the cells of its images."""

    def prepare(self) -> None:
        """Write a comparison a chapter, and read it again, so that what it states wrongly is found now.

        Raises:
            UserError: for what a comparison refuses, as more candidates than the budget has; and for other candidates
                than those that were tried in this folder, which count.
        """
        for chapter in self.suite.chapters:
            file, comparison = self._file(chapter), self._comparison(chapter)
            content = as_yaml(comparison).encode()
            if not file.is_file() or file.read_bytes() != content:
                self._refuse_other_candidates(chapter, comparison["comparison"]["methods"])
                write_atomically(file, content)
            self._grid(chapter)

    def run(self, predict: Predict, check: Check, workers: int | None = None) -> int:
        """Run what is left of every chapter; returns the worst exit code.

        Raises:
            UserError: for a mistake in any chapter, before the first sample of the first one.
        """
        grids = [self._grid(chapter) for chapter in self.suite.chapters]
        checked = [check_all(grid, check) for grid in grids]
        for chapter, grid, found in zip(self.suite.chapters, grids, checked, strict=True):
            for task in grid.comparison.tasks:
                of_settings = [parts for (name, _), parts in found.divisions.items() if name == task]
                self.cells[chapter.name, task] = [Cells.merged(parts) for parts in zip(*of_settings, strict=True)]
        each = zip(grids, checked, strict=True)
        return max(run_grid(grid, workers, predict, check, found) for grid, found in each)

    def outcomes(self) -> Iterator[Outcome]:
        """Of every method in every chapter that it takes part in, from the folders of the comparisons alone."""
        for chapter in self.suite.chapters:
            grid = self._grid(chapter)
            unfit = read_unfit(grid.out_dir)
            fitting = [cell for cell in grid.cells if cell not in unfit]
            tuned = [cell for cell in fitting if grid.axes(cell.method) and grid.comparison.tuning]
            tuning = Tuning(grid, tuned, lambda run: None if run.folder.is_dir() else "it was not tried")
            while tuning.widen():  # as the comparison went, by the folders that it left
                pass
            for cell in grid.cells:
                if cell in unfit:
                    yield Outcome(chapter.name, cell, unfit[cell])
                    continue
                choice = tuning.choose(cell) if cell in tuning.tried else Choice(grid.candidates(cell.method)[0])
                folder = grid.evaluation(cell, choice.candidate).folder
                yield Outcome(chapter.name, cell, "", choice, len(tuning.tried.get(cell, [])), folder)

    def _grid(self, chapter: Chapter) -> Grid:
        comparison, shared = read_comparison([self._file(chapter)])
        return Grid(comparison, shared, self.out_dir / chapter.name)

    def _refuse_other_candidates(self, chapter: Chapter, methods: Settings) -> None:
        file = self._file(chapter)
        before = yaml_text.load(file.read_text(encoding="utf-8"))["comparison"]["methods"] if file.is_file() else {}
        for name in before.keys() & methods.keys():
            was, now = (method[name].get("tune") for method in (before, methods))
            if was != now and any((self.out_dir / chapter.name / "tuning").glob(f"*/{glob.escape(name)}")):
                raise UserError(
                    f"{name}: in {chapter.name}, {self.out_dir} has tried {was}, now it is {now}; all that is tried "
                    "counts, so give the same candidates, or another --out_dir to begin again"
                )

    def _file(self, chapter: Chapter) -> Path:
        return self.out_dir / "comparisons" / f"{chapter.name}.yaml"

    def _comparison(self, chapter: Chapter) -> Settings:
        """The chapter's file, with those who take part in place of its own methods."""
        methods = {e.name: e.states[chapter.name] for e in self.entrants if chapter.name in e.states}
        section = {**chapter.settings["comparison"], "methods": methods, "unfit": "skip"}
        section.pop("published", None)  # of methods that papers ran
        if section.get("baseline") not in methods:
            section.pop("baseline", None)  # the page has it; this table has those who take part
        if not any(method.get("tune") for method in methods.values()):
            section.pop("tuning", None)
        return {**chapter.settings, "comparison": section}

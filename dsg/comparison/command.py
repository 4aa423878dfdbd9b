"""`compare`: from a configuration to a table, run by run, on one host or several."""

from __future__ import annotations

import inspect
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from dsg.command.exit_codes import FAILED, OK
from dsg.command.subcommand import SubcommandParser
from dsg.comparison.batch_system import stand_alone
from dsg.comparison.candidate import Candidate
from dsg.comparison.check import Check, Checked, check_all, refusal
from dsg.comparison.grid import Cell, Grid, PlannedRun
from dsg.comparison.hosts import Hosts
from dsg.comparison.plan import Comparison, read_comparison
from dsg.comparison.run import Predict, default_workers, run_all
from dsg.comparison.terms import terms_of
from dsg.errors import UserError
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.who import Who

if TYPE_CHECKING:
    from dsg.comparison.tuning import Choice

WIDTH = 200  # of the table where there is no terminal

OUTPUTS = """\
Written to OUT_DIR:
  table.md, table.tex  mean and 95 % interval, the best in bold, † what cannot be told from it, ‡ what lost images,
                       § what was not made like the others, * ends of a grid; with `cells` the worst case over them,
                       and who changes place
  table.csv            a row a task, method, setting and metric, with every paired difference
  quality_against_seconds.png, quality_against_nfe.png
  runs/ tuning/        ordinary run folders: finished ones are kept, and the same command continues
  configs/ logs/       each run's settings and output
  hosts/               only while it goes on: who takes part, and who has which run

The same command may run on any number of hosts that share OUT_DIR, begun at any time: each takes the next run that
nobody has, tells what the others have finished, and ends with the same tables. What a killed host had is taken over, at
once on its own machine, elsewhere after a minute. configs/slurm/compare.sbatch does it on a cluster.
"""


def _parser() -> SubcommandParser:
    keys = inspect.getdoc(Comparison) or ""
    about = f"{keys.splitlines()[0]}\n\n{OUTPUTS}"
    known = keys.partition("Args:\n")[2].partition("\nRaises:")[0]
    parser = SubcommandParser(
        "compare",
        about,
        "keys of the configuration's `comparison` section (docs/comparison.md has an example); all others are "
        f"settings of `predict`\nthat every run shares:\n{known}",
    )
    add = parser.add_argument
    add("--config", "-c", action="append", required=True, metavar="FILE",
        help="what is compared; given again, later files override earlier ones, and each what it includes")  # fmt: skip
    add("--out_dir", required=True, type=Path, metavar="DIR", help="the comparison's folder: new, or one to continue")
    add("--workers", type=int, metavar="N",
        help="processes that sample side by side on this host; by default one a GPU, else one")  # fmt: skip
    return parser


def compare(arguments: Sequence[str], predict: Predict, check: Check) -> int:
    """Run a comparison; returns the exit code.

    Args:
        arguments: those behind `compare`.
        predict: the command line, for a run of `predict`.
        check: the same, up to the first sample.

    Raises:
        UserError: for a mistake in the configuration, or a run that ended by one.
    """
    options = _parser().parse_args(list(arguments))
    begin(options.workers)
    comparison, shared = read_comparison(options.config)
    return run_grid(Grid(comparison, shared, options.out_dir), options.workers, predict, check)


def begin(workers: int | None) -> None:
    """Make this process one that runs comparisons: a batch system's task is a host, and SIGTERM ends as Ctrl-C does.

    Raises:
        UserError: for a number of workers that is none.
    """
    if workers is not None and workers < 1:
        raise UserError(f"--workers: must be at least 1, got {workers}")
    stand_alone()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # workers are ended too


def run_grid(grid: Grid, workers: int | None, predict: Predict, check: Check, checked: Checked | None = None) -> int:
    """Run what is left of a comparison and report on it, with whatever other hosts are at it; returns the exit code.

    Args:
        grid: its runs.
        workers: processes here; None is one a GPU, else one.
        predict, check: as of `compare`.
        checked: what `check_all` found, where that has been asked.

    Raises:
        UserError: as `compare`.
    """
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)
    for note in grid.notes():
        print(note, file=sys.stderr)
    with Hosts(grid.out_dir, terms_of(grid), partial(console.print, highlight=False, markup=False)) as hosts:
        if checked is None:
            console.print(f"checking {len(grid.cells)} combinations", highlight=False)
            checked = check_all(grid, check)
        return _Comparing(grid, checked, workers or default_workers(), console, hosts).run(predict, check)


class _Comparing:
    """The runs of one comparison, with a line for each that is finished."""

    def __init__(self, grid: Grid, checked: Checked, workers: int, console: Console, hosts: Hosts) -> None:
        self.grid, self.checked, self.workers, self.console, self.hosts = grid, checked, workers, console, hosts
        self.images = {"runs": checked.images, "tuning": checked.tuning_images}
        self.todo = len(checked.cells)
        self.left = len(checked.cells) * checked.images
        for cell in checked.tuned:
            candidates = len(grid.candidates(cell.method))  # perhaps more, beyond their ends
            self.todo += candidates
            self.left += candidates * checked.tuning_images

    def run(self, predict: Predict, check: Check) -> int:
        from dsg.comparison.report import report  # matplotlib, after the first mistakes are found
        from dsg.comparison.results import read_results

        self.started, self.finished, self.sampled = time.monotonic(), 0, 0
        grid, cells = self.grid, self.checked.cells
        choices = self._tune(predict, check)
        runs = {cell: grid.evaluation(cell, choices[cell].candidate) for cell in cells}
        self._run_round(list(runs.values()), predict)
        results = {cell: read_results(run.folder) for cell, run in runs.items()}
        report(grid, results, choices, self.checked.unfit, self.console, self.checked.divisions)
        return FAILED if any(result.failures for result in results.values()) else OK

    def _tune(self, predict: Predict, check: Check) -> dict[Cell, Choice]:
        """The candidate of every cell: the tuning runs, in rounds."""
        from dsg.comparison.tuning import Choice, Tuning

        chosen = {cell: Choice(Candidate()) for cell in self.checked.cells}
        tuned = self.checked.tuned
        if self.grid.comparison.tuning is None:
            return chosen
        tuning = Tuning(self.grid, tuned, partial(refusal, check, {}))
        first, *others = tuning.begin()
        self._run_round(first, predict)
        for cell in tuned:
            tuning.check_cost(cell)
        for runs in others:
            self._run_round(runs, predict)
        while runs := tuning.widen():
            self.todo += len(runs)
            self.left += len(runs) * self.checked.tuning_images
            self._run_round(runs, predict)
        for note in tuning.notes():
            print(note, file=sys.stderr)
        return chosen | {cell: tuning.choose(cell) for cell in tuned}

    def _run_round(self, runs: list[PlannedRun], predict: Predict) -> None:
        before = {run.name for run in runs if RunFolder(run.folder).is_finished()}  # of an earlier start, in no time
        with closing(run_all(self.hosts.share(runs, self._tell), predict, self.workers)) as ended:
            for run, is_done in ended:
                if not is_done:
                    self.hosts.give_back(run)
                    continue
                self.hosts.done(run)
                self._tell(run, before=run.name in before)

    def _tell(self, run: PlannedRun, by: Who | None = None, before: bool = False) -> None:
        """A line about a run that is done: here or by another host, perhaps before this start."""
        from dsg.comparison.results import read_results, require_metrics

        results = read_results(run.folder)
        require_metrics(results, run.name, run.needed)
        images = self.images[run.name.split("/")[0]]
        self.finished, self.left = self.finished + 1, self.left - images
        self.sampled += 0 if before else images
        values = ", ".join(f"{name} {results.mean(name):.4g}" for name in run.needed)
        failed = f", {results.failures} failed" if results.failures else ""
        where = f", by {by}" if by else ""
        line = f"{self.finished}/{self.todo} {run.name}: {values}{failed}{where}"
        if self.sampled:
            seconds = (time.monotonic() - self.started) / self.sampled * self.left
            line += f"; about {_in_words(seconds)} left"
        self.console.print(line, highlight=False)


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""The comparison of fifteen methods over classes of portraits: who changes place."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Findings, table
from dsg.comparison.results import read_results
from dsg.data.held_out import HeldOutPortraits
from dsg.errors import UserError
from dsg.metrics.cells import Cells
from dsg.metrics.direction import direction_of
from dsg.metrics.order_over_cells import able, places, turns
from dsg.metrics.over_cells import RunsOverCells
from dsg.metrics.results import Results
from dsg.run_folder.folder import METRICS, RunFolder

NAME = "portraits_linear"
BY, GAMMA, METRIC = "label", 1.0, "psnr"


def comparison_of(runs: Path) -> Path | None:
    """The comparison's folder: `runs` itself, below it, or beside it; None where it is in none of them."""
    places = (runs, runs / NAME, runs.parent / NAME)
    return next((place for place in places if list(place.glob(f"runs/*/*/*/**/{METRICS}"))), None)


def methods_of(task: Path) -> dict[str, Results]:
    """Of each method of a task the finished run; of several, which other choices have left, what table.csv names.

    Raises:
        UserError: where that does not tell.
    """
    found = {}
    for method in sorted(path for path in task.iterdir() if path.is_dir()):
        finished = [file.parent for file in method.rglob(METRICS) if RunFolder(file.parent).is_finished()]
        if len(finished) > 1:
            finished = [run for run in finished if run.name == _chosen(task.parents[1], task.name, method.name)]
        if len(finished) != 1:
            raise UserError(f"worst_case: {method} has no finished run that is the chosen one; finish the comparison")
        found[method.name] = read_results(finished[0])
    return found


def _chosen(folder: Path, task: str, method: str) -> str:
    """The folder's name of the values that table.csv names, as `rho=4.0,mu=1.0`."""
    with (folder / "table.csv").open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if (row["task"], row["method"]) == (task, method)]
    return rows[0]["chosen"].replace("*", "").replace(", ", ",") if rows else ""


def of_methods(folder: Path, findings: Findings) -> None:
    """Add the tables and the figure of the comparison in `folder` to the findings.

    Raises:
        UserError: for a comparison that is not finished.
    """
    over: dict[str, RunsOverCells[str]] = {}
    for task in sorted((folder / "runs").iterdir()):
        results = methods_of(task)
        ids = sorted(set().union(*(run.images[METRIC] for run in results.values())))
        columns = HeldOutPortraits(first=int(ids[0]) - HeldOutPortraits().first, limit=len(ids)).cell_columns()
        cells = Cells.divide(BY, columns, "worst_case")
        over[task.name] = RunsOverCells(results, METRIC, direction_of(METRIC), cells, GAMMA)
    header = ["method", *over]
    findings.tables["worst_case_methods"] = table(header, _lines(over))
    pairs = []
    for task, runs in over.items():
        turned, count = turns(runs)
        clear = ", ".join(f"{turn.behind} before {turn.ahead}" for turn in turned if turn.clear) or "–"
        told = _told(runs)
        pairs.append([task, count, len(turned), len([turn for turn in turned if turn.clear]), clear, *told])
    names = ["task", "pairs", "turned round", "of them told", "which", "pairs told by the mean", "at γ = 1"]
    findings.tables["worst_case_turns"] = table(names, pairs)
    findings.further["worst_case_methods"] = lambda: _draw(over)


def _lines(over: dict[str, RunsOverCells[str]]) -> list[list[str]]:
    """A line a method: mean, rebalanced mean, W(1) with its interval, and the place by the mean and at γ = 1."""
    methods = list(dict.fromkeys(method for runs in over.values() for method in runs.runs))
    cells: dict[str, dict[str, str]] = {method: {} for method in methods}
    for task, runs in over.items():
        found = {method: runs.of(method) for method in able(runs)}
        by_mean = places(runs, {method: one.mean.mean for method, one in found.items()})
        at_gamma = places(runs, {method: one.worst.mean for method, one in found.items()})
        for method, one in found.items():
            cells[method][task] = (
                f"{one.mean.mean:.2f} · {one.rebalanced.mean:.2f} · {one.worst.mean:.2f} "
                f"[{one.worst.low:.2f}, {one.worst.high:.2f}] · {by_mean[method]} → {at_gamma[method]}"
            )
    return [[method, *(cells[method].get(task, "–") for task in over)] for method in methods]


def _told(runs: RunsOverCells[str]) -> list[int]:
    """How many pairs have a paired difference that leaves out 0, of the mean and of W(1)."""
    names = able(runs)
    pairs = [(one, other) for k, one in enumerate(names) for other in names[k + 1 :]]
    by_mean = [runs.runs[one].difference(runs.runs[other], METRIC, runs.direction) for one, other in pairs]
    at_gamma = [runs.difference(one, other) for one, other in pairs]
    return [sum(gap.leaves_out_zero for gap in gaps) for gaps in (by_mean, at_gamma)]


def _draw(over: dict[str, RunsOverCells[str]]) -> Figure:
    """A panel a task: the difference of W(γ) to DPS, a line a method."""
    figure, panels = plt.subplots(1, len(over), figsize=(2.6 * len(over), 3.8), layout="constrained", squeeze=False)
    handles = {}
    for panel, (task, runs) in zip(panels[0], over.items(), strict=True):
        gammas = np.linspace(0, np.log(len(runs.cells.names)), 15)
        first = runs.curve("dps", gammas)
        shown = [method for method in able(runs) if method not in ("unguided", "dps")]
        for k, method in enumerate(shown):
            (handles[method],) = panel.plot(
                gammas, runs.curve(method, gammas) - first, color=colormaps["tab20"](k % 20), lw=1.2
            )
        panel.axhline(0, color="0.5", lw=0.8)
        panel.set(title=task.replace("_", " "), xlabel="γ (nats)")
    panels[0][0].set(ylabel="W(γ) of PSNR, minus DPS's (dB)")
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=7, fontsize=8)
    return figure

"""The tables of numbers: means, paired differences, quartiles."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from dsg.comparison.interval import Interval, interval
from dsg.comparison.plan import LARGER_IS_BETTER, SMALLER_IS_BETTER
from dsg.report.run import Run
from dsg.report.settings import at, method, task
from dsg.report.table import NONE, Cell, Table, decimals, number, with_interval

SAME_PROBLEM = ("data.class_path", "data.init_args", "model.seed")  # what makes a measurement, besides the task
UNIMPORTANT = ("batch_size", "num_workers", "limit")


def direction(metric: str) -> int:
    """1 where more is better, −1 where less is, 0 where that is not known."""
    metric = re.sub("_(best|worst)$", "", metric)  # of several samples of an image
    if metric in LARGER_IS_BETTER:
        return 1
    return -1 if SMALLER_IS_BETTER.fullmatch(metric) else 0


def heading(metric: str) -> str:
    return f"{metric} {' ↑↓'[direction(metric)]}".strip()


def all_metrics(runs: Sequence[Run]) -> list[str]:
    """Those of any run; the loss last."""
    found = dict.fromkeys(metric for run in runs for metric in run.metrics)
    return sorted(found, key=lambda metric: metric == "loss")


def measured(run: Run, metric: str) -> Interval:
    """The mean over images with its 95 % bootstrap interval; of all images together, what metrics.json says."""
    if metric in run.results.images or metric not in run.results.overall:
        return interval(run.results.values(metric), "bootstrap")
    known = run.results.overall[metric]
    mean, low, high = (float(known.get(key, math.nan)) for key in ("mean", "low", "high"))
    return Interval(mean, low, high, known.get("n", 0), math.nan)


def overview(runs: Sequence[Run]) -> Table:
    """A row a run."""
    metrics = all_metrics(runs)
    found = {metric: [measured(run, metric) for run in runs] for metric in metrics}
    digits = {metric: decimals((i.low, i.high) for i in intervals) for metric, intervals in found.items()}
    rows = []
    for i, run in enumerate(runs):
        forward, backward = (run.results.mean(name) for name in ("nfe_forward", "nfe_backward"))
        nfe = number(forward + backward, "g")
        rows.append([
            Cell(run.name, run=i), Cell(task(run.settings)), Cell(method(run.settings)),
            _setting(run, "model.steps"), _setting(run, "model.seed"), number(len({row["id"] for row in run.good})),
            *(with_interval(found[m][i].mean, found[m][i].low, found[m][i].high, digits[m]) for m in metrics),
            number(run.results.mean("seconds"), ".3g"),
            Cell(f"{forward:g} + {backward:g}" if nfe.value is not None else nfe.text, nfe.value),
            number(len({row["id"] for row in run.failed})),
        ])  # fmt: skip
    names = ["run", "task", "method", "steps", "seed", "images", *map(heading, metrics), "s/image", "NFE", "failed"]
    about = (
        "Mean and 95 % interval, a percentile bootstrap over images; ↑: more is better, ↓: less is. NFE: network "
        "evaluations an image, forward + backward. s/image leaves out the first batch of each start."
    )
    return Table("Results", names, rows, [about, *_notes(runs)])


def paired(runs: Sequence[Run]) -> list[Table]:
    """For every task that several runs have, each of them minus the first, on the images that both have."""
    tasks = [at(run.settings, "model.task") for run in runs]
    firsts = [tasks.index(task) for task in tasks]
    tables = [_differences(runs, *(i for i, of in enumerate(firsts) if of == first)) for first in dict.fromkeys(firsts)]
    return [table for table in tables if table]


def _differences(runs: Sequence[Run], base: int, *others: int) -> Table | None:
    """None if there is nothing to pair."""
    first, rest = runs[base], [runs[i] for i in others]
    metrics = [m for m in all_metrics([first, *rest]) if m in first.results.images]
    gaps = {(run.name, m): interval(run.results.differences(first.results, m), "bootstrap")
            for run in rest for m in metrics}  # fmt: skip
    shared = [m for m in metrics if any(gaps[run.name, m].n for run in rest)]
    if not shared:
        return None
    digits = {m: decimals((gaps[run.name, m].low, gaps[run.name, m].high) for run in rest) for m in shared}
    rows = []
    for i in others:
        own = [gaps[runs[i].name, metric] for metric in shared]
        cells = [
            with_interval(gap.mean, gap.low, gap.high, digits[m], "+", _verdict(gap, m))
            for gap, m in zip(own, shared, strict=True)
        ]
        rows.append([Cell(runs[i].name, run=i), *cells, number(max(gap.n for gap in own))])
    about = (
        f"Mean of the differences to {first.name}, image by image, with its 95 % bootstrap interval. ▲ better, ▼ "
        "worse: the interval leaves out 0. It is no correction for many comparisons."
    )
    notes = [f"{run.name}: its {what} differs from {first.name}'s, so that the measurements of an image do too."
             for run in rest if (what := _another_problem(first, run))]  # fmt: skip
    return Table(f"Difference to {first.name}", ["run", *map(heading, shared), "images"], rows, [about, *notes])


def quartiles(runs: Sequence[Run]) -> Table:
    """Median and quartiles over images."""
    metrics = [metric for metric in all_metrics(runs) if any(metric in run.results.images for run in runs)]
    found = {(run.name, m): _quartiles(run.results.values(m)) for run in runs for m in metrics}
    digits = {m: decimals((found[run.name, m][0], found[run.name, m][2]) for run in runs) for m in metrics}
    rows = []
    for i, run in enumerate(runs):
        cells = []
        for metric in metrics:
            low, middle, high = found[run.name, metric]
            cells.append(with_interval(middle, low, high, digits[metric]))
        rows.append([Cell(run.name, run=i), *cells])
    return Table("Median and quartiles", ["run", *map(heading, metrics)], rows)


def _notes(runs: Sequence[Run]) -> list[str]:
    """What there is to know of the runs; what is true of several is said once."""
    every = dict.fromkeys(note for run in runs for note in run.notes)
    return [f"{', '.join(run.name for run in runs if note in run.notes)}: {note}." for note in every]


def _setting(run: Run, key: str) -> Cell:
    value = at(run.settings, key)
    return number(value, "g") if isinstance(value, int | float) else Cell(NONE if value is None else str(value))


def _verdict(gap: Interval, metric: str) -> str:
    """Of one pair nothing can be said."""
    sign = direction(metric)
    if gap.n < 2 or not sign or gap.low <= 0 <= gap.high:
        return ""
    return "better" if sign * gap.mean > 0 else "worse"


def _another_problem(first: Run, run: Run) -> str:
    """Which of the settings that make a measurement is another one."""
    for key in SAME_PROBLEM:
        one, two = at(first.settings, key), at(run.settings, key)
        if isinstance(one, dict) and isinstance(two, dict):
            one, two = ({k: v for k, v in part.items() if k not in UNIMPORTANT} for part in (one, two))
        if one != two:
            return key.removeprefix("model.").partition(".")[0]
    return ""


def _quartiles(values: np.ndarray) -> tuple[float, float, float]:
    if not len(values):
        return math.nan, math.nan, math.nan
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return low, middle, high

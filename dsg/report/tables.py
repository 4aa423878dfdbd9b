"""The tables of numbers: means, paired differences, quartiles."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.metrics.direction import Direction, direction_of
from dsg.metrics.passes import Passes, headings
from dsg.metrics.ranking import verdict
from dsg.metrics.statistics import decimals, quartiles
from dsg.report.evaluated_run import LAST, EvaluatedRun
from dsg.report.labels import at, method, task
from dsg.report.problems import of_one_task, other_problems
from dsg.report.table import NONE, Cell, Table, mean, number, with_interval


def direction(metric: str, runs: Sequence[EvaluatedRun]) -> Direction:
    """What is better of a metric of `runs`; of their loss it is known only if none of them measures with noise."""
    return direction_of(metric, noisy=any(run.results.noisy for run in runs))


def heading(metric: str, runs: Sequence[EvaluatedRun]) -> str:
    return f"{metric} {direction(metric, runs).arrow}".strip()


def all_metrics(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Those of any run; residual and loss last."""
    found = dict.fromkeys(metric for run in runs for metric in run.metrics)
    return sorted(found, key=lambda metric: LAST.index(metric) if metric in LAST else -1)


def overview(runs: Sequence[EvaluatedRun]) -> Table:
    """A row a run."""
    metrics = all_metrics(runs)
    found = {metric: [run.results.interval(metric) for run in runs] for metric in metrics}
    digits = {metric: decimals((i.low, i.high) for i in intervals) for metric, intervals in found.items()}
    passes = [Passes.of(run.results.mean) for run in runs]
    columns = headings(passes)
    rows = []
    for i, run in enumerate(runs):
        rows.append([
            Cell(run.name, run=i), Cell(task(run.settings)), Cell(method(run.settings)),
            _steps(run), _setting(run, "model.seed"), number(len(run.results.per_image.finished)),
            *(mean(found[m][i], digits[m]) for m in metrics),
            number(run.results.mean("seconds"), ".3g"),
            *(passes_cell(passes[i], column) for column in columns),
            number(run.results.failures),
        ])  # fmt: skip
    of_metrics = [heading(metric, runs) for metric in metrics]
    names = ["run", "task", "method", "steps", "seed", "images", *of_metrics, "s/image", *columns, "failed"]
    about = (
        "Mean and 95 % interval (Student's t), in brackets over how many images; ↑: more is better, ↓: less is, → 1: "
        "nearer to 1, → 0: to 0. NFE: network evaluations an image, forward + backward. s/image leaves out the first "
        "batch of each start. failed: samples. An image counts with those of its samples that finished, if any did."
    )
    if len(columns) > 1:
        about += " decoder, encoder: passes through those of a model of latents, forward + backward."
    return Table("Results", names, rows, [about, *_notes(runs)])


def passes_cell(passes: Passes, column: str) -> Cell:
    """`100 + 99`, forward + backward, by their sum."""
    total = number(sum(passes.through(column)), "g")
    return total if total.value is None else Cell(passes.text(column, NONE), total.value)


def paired(runs: Sequence[EvaluatedRun]) -> list[Table]:
    """For every task that several runs have, each of them minus the first, on the images that both have."""
    tables = [_differences(runs, *those) for those in of_one_task(runs)]
    return [table for table in tables if table]


def _differences(runs: Sequence[EvaluatedRun], base: int, *others: int) -> Table | None:
    """None if there is nothing to pair."""
    first, rest = runs[base], [runs[i] for i in others]
    metrics = [m for m in all_metrics([first, *rest]) if m in first.results.images]
    towards = {m: direction(m, [first, *rest]) for m in metrics}
    gaps = {(run.name, m): run.results.difference(first.results, m, towards[m]) for run in rest for m in metrics}
    shared = [m for m in metrics if any(gaps[run.name, m].n for run in rest)]
    if not shared:
        return None
    digits = {m: decimals((gaps[run.name, m].low, gaps[run.name, m].high) for run in rest) for m in shared}
    rows = []
    for i in others:
        run = runs[i]
        marks = {m: verdict(run.results, first.results, m, towards[m]) for m in shared}
        cells = [mean(gaps[run.name, m], digits[m], "+", marks[m]) for m in shared]
        rows.append([Cell(run.name, run=i), *cells])
    about = (
        f"Mean of the differences to {first.name}, image by image, with its 95 % interval (Student's t), in brackets "
        "over how many images. ▲ better, ▼ worse: the interval leaves out 0, and no sample failed of the one that is "
        "ahead where the other one has the image. It is no correction for many comparisons."
    )
    names = [f"{towards[m].compared_name(m)} {_arrow(towards[m])}".strip() for m in shared]
    return Table(f"Difference to {first.name}", ["run", *names], rows, [about, *other_problems(first, rest)])


def spread(runs: Sequence[EvaluatedRun]) -> Table:
    """Median and quartiles over images."""
    metrics = [metric for metric in all_metrics(runs) if any(metric in run.results.images for run in runs)]
    found = {(run.name, m): quartiles(run.results.values(m)) for run in runs for m in metrics}
    digits = {m: decimals((found[run.name, m][0], found[run.name, m][2]) for run in runs) for m in metrics}
    rows = []
    for i, run in enumerate(runs):
        cells = []
        for m in metrics:
            low, middle, high = found[run.name, m]
            cells.append(with_interval(middle, low, high, len(run.results.values(m)), digits[m]))
        rows.append([Cell(run.name, run=i), *cells])
    return Table("Median and quartiles", ["run", *(heading(m, runs) for m in metrics)], rows)


def _notes(runs: Sequence[EvaluatedRun]) -> list[str]:
    """What there is to know of the runs; what is true of several is said once."""
    every = dict.fromkeys(note for run in runs for note in run.notes)
    return [f"{', '.join(run.name for run in runs if note in run.notes)}: {note}." for note in every]


def _steps(run: EvaluatedRun) -> Cell:
    """Of tokens that are unmasked one a step none are set."""
    is_open = at(run.settings, "model.steps") is None and at(run.settings, "model.token_model") is not None
    return Cell("one a token") if is_open else _setting(run, "model.steps")


def _setting(run: EvaluatedRun, key: str) -> Cell:
    value = at(run.settings, key)
    return number(value, "g") if isinstance(value, int | float) else Cell(NONE if value is None else str(value))


def _arrow(towards: Direction) -> str:
    """Of what is compared: less of a distance to the right value is better."""
    return Direction(towards.sign).arrow

"""What a reader of ten runs asks first: which of them, at what cost, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dsg.metrics.direction import GAP, Direction
from dsg.metrics.passes import Passes, headings
from dsg.metrics.ranking import Standing, best_of, shared_images, standings
from dsg.metrics.results import Results
from dsg.metrics.statistics import Interval, decimals
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.labels import task
from dsg.report.problems import of_one_task, other_problems
from dsg.report.table import NONE, Cell, Table, mean, number
from dsg.report.tables import all_metrics, direction, heading, passes_cell
from dsg.report.why import RULES, Why, why

WHICH = (
    "Best: the best mean over the images that all runs have. As good: the paired 95 % interval (Student's t) of the "
    "difference to the best holds 0. Behind: it leaves out 0; the mean difference, of a metric with a right value that "
    "of the distances to it; untested: of all images together, which have no interval. Ahead: not best over the images "
    "that all have, but significantly better than the best over all those that the two have. Who lost images to "
    "failures that another one has is neither best nor as good. It is no correction for many comparisons."
)
MOST = 6  # metrics of a task
OPTIONAL = ("shell", "cosine", "loss left", "residual")  # columns that are left out where no run has them
LEAST = "Small: times the least of the runs of the task."


def which(runs: Sequence[EvaluatedRun]) -> Table | None:
    """Of every task that several runs have, a row a metric of which it is known what is better; None without any."""
    groups = [group for group in of_one_task(runs) if len(group) > 1]
    rows, more = [], 0
    fewer: dict[str, list[str]] = {}
    for group in groups:
        own = [runs[i] for i in group]
        told = [m for m in _telling(own) if sum(run.results.has(m) for run in own) > 1]
        told = [m for m in told if m != "loss"] or told
        more += len(told[MOST:])
        for metric in told[:MOST]:
            rivals = {i: runs[i].results for i in group if runs[i].results.has(metric)}
            named = [Cell(task(own[0].settings))] if len(groups) > 1 else []
            towards = direction(metric, own)
            rows.append([*named, Cell(heading(metric, own)), *_verdict(runs, rivals, metric, towards)])
            if decided := _decided_over(rivals, metric, towards):
                fewer.setdefault(decided, []).append(" ".join(cell.text for cell in rows[-1][: len(named) + 1]))
    if not rows:
        return None
    notes = [WHICH, *(f"{', '.join(names)}: {decided}." for decided, names in fewer.items())]
    notes += [note for group in groups for note in _other_problems(runs, group)]
    notes += [*[f"{more} more metrics are in the tables below."] * (more > 0)]
    header = [*["task"] * (len(groups) > 1), "metric", "best", "as good", "behind", "lost images"]
    return Table("Which method", header, rows, notes)


def cost_and_why(runs: Sequence[EvaluatedRun]) -> Table:
    """A row a run, the best of its task first."""
    rows = []
    passes = [Passes.of(run.results.mean) for run in runs]
    columns, reasons, groups = headings(passes), [why(run) for run in runs], of_one_task(runs)
    firsts = [_first_metric([runs[i] for i in group]) for group in groups]
    shared = len({named for _, named in firsts}) == 1
    for group, (metric, named) in zip(groups, firsts, strict=True):
        found = {i: runs[i].results.interval(metric) if metric else Interval() for i in group}
        digits = decimals((f.low, f.high) for f in found.values())
        seconds = {i: runs[i].results.mean("seconds") for i in group}
        evaluations = {i: sum(passes[i].through("NFE")) for i in group}
        for i in _ordered(runs, group, metric):
            good = mean(found[i], digits)
            rows.append([
                Cell(runs[i].name, run=i),
                good if shared else replace(good, small=f"{named} {good.small}".strip()),
                _times(number(seconds[i], ".3g"), seconds, i),
                _times(passes_cell(passes[i], columns[0]), evaluations, i),
                *(passes_cell(passes[i], column) for column in columns[1:]),
                *_reasons(reasons[i]),
            ])  # fmt: skip
    names = ["run", firsts[0][1] if shared else "first metric", "s/image", *columns, *OPTIONAL, "in words"]
    told = [k for k in range(len(names)) if names[k] not in OPTIONAL or any(row[k].value is not None for row in rows)]
    notes = [LEAST, RULES] if len(runs) > 1 else [RULES]
    notes += [note for group in groups for note in _other_problems(runs, group)]
    return Table("What it costs, and why", [names[k] for k in told], [[row[k] for k in told] for row in rows], notes)


def _other_problems(runs: Sequence[EvaluatedRun], group: Sequence[int]) -> list[str]:
    """A difference between runs of other data or another seed is one of these too."""
    first, *rest = (runs[i] for i in group)
    return other_problems(first, rest)


def _telling(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The metrics by which a run can be chosen."""
    # the gap between guide and judge tells whether a number can be believed: no guidance has none, and would win
    return [m for m in all_metrics(runs) if direction(m, runs).sign and not m.startswith(GAP)]


def _first_metric(runs: Sequence[EvaluatedRun]) -> tuple[str | None, str]:
    """The first by which a run can be chosen, if there is one, and its heading."""
    metric = next(iter(_telling(runs)), None)
    return metric, "first metric" if metric is None else heading(metric, runs)


def _verdict(
    runs: Sequence[EvaluatedRun], rivals: Mapping[int, Results], metric: str, towards: Direction
) -> list[Cell]:
    """Best, as good, behind, lost images."""
    found = standings(rivals, metric, towards)
    best = next((i for i, standing in found.items() if standing.best), None)
    lost = ", ".join(f"{runs[i].name} {found[i].lost}" for i in rivals if found[i].lost)
    if best is None:
        return [Cell(NONE), Cell(NONE), Cell(NONE), Cell(lost)]
    digits = decimals((f.low, f.high) for f in (run.interval(metric) for run in rivals.values()))
    paired = {i: rivals[i].difference(rivals[best], metric, towards) for i in rivals if _is_neither(found[i])}
    gaps = {i: gap.mean if gap.n else _apart(rivals[i], rivals[best], metric, towards) for i, gap in paired.items()}
    told = {i: f"{runs[i].name} {gaps[i]:+.{digits}f}" for i in sorted(gaps, key=lambda i: -towards.sign * gaps[i])}
    # over more images than all have, a run can be better than the one that is best over those
    ahead = [i for i in told if paired[i].leaves_out_zero and towards.sign * paired[i].mean > 0]
    as_good = ", ".join([
        *(f"{told[i]} (ahead on the {paired[i].n} images both have)" for i in ahead),
        *(runs[i].name for i in rivals if found[i].as_good),
    ])  # fmt: skip
    behind = ", ".join(told[i] + ("" if paired[i].n else " (untested)") for i in told if i not in ahead)
    value = mean(rivals[best].interval(metric), digits)
    return [Cell(runs[best].name, run=best, small=f"{value.text} {value.small}".strip()),
            Cell(as_good or NONE), Cell(behind or NONE), Cell(lost)]  # fmt: skip


def _apart(run: Results, best: Results, metric: str, towards: Direction) -> float:
    """How far apart the two are by a metric of all images together, which has no pairs."""
    one, two = towards.compared(np.array([run.mean(metric), best.mean(metric)])).tolist()
    return one - two


def _decided_over(rivals: Mapping[int, Results], metric: str, towards: Direction) -> str:
    """Over which images the best is the best, where those are fewer than a run has."""
    found = standings(rivals, metric, towards)
    shared = len(shared_images({i: rivals[i] for i in found if not found[i].lost}, metric))
    if all(len(run.per_image.whole(metric)) <= shared for run in rivals.values()):
        return ""
    if not shared:
        return "no image is common to all, so that the best is by each run's own mean"
    return f"the best is decided over {shared} images that all have; a run has more"


def _is_neither(standing: Standing) -> bool:
    """Neither best nor as good, without having lost images."""
    return not (standing.best or standing.as_good or standing.lost)


def _ordered(runs: Sequence[EvaluatedRun], group: Sequence[int], metric: str | None) -> list[int]:
    """The best first, one after the other, then likewise those that lost images, and last those without the metric."""
    if metric is None:
        return list(group)
    towards = direction(metric, [runs[i] for i in group])
    found = standings({i: runs[i].results for i in group}, metric, towards)
    ordered: list[int] = []
    for lost in (False, True):
        left = {i: runs[i].results for i in group if i in found and (found[i].lost > 0) == lost}
        while (best := best_of(left, metric, towards)) is not None:
            ordered.append(best)
            del left[best]
    return ordered + [i for i in group if i not in ordered]


def _times(cell: Cell, costs: Mapping[int, float], own: int) -> Cell:
    """With how many times the least it is, where there are several."""
    known = [cost for cost in costs.values() if cost > 0]
    if len(known) < 2 or not costs[own] > 0:
        return cell
    return Cell(cell.text, cell.value, f"× {costs[own] / min(known):.2g}")


def _reasons(found: Why) -> list[Cell]:
    shell = number(found.shell, ".3g")
    at_step = Cell(shell.text, shell.value, f"step {found.step + 1}") if shell.value is not None else shell
    traced = f"{found.samples} samples" if found.samples else ""
    return [at_step, number(found.cosine, ".2f"), number(found.loss, ".2g"), number(found.residual, ".3g"),
            Cell("; ".join(found.words) or NONE, small=traced)]  # fmt: skip

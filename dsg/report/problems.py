"""Which runs of a report were asked the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.labels import at

SAME_PROBLEM = ("data.class_path", "data.init_args", "model.seed")  # what makes a measurement, besides the task
UNIMPORTANT = ("batch_size", "num_workers", "first", "limit", "spread", "samples_per_image")


def of_one_task(runs: Sequence[EvaluatedRun]) -> list[list[int]]:
    """The indices of `runs`, those of one task together, in the order of their first."""
    return _together(runs, range(len(runs)), lambda a, b: at(a.settings, "model.task") == at(b.settings, "model.task"))


def of_one_problem(runs: Sequence[EvaluatedRun]) -> list[list[int]]:
    """Those of one task, data and seed together: an image has one measurement in all of them."""
    tasks = of_one_task(runs)
    return [found for task in tasks for found in _together(runs, task, lambda a, b: not another_problem(a, b))]


def another_problem(first: EvaluatedRun, run: EvaluatedRun) -> str:
    """Which of the settings that make a measurement is another one: data, seed, or none."""
    for key in SAME_PROBLEM:
        one, two = at(first.settings, key), at(run.settings, key)
        if isinstance(one, dict) and isinstance(two, dict):
            # an option that one of them lacks is newer than that run, and its default is what was done before
            both = (one.keys() & two.keys()).difference(UNIMPORTANT)
            one, two = ({key: part[key] for key in both} for part in (one, two))
        if one != two:
            return key.removeprefix("model.").partition(".")[0]
    return ""


def other_problems(first: EvaluatedRun, rest: Sequence[EvaluatedRun]) -> list[str]:
    """Of each run that was asked another problem than the first, a line that says so."""
    return [f"{run.name}: its {what} differs from {first.name}'s, so that the measurements of an image do too."
            for run in rest if (what := another_problem(first, run))]  # fmt: skip


def _together(
    runs: Sequence[EvaluatedRun], indices: Sequence[int], alike: Callable[[EvaluatedRun, EvaluatedRun], bool]
) -> list[list[int]]:
    groups: list[list[int]] = []
    for i in indices:
        own = next((group for group in groups if alike(runs[group[0]], runs[i])), None)
        if own is None:
            groups.append([i])
        else:
            own.append(i)
    return groups

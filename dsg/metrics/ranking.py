"""Which run is best, which cannot be told from it, and what may not be claimed where samples failed.

Nothing is claimed in favour of a run that lost images which its rival has: those it lost may be those it is worst on.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import fmean
from typing import TypeVar

import numpy as np

from dsg.metrics.direction import Direction
from dsg.metrics.of_samples import of_one_sample
from dsg.metrics.results import Results

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Standing:
    """Where a run stands among its rivals by a metric.

    Args:
        best: the best mean, over the images that all have which lost none.
        as_good: the paired interval of its difference to the best holds 0, or is of one pair alone.
        lost: how many images it lost that a rival has; then it is neither.
    """

    best: bool = False
    as_good: bool = False
    lost: int = 0


def standings(rivals: Mapping[Key, Results], metric: str, direction: Direction) -> dict[Key, Standing]:
    """Of every run that has the metric; nobody is best where it is not known what is better, or all lost images."""
    lost = {key: len(_lost(run, rivals, metric)) for key, run in rivals.items() if run.has(metric)}
    able = {key: rivals[key] for key, count in lost.items() if not count}
    best = best_of(able, metric, direction)
    found = {}
    for key, count in lost.items():
        as_good = False
        if best is not None and key in able and key != best:
            gap = rivals[key].difference(rivals[best], metric, direction)
            as_good = gap.n > 0 and not gap.leaves_out_zero
        found[key] = Standing(key == best, as_good, count if direction.sign else 0)
    return found


def best_of(rivals: Mapping[Key, Results], metric: str, direction: Direction) -> Key | None:
    """The run with the best mean over the images that all of `rivals` have whole; None if no mean tells.

    Of a metric of all images together, or where no image is common to all, it is the best of their own means.
    """
    found = scores(rivals, metric, direction)
    return max(found, key=lambda key: found[key]) if found else None


def scores(rivals: Mapping[Key, Results], metric: str, direction: Direction) -> dict[Key, float]:
    """By which `best_of` goes, larger is better; none where it is not known what is, or of a run whose mean tells
    nothing.
    """
    if not direction.sign:
        return {}
    measured = _measured(rivals, metric)
    common = shared_images(rivals, metric)
    found = {}
    for key, run in rivals.items():
        if common and key in measured:
            compared = run.compared(metric, direction)
            score = fmean(compared[i] for i in common)
        else:
            score = float(direction.compared(np.array(run.mean(metric))))
        if math.isfinite(score) and (key in measured or not measured):
            found[key] = direction.sign * score
    return found


def shared_images(rivals: Mapping[Key, Results], metric: str) -> list[str]:
    """The images over which `best_of` decides: those that all of `rivals` which have any have whole."""
    measured = _measured(rivals, metric)
    return sorted(reduce(lambda a, b: a & b, (values.keys() for values in measured.values()))) if measured else []


def with_fewest_failures(rivals: Mapping[Key, Results], metric: str) -> dict[Key, Results]:
    """Those of `rivals` of which the fewest samples failed, or are as bad as can be by `metric`."""
    one = of_one_sample(metric)
    flaws = {key: run.failures + len(run.per_image.spoiled.get(one, ())) for key, run in rivals.items()}
    return {key: run for key, run in rivals.items() if flaws[key] == min(flaws.values())}


def verdict(run: Results, other: Results, metric: str, direction: Direction) -> str:
    """`better` or `worse` than `other` where the paired interval leaves out 0; otherwise, or if it cannot be said, "".

    The one that is ahead must not have lost images that the other one has.
    """
    gap = run.difference(other, metric, direction)
    if not direction.sign or not gap.leaves_out_zero:
        return ""
    is_better = direction.sign * gap.mean > 0
    ahead, behind = (run, other) if is_better else (other, run)
    if ahead.per_image.lost_to(behind.per_image, metric):
        return ""
    return "better" if is_better else "worse"


def by_quality(values: Sequence[float], direction: Direction) -> list[int]:
    """Indices of `values`, the best first; the largest first where it is not known what is better."""
    compared = (direction.sign or 1) * direction.compared(np.asarray(values, dtype=np.float64))
    return sorted(range(len(values)), key=lambda i: -compared[i])


def _measured(rivals: Mapping[Key, Results], metric: str) -> dict[Key, dict[str, float]]:
    """Of every run that has a whole image, the values of those."""
    whole = {key: run.per_image.whole(metric) for key, run in rivals.items()}
    return {key: values for key, values in whole.items() if values}


def _lost(run: Results, rivals: Mapping[Key, Results], metric: str) -> frozenset[str]:
    return frozenset().union(*(run.per_image.lost_to(other.per_image, metric) for other in rivals.values()))

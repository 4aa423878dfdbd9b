"""In which order runs stand in the worst case over cells, and who changes place against the mean.

As in `ranking`, nothing is claimed in favour of a run that lost images which its rival has.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from dsg.metrics.direction import Direction
from dsg.metrics.over_cells import Key, RunsOverCells
from dsg.metrics.ranking import Standing, by_quality


@dataclass(frozen=True)
class Turn(Generic[Key]):
    """Two runs whose order by W(γ) is not that of their means.

    Args:
        ahead: by the mean.
        behind: by the mean; by W(γ) it is ahead.
        clear: both paired differences leave out 0.
    """

    ahead: Key
    behind: Key
    clear: bool


def lost(runs: RunsOverCells[Key], key: Key) -> int:
    """How many images a run lost that another one has."""
    mine = runs.runs[key].per_image
    return len(frozenset().union(*(mine.lost_to(run.per_image, runs.metric) for run in runs.runs.values())))


def able(runs: RunsOverCells[Key]) -> list[Key]:
    """The runs that lost nothing and have images enough in every cell, in their order."""
    return [key for key in runs.runs if not lost(runs, key) and not runs.too_small(key)]


def places(runs: RunsOverCells[Key], found: Mapping[Key, float]) -> dict[Key, int]:
    """1 for the best by `found`, of the runs that are able."""
    there = able(runs)
    order = by_quality([found[key] for key in there], Direction(runs.direction.sign))
    return {there[i]: place for place, i in enumerate(order, 1)}


def standings_over_cells(runs: RunsOverCells[Key]) -> dict[Key, Standing]:
    """Of every run by W(γ): the best, and which cannot be told from it."""
    there = able(runs)
    best = next(iter(places(runs, {key: runs.of(key).worst.mean for key in there})), None)
    as_good = {
        key
        for key in there
        if best is not None and key != best and not runs.too_small(key, best)
        and not runs.difference(key, best).leaves_out_zero
    }  # fmt: skip
    return {key: Standing(key == best, key in as_good, lost(runs, key)) for key in runs.runs}


def verdict_over_cells(runs: RunsOverCells[Key], key: Key, other: Key, at_gamma: bool = True) -> str:
    """`better` or `worse` than `other` by W(γ), or by the rebalanced mean, where the paired interval leaves out 0;
    otherwise, or if the one that is ahead has lost images, "".
    """
    gap = runs.difference(key, other) if at_gamma else runs.rebalanced_difference(key, other)
    if not gap.leaves_out_zero:
        return ""
    is_better = runs.direction.sign * gap.mean > 0
    ahead, behind = (key, other) if is_better else (other, key)
    if runs.runs[ahead].per_image.lost_to(runs.runs[behind].per_image, runs.metric):
        return ""
    return "better" if is_better else "worse"


def turns(runs: RunsOverCells[Key]) -> tuple[list[Turn[Key]], int]:
    """Every pair of able runs that W(γ) puts in another order than their means, and how many pairs there are."""
    pairs = list(itertools.combinations(able(runs), 2))
    found = []
    for one, other in pairs:
        if runs.too_small(one, other):
            continue
        by_mean = runs.runs[one].difference(runs.runs[other], runs.metric, runs.direction)
        at_gamma = runs.difference(one, other)
        if by_mean.mean * at_gamma.mean < 0:
            ahead, behind = (one, other) if runs.direction.sign * by_mean.mean > 0 else (other, one)
            found.append(Turn(ahead, behind, by_mean.leaves_out_zero and at_gamma.leaves_out_zero))
    return found, len(pairs)


def turns_in_words(found: list[Turn[Key]], pairs: int, gamma: float, names: Mapping[Key, str]) -> str:
    """How many of the `pairs` turn round, and which of them for certain."""
    if not found:
        return f"At γ = {gamma:g} all {pairs} pairs stand as by the mean."
    clear = ", ".join(f"{names[turn.behind]} before {names[turn.ahead]}" for turn in found if turn.clear)
    told = f"both orders are told of {clear}; of the others" if clear else "of each of them"
    return (
        f"At γ = {gamma:g} {len(found)} of {pairs} pairs stand the other way round than by the mean: {told} a paired "
        "interval, of the mean or at γ, holds 0."
    )

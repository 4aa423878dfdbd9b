"""In which place a run stands among its rivals, and between which places these images leave it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dsg.metrics.direction import Direction
from dsg.metrics.ranking import Key, standings, verdict
from dsg.metrics.ranking import scores as scores_of
from dsg.metrics.results import Results


@dataclass(frozen=True)
class Place:
    """Of a run among n, by a metric.

    Args:
        place: by the mean over the images that all have, 1 for the best; equal runs share the first of theirs, and runs
            that lost images come last.
        first: 1 + how many are better, by a paired interval that leaves out 0.
        last: n − how many are worse, likewise.
    """

    place: int
    first: int
    last: int


def places(rivals: Mapping[Key, Results], metric: str, direction: Direction) -> dict[Key, Place]:
    """Of every run that has the metric; of none where it is not known what is better."""
    those = {key: run for key, run in rivals.items() if run.has(metric)}
    if not direction.sign:
        return {}
    lost = {key: standing.lost for key, standing in standings(those, metric, direction).items()}
    score = scores_of({key: run for key, run in those.items() if not lost[key]}, metric, direction)
    score |= scores_of({key: run for key, run in those.items() if lost[key]}, metric, direction)
    worth = {key: (lost[key] > 0, -score.get(key, -math.inf)) for key in those}
    found = {}
    for key in sorted(those, key=worth.__getitem__):
        place = 1 + sum(other < worth[key] for other in worth.values())
        said = [verdict(those[key], run, metric, direction) for other, run in those.items() if other != key]
        first, last = 1 + said.count("worse"), len(those) - said.count("better")
        found[key] = Place(place, min(first, place), max(last, place))
    return found

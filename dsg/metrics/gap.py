"""How much better the guide thinks of samples than a judge that it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsg.metrics.direction import GAP, direction_of

SHARED_UNITS = ("_similarity", "_accuracy", "_iou", "_error")
"""Endings of scores that mean the same of every network; a distance of features is in the units of its own network."""


def gap(guide: float, judge: float) -> float:
    """Guide − judge of one sample; the mean over images is that of the paired differences."""
    return guide - judge


def fooled(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line a score of which the guide thinks better than the judge, where the gap's interval leaves out 0.

    Args:
        metrics: metrics.json's `metrics`.
    """
    for name, found in metrics.items():
        score = name.removeprefix(GAP)
        if not name.startswith(GAP) or not score.endswith(SHARED_UNITS) or "low" not in found:
            continue
        sign = direction_of(score).sign
        if min(sign * found["low"], sign * found["high"]) > 0:
            yield (
                f"{name}: the guide thinks better of the samples than the judge, by {abs(found['mean']):.3g} "
                f"[{found['low']:.3g}, {found['high']:.3g}] over {found['n']} images: they may fool the network that "
                f"they follow; believe judge_{score}"
            )

"""A number that a paper states, beside the one that was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.metrics.statistics import Interval


@dataclass(frozen=True)
class Published:
    """What a paper states of a metric.

    Args:
        value: the mean over its images.
        source: the paper and its table, as `2209.14687, Table 1`.
        variant: in what it was measured, or made, otherwise than here; such a number is shown and not compared.
    """

    value: float
    source: str
    variant: str = ""


@dataclass(frozen=True)
class Beside:
    """A published number against ours.

    Args:
        difference: ours − published; NaN where the two are not compared.
        inside: `yes` or `no`, whether our 95 % interval holds the published number, or why that is not said.
    """

    difference: float
    inside: str


def beside(published: Published, ours: Interval, failures: int = 0) -> Beside:
    """Compare; the published number is taken as exact, since papers seldom state its error. A mean over what `failures`
    left is not compared.
    """
    if published.variant:
        return Beside(math.nan, f"not compared: {published.variant}")
    if failures:
        return Beside(math.nan, f"not compared: {failures} samples failed here")
    if math.isnan(ours.mean):
        return Beside(math.nan, "not measured")
    difference = ours.mean - published.value
    if math.isnan(ours.low) or math.isnan(ours.high):
        return Beside(difference, "no interval")
    return Beside(difference, "yes" if ours.low <= published.value <= ours.high else "no")

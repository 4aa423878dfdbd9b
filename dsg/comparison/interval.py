"""95 % intervals of a mean over images."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean, its 95 % interval, how many values it is of, and its standard error; NaN where there are too few."""

    mean: float
    low: float
    high: float
    n: int
    se: float


def interval(values: np.ndarray, kind: str) -> Interval:
    """Mean and 95 % interval of `values`, (n,), one an image.

    Args:
        values: finite numbers.
        kind: `bootstrap`, percentiles of the means of resampled images, the draws of `dsg.metrics.summary`; or
            `normal`, mean ± 1.96 s.e. Of one value both are that value.
    """
    n = len(values)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, math.nan)
    mean = float(values.mean())
    se = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    if n == 1:
        return Interval(mean, mean, mean, 1, se)
    if kind == "normal":
        return Interval(mean, mean - 1.96 * se, mean + 1.96 * se, n, se)
    low, high = np.percentile(values[_resamples(n)].mean(axis=1), [2.5, 97.5])
    return Interval(mean, float(low), float(high), n, se)


@functools.lru_cache(maxsize=4)
def _resamples(n: int) -> np.ndarray:
    """Indices (RESAMPLES, n): those that `bootstrap_mean` draws for n values."""
    generator = np.random.Generator(np.random.PCG64DXSM(0))
    return np.stack([generator.integers(n, size=n) for _ in range(RESAMPLES)])

"""Means over images with their intervals, paired differences, quartiles: the only place where they are computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95
HUGE = 1e150


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval from `low` to `high`, of how many values it is, and its standard error.

    NaN where there are too few: a mean wants one value, an interval two.
    """

    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    se: float = math.nan

    @property
    def leaves_out_zero(self) -> bool:
        """Whether these values tell the mean from 0; one value tells nothing."""
        return self.low > 0 or self.high < 0

    @property
    def negated(self) -> Interval:
        """Of the values times −1."""
        return Interval(-self.mean, -self.high, -self.low, self.n, self.se)

    def as_dict(self) -> dict[str, float]:
        """`mean`, `low`, `high` and `n`, without what does not exist or is too large for a number."""
        return {k: v for k, v in asdict(self).items() if k != "se" and math.isfinite(v)}


def mean_with_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Mean of n values and its interval by Student's t with n − 1 degrees of freedom:

        mean ± t_{0.975, n−1} s/√n

    It covers 95 % of normal data at every n ≥ 2, where the BCa bootstrap covers 81 % at n = 4 and 94 % at 32. Of skewed
    data both cover less (docs/metrics.md).

    Args:
        values: finite, (n,), one an image.
    """
    data = np.asarray(values, dtype=np.float64)
    n = len(data)
    if n < 2:
        return Interval(*(float(value) for value in data), n=n) if n else Interval()
    size = float(np.abs(data).max())
    unit = size if size > HUGE else 1.0  # whose square is beyond a number's range
    mean, se = float((data / unit).mean()) * unit, float((data / unit).std(ddof=1)) / math.sqrt(n) * unit
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * se
    return Interval(mean, mean - half, mean + half, n, se)


def mean_of_cells(values: Sequence[float] | np.ndarray, cells: np.ndarray) -> Interval:
    """The mean of the cells' means, each value weighed by 1/density of its cell, and its interval.

        v̄ = (1/m) Σ_c v̄_c,   s.e.² = (1/m²) Σ_c s_c²/n_c,

    by Student's t with Satterthwaite's degrees of freedom. It is linear: of differences it is their paired interval.

    Args:
        values: (n,), one an image.
        cells: (n,), of each the number of its cell, 0 ... m − 1, each at least twice.
    """
    data = np.asarray(values, dtype=np.float64)
    sizes = np.bincount(cells)
    means = np.bincount(cells, data) / sizes
    parts = np.bincount(cells, (data - means[cells]) ** 2) / (sizes - 1) / sizes
    mean, se, spread = float(means.mean()), math.sqrt(parts.sum()) / len(sizes), float((parts**2 / (sizes - 1)).sum())
    half = float(stdtrit(parts.sum() ** 2 / spread, (1 + CONFIDENCE) / 2)) * se if spread > 0 else 0.0
    return Interval(mean, mean - half, mean + half, len(data), se)


def paired_difference(one: Mapping[str, float], other: Mapping[str, float]) -> Interval:
    """Mean of `one` − `other` with its interval, over the images that both have."""
    return mean_with_interval([one[key] - other[key] for key in sorted(one.keys() & other.keys())])


def unpaired(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> Interval:
    """Mean of `one` − mean of `other`, of images that have nothing to do with each other, with Welch's interval; n is
    the smaller number.
    """
    first, second = mean_with_interval(one), mean_with_interval(other)
    difference, n = first.mean - second.mean, min(first.n, second.n)
    unit = size if (size := max(first.se, second.se)) > HUGE else 1.0
    parts = (first.se / unit) ** 2, (second.se / unit) ** 2
    se = math.sqrt(sum(parts))
    if n < 2 or se == 0:
        return Interval(difference, n=n) if n < 2 else Interval(difference, difference, difference, n, 0.0)
    freedom = se**4 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * se * unit
    return Interval(difference, difference - half, difference + half, n, se * unit)


def quartiles(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """The 25th, 50th and 75th percentile, interpolated linearly; NaN of no values."""
    if not len(values):
        return math.nan, math.nan, math.nan
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return low, middle, high


class RunningMean:
    """A mean that is known while values still come in.

    Of several samples an image it is the mean over samples; that over images is the same once all have equally many.
    """

    def __init__(self) -> None:
        self._total, self.n = 0.0, 0

    def add(self, value: float) -> None:
        self._total, self.n = self._total + value, self.n + 1

    @property
    def mean(self) -> float:
        """NaN of no values."""
        return self._total / self.n if self.n else math.nan


def decimals(intervals: Iterable[tuple[float, float]], least: int = 0) -> int:
    """Decimals, from `least` to 5, with which the typical interval's half-width keeps two figures."""
    halves = [half for low, high in intervals if 0 < (half := high / 2 - low / 2) < math.inf]
    return min(5, max(least, 1 - math.floor(math.log10(median(halves))))) if halves else 3

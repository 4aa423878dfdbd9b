"""The worst mixture of cells, chosen by half of the images and judged by the other half, with a bootstrap.

The largest of noisy means is too large on average: E[W(ê)] ≥ W(e), since W is convex in e. A q that other images have
chosen is no better than the best one: E[q(ê_A)·ê_B] ≤ W(e). So the two enclose W(e) on average, and no image both
chooses and judges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from dsg.metrics.statistics import CONFIDENCE, Interval
from dsg.metrics.worst_case import worst_case, worst_mixture

SPLITS, REPLICATES, SEED = 8, 400, 2410
AT_ONCE = 4_000_000  # numbers


@dataclass(frozen=True)
class CrossFitted:
    """W(γ) of one run.

    Args:
        value: as `Halved.value` has it.
        uncorrected: W(ê) of all images, which is too large on average.
        replicates: `value` of each bootstrap sample, (REPLICATES,). Of runs on the same images they are paired.
        n: images.
        freedom: images minus cells.
    """

    value: float
    uncorrected: float
    replicates: np.ndarray
    n: int
    freedom: int

    @property
    def interval(self) -> Interval:
        """The value ± t s, with the standard deviation s of the replicates and `freedom` degrees of freedom."""
        return self._interval(self.value, self.replicates)

    def minus(self, other: CrossFitted) -> Interval:
        """The paired difference to a run on the same images."""
        return self._interval(self.value - other.value, self.replicates - other.replicates)

    def _interval(self, value: float, replicates: np.ndarray) -> Interval:
        se = float(replicates.std(ddof=1))
        half = float(stdtrit(self.freedom, (1 + CONFIDENCE) / 2)) * se
        return Interval(value, value - half, value + half, self.n, se)


def cross_fit(errors: np.ndarray, cells: np.ndarray, gamma: float) -> CrossFitted:
    """W(γ) of the mean errors of cells, cross-fitted, with REPLICATES bootstrap samples.

    The bootstrap is wild, and keeps to the cells: the residual of an image to its cell's mean, times the root of
    n/(n − 1), is multiplied by a normal number of its own, so that a half of one image varies too.

    Args:
        errors: (n,), larger is worse.
        cells: (n,), of each image the number of its cell, 0 ... m − 1, each at least twice.
        gamma: in [0, log m].
    """
    halved = Halved(cells)
    values = halved.sorted(errors)
    means = halved.means(values)
    centre, scale = means[halved.inside], np.sqrt(halved.sizes / (halved.sizes - 1))[halved.inside]
    rng = np.random.default_rng(SEED)
    moved = []
    step = max(1, AT_ONCE // (len(values) + 2 * SPLITS * len(means)))
    for first in range(0, REPLICATES, step):
        numbers = rng.standard_normal((min(step, REPLICATES - first), len(values)))
        moved.append(halved.value(centre + numbers * scale * (values - centre), gamma))
    value, uncorrected = float(halved.value(values[None], gamma)[0]), float(worst_case(means, gamma))
    return CrossFitted(value, uncorrected, np.concatenate(moved), len(values), len(values) - len(means))


def cross_fitted_curve(errors: np.ndarray, cells: np.ndarray, gammas: np.ndarray) -> np.ndarray:
    """`CrossFitted.value` at each γ, (k,) of gammas (k,)."""
    halved = Halved(cells)
    values = halved.sorted(errors)[None]
    return np.array([halved.value(values, float(gamma))[0] for gamma in gammas])


class Halved:
    """SPLITS halvings of the images of every cell. They hang on the cells and the order of the images alone.

    Args:
        cells: (n,), as in `cross_fit`. Of an odd cell the larger half is the first in every other splitting.
    """

    def __init__(self, cells: np.ndarray) -> None:
        self.order = np.argsort(cells, kind="stable")
        self.inside = cells[self.order]
        self.sizes = np.bincount(cells)
        self.starts = np.cumsum(self.sizes) - self.sizes
        rng = np.random.default_rng([SEED, 1])
        self.halves = np.stack([self._half(rng.random(len(cells)), split % 2) for split in range(SPLITS)])
        self.counts = np.add.reduceat(self.halves.astype(np.int64), self.starts, axis=-1)[:, None]

    def _half(self, drawn: np.ndarray, larger: int) -> np.ndarray:
        """Whether each image is in the first half, (n,)."""
        rank = np.empty(len(drawn), dtype=np.int64)
        rank[np.lexsort((drawn, self.inside))] = np.arange(len(drawn)) - self.starts[self.inside]
        return rank < ((self.sizes + larger) // 2)[self.inside]

    def sorted(self, errors: np.ndarray) -> np.ndarray:
        """(n,), cell after cell."""
        return np.asarray(errors, dtype=np.float64)[self.order]

    def means(self, values: np.ndarray) -> np.ndarray:
        """Of each cell, (..., m) of values (..., n)."""
        return np.add.reduceat(values, self.starts, axis=-1) / self.sizes

    def value(self, values: np.ndarray, gamma: float) -> np.ndarray:
        """ē + the mean over splits of ½ [(q(ê_A) − u)·ê_B + (q(ê_B) − u)·ê_A], (k,) of sorted values (k, n).

        u is uniform, and ē = u·ê of all images: the value at γ = 0, where q = u.
        """
        whole = np.add.reduceat(values, self.starts, axis=-1)
        first = np.stack([np.add.reduceat(values * half, self.starts, axis=-1) for half in self.halves])
        one, two = first / self.counts, (whole - first) / (self.sizes - self.counts)  # (splits, k, m)
        chosen = worst_mixture(np.stack([one, two]), gamma) - 1 / len(self.sizes)
        excess = ((chosen[0] * two).sum(-1) + (chosen[1] * one).sum(-1)) / 2
        return (whole / self.sizes).mean(-1) + excess.mean(0)

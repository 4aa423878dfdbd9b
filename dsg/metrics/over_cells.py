"""What runs are worth over cells of their images: rebalanced, and in the worst case."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from dsg.metrics.cells import Cells
from dsg.metrics.cross_fit import CrossFitted, cross_fit, cross_fitted_curve
from dsg.metrics.direction import Direction
from dsg.metrics.results import Results
from dsg.metrics.statistics import Interval, mean_of_cells, mean_with_interval

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class OverCells:
    """One run by one metric, in the metric's own sign, of what is compared (|residual − 1| of a residual).

    Args:
        mean: over images, so that a cell weighs as much as it has images.
        rebalanced: the mean of the cells' means.
        worst: W(γ), cross-fitted.
        uncorrected: W(γ) of all images, on average worse than the truth.
        cell: the name of the cell with the worst mean.
        of_cell: that mean.
    """

    mean: Interval
    rebalanced: Interval
    worst: Interval
    uncorrected: float
    cell: str
    of_cell: Interval


class RunsOverCells(Generic[Key]):
    """Runs by one metric over the same cells. What is worse of the metric is the error that W is of.

    Args:
        runs: those that have the metric, of each image.
        metric: a column of per_image.csv.
        direction: what is better of it; it has to be known.
        cells: of their images.
        gamma: in [0, log m].
    """

    def __init__(
        self, runs: Mapping[Key, Results], metric: str, direction: Direction, cells: Cells, gamma: float
    ) -> None:
        self.runs, self.metric, self.direction, self.cells, self.gamma = runs, metric, direction, cells, gamma
        self._values = {key: run.compared(metric, direction) for key, run in runs.items()}
        self._known: dict[tuple[Key, tuple[str, ...]], CrossFitted] = {}

    def images(self, *keys: Key) -> tuple[str, ...]:
        """Those in a cell that all of the runs have, by id."""
        common = set.intersection(*(set(self._values[key]) for key in keys))
        return tuple(sorted(common & self.cells.of.keys()))

    def too_small(self, *keys: Key) -> str:
        """Which cells have too few images that all of the runs have; empty if none, and the rest can be asked for."""
        return self.cells.too_small(self.images(*keys))

    def of(self, key: Key) -> OverCells:
        ids = self.images(key)
        errors, numbers = self._errors(key, ids), self.cells.numbered(ids)
        fitted = self._fitted(key, ids)
        worst = int(np.argmax(np.bincount(numbers, errors) / np.bincount(numbers)))
        return OverCells(
            self._signed(mean_with_interval(errors)),
            self._signed(mean_of_cells(errors, numbers)),
            self._signed(fitted.interval),
            -self.direction.sign * fitted.uncorrected,
            self.cells.names[worst],
            self._signed(mean_with_interval(errors[numbers == worst])),
        )

    def curve(self, key: Key, gammas: np.ndarray) -> np.ndarray:
        """W(γ), cross-fitted, (k,) of gammas (k,)."""
        ids = self.images(key)
        return -self.direction.sign * cross_fitted_curve(self._errors(key, ids), self.cells.numbered(ids), gammas)

    def rebalanced_difference(self, key: Key, other: Key) -> Interval:
        """The rebalanced mean of `key` − `other`, image by image, over those that both have."""
        ids = self.images(key, other)
        return self._signed(mean_of_cells(self._errors(key, ids) - self._errors(other, ids), self.cells.numbered(ids)))

    def difference(self, key: Key, other: Key) -> Interval:
        """W(γ) of `key` − `other`, with the same halves and bootstrap samples of the images that both have."""
        ids = self.images(key, other)
        return self._signed(self._fitted(key, ids).minus(self._fitted(other, ids)))

    def _errors(self, key: Key, ids: tuple[str, ...]) -> np.ndarray:
        """(n,), larger is worse."""
        values = self._values[key]
        return -self.direction.sign * np.array([values[image_id] for image_id in ids])

    def _fitted(self, key: Key, ids: tuple[str, ...]) -> CrossFitted:
        """Each once."""
        if (key, ids) not in self._known:
            self._known[key, ids] = cross_fit(self._errors(key, ids), self.cells.numbered(ids), self.gamma)
        return self._known[key, ids]

    def _signed(self, errors: Interval) -> Interval:
        """In the metric's own sign."""
        return errors.negated if self.direction.sign > 0 else errors

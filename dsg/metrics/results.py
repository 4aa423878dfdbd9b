"""The numbers of one run: of its rows, and of what metrics.json alone knows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.metrics.direction import Direction
from dsg.metrics.per_image import PerImage
from dsg.metrics.statistics import Interval, mean_with_interval, paired_difference


@dataclass(frozen=True)
class Results:
    """One run.

    Args:
        per_image: of its rows.
        overall: metrics.json's `metrics`, asked for those that belong to all images together.
        unavailable: why a metric could not be measured.
        noisy: whether its measurements have noise.
        starts: what is known of the starts that made them (`dsg.run_folder.provenance`).
        unrecorded: samples of which nobody knows the start.
    """

    per_image: PerImage
    overall: dict[str, dict[str, Any]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    noisy: bool = True
    starts: Sequence[Mapping[str, Any]] = ()
    unrecorded: int = 0

    @property
    def images(self) -> dict[str, dict[str, float]]:
        """Metric: image id: value."""
        return self.per_image.values

    @property
    def failures(self) -> int:
        """How many samples failed."""
        return self.per_image.failures

    def has(self, metric: str) -> bool:
        return metric in self.images or metric in self.overall

    def values(self, metric: str) -> np.ndarray:
        """(n,), by id."""
        return np.array(list(self.images.get(metric, {}).values()))

    def interval(self, metric: str) -> Interval:
        """The mean over images with its interval; of a metric of all images together, what metrics.json says."""
        if metric in self.images or metric not in self.overall:
            return mean_with_interval(self.values(metric))
        known = self.overall[metric]
        mean, low, high = (math.nan if (v := known.get(k)) is None else float(v) for k in ("mean", "low", "high"))
        return Interval(mean, low, high, known.get("n") or 0)

    def mean(self, metric: str) -> float:
        """NaN if there is none."""
        return self.interval(metric).mean

    def compared(self, metric: str, direction: Direction) -> dict[str, float]:
        """Image id: what is compared of its value; of a right value the distance of each sample, so that one that is
        above it does not mend one below.
        """
        values, of_samples = self.images.get(metric, {}), self.per_image.samples.get(metric)
        if direction.target is None or of_samples is None:
            return dict(zip(values, direction.compared(self.values(metric)).tolist(), strict=True))
        return {key: float(direction.compared(np.array(of_samples[key])).mean()) for key in values}

    def difference(self, other: Results, metric: str, direction: Direction) -> Interval:
        """What is compared of this run's value minus the other's on the same image, over the images that both have."""
        return paired_difference(self.compared(metric, direction), other.compared(metric, direction))

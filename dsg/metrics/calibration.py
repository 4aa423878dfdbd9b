"""Whether a classifier means the probabilities that it states, and how that changes where it was never trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from dsg.errors import installed
from dsg.metrics.statistics import CONFIDENCE, Interval, mean_with_interval, unpaired

BINS = 15
RESAMPLES = 400
CONFIDENCE_COLUMN, CORRECT_COLUMN = "judge_confidence", "judge_correct"


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Σ_b |B_b|/N · |accuracy(B_b) − confidence(B_b)| over equal bins of the confidence (Guo et al. 2017, eq. 3).

    It is above 0 by chance too: up to about 0.4 √(bins/N) of a calibrated classifier.

    Args:
        confidence: max_k p(k | x), (N,) in [0, 1].
        correct: whether that class is the right one, (N,).

    Raises:
        ValueError: without values.
    """
    with installed("torchmetrics", "the calibration error"):
        from torchmetrics.functional.classification import binary_calibration_error  # seconds to import

    if not len(confidence):
        raise ValueError("expected_calibration_error: needs one value at least")
    # the last bin holds 1 too, which torchmetrics would give one of its own
    below_one = np.minimum(np.asarray(confidence, dtype=np.float64), np.nextafter(1.0, 0.0))
    stated, right = torch.tensor(below_one), torch.tensor(correct, dtype=torch.long)
    return binary_calibration_error(stated, right, bins, "l1", validate_args=False).item()


@dataclass(frozen=True)
class Judged:
    """What a classifier said of pictures whose class is known.

    Args:
        images: image id: (k, 2), of its samples the confidence max_k p(k | x), and 1 where that class is right.
    """

    images: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, confidence: Iterable[float], correct: Iterable[float], ids: Iterable[str] | None = None) -> Judged:
        """One sample an image; without `ids` the images are numbered."""
        values = np.stack([np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)], axis=1)
        names = map(str, range(len(values))) if ids is None else ids
        return cls({name: value[None] for name, value in zip(names, values, strict=True)})

    @classmethod
    def of_logits(cls, logits: Tensor, labels: Tensor) -> Judged:
        """Logits (N, K) and labels (N,) of N pictures, which are numbered."""
        confidence, guess = logits.double().softmax(dim=1).max(dim=1)
        return cls.of(confidence.tolist(), (guess == labels).double().tolist())

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Judged:
        """Of a run's rows, those that finished and were judged."""
        found: dict[str, list[list[float]]] = {}
        for row in rows:
            judged = all(row.get(name) not in (None, "") for name in (CONFIDENCE_COLUMN, CORRECT_COLUMN))
            if row["status"] == "ok" and judged:
                value = [float(row[CONFIDENCE_COLUMN]), float(row[CORRECT_COLUMN])]
                if all(map(math.isfinite, value)):
                    found.setdefault(row["id"], []).append(value)
        return cls({name: np.array(values) for name, values in found.items()})

    def __len__(self) -> int:
        return len(self.images)

    def only(self, ids: Iterable[str]) -> Judged:
        return Judged({name: self.images[name] for name in ids})

    @property
    def accuracy(self) -> Interval:
        """Share that is right."""
        return mean_with_interval([found[:, 1].mean() for found in self.images.values()])

    @property
    def confidence(self) -> Interval:
        """Mean of max_k p(k | x)."""
        return mean_with_interval([found[:, 0].mean() for found in self.images.values()])

    @property
    def overconfidence(self) -> Interval:
        """Confidence − accuracy: 0 of a calibrated classifier."""
        return mean_with_interval(list(self.by_image.values()))

    @property
    def by_image(self) -> dict[str, float]:
        """Confidence − right or wrong, of each image the mean over its samples."""
        return {name: float((found[:, 0] - found[:, 1]).mean()) for name, found in self.images.items()}

    @property
    def calibration_error(self) -> float:
        """The expected calibration error over all samples."""
        return expected_calibration_error(*np.concatenate(list(self.images.values())).T)


@dataclass(frozen=True)
class Shift:
    """How the same classifier does outside of what it was trained on, less how it does inside.

    Args:
        accuracy: outside − inside.
        overconfidence: outside − inside, of confidence − accuracy.
        calibration_error: outside − inside.
        auroc: the chance that it is surer of a picture inside than of one outside, ties halved: ½ where confidence
            tells nothing of where a picture is from, 1 where it tells all.
        paired: whether the images are the same ones inside and outside, so that the intervals are of differences.
    """

    accuracy: Interval
    overconfidence: Interval
    calibration_error: Interval
    auroc: Interval
    paired: bool

    @classmethod
    def between(cls, inside: Judged, outside: Judged) -> Shift:
        """Paired over the images that both have, where they share any; else as independent ones.

        Means by Student's t, or Welch's; the calibration error by the basic bootstrap over images, which takes its
        upward bias off; the AUROC by DeLong's components (DeLong et al. 1988), which pairs enter together.
        """
        shared = [name for name in inside.images if name in outside.images]
        if paired := bool(shared):
            inside, outside = inside.only(shared), outside.only(shared)
        difference = _paired if paired else unpaired
        sides = [[found[:, 1].mean() for found in side.images.values()] for side in (outside, inside)]
        return cls(
            difference(*sides),
            difference(*(list(side.by_image.values()) for side in (outside, inside))),
            _calibration_gap(inside, outside, paired),
            _auroc(inside, outside, paired),
            paired,
        )


def _paired(one: list[float], other: list[float]) -> Interval:
    return mean_with_interval(np.subtract(one, other))


def _calibration_gap(inside: Judged, outside: Judged, paired: bool) -> Interval:
    """2θ − q of the bootstrap's quantiles q of the gap θ."""
    random, gaps = np.random.default_rng(0), []
    both = [list(side.images.values()) for side in (outside, inside)]
    gap = outside.calibration_error - inside.calibration_error
    if min(map(len, both)) < 2:
        return Interval(gap, n=min(map(len, both)))
    for _ in range(RESAMPLES):
        picks = [random.integers(len(side), size=len(side)) for side in both]
        picks[1] = picks[0] if paired else picks[1]
        drawn = [np.concatenate([side[i] for i in pick]).T for side, pick in zip(both, picks, strict=True)]
        gaps.append(expected_calibration_error(*drawn[0]) - expected_calibration_error(*drawn[1]))
    high, low = 2 * gap - np.quantile(gaps, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(gap, float(low), float(high), min(map(len, both)), float(np.std(gaps, ddof=1)))


def _auroc(inside: Judged, outside: Judged, paired: bool) -> Interval:
    """Mean of the placements, and their spread over images."""
    sides = [np.concatenate([found[:, 0] for found in side.images.values()]) for side in (inside, outside)]
    below, above = _placements(*sides)
    sizes = [np.cumsum([len(found) for found in side.images.values()])[:-1] for side in (inside, outside)]
    first = np.array([part.mean() for part in np.split(below, sizes[0])])
    second = np.array([part.mean() for part in np.split(above, sizes[1])])
    value = float(below.mean())
    if paired:  # each image gives the sum of its two components, whose mean is twice the value
        spread = mean_with_interval(first + second)
        return Interval(value, value + spread.low - spread.mean, value + spread.high - spread.mean, spread.n, spread.se)
    spread = unpaired(list(first), list(1 - second))
    return Interval(value, value + spread.low - spread.mean, value + spread.high - spread.mean, spread.n, spread.se)


def _placements(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each inside the share of outsides below it, and of each outside the share of insides above it; ties halved."""
    n, m = len(inside), len(outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    below = (ranks[:n] - rankdata(inside)) / m
    return below, 1.0 - (ranks[n:] - rankdata(outside)) / n

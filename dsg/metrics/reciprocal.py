"""The mean of 1/p(c | x), which guidance lowers, and how far it can be trusted: its tail is heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CAP = 100.0
"""Where the truncated mean cuts 1/p off."""

HEAVY = 2.0
"""Below this tail index the variance of a power law is infinite."""

LARGE = 0.1
"""Share of the sum that a single sample may have before the mean is about that sample."""


@dataclass(frozen=True)
class Reciprocal:
    """E[1/p] of n samples (Li & Jiao 2025, 2505.01382, theorem 1), and its reliability.

    Args:
        mean: of 1/p.
        standard_error: of the mean, s/√n; means little where the tail is heavy.
        truncated: mean of min(1/p, 100), a lower bound whose error is always finite.
        effective_samples: (Σ 1/p)²/Σ (1/p)², n where all are equal.
        largest_share: of the sum, what its largest term has.
        tail_index: α of P(1/p > t) ~ t^−α by Hill's estimator over the largest 5 %, NaN below 200 samples or where
            those are all equal. A power law's mean is finite for α > 1, its variance for α > 2; a lognormal tail seems
            heavier here than it is.
    """

    mean: float
    standard_error: float
    truncated: float
    effective_samples: float
    largest_share: float
    tail_index: float

    @classmethod
    def of(cls, log_probabilities: Sequence[float] | np.ndarray) -> Reciprocal:
        """From log p(c | x) of each sample, (n,), none of them NaN.

        A probability of zero makes the mean, its error and its tail infinite.

        Raises:
            ValueError: without samples, or with a log-probability that is NaN or above 0 by more than rounding.
        """
        log_p = np.asarray(log_probabilities, dtype=np.float64)
        if not len(log_p) or np.isnan(log_p).any() or (log_p > 1e-5).any():
            raise ValueError("log-probabilities must be at most 0, not NaN, and one at least")
        truncated = float(np.exp(np.minimum(-log_p, np.log(CAP))).mean())
        if np.isinf(log_p).any():
            return cls(np.inf, np.inf, truncated, 0.0, 1.0, 0.0)
        shift = -log_p.min()  # all are divided by the largest, so that squares stay finite
        h, n = np.exp(-log_p - shift), len(log_p)
        scale = np.exp(shift)
        error = float(scale * h.std(ddof=1) / np.sqrt(n)) if n > 1 else np.inf
        effective = float(h.sum() ** 2 / np.square(h).sum())
        return cls(float(scale * h.mean()), error, truncated, effective, float(1.0 / h.sum()), tail_index(-log_p))

    def warnings(self) -> list[str]:
        """What keeps `mean` from being trusted, in words."""
        if np.isinf(self.mean):
            return ["E[1/p] is infinite: a sample has probability 0; read the truncated mean, and E[log p]"]
        found = []
        if self.tail_index < HEAVY:
            found.append(
                f"1/p has a heavy tail (index {self.tail_index:.2f} < 2): its variance may be infinite and the "
                "interval of its mean too narrow; read the truncated mean beside it"
            )
        if self.largest_share > LARGE:
            found.append(f"one sample has {self.largest_share:.0%} of the sum of 1/p; take more samples")
        return found


def tail_index(log_values: np.ndarray) -> float:
    """Hill's estimator 1/mean(log x_(i)/x_(k)) over the largest 5 % of log x, (n,); NaN below 200 or without spread."""
    k = len(log_values) // 20
    if k < 10:
        return float("nan")
    largest = np.sort(log_values)[-k - 1 :]
    spread = float((largest[1:] - largest[0]).mean())
    return 1.0 / spread if spread > 0.0 else float("nan")

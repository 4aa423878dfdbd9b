"""The Fréchet distance between two sets of features, from sums that may be taken in any order and in parts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Statistics:
    """What the Fréchet distance knows of a set of features.

    Args:
        mean: μ, (d,) float64.
        covariance: Σ with the divisor n − 1, (d, d) float64.
        n: how many features they are of; None where that is not known.
    """

    mean: Tensor
    covariance: Tensor
    n: int | None = None


class Moments:
    """Count, Σ x and Σ x xᵀ of features (n, d), in float64; the memory does not grow with n.

    Args:
        dimension: d.
    """

    def __init__(self, dimension: int) -> None:
        self.n = 0
        self.sum = torch.zeros(dimension, dtype=torch.float64)
        self.outer = torch.zeros(dimension, dimension, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Count in features (B, d)."""
        features = features.detach().to("cpu", torch.float64)
        self.n += len(features)
        self.sum += features.sum(0)
        self.outer += features.T @ features

    def merge(self, other: Moments) -> None:
        """Count in what another one counted."""
        self.n += other.n
        self.sum += other.sum
        self.outer += other.outer

    def statistics(self) -> Statistics:
        """Mean and covariance.

        Raises:
            ValueError: of fewer than two features.
        """
        if self.n < 2:
            raise ValueError(f"a covariance needs two pictures, and there are {self.n}")
        mean = self.sum / self.n
        return Statistics(mean, (self.outer - self.n * torch.outer(mean, mean)) / (self.n - 1), self.n)


def frechet_distance(first: Statistics, second: Statistics) -> float:
    """‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½ (Dowson & Landau 1982; Heusel et al. 2017, equation 6).

    With R Rᵀ = Σ of each side, R from its eigenvectors, tr (Σ₁Σ₂)^½ is the sum of the singular values of R₁ᵀR₂: the
    roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, without squaring them first. So covariances of few samples, which are
    singular, need no offset and lose no digits. 0 is equal; the fewer samples, the larger is the value on average.
    """
    cross = torch.linalg.svdvals(_root(first.covariance).T @ _root(second.covariance)).sum()
    traces = first.covariance.trace() + second.covariance.trace()
    return ((first.mean - second.mean).square().sum() + traces - 2 * cross).item()


def _root(covariance: Tensor) -> Tensor:
    """R (d, rank) with R Rᵀ = Σ; what rounding makes of zero eigenvalues is left out."""
    values, vectors = torch.linalg.eigh(covariance)
    there = values > len(values) * torch.finfo(values.dtype).eps * values.max().clamp(min=0)
    return vectors[:, there] * values[there].sqrt()

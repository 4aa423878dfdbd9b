"""Where DDPM ends on a Gaussian in the plane whose first coordinate is measured, by matrices alone.

The prior N(μ, Σ) is what data follows, N(μ', Σ') what the network was trained on, and y = x_1 + σ n. Every score here
is affine, s = L x + c, so that a step

    x_prev = (x + β s)/√α + √β̃ z,   β̃ = β (1 − ā_prev)/(1 − ā)

takes N(m, C) to another Gaussian. Betas are linear, 1e-4 to 2e-2; the start is N(0, I).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FIRST = np.array([[1.0, 0.0]])  # A


@dataclass(frozen=True)
class Gaussian:
    """N(mean, covariance): (d,) and (d, d)."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, rho: float, mean: float = 0.0) -> Gaussian:
        """Unit variances with the correlation ρ in (−1, 1), both means alike."""
        return cls(np.full(2, mean), np.array([[1.0, rho], [rho, 1.0]]))

    def kl(self, other: Gaussian) -> float:
        """KL(self ‖ other) = ½ (tr C'⁻¹C + (m' − m)ᵀC'⁻¹(m' − m) − d + log |C'|/|C|), nats."""
        apart, inverse = other.mean - self.mean, np.linalg.inv(other.covariance)
        logs = np.linalg.slogdet(other.covariance)[1] - np.linalg.slogdet(self.covariance)[1]
        return float((np.trace(inverse @ self.covariance) + apart @ inverse @ apart - len(apart) + logs) / 2)

    def posterior(self, y: float, sigma: float) -> Gaussian:
        """p(x | y) for y = x_1 + σ n."""
        gain = self.covariance[:, 0] / (self.covariance[0, 0] + sigma**2)
        return Gaussian(self.mean + gain * (y - self.mean[0]), self.covariance - np.outer(gain, self.covariance[0]))


Score = Callable[[float], tuple[np.ndarray, np.ndarray]]
"""ā → (L, c) of the score L x + c."""


def score_of(law: Gaussian) -> Score:
    """−C⁻¹ (x − √ā μ), C = ā Σ + (1 − ā) I."""

    def score(alpha_bar: float) -> tuple[np.ndarray, np.ndarray]:
        inverse = np.linalg.inv(alpha_bar * law.covariance + (1 - alpha_bar) * np.eye(2))
        return -inverse, alpha_bar**0.5 * inverse @ law.mean

    return score


def bo_ddnm(network: Gaussian, y: float, sigma: float) -> Score:
    """2410.13746: (I − A⁺A) s + (√ā y − x_1)/(ā σ² + 1 − ā) in the first coordinate."""
    own = score_of(network)

    def score(alpha_bar: float) -> tuple[np.ndarray, np.ndarray]:
        slope, shift = own(alpha_bar)
        spread = alpha_bar * sigma**2 + 1 - alpha_bar
        slope[0], shift[0] = -FIRST[0] / spread, alpha_bar**0.5 * y / spread
        return slope, shift

    return score


def ddpm(score: Score, steps: int = 1000) -> Gaussian:
    """The law of the last x, from `steps` linear betas and all of their steps."""
    betas = np.linspace(1e-4, 2e-2, steps)
    alpha_bars = np.append(np.cumprod(1 - betas), 1.0)  # the last is that of the data, which index −1 finds too
    mean, covariance = np.zeros(2), np.eye(2)
    for t in reversed(range(steps)):
        slope, shift = score(float(alpha_bars[t]))
        slope = (np.eye(2) + betas[t] * slope) / (1 - betas[t]) ** 0.5
        mean = slope @ mean + betas[t] * shift / (1 - betas[t]) ** 0.5
        noise = betas[t] * (1 - alpha_bars[t - 1]) / (1 - alpha_bars[t])
        covariance = slope @ covariance @ slope.T + noise * np.eye(2)
    return Gaussian(mean, covariance)

"""What DPS and DSG sample where x ~ N(0, I) and a part of it is measured with noise, in many dimensions.

y = x + noise of standard deviation σ_y, of the m numbers that are seen, a share f = m/n of all. Steps are DDIM's with
η = 1, the score is exact, and the norm of r = y − √ā x_t is as good as its root mean square, so that every number goes
its own way: a seen one ends as N(a y, v), an unseen one as N(0, u). The posterior has a = 1/(1+σ_y²),
v = σ_y²/(1+σ_y²) and u = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm


@dataclass(frozen=True)
class World:
    """What is measured, and with which steps.

    Args:
        numbers: n.
        share: f, of them seen.
        sigma: σ_y > 0.
        alpha_bars: ā of the levels, noisiest first, and 1 at the end.
    """

    numbers: int
    share: float
    sigma: float
    alpha_bars: Sequence[float]


@dataclass(frozen=True)
class Law:
    """Of samples: a seen number is N(a y, v), an unseen one N(0, u); the first step's use of y."""

    world: World
    a: float
    v: float
    u: float
    use: float = 1.0

    @property
    def gap(self) -> float:
        """Variance of x* − a y of a seen number: that of the posterior, and of what a is off."""
        noise = self.world.sigma**2
        return noise / (1 + noise) + (self.a - 1 / (1 + noise)) ** 2 * (1 + noise)

    def mean(self, of_number: Callable[[float, float], float]) -> float:
        """Of a function of gap and variance, over seen and unseen numbers."""
        f = self.world.share
        return f * of_number(self.gap, self.v) + (1 - f) * of_number(1.0, self.u)

    @property
    def seen_ratio(self) -> float:
        """Standard deviation over the posterior's, of a seen number."""
        return math.sqrt(self.v * (1 + self.world.sigma**2)) / self.world.sigma

    @property
    def spread_ratio(self) -> float:
        """Total spread over the posterior's."""
        exact = posterior(self.world)
        f = self.world.share
        return math.sqrt((f * self.v + (1 - f) * self.u) / (f * exact.v + (1 - f) * exact.u))

    @property
    def error(self) -> float:
        """Mean square of x − x* of one sample."""
        return self.mean(lambda gap, variance: gap + variance)

    @property
    def crps(self) -> float:
        """E|X − x*| − ½E|X − X'| = √(2/π) √(gap + variance) − √(variance/π), mean over numbers."""
        return self.mean(lambda gap, v: math.sqrt(2 / math.pi * (gap + v)) - math.sqrt(v / math.pi))

    def seen_coverage(self, count: int) -> float:
        """How often x* of a seen number is between the smallest and the largest of K samples: 1 − 2 E Φ(d/√v)^K with
        d ~ N(0, gap); (K−1)/(K+1) where the two variances are one."""
        return 1 - 2 * _mean_power(math.sqrt(self.gap / self.v), count)


def _mean_power(ratio: float, count: int) -> float:
    """E Φ(u)^K of u ~ N(0, ratio²), by Gauss-Legendre where both Φ and the density change; above that Φ is 1."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    width = 9 * min(ratio, 1.0)
    inside = weights @ (norm.cdf(width * nodes) ** count * norm.pdf(width * nodes, scale=ratio))
    return float(width * inside + norm.sf(width, scale=ratio))


def posterior(world: World) -> Law:
    """That of exact samples."""
    noise = world.sigma**2
    return Law(world, 1 / (1 + noise), noise / (1 + noise), 1.0)


def std_psnr(law: Law, count: int) -> float:
    """Mean of the standard deviation of PSNR over K independent samples, in dB, of numbers that are independent: with
    e = x − x* the mean of e² over n has the variance (2v² + 4 v gap)/n, mean over numbers, of the samples of one x*.

    It leaves out 1/n². Not of a sampler whose step has a fixed length, which takes the variance of ‖x‖ away.
    """
    variance = law.mean(lambda gap, v: 2 * v**2 + 4 * v * gap) / law.world.numbers
    half, other = count / 2, (count - 1) / 2
    unbiased = math.sqrt(2 / (count - 1)) * math.exp(math.lgamma(half) - math.lgamma(other))
    return 10 / math.log(10) * unbiased * math.sqrt(variance) / law.error


def dps(world: World, step_size: float) -> Law:
    """x_prev = μ + σ z + ζ √ā r/‖r‖: a gain of ζ√ā/‖r‖ on r, in the last step too."""

    def step(signal: float, std: float, residual: float) -> tuple[float, float]:
        return step_size * signal / (math.sqrt(world.share * world.numbers) * residual), std

    return _law(world, step)


def dsg(world: World, rate: float) -> Law:
    """On the sphere of radius √n σ: noise (1−w) κ σ z and a gain of w κ σ √n/‖r‖, κ = 1/√((1−w)² + w²)."""
    kappa = 1 / math.hypot(1 - rate, rate)

    def step(signal: float, std: float, residual: float) -> tuple[float, float]:
        return rate * kappa * std / (math.sqrt(world.share) * residual), (1 - rate) * kappa * std

    return _law(world, step)


def _law(world: World, step: Callable[[float, float, float], tuple[float, float]]) -> Law:
    """`step`: (√ā, σ, root mean square of r) → (gain on r, standard deviation of the noise)."""
    a, v, u, use = 0.0, 1.0, 1.0, None
    for now, prev in zip(world.alpha_bars, world.alpha_bars[1:], strict=False):
        std = math.sqrt((1 - prev) / (1 - now) * (1 - now / prev))
        signal, along = math.sqrt(now), math.sqrt(max(1 - prev - std**2, 0.0))
        c = math.sqrt(prev * now) + along * math.sqrt(1 - now)
        residual = math.sqrt((1 - signal * a) ** 2 * (1 + world.sigma**2) + now * v)
        gain, noise = step(signal, std, residual)
        if use is None:  # of y by the first x̂, which moves μ by the factor below
            use = gain * (1 + world.sigma**2) / (math.sqrt(prev) - along * signal / math.sqrt(1 - now))
        a, v, u = (c - gain * signal) * a + gain, (c - gain * signal) ** 2 * v + noise**2, c**2 * u + noise**2
    return Law(world, a, v, u, use or 0.0)


def rate_where(of_law: Callable[[Law], float], world: World, value: float, low: float, high: float) -> float:
    """DSG's rate between `low` and `high` at which `of_law` is `value`."""
    return brentq(lambda w: of_law(dsg(world, w)) - value, low, high, xtol=1e-10)  # type: ignore[return-value]


def best_rate(of_law: Callable[[Law], float], world: World, low: float = 0.0, high: float = 0.9) -> float:
    """DSG's rate at which `of_law` is least."""
    found = minimize_scalar(lambda w: of_law(dsg(world, w)), bounds=(low, high), method="bounded")
    return float(found.x)  # type: ignore[attr-defined]

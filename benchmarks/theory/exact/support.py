"""Strong guidance drives the samples to the edge of the class's support: endpoints of the guided probability-flow ODE.

Chidambaram et al. 2024 (2409.13074), for two examples, with s_c + w g, g = s_c − s. A Gaussian has no edge: the pair of
`pair.py` goes off as x ≈ .93329 √w. Two intervals have one, and the class piles up there.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit, log_ndtr, ndtri

from benchmarks.theory.exact.pair import ode_map

SIGMA_MIN = 1e-5  # where the ODE ends: less than any distance from an edge that is looked at


def pair_endpoint(w: float, mu: float = 1.0, start: float = 0.0) -> float:
    """x of the guided ODE of the pair, from x(0) = start. Units of x."""
    return float(ode_map(w, mu, np.array([start]))[0][0])


def pair_edge() -> float:
    """lim x/√w for w → ∞ at any μ and start, .93329.

    With x = y√w and m = q/√w the ODE is dy/dq = 1 − tanh(qy) + 1/w: the limit is y(∞) of dy/dq = 1 − tanh(qy) from
    y(0) = 0, and what comes next is μ.
    """
    return float(solve_ivp(lambda q, y: 1 - np.tanh(q * y), (0, 60), [0.0], rtol=1e-11, atol=1e-13).y[0, -1])


def interval_score(x: np.ndarray, sigma: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """(log p_σ(x), score) of U[low, high] plus N(0, σ²), (n,) each: p_σ = (Φ(b) − Φ(a))/(high − low).

    b = (x − low)/σ, a = (x − high)/σ and the score is (φ(b) − φ(a))/(σ(Φ(b) − Φ(a))). Where a > 0 both sides are
    mirrored, so that in either tail the logarithm is of the small probability itself.
    """
    b, a = (x - low) / sigma, (x - high) / sigma
    upper, lower = np.where(a > 0, -a, b), np.where(a > 0, -b, a)
    log_mass = log_ndtr(upper) + np.log(-np.expm1(log_ndtr(lower) - log_ndtr(upper)))
    density = [np.exp(-0.5 * z**2 - log_mass) / np.sqrt(2 * np.pi) for z in (b, a)]
    return log_mass - np.log(high - low), (density[0] - density[1]) / sigma


def guided_intervals(w: float, quantiles: np.ndarray, sigma_max: float = 1e4) -> np.ndarray:
    """x, (n,), of the ODE guided from ½U[−2, −1] + ½U[1, 2] to U[1, 2], from quantiles of N(0, σ_max²) in (0, 1).

    Variance exploding: dx/d(log σ) = −σ²(s_c + w g). A start as low as σ_max = 10 is not yet N(1.5, σ_max²) and pulls
    to the other class: mean 1.637 instead of 1.696 at w = 1. x falls to 1 with the quantile, however strong the
    guidance, so the least of n samples depends on n.
    """

    def velocity(log_sigma: float, x: np.ndarray) -> np.ndarray:
        sigma = np.exp(log_sigma)
        log_own, own = interval_score(x, sigma, 1.0, 2.0)
        log_other, other = interval_score(x, sigma, -2.0, -1.0)
        return -(sigma**2) * (own + w * expit(log_other - log_own) * (own - other))  # g = p(other class|x)·(difference)

    span = (np.log(sigma_max), np.log(SIGMA_MIN))
    return solve_ivp(velocity, span, sigma_max * ndtri(quantiles), method="LSODA", rtol=1e-7, atol=1e-9).y[:, -1]

"""Classifier guidance by a guide of temperature T, on ½N(−μ, 1) + ½N(μ, 1) and its right half: means by quadrature.

In the notation of `benchmarks.theory.exact.pair`, p_t(c | x) = σ(2mx), so that log σ(2mx/T) has the gradient
(m/T)(1 − tanh(mx/T)). On top of the unconditional score s = m tanh(mx) − x, with weight 1, the probability-flow ODE is

    dx/dm = tanh(mx) + (1 − tanh(mx/T))/T,   m: 0 → μ,   x(0) ~ N(0, 1)

which for T = 1 is dx/dm = 1: the class itself, N(μ, 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit

from benchmarks.theory.exact.pair import normal_nodes


class Ends(NamedTuple):
    """Means at the end; `distance` is W₁ to the class, E|x − (x(0) + μ)|, as the map x(0) → x is monotone."""

    reciprocal: float
    probability: float
    mean: float
    distance: float


def ends(temperature: float, mu: float = 1.0, nodes: int = 120) -> Ends:
    """T > 0, μ in deviations of the parts."""
    start, weights = normal_nodes(nodes)

    def velocity(m: float, x: np.ndarray) -> np.ndarray:
        return np.tanh(m * x) + (1 - np.tanh(m * x / temperature)) / temperature

    x = np.asarray(solve_ivp(velocity, (0.0, mu), start, method="DOP853", rtol=1e-11, atol=1e-12).y)[:, -1]
    return means(x, start, weights, mu)


def means(x: np.ndarray, start: np.ndarray, weights: np.ndarray, mu: float = 1.0) -> Ends:
    """From the ends (n,) of nodes (n,) with weights (n,)."""
    return Ends(
        float(weights @ (1 + np.exp(-2 * mu * x))),
        float(weights @ expit(2 * mu * x)),
        float(weights @ x),
        float(weights @ np.abs(x - start - mu)),
    )

"""The worst case over cells by three other ways, and what choosing among noisy cells costs, by quadrature.

    W(γ) = max {Σ q_i e_i : KL(q ‖ uniform) ≤ γ} = min_{τ>0} τ log (1/m) Σ_i exp(e_i/τ) + τγ

Errors e have no unit, γ is in nats.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import logsumexp, ndtr, xlogy


def divergence(q: np.ndarray) -> np.ndarray:
    """KL(q ‖ uniform), (...) of q (..., m)."""
    return np.asarray(xlogy(q, q * q.shape[-1])).sum(-1)


def dual(errors: np.ndarray, gamma: float) -> float:
    """The minimum over log τ, for 0 < γ < log(m/k), k cells the worst alike."""

    def value(log_tau: float) -> float:
        tau = math.exp(log_tau)
        return tau * (float(np.asarray(logsumexp(errors / tau))) - math.log(len(errors)) + gamma)

    found = minimize_scalar(value, bounds=(-12.0, 12.0), method="bounded", options={"xatol": 1e-11})
    return float(found.fun)


def primal(errors: np.ndarray, gamma: float) -> float:
    """The maximum over q itself, by sequential quadratic programming from the uniform one."""
    m = len(errors)
    found = minimize(
        lambda q: -float(q @ errors), np.full(m, 1 / m), jac=lambda q: -errors, bounds=[(1e-12, 1.0)] * m,
        method="SLSQP",
        constraints=[
            {"type": "eq", "fun": lambda q: q.sum() - 1.0, "jac": lambda q: np.ones(m)},
            {"type": "ineq", "fun": lambda q: gamma - divergence(q), "jac": lambda q: -np.log(q * m) - 1.0},
        ],
        options={"ftol": 1e-14, "maxiter": 1000},
    )  # fmt: skip
    return -float(found.fun)


def searched(errors: np.ndarray, gamma: float, count: int, rounds: int, seed: int) -> float:
    """The best of random q in the set: Dirichlet draws, and then draws around the best, drawn in until KL ≤ γ.

    It never exceeds W(γ).
    """
    rng, m = np.random.default_rng(seed), len(errors)
    best, width = np.full(m, 1 / m), 1.0
    for _ in range(rounds):
        around = (
            rng.dirichlet(np.ones(m), count) if width == 1.0 else best * np.exp(width * rng.normal(size=(count, m)))
        )
        around = np.vstack([best, around / around.sum(-1, keepdims=True)])
        # on the way from the uniform q the divergence rises, so that the farthest point inside is found by halving
        low, high = np.zeros(len(around)), np.ones(len(around))
        for _ in range(40):
            middle = (low + high) / 2
            inside = divergence(1 / m + middle[:, None] * (around - 1 / m)) <= gamma
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        inside = 1 / m + low[:, None] * (around - 1 / m)
        best, width = inside[np.argmax(inside @ errors)], width * 0.8
    return float(best @ errors)


def of_two(gap: float, gamma: float) -> float:
    """W(γ) of the errors 0 and `gap`, 0 ≤ γ ≤ log 2: gap (1 + x)/2, where
    ½ (1+x) log(1+x) + ½ (1−x) log(1−x) = γ.
    """

    def excess(x: float) -> float:
        return sum(float(np.asarray(xlogy(part, part))) for part in (1 + x, 1 - x)) / 2 - gamma

    return gap * (1 + float(np.asarray(brentq(excess, 0.0, 1.0, xtol=1e-14)))) / 2


def of_normal_cells(mean: float, deviation: float, gamma: float) -> float:
    """μ + s √(2γ), of infinitely many cells whose errors are N(μ, s²)."""
    return mean + deviation * math.sqrt(2 * gamma)


def largest_of_noisy(means: np.ndarray, error: float) -> float:
    """E max_i (e_i + N(0, error²)), which the naive worst cell is on average: mean of x with density of the maximum."""
    x, d = _grid(means, error)
    law = ndtr((x[:, None] - means) / error).prod(-1)  # P(max ≤ x)
    return float(x[-1] - law.sum() * d + (law[0] + law[-1]) * d / 2)


def chosen_by_others(means: np.ndarray, error: float) -> float:
    """Σ_i e_i P(cell i is the largest of e + N(0, error²)): the worst cell that some images choose, by others' mean."""
    x, d = _grid(means, error)
    z = (x[:, None] - means) / error
    density, below = np.exp(-(z**2) / 2) / (error * math.sqrt(2 * math.pi)), ndtr(z)
    others = np.stack([np.delete(below, i, axis=1).prod(-1) for i in range(len(means))], axis=1)
    chances = (density * others).sum(0) * d
    return float(means @ chances)


def _grid(means: np.ndarray, error: float) -> tuple[np.ndarray, float]:
    x = np.linspace(means.min() - 10 * error, means.max() + 10 * error, 20_001)
    return x, float(x[1] - x[0])

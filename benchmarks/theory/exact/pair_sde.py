"""Means at the end of the guided reverse SDE of the pair, by its backward Kolmogorov equation.

    dY = (Y/2 + s_c + w g) dτ + dB = b dτ + dB,   b = m + w g − x/2,   g = m(1 − tanh(mx)),   m = μe^{−t/2}

v(t, x) = E[u^{−k} | Y_t = x] solves ∂v/∂t = b v' + ½v'' from u^{−k} at t = 0, which explodes for x → −∞. But
v = ψ/p_t(c|x)^k with a bounded ψ: since 1/p_t(c|x) is a martingale of the conditional reverse SDE, and its gradient is
−g/p_t(c|x),

    ∂ψ/∂t = (b − k g) ψ' + ½ψ'' + k((k−1)/2 − w) g² ψ,   ψ(0, ·) = 1,   E[u^{−k}] = p(c)^{−k} lim_{t→∞} E[ψ(t, Z)]

(own derivation, Z ~ N(0, 1)). So the theorem of Li & Jiao (2505.01382), E[1/u] falls with w, is the sign of the last
term at k = 1; and at k = 1 + 2w that term is gone, ψ = 1, and E[u^{−k}] is conserved.

ψ is a series in normalised Hermite polynomials, in which ½ψ'' − xψ'/2 is the diagonal −n/2.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.theory.exact.pair import normal_nodes

HORIZON = 30.0  # of t; what is left after it is of the order m² < 1e-12


def sde_moments(w: float, mu: float, degree: int = 64) -> tuple[float, float]:
    """(E[1/u], E[u]) at the end of the guided reverse SDE that starts from p_∞(x|c) = N(0, 1)."""
    return sde_power(w, mu, 1.0, degree), sde_power(w, mu, -1.0, degree)


def sde_power(w: float, mu: float, k: float, degree: int = 64) -> float:
    """E[u^{−k}]; `degree` is that of ψ's series. At k = ±1, w ≤ 8 its error is below 1e-8 at μ = 1 and 1e-5 at μ = 2.

    Raises:
        ValueError: if μ > 2, where tanh(mx) is too steep for the series.
    """
    if mu > 2:
        raise ValueError(f"mu: the series is good up to 2, got {mu}")
    x, values, weighted = _basis(degree)
    number = np.arange(degree + 1)
    slope = np.sqrt(number[1:])  # He_n' = n He_{n−1} is √n after normalisation

    def rate(t: float, coefficients: np.ndarray) -> np.ndarray:
        m = mu * np.exp(-t / 2)
        g = m * (1 - np.tanh(m * x))
        gradient = values[:, :-1] @ (slope * coefficients[1:])
        pointwise = (m + (w - k) * g) * gradient + k * ((k - 1) / 2 - w) * g**2 * (values @ coefficients)
        return weighted.T @ pointwise - 0.5 * number * coefficients

    one = np.eye(degree + 1)[0]
    end = solve_ivp(rate, (0.0, HORIZON), one, method="DOP853", rtol=1e-9, atol=1e-10).y[0, -1]
    return float(2.0**k * end)


@cache
def _basis(degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes x, (q,); He_n(x)/√n!, (q, degree+1); and the same times the nodes' weights, which projects."""
    x, weights = normal_nodes(2 * degree)
    values = np.empty((len(x), degree + 1))
    values[:, 0], values[:, 1] = 1.0, x
    for n in range(1, degree):
        values[:, n + 1] = (x * values[:, n] - np.sqrt(n) * values[:, n - 1]) / np.sqrt(n + 1)
    return x, values, values * weights[:, None]

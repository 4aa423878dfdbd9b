"""The one-dimensional pair ½N(−μ, 1) + ½N(μ, 1), guided to its right half: every mean by quadrature, none by sampling.

The noise is the Ornstein–Uhlenbeck process dX = −X/2 dt + dB. With m = μe^{−t/2} the parts stay N(±m, 1), so

    s_c = m − x,   s = m tanh(mx) − x,   g = ∇ log p_t(c|x) = s_c − s = m(1 − tanh(mx)),   p_0(c|x) = 1/(1 + e^{−2μx})

and u = p_0(c|x) at the end of a trajectory with the score s_c + w g; w ≥ 0 is what others write as γ − 1. x and μ are
in units of the parts' deviation, 1. float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit, log_expit, roots_hermitenorm


class OdeMoments(NamedTuple):
    """Means at the end of the guided probability-flow ODE; `entropy` of x in nats."""

    reciprocal: float  # E[1/u]
    probability: float  # E[u]
    mean: float
    variance: float
    entropy: float


def normal_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, (count,) each, with Σ weight·f(node) = E[f(Z)], Z ~ N(0, 1): Gauss–Hermite quadrature."""
    nodes, weights = (np.asarray(part) for part in roots_hermitenorm(count)[:2])
    return nodes, weights / np.sqrt(2 * np.pi)


def ode_map(w: float, mu: float, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x(μ) and log ∂x(μ)/∂x(0) of the guided ODE, from x(0) = start, (n,) each.

    dY = (Y/2 + (s_c + w g)/2) dτ with m for the time is dx/dm = 1 + w(1 − tanh(mx)), m from 0 to μ; the tangent obeys
    d(log J)/dm = −w m (1 − tanh²(mx)). Own derivation from the definitions above.
    """

    def velocity(m: float, state: np.ndarray) -> np.ndarray:
        bend = np.tanh(m * state[: len(start)])
        return np.concatenate([1 + w * (1 - bend), -w * m * (1 - bend**2)])

    begin = np.concatenate([start, np.zeros_like(start)])
    end = np.asarray(solve_ivp(velocity, (0.0, mu), begin, method="DOP853", rtol=1e-11, atol=1e-12).y)[:, -1]
    return end[: len(start)], end[len(start) :]


def ode_moments(w: float, mu: float, nodes: int = 120) -> OdeMoments:
    """Means over x(0) ~ N(0, 1), which is p_∞(x|c).

    The map x(0) → x is monotone, so the entropy is ½ log 2πe + E[log ∂x/∂x(0)]. At w = 0, x = x(0) + μ.
    """
    start, weights = normal_nodes(nodes)
    x, log_stretch = ode_map(w, mu, start)
    mean = float(weights @ x)
    return OdeMoments(
        reciprocal=float(1 + weights @ np.exp(-2 * mu * x)),
        probability=float(weights @ expit(2 * mu * x)),
        mean=mean,
        variance=float(weights @ (x - mean) ** 2),
        entropy=float(0.5 * np.log(2 * np.pi * np.e) + weights @ log_stretch),
    )


def tilt_reciprocal(w: float, mu: float, nodes: int = 200) -> float:
    """E[1/u] under the tilt, the density ∝ p_c^{1+w} p^{−w} ∝ N(x; μ, 1) u^w: ∫p_c u^{w−1} / ∫p_c u^w."""
    z, weights = normal_nodes(nodes)
    log_u = log_expit(2 * mu * (z + mu))
    return float(weights @ np.exp((w - 1) * log_u) / (weights @ np.exp(w * log_u)))


def conserved(w: float) -> float:
    """E[u^{−(1+2w)}] = p(c)^{−(1+2w)} of the guided reverse SDE at any μ, with p(c) = ½; see `pair_sde`."""
    return 2.0 ** (1 + 2 * w)

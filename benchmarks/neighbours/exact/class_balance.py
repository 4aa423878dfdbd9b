"""A long-tailed mixture of one-dimensional classes N(m_y, v_y): what few samples, scales and balancing do to each.

With a = √ā the noised class y is N(a m_y, 1 + a²(v_y − 1)), and the probability-flow ODE of the Ornstein-Uhlenbeck
process with a for the time is

    dx/da = (x + s)/a,   (x + s_y)/a = (m_y + a x (v_y − 1)) / (1 + a²(v_y − 1)) =: D_y,   (x + s)/a = Σ r_y D_y

with r_y the posterior of the class. A combination of scores whose coefficients sum to one is that of the D. float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import digamma, softmax

TIMESTEPS, FIRST_BETA, LAST_BETA = 1000, 1e-4, 2e-2
Field = Callable[[np.ndarray, float], np.ndarray]
"""dx/da at x (n,) and a, (n,)."""


@dataclass(frozen=True)
class Mixture:
    """Classes with shares p_y, means m_y and variances v_y, (C,) each."""

    shares: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    def directions(self, x: np.ndarray, a: float) -> np.ndarray:
        """D_y at x (n,), (C, n)."""
        m, v = self.means[:, None], self.variances[:, None]
        return (m + a * x * (v - 1)) / (1 + a**2 * (v - 1))

    def posterior(self, x: np.ndarray, a: float) -> np.ndarray:
        """r_y at x (n,), (C, n)."""
        spread = 1 + a**2 * (self.variances[:, None] - 1)
        away = x - a * self.means[:, None]
        return softmax(np.log(self.shares[:, None]) - 0.5 * (np.log(spread) + away**2 / spread), axis=0)

    def marginal(self, x: np.ndarray, a: float) -> np.ndarray:
        """D of all classes together, (n,)."""
        return (self.posterior(x, a) * self.directions(x, a)).sum(0)


def expected_kl(samples: int, dimension: int = 1) -> float:
    """E KL(fit ‖ truth) of a Gaussian fitted to n samples by maximum likelihood, n > d:

        ½ [d log(n/2) − Σ_{i=1..d} ψ((n − i)/2)]  ≈  (d + d(d+1)/2) / 2n

    E tr(Σ⁻¹Σ̂) = d(n−1)/n and E|μ̂ − μ|² = d/n in units of Σ sum to d, and log|Σ̂| is a sum of log χ² (Wishart).
    """
    i = np.arange(1, dimension + 1)
    return float(0.5 * (dimension * np.log(samples / 2) - digamma((samples - i) / 2).sum()))


LOG_NOISY = -np.cumsum(np.log1p(-np.linspace(FIRST_BETA, LAST_BETA, TIMESTEPS)))  # −log ā_t, t = 0 ... T − 1


def balancing(a: float, tau: float) -> float:
    """λ = τ t/T at ā = a², with t between the levels of linear betas by log ā."""
    return float(tau * np.interp(-2 * np.log(a), LOG_NOISY, np.arange(TIMESTEPS)) / TIMESTEPS) if tau else 0.0


def balanced(targets: np.ndarray, r: np.ndarray, q: np.ndarray, strength: float, back: float = 0.25) -> np.ndarray:
    """What class-balancing diffusion (2305.00562) teaches in the limit: h_y (C, n), from D_y and r_y (C, n), q (C,).

    The loss of y with probability r_y, |h_y − D_y|² + λ Σ_y' q_y' [|h_y − sg h_y'|² + γ |sg h_y − h_y'|²], stands where

        h_y (r_y (1 + λ) + γ λ q_y) = r_y D_y + λ r_y Σ q h + γ λ q_y Σ r h,

    two equations for Σ q h and Σ r h. Where r = q = p, so at high noise and with labels of the prior,
    h_y = D + (D_y − D)/(1 + (1 + γ) λ): every class is drawn to the marginal by one factor.
    """
    q = q[:, None]
    scale = r * (1 + strength) + back * strength * q
    qr, qq, rr = (q * r / scale).sum(0), (q * q / scale).sum(0), (r * r / scale).sum(0)
    first, second = (q * r * targets / scale).sum(0), (r * r * targets / scale).sum(0)
    # [1 − λ qr, −γλ qq; −λ rr, 1 − γλ qr] (h̄_q, h̄_r) = (first, second)
    aa, ab, ba, bb = 1 - strength * qr, -back * strength * qq, -strength * rr, 1 - back * strength * qr
    determinant = aa * bb - ab * ba
    mean_q, mean_r = (first * bb - ab * second) / determinant, (aa * second - ba * first) / determinant
    return (r * targets + strength * r * mean_q + back * strength * q * mean_r) / scale


class Ends:
    """Nodes of x ~ N(0, 1) with their neighbours, and the KL of where a monotone map takes them.

    KL(law of F(z) ‖ N(mean, variance)) = E[log φ(z) − log F'(z) − log N(F(z))], by the trapezoidal rule, which
    bears the bends of a map to several classes better than Gauss's; F' by central differences of fourth order.

    Args:
        nodes: how many, even from −6 to 6.
    """

    APART = 0.02

    def __init__(self, nodes: int = 121) -> None:
        self.z = np.linspace(-6.0, 6.0, nodes)
        weights = np.exp(-0.5 * self.z**2)
        self.weights = weights / weights.sum()
        self.starts = np.concatenate([self.z + k * self.APART for k in (0, -2, -1, 1, 2)])

    def kl(self, ends: np.ndarray, mean: float, variance: float) -> float:
        """From F(starts), (5 nodes,)."""
        x, *around = ends.reshape(5, -1)
        slope = np.array([1, -8, 8, -1]) @ np.stack(around) / (12 * self.APART)
        log_target = -0.5 * (np.log(variance) + (x - mean) ** 2 / variance)
        return float(self.weights @ (-0.5 * self.z**2 - np.log(slope) - log_target))


def follow(field: Field, starts: np.ndarray) -> np.ndarray:
    """x(1) of dx/da = field(x, a) from x = starts (n,) where the schedule ends in noise."""
    start = float(np.exp(-LOG_NOISY[-1] / 2))

    def velocity(a: float, x: np.ndarray) -> np.ndarray:
        return field(x, a)

    solution = solve_ivp(velocity, (start, 1.0), starts, method="DOP853", rtol=1e-8, atol=1e-9)
    return np.asarray(solution.y)[:, -1]

"""Guided Gaussian mixtures without the library: Euler steps that tear a class apart, and an ODE that turns one.

The noise is the Ornstein–Uhlenbeck process, a = e^{−t/2}; parts N(μ_i, S_i) become N(aμ_i, a²S_i + (1 − a²)I).
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import ndtri, softmax

HORIZON = 10.0
CENTRES = np.array([-3.0, 0.0, 3.0])  # unit variances; the middle one is guided to
TURNED = np.array([[1.0, 0.75], [0.75, 1.0]])  # covariance of the class, along the diagonal
OTHER = np.array([3.0, 0.0])  # the other class, N(OTHER, I); the class itself is N(0, TURNED)


def euler_ends(w: float, steps: int, count: int = 20_001) -> np.ndarray:
    """|x| of `count` even quantiles of x_T ~ N(0, 1), by `steps` even steps of dY = (Y + s_c + w (s_c − s))/2 dτ.

    The last step ends at t = 0; each asks the score where it begins.
    """
    x, h = ndtri((np.arange(count) + 0.5) / count), HORIZON / steps
    for k in range(steps):
        means = np.exp(-(HORIZON - k * h) / 2) * CENTRES
        apart = means - x[:, None]
        score, own = (softmax(-(apart**2) / 2, axis=1) * apart).sum(1), apart[:, 1]
        x = x + h / 2 * (x + own + w * (own - score))
    return np.abs(x)


def turned(w: float, start: np.ndarray, horizon: float = 25.0) -> np.ndarray:
    """Ends of the guided probability-flow ODE from `start`, (n, 2)."""

    def velocity(tau: float, flat: np.ndarray) -> np.ndarray:
        x, a2 = flat.reshape(-1, 2), np.exp(tau - horizon)
        own = np.linalg.inv(a2 * TURNED + (1 - a2) * np.eye(2))
        first, second = -x @ own, a2**0.5 * OTHER - x  # the scores of both parts; the other's covariance stays I
        log_odds = (first * x).sum(1) / 2 + np.linalg.slogdet(own)[1] / 2 + (second**2).sum(1) / 2
        lost = 1 / (1 + np.exp(np.clip(log_odds, -700, 700)))  # 1 − p_t(c | x)
        return ((x + first + w * lost[:, None] * (first - second)) / 2).ravel()

    found = solve_ivp(velocity, (0.0, horizon), start.ravel(), method="DOP853", rtol=1e-9, atol=1e-10)
    return np.asarray(found.y)[:, -1].reshape(-1, 2)


def shape(x: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Angle of the longer axis in degrees, in (−90, 90], and both deviations, of points (n, 2) with weights (n,)."""
    apart = x - weights @ x
    values, axes = np.linalg.eigh((weights[:, None] * apart).T @ apart)
    angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    angle = angle + 180 if angle <= -90 else angle - 180 if angle > 90 else angle
    return float(angle), float(values[1] ** 0.5), float(values[0] ** 0.5)

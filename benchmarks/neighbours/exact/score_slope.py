"""What is left of a score's error after the best discriminators: variances in one dimension, where data are N(0, 1).

The score is −(1 + δ) x at some levels and right at the others. In the Ornstein–Uhlenbeck time τ, ā = e^{−τ}, samples
are Gaussian at every level, and their variance u obeys, as τ falls from a variance of 1,

    SDE   −du/dτ = 1 − (1 + 2 ε) u          ODE   −du/dτ = −ε u,       score −(1 + ε) x

Guided by log p_t/q_t with w = 1, ε = δ + 1 − 1/v_t, where v_t is the variance of q_t. Two q_t can be meant, and are the
same where the model has no error but its data: samples that are noised again, v_t = ā u_0 + 1 − ā, of which a
discriminator learns; and what the sampler passes through, v_t = u_t. Neither makes the score right. The refined loss
E‖∇log p(x_t | x_0) − s_θ − ∇d‖² does: its best ∇d is the score's own error, ε = 0. (Own derivation.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.integrate import solve_ivp

Sampler = Literal["SDE", "ODE"]
Window = tuple[float, float]
"""Least and largest τ of the levels that have the error."""


def variances(delta: float, window: Window, sampler: Sampler) -> tuple[float, float, float]:
    """u_0 without a discriminator, with the best one of noised samples, and with that of the sampler's own marginals."""
    alone = variance_path(lambda _: delta, window, sampler)
    end = float(alone(0.0))
    noised = variance_path(lambda tau: delta + noised_again(end, tau), window, sampler, lambda t: noised_again(end, t))
    own = variance_path(
        lambda tau: delta + 1 - 1 / float(alone(tau)), window, sampler, lambda tau: 1 - 1 / float(alone(tau))
    )
    return end, float(noised(0.0)), float(own(0.0))


def noised_again(variance: float, tau: float) -> float:
    """1 − 1/v_t, v_t = ā v + 1 − ā: what the best discriminator of N(0, 1) against N(0, v) adds to ε."""
    return 1.0 - 1.0 / (np.exp(-tau) * variance + 1.0 - np.exp(-tau))


def variance_path(
    inside: Callable[[float], float],
    window: Window,
    sampler: Sampler,
    outside: Callable[[float], float] = lambda _: 0.0,
    horizon: float = 25.0,
) -> Callable[[float], float]:
    """τ ↦ u, from u = 1 at the horizon.

    Args:
        inside: ε of τ in the window.
        window: of τ.
        sampler: whose equation.
        outside: ε of other τ.
        horizon: τ where it starts.
    """

    def slope(tau: float, u: np.ndarray) -> np.ndarray:
        error = (inside if window[0] < tau <= window[1] else outside)(tau)
        return (1 + 2 * error) * u - 1 if sampler == "SDE" else error * u

    pieces, value = [], np.ones(1)
    ends = [horizon, window[1], window[0], 0.0]
    for high, low in zip(ends[:-1], ends[1:], strict=True):
        if high == low:
            continue
        part = solve_ivp(
            lambda tau, u, middle=(high + low) / 2: _within(slope, tau, u, middle, window),
            (high, low), value, rtol=1e-10, atol=1e-12, dense_output=True,
        )  # fmt: skip
        pieces.append((low, part.sol))
        value = part.y[:, -1]

    def at(tau: float) -> float:
        return next(float(path(tau)[0]) for low, path in pieces if tau >= low)

    return at


def _within(slope, tau, u, middle, window):
    """The slope on one side of the window's ends, so that no solver's step sees both."""
    low, high = window
    tau = min(max(tau, np.nextafter(low, np.inf)), high) if low < middle < high else tau
    return slope(tau if low < middle < high else (np.nextafter(high, np.inf) if middle > high and tau <= high else
                 min(tau, low) if middle < low else tau), u)

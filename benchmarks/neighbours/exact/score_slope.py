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

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.integrate import solve_ivp

Sampler = Literal["SDE", "ODE"]
Window = tuple[float, float]
"""Least and largest τ of the levels that have the error."""

Error = Callable[[float], float]
"""τ ↦ ε."""

HORIZON = 25.0
"""τ where samplers start: what is left of a start that is not quite noise is 1e-11."""


def variances(delta: float, window: Window, sampler: Sampler) -> tuple[float, float, float]:
    """u_0 without a discriminator, with the best of noised samples, and with that of the sampler's own marginals."""
    alone = variance_path(sampler, window, lambda _: delta, lambda _: 0.0)
    end = alone(0.0)
    found = [end]
    for told in (lambda tau: noised_again(end, tau), lambda tau: 1.0 - 1.0 / alone(tau)):
        found.append(variance_path(sampler, window, lambda tau, told=told: delta + told(tau), told)(0.0))
    return found[0], found[1], found[2]


def noised_again(variance: float, tau: float) -> float:
    """1 − 1/v_t, v_t = ā v + 1 − ā: what the best discriminator of N(0, 1) against N(0, v) adds to ε."""
    alpha_bar = math.exp(-tau)
    return 1.0 - 1.0 / (alpha_bar * variance + 1.0 - alpha_bar)


def variance_path(sampler: Sampler, window: Window, inside: Error, outside: Error) -> Callable[[float], float]:
    """τ ↦ u, from u = 1 at the horizon.

    Args:
        sampler: whose equation.
        window: of τ, above 0 or from there.
        inside: ε of a τ in the window.
        outside: ε of other τ.
    """
    pieces, value = [], np.ones(1)
    for high, low in pairwise((HORIZON, window[1], window[0], 0.0)):
        if high == low:
            continue
        error = inside if (low, high) == window else outside

        def slope(tau: float, u: np.ndarray, error: Error = error) -> np.ndarray:
            return (1 + 2 * error(tau)) * u - 1 if sampler == "SDE" else error(tau) * u

        part = solve_ivp(slope, (high, low), value, rtol=1e-10, atol=1e-12, dense_output=True)
        pieces.append((low, part.sol))
        value = part.y[:, -1]
    return lambda tau: next(float(path(tau)[0]) for low, path in pieces if tau >= low)

"""What a discriminator with a small error does, in one dimension: P = N(0, 1) is data, Q = N(m, 1) the model.

The best logit is log p/q. One that adds e(x) = sin(kx)/√k has a cross-entropy that is too large by about 1/k, and a
gradient that is wrong by √k cos(kx): the faster it oscillates, the better it classifies and the worse its gradient is
(the point of Verine et al. 2025, 2503.16117). What the sampler makes of that is another question. P is its own noised
law, so that with e at the levels τ < `TIME` and the best logit elsewhere

    ODE   dY = ½ √k cos(kY) dτ                   a map whose slope is a closed form
    SDE   dY = (−Y/2 + √k cos(kY)) dτ + dB       its density by a Fokker–Planck equation, on its way to φ e^{2e}

for τ from `TIME` to 0, from Y ~ N(0, 1) (own derivation, in the Ornstein–Uhlenbeck time ā = e^{−τ}). KL in nats.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import ndtr

TIME = math.log(2.0)  # of the levels ā > ½


def correction_slope(variance: float) -> float:
    """∂ log p/q ∂x over x of clean states: 1/v − 1, for p = N(0, 1) and q = N(0, v)."""
    return 1.0 / variance - 1.0


def shifted_kl(mean: float, w: float) -> float:
    """KL of the samples to N(0, 1) with w ∇log p_t/q_t on the score of N(m, 1): they are N((1 − w) m, 1)."""
    return ((1.0 - w) * mean) ** 2 / 2.0


def scaled_variance(variance: float, w: float) -> float:
    """v^{1−w}, of the samples of the ODE with w ∇log p_t/q_t on the score of N(0, v), whose log v is linear in it."""
    return variance ** (1.0 - w)


def gaussian_kl(mean: float, variance: float) -> float:
    """KL(N(m, v) ‖ N(0, 1)) = ½ (m² + v − 1 − log v)."""
    return 0.5 * (mean**2 + variance - 1.0 - math.log(variance))


def excess_cross_entropy(k: float, mean: float = 0.5) -> float:
    """How much above the best the cross-entropy of log p/q + sin(kx)/√k is, half over data and half over samples."""
    x = np.linspace(-12.0, 12.0 + mean, 40_001)
    p, q = (np.exp(-0.5 * (x - centre) ** 2) / math.sqrt(2 * math.pi) for centre in (0.0, mean))
    best = mean**2 / 2.0 - mean * x
    logit = best + np.sin(k * x) / math.sqrt(k)
    excess = p * (np.logaddexp(0, -logit) - np.logaddexp(0, -best))
    excess += q * (np.logaddexp(0, logit) - np.logaddexp(0, best))
    return float(0.5 * np.trapezoid(excess, x))


def gradient_error(k: float) -> float:
    """E_P |√k cos(kX)|² = k (1 + e^{−2k²})/2."""
    return k * (1.0 + math.exp(-2.0 * k**2)) / 2.0


def ode_map(k: float, start: np.ndarray, time: float = TIME) -> tuple[np.ndarray, np.ndarray]:
    """Where the ODE with the error ends, and the logarithm of its slope, from Y = start at ā = ½; (n,) each.

    With u = kY, artanh(sin u) grows by c = ½ k^{3/2} τ, and ∂Y/∂start = 1/(cosh c + sin u sinh c).
    """
    c, u = 0.5 * k**1.5 * time, k * start
    turns = 2 * np.pi * np.floor((u + np.pi / 2) / (2 * np.pi))
    within = u - turns
    angle = np.arcsin(np.tanh(np.arctanh(np.clip(np.sin(within), -1 + 1e-15, 1 - 1e-15)) + c))
    end = (turns + np.where(within <= np.pi / 2, angle, np.pi - angle)) / k
    return end, -(c - math.log(2.0) + np.log1p(np.exp(-2 * c) + np.sin(u) * -np.expm1(-2 * c)))


def ode_kl(k: float, time: float = TIME) -> float:
    """KL of what the ODE with the error makes, to P: E[(y² − z²)/2 − log ∂y/∂z], z ~ N(0, 1)."""
    z = np.linspace(-9.0, 9.0, 200_001)
    y, log_slope = ode_map(k, z, time)
    return float(np.trapezoid(np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * ((y**2 - z**2) / 2 - log_slope), z))


def sde_law(k: float, time: float = TIME, cells: int = 2400, steps: int = 400) -> tuple[float, float]:
    """KL to P of what the reverse SDE with the error makes, and its E[sin(kX)].

    The density is π g with π ∝ φ e^{2e}, ∂g/∂τ = (π g')'/(2π); finite volumes, whose error falls with the square of the
    cells and steps, by Crank and Nicolson after a few backward steps.
    """
    edges = np.linspace(-7.0, 7.0, cells + 1)
    x, h = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]

    def weight(at: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * at**2 + 2 * np.sin(k * at) / math.sqrt(k))

    flow = weight(edges[1:-1]) / (2 * h**2)  # between cells
    up, down = np.append(flow, 0.0) / weight(x), np.insert(flow, 0, 0.0) / weight(x)
    phi = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    g, dt = phi / weight(x), time / steps

    def implicit(g: np.ndarray, part: float) -> np.ndarray:
        bands = np.zeros((3, cells))
        bands[1] = 1 + part * (up + down)
        bands[0, 1:], bands[2, :-1] = -part * up[:-1], -part * down[1:]
        return solve_banded((1, 1), bands, g)

    def explicit(g: np.ndarray, part: float) -> np.ndarray:
        change = np.diff(g)
        return g + part * (up * np.append(change, 0.0) - down * np.insert(change, 0, 0.0))

    for step in range(steps):
        g = implicit(implicit(g, dt / 2), dt / 2) if step < 2 else implicit(explicit(g, dt / 2), dt / 2)
    density = g * weight(x)
    kl = h * np.sum(np.where(density > 0, density * np.log(np.maximum(density, 1e-300) / phi), 0.0))
    return float(kl), float(h * np.sum(density * np.sin(k * x)))


def kl_of_map(z: np.ndarray, y: np.ndarray) -> float:
    """KL to N(0, 1) of the law of y(Z), Z ~ N(0, 1), from a rising map at rising points z: both are (n,), n odd.

    Between two points lies the mass Φ(z') − Φ(z), which N(0, 1) has between y and y': the KL of these cells is one from
    below, and what it lacks falls with the square of their width, so that every second point tells it.

    Raises:
        ValueError: if the map does not rise, so that it is no map of an ODE.
    """
    if not (np.diff(y) > 0).all():
        raise ValueError("the map does not rise everywhere; take finer steps")
    fine, coarse = (_kl_of_cells(z[::n], y[::n]) for n in (1, 2))
    return fine + (fine - coarse) / 3.0


def distance_of_map(z: np.ndarray, y: np.ndarray) -> float:
    """W₁ to N(0, 1), of which the same map is the best transport: E|y(Z) − Z|. Arguments as of `kl_of_map`."""
    return float(np.sum(_mass(z) * np.abs((y[1:] + y[:-1] - z[1:] - z[:-1]) / 2)))


def _kl_of_cells(z: np.ndarray, y: np.ndarray) -> float:
    mass, wanted = _mass(z, ends=True), _mass(y, ends=True)
    return float(np.sum(mass * np.log(mass / wanted)))


def _mass(x: np.ndarray, ends: bool = False) -> np.ndarray:
    """Of N(0, 1) between neighbours, from the tail that has its digits; with `ends` also beyond the first and last."""
    flip = (x[1:] + x[:-1]) > 0
    low, high = np.where(flip, -x[1:], x[:-1]), np.where(flip, -x[:-1], x[1:])
    inner = ndtr(high) - ndtr(low)
    return np.concatenate([[ndtr(x[0])], inner, [ndtr(-x[-1])]]) if ends else inner

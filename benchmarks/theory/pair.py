"""The theorem on ½N(−1, 1) + ½N(1, 1): E[1/p] falls with w, by the ODE and by the SDE, to the exact numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import DEEP, OPEN, WIDE, sample
from benchmarks.theory.exact.pair import normal_nodes, ode_moments, tilt_reciprocal
from benchmarks.theory.exact.pair_sde import sde_moments, sde_power
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.schedule import NoiseSchedule
from dsg.metrics.reciprocal import Reciprocal
from dsg.models.mixture import GaussianMixture

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
NODES = 120


def pair(mu: float = 1.0, schedule: NoiseSchedule = WIDE, dimension: int = 1) -> GaussianMixture:
    """½N(−μ e₁, I) + ½N(μ e₁, I), classes 0 and 1."""
    means = torch.zeros(2, dimension)
    means[:, 0] = torch.tensor([-mu, mu])
    return GaussianMixture([1.0, 1.0], means, 1.0, [0, 1], schedule=schedule)


def log_probability(model: GaussianMixture, x: Tensor, label: int = 1) -> Tensor:
    """log p(c | x) of clean samples, (n,) float64."""
    return model.classifier_log_prob(x, torch.full((len(x),), label))


def ode(w: float, mu: float, steps: int) -> tuple[float, float, float, float]:
    """E[1/u], E[u], mean and variance by Heun, from Gauss-Hermite nodes instead of samples."""
    nodes, weights = normal_nodes(NODES)
    model = pair(mu, DEEP)
    x = sample(model, 1, NODES, Heun(), steps, w, x_T=torch.from_numpy(nodes)[:, None])
    log_u, flat = log_probability(model, x).numpy(), x[:, 0].numpy()
    mean = float(weights @ flat)
    return (
        float(weights @ np.exp(-log_u)),
        float(weights @ np.exp(log_u)),
        mean,
        float(weights @ (flat - mean) ** 2),
    )


def sde(w: float, mu: float, count: int, steps: int, seed: int = 0) -> tuple[Reciprocal, float, float]:
    """E[1/u], and E[u] with its standard error, of `count` samples by Euler-Maruyama."""
    model = pair(mu, OPEN)
    log_u = log_probability(model, sample(model, 1, count, EulerMaruyama(), steps, w, seed=seed))
    u = log_u.exp()
    return Reciprocal.of(log_u.numpy()), u.mean().item(), (u.std() / count**0.5).item()


def run(reduced: bool, runs: Path) -> Findings:
    ode_steps, count, steps = (300, 3_000, 100) if reduced else (3000, 60_000, 1000)
    ode_rows, sde_rows, checks = [], [], []
    relative = 2e-3 if reduced else 1e-4
    weights = WEIGHTS[::3] if reduced else WEIGHTS
    for w in weights:
        exact, measured = ode_moments(w, 1.0), ode(w, 1.0, ode_steps)
        names = ("E[1/u]", "E[u]", "mean", "variance")
        ode_rows.append([f"{w:g}", *(v for pair_ in zip(measured, exact[:4], strict=True) for v in pair_)])
        checks += [
            Check(f"pair, ODE, w = {w:g}, {name}", m, e, relative * abs(e))
            for name, m, e in zip(names, measured, exact[:4], strict=True)
        ]
        exact_reciprocal, exact_u = sde_moments(w, 1.0)
        found, u, error = sde(w, 1.0, count, steps)
        sde_rows.append(
            [f"{w:g}", found.mean, found.standard_error, exact_reciprocal, u, exact_u, found.truncated,
             f"{found.tail_index:.1f}", tilt_reciprocal(w, 1.0)]
        )  # fmt: skip
        percent = np.inf if reduced else 0.01  # few samples are judged by their standard errors alone
        bound = min(3 * found.standard_error, percent * exact_reciprocal)
        checks.append(Check(f"pair, SDE, w = {w:g}, E[1/u]", found.mean, exact_reciprocal, bound))
        checks.append(Check(f"pair, SDE, w = {w:g}, E[u]", u, exact_u, min(3 * error, percent * exact_u)))

    def draw() -> Figure:
        figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        grid = np.linspace(0, 4, 5 if reduced else 41)
        ax.plot(grid, [sde_power(w, 1.0, 1.0) for w in grid], color="tab:blue", label="reverse SDE, exact")
        ax.plot(grid, [ode_moments(w, 1.0).reciprocal for w in grid], color="tab:orange", label="ODE, exact")
        ax.plot(grid, [tilt_reciprocal(w, 1.0) for w in grid], color="0.5", ls="--", label="tilted density")
        errors = [3 * row[2] for row in sde_rows]
        ax.errorbar(
            weights, [row[1] for row in sde_rows], errors, fmt="o", color="tab:blue", label="Euler-Maruyama, 3 s.e."
        )
        ax.plot(weights, [row[1] for row in ode_rows], "s", mfc="none", color="tab:orange", label="Heun")
        ax.set(xlabel="w", ylabel="E[1/p(c | x)]", title="½N(−1, 1) + ½N(1, 1)", ylim=(0.95, 2.2))
        ax.legend()
        return figure

    header = ["w", *(f"{name}{what}" for name in ("E[1/u]", "E[u]", "mean", "variance") for what in ("", ", exact"))]
    tables = {
        "pair_ode": table(header, ode_rows, 5),
        "pair_sde": table(
            ["w", "E[1/u]", "s.e.", "exact", "E[u]", "exact", "E[min(1/u, 100)]", "tail index", "tilt: E[1/u]"],
            sde_rows,
        ),
    }
    return Findings(tables, checks, draw)

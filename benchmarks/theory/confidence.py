"""Guidance makes samples confident and narrow; and with steps that are too coarse it tears the centre class apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import DEEP, sample
from benchmarks.theory.exact.pair import normal_nodes, ode_moments
from benchmarks.theory.exact.pair_sde import sde_moments, sde_power
from benchmarks.theory.pair import pair
from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.mixture import GaussianMixture

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
NODES, APART = 40, 0.1  # of x_T, and the distance of the differences' points
HORIZON = 10.0  # of the coarse steps, in the time of the Ornstein-Uhlenbeck process
COARSE = ((20.0, 50), (50.0, 50), (85.0, 50), (100.0, 50), (100.0, 100), (100.0, 200), (100.0, 1000), (200.0, 1000))
COARSE_REDUCED = ((85.0, 50), (100.0, 50), (100.0, 400))


def confidence(x: Tensor) -> Tensor:
    """p(c|x) of clean samples, (n,) float64."""
    return pair(schedule=DEEP).classifier_log_prob(x, torch.ones(len(x), dtype=torch.long)).exp()


def ode(w: float, steps: int) -> tuple[float, float]:
    """E[p(c|x)], and the entropy ½ log 2πe + E[log dx/dx_T] in nats, at Gauss-Hermite nodes of x_T ~ N(0, 1).

    The slope is (x₋₂ − 8x₋₁ + 8x₁ − x₂)/12h at x_T ± h, ± 2h, whose error is of the order h⁴.
    """
    nodes, weights = normal_nodes(NODES)
    starts = torch.from_numpy(np.concatenate([nodes + k * APART for k in (0, -2, -1, 1, 2)]))
    x = sample(pair(schedule=DEEP), 1, len(starts), Heun(), steps, w, x_T=starts[:, None])
    centre, *around = x.reshape(5, NODES).numpy()
    slope = np.array([1, -8, 8, -1]) @ np.stack(around) / (12 * APART)
    probability = confidence(torch.from_numpy(centre)[:, None]).numpy()
    return float(weights @ probability), float(0.5 * np.log(2 * np.pi * np.e) + weights @ np.log(slope))


def sde(w: float, count: int, steps: int) -> tuple[float, float]:
    """E[p(c|x)] and its standard error."""
    u = confidence(sample(pair(schedule=DEEP), 1, count, EulerMaruyama(), steps, w))
    return u.mean().item(), (u.std() / count**0.5).item()


def coarse(w: float, steps: int, count: int) -> tuple[float, Tensor]:
    """The largest step h of OU time, and |x| of the centre of N(−3, 1), N(0, 1), N(3, 1), by Euler steps of the ODE."""
    schedule = NoiseSchedule.from_alpha_bar(np.exp(-HORIZON / steps * np.arange(1, steps + 1)))
    model = GaussianMixture([1.0] * 3, [[-3.0], [0.0], [3.0]], 1.0, [1, 0, 2], schedule=schedule)
    alpha_bar = [step.alpha_bar for step in LogSNR().steps(schedule, steps)]
    x = sample(model, 0, count, EulerMaruyama(noise=0.0), steps, w)
    return float(np.diff(np.log(alpha_bar)).max()), x[:, 0]


def run(reduced: bool, runs: Path) -> Findings:
    ode_steps, count, steps, torn = (200, 2_000, 120, 100) if reduced else (2500, 40_000, 1500, 4_000)
    fine, of_steps = (1e-2, 0.01) if reduced else (1e-4, 0.001)
    rows, checks = [], []
    weights = WEIGHTS[::2] if reduced else WEIGHTS
    for w in weights:
        exact, (u_ode, entropy), (u_sde, error) = ode_moments(w, 1.0), ode(w, ode_steps), sde(w, count, steps)
        exact_sde = sde_moments(w, 1.0)[1]
        rows.append([f"{w:g}", u_ode, exact.probability, u_sde, error, exact_sde, entropy, exact.entropy])
        checks += [
            Check(f"confidence, ODE, w = {w:g}, E[p]", u_ode, exact.probability, fine * exact.probability),
            Check(f"confidence, ODE, w = {w:g}, entropy", entropy, exact.entropy, fine * exact.entropy),
            Check(f"confidence, SDE, w = {w:g}, E[p], 3 s.e. and the steps", u_sde, exact_sde, 3 * error + of_steps),
        ]
    torn_rows, ends = [], {}
    for w, n in COARSE_REDUCED if reduced else COARSE:
        h, x = coarse(w, n, torn)
        ends[w, n], split = x, (x.abs() > 6).double().mean().item()
        torn_rows.append([f"{w:g}", n, f"{h:.3f}", f"{w * h:.2f}", split, x.abs().median().item()])
        if w * h < 4.32:
            checks.append(Check(f"confidence, no splitting at w h = {w * h:.1f}", split, 0.0, 0.0))
    split = (ends[100.0, 50].abs() > 6).double().mean().item()
    checks.append(Check("confidence, share in two clusters at w = 100, 50 steps", split, 1.0, 0.01))

    def draw() -> Figure:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
        grid = np.linspace(0, 4, 5 if reduced else 33)
        left.plot(grid, [ode_moments(w, 1.0).entropy for w in grid], color="tab:orange", label="entropy (nats), ODE")
        left.plot(grid, [ode_moments(w, 1.0).probability for w in grid], color="tab:green", label="E[p(c|x)], ODE")
        left.plot(grid, [sde_power(w, 1.0, -1.0) for w in grid], color="tab:blue", label="E[p(c|x)], reverse SDE")
        for column, style, colour in ((6, "s", "tab:orange"), (1, "s", "tab:green"), (3, "o", "tab:blue")):
            left.plot(weights, [row[column] for row in rows], style, mfc="none", color=colour)
        left.set(xlabel="w", title="½N(−1, 1) + ½N(1, 1): exact and measured")
        left.legend()
        bins = np.linspace(-30, 30, 121).tolist()
        for w, n in (case for case in ends if case in ((85.0, 50), (100.0, 50), (200.0, 1000))):
            right.hist(ends[w, n].numpy(), bins, alpha=0.6, label=f"w = {w:g}, {n} steps")
        right.set(xlabel="x", ylabel="samples", title="the centre of −3, 0, 3 by Euler steps", yscale="log")
        right.legend()
        return figure

    header = ["w", "E[p], ODE", "exact", "E[p], SDE", "s.e.", "exact", "entropy, ODE", "exact"]
    tables = {
        "confidence": table(header, rows, 5),
        "confidence_steps": table(["w", "steps", "h", "w h", "share of abs(x) > 6", "median of abs(x)"], torn_rows),
    }
    return Findings(tables, checks, draw)

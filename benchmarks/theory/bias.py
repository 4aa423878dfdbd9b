"""Classifier-free guidance does not sample the tilt p_c^γ p^{1−γ}: N(0, 1) in N(0, 2), and a pair where it does.

Everything is linear, so that no variance needs samples: the ODE maps x_T to A x_T + B, and a step of the SDE with the
slope a and the deviation σ makes a²v + σ² of the variance v.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import DEEP, sample
from benchmarks.theory.exact.bias import ddim_variance, ddpm_variance, equal_variances, tilt_variance
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State

SCALES = (1.5, 2.0, 3.0, 5.0)
MEAN = 1.0  # μ_c of the control


class GaussianInGaussian(ScoreModel):
    """p(x|c) = N(μ_c, v_c) and p = N(0, v), by ε = √(1−ā)(x − √ā μ)/(āv + 1 − ā). The shape is (1,).

    N(0, 1) is a part of N(0, 2) for any p(c) ≤ 1/√2, but what is left is no Gaussian, so that no mixture says it.

    Args:
        variance: v > 0.
        mean_c: μ_c.
        variance_c: v_c > 0.
    """

    shape, num_classes = (1,), 1

    def __init__(self, variance: float, mean_c: float = 0.0, variance_c: float = 1.0) -> None:
        super().__init__()
        self._all, self._own, self.schedule = (0.0, variance), (mean_c, variance_c), DEEP
        self.freeze()

    @property
    def knows_marginal(self) -> bool:
        return True

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        mean, variance = self._all if condition is None else self._own
        spread = level.alpha_bar * variance + level.noise_variance
        epsilon = level.noise * (x_t.double() - level.signal * mean) / spread
        clean_estimate = (level.noise_variance * mean + level.signal * variance * x_t.double()) / spread
        return Prediction(clean_estimate.float(), epsilon.float())


class Moments:
    """Observer: mean and variance of the ensemble's law, from each step's own transition, starting at N(0, 1)."""

    def __init__(self) -> None:
        self.mean, self.variance = 0.0, 1.0

    def __call__(self, record: StepRecord, process: ReverseProcess) -> None:
        x, y = record.x_t.double(), record.transition.mean.double()
        slope = ((x - x.mean()) * y).sum().item() / (x - x.mean()).square().sum().item()
        self.mean = y.mean().item() + slope * (self.mean - x.mean().item())
        self.variance = slope**2 * self.variance + float(record.transition.std) ** 2


def ode(model: ScoreModel, gamma: float, steps: int) -> tuple[float, float]:
    """Mean B and variance A² of A z + B, from the images of z = ±1."""
    x_T = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    low, high = sample(model, 0, 2, Heun(), steps, gamma - 1.0, x_T=x_T)[:, 0].tolist()
    return (high + low) / 2, ((high - low) / 2) ** 2


def sde(model: ScoreModel, gamma: float, count: int, steps: int) -> tuple[float, float, float, float]:
    """Mean and variance by propagation, then of `count` samples."""
    law = Moments()
    x = sample(model, 0, count, EulerMaruyama(), steps, gamma - 1.0, observe=law)
    return law.mean, law.variance, x.mean().item(), x.var().item()


def run(reduced: bool, runs: Path) -> Findings:
    ode_steps, count, steps = (400, 2_000, 300) if reduced else (3000, 20_000, 1500)
    fine, first_order = (4e-3, 0.04) if reduced else (1e-4, 0.01)  # Heun's h² and Euler-Maruyama's h, h of log-SNR
    rows, control, checks = [], [], []
    model = GaussianInGaussian(2.0)
    for gamma in SCALES:
        by_ode, (_, by_sde, _, seen) = ode(model, gamma, ode_steps)[1], sde(model, gamma, count, steps)
        error = by_sde * (2 / count) ** 0.5
        rows.append(
            [
                f"{gamma:g}",
                tilt_variance(gamma),
                by_ode,
                ddim_variance(gamma),
                by_sde,
                seen,
                error,
                ddpm_variance(gamma),
            ]
        )
        checks += [
            Check(f"bias, ODE, γ = {gamma:g}", by_ode, ddim_variance(gamma), fine * ddim_variance(gamma)),
            Check(f"bias, SDE, γ = {gamma:g}", by_sde, ddpm_variance(gamma), first_order * ddpm_variance(gamma)),
            Check(f"bias, SDE, γ = {gamma:g}, samples against their law, 3 s.e.", seen, by_sde, 3 * error),
        ]
    same = GaussianInGaussian(1.0, MEAN)
    for gamma in SCALES:
        mean, variance = equal_variances(gamma, MEAN)
        by_ode, by_sde = ode(same, gamma, ode_steps), sde(same, gamma, count, steps)
        control.append([f"{gamma:g}", mean, by_ode[0], by_sde[0], by_sde[2], variance, by_ode[1], by_sde[1], by_sde[3]])
        for kind, found, part in (("ODE", by_ode, fine), ("SDE", by_sde, first_order)):
            checks.append(Check(f"bias, control, {kind}, γ = {gamma:g}, mean", found[0], mean, part * mean))
            checks.append(Check(f"bias, control, {kind}, γ = {gamma:g}, variance", found[1], variance, part * variance))

    def draw() -> Figure:
        figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        grid = np.linspace(1, 5.5, 91)
        for law, colour, name in (
            (tilt_variance, "0.5", "tilted density"),
            (ddpm_variance, "tab:blue", "reverse SDE, exact"),
            (ddim_variance, "tab:orange", "ODE, exact"),
        ):
            ax.plot(grid, [law(g) for g in grid], color=colour, ls="--" if colour == "0.5" else "-", label=name)
        ax.errorbar(SCALES, [r[5] for r in rows], [3 * r[6] for r in rows], fmt="o", color="tab:blue",
                    label="Euler-Maruyama, 3 s.e.")  # fmt: skip
        ax.plot(SCALES, [r[2] for r in rows], "s", mfc="none", color="tab:orange", label="Heun")
        ax.set(xlabel="γ = 1 + w", ylabel="variance", title="N(0, 1) guided out of N(0, 2)", yscale="log")
        ax.legend()
        return figure

    header = ["γ", "tilt", "ODE", "exact", "SDE, propagated", "samples", "s.e.", "SDE, exact"]
    means = ["mean, exact", "ODE", "SDE", "samples"]
    tables = {
        "bias": table(header, rows, 5),
        "bias_control": table(["γ", *means, *(m.replace("mean", "variance") for m in means)], control, 5),
    }
    return Findings(tables, checks, draw)

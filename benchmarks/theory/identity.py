"""Where the mean of 1/p falls: the gap identity along the path, the conservation law, and a sample that gets worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import OPEN, WIDE, sample
from benchmarks.theory.exact.pair import conserved
from benchmarks.theory.exact.pair_sde import sde_moments
from benchmarks.theory.pair import log_probability, pair
from dsg.combiners import MixtureClassifier, PiecewiseLinear, ScaleSchedule
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.metrics.theorem_terms import TheoremTerms
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord

# of OPEN's 1200 timesteps, 220 has ā = .66 and 450 has .19: between them the class is decided
SCHEDULES: dict[str, float | ScaleSchedule] = {
    "1": 1.0,
    "4": 4.0,
    "0 to 4, rising with the noise": PiecewiseLinear((0.0, 600.0), (1.0, 5.0)),
    "4 for 220 ≤ t ≤ 450": PiecewiseLinear((220.0, 220.0, 450.0, 450.0), (1.0, 5.0, 5.0, 1.0)),
}
THREE = ([0.5, 0.5, 1.0], [[-4.0], [4.0], [3.0]], [0, 0, 1])
"""Class 0 has a half far from class 1 and a half beside it: pulled to the far one, a sample may stop between them."""


class Curve:
    """E[h_t] and E[h ⟨g, u⟩] at each step, with the terms of the identity."""

    def __init__(self, model: GaussianMixture) -> None:
        self.terms = TheoremTerms(MixtureClassifier(model))
        self.alpha_bar, self.mean = [], []

    def __call__(self, record: StepRecord, process: ReverseProcess) -> None:
        self.terms.add(record, process)
        self.alpha_bar.append(record.step.alpha_bar)
        self.mean.append(self.terms.reciprocal.mean().item())


def identity(
    names: Sequence[str], count: int, steps: int, tolerance: float
) -> tuple[list[list], list[Check], dict[str, Curve]]:
    """h_T − h_0 against the integral, for constant w and functions of t; `tolerance` is a share of the gap."""
    rows, checks, curves = [], [], {}
    for name in names:
        model, w = pair(schedule=OPEN), SCHEDULES[name]
        curve = curves[name] = Curve(model)
        sample(model, 1, count, EulerMaruyama(), steps, w, observe=curve)
        terms = curve.terms
        drop = terms.start - terms.end - terms.by_steps  # the martingale off: the same mean, far less spread
        spread = drop.std().item() / math.sqrt(count)
        gap, integral, error = drop.mean().item(), terms.decrease.mean().item(), terms.residual.std().item()
        rows.append([name, 2.0 - gap, gap, integral, 100 * (gap - integral) / gap, error / math.sqrt(count)])
        checks.append(Check(f"gap identity, w = {name}", integral, gap, tolerance * gap))
        if isinstance(w, float):
            exact = 2.0 - sde_moments(w, 1.0)[0]
            checks.append(Check(f"gap of the exact SDE, w = {name}", gap, exact, tolerance / 2 * exact + 3 * spread))
    return rows, checks, curves


def conservation(count: int, steps: int) -> tuple[list[list], list[Check]]:
    """E[u^{−(1+2w)}] at μ = ½ stays what it is at T."""
    rows, checks, model = [], [], pair(0.5, OPEN)
    for w in (0.0, 0.5, 1.0):
        power = (-(1 + 2 * w) * log_probability(model, sample(model, 1, count, EulerMaruyama(), steps, w))).exp()
        mean, error = power.mean().item(), (power.std() / math.sqrt(count)).item()
        rows.append([f"{w:g}", f"{1 + 2 * w:g}", mean, error, conserved(w)])
        checks.append(Check(f"conservation, w = {w:g}", mean, conserved(w), 3 * error))
    return rows, checks


def worse(steps: int) -> tuple[list[list], list[Check], dict[float, torch.Tensor], torch.Tensor]:
    """p(c | x) of the ODE's end against its start, on three Gaussians where guidance can lower it."""
    weights, means, classes = THREE
    model = GaussianMixture(weights, means, 1.0, classes, schedule=WIDE)
    x_T = torch.linspace(-4, 4, 801, dtype=torch.float64)[:, None]
    share = (-x_T[:, 0].square() / 2).softmax(0)
    ends = {
        w: log_probability(model, sample(model, 0, len(x_T), Heun(), steps, w, x_T=x_T), 0).exp()
        for w in (0.0, 1.0, 4.0)
    }
    rows, checks = [], []
    for w, p in ends.items():
        fell = share @ (p < ends[0.0] - 1e-6).double()
        most = (ends[0.0] - p).argmax()
        example = f"{ends[0.0][most]:.3f} → {p[most]:.3f}" if w else "–"
        rows.append([f"{w:g}", (share @ (1 / p)).item(), (share @ p).item(), fell.item(), example])
    checks.append(Check("a sample's p falls from", ends[1.0][442].item(), 0.2, 0.0, below=True))
    checks.append(Check("the mean of 1/p falls all the same", rows[1][1], rows[0][1], 0.0, below=True))
    return rows, checks, ends, x_T


def run(reduced: bool, runs: Path) -> Findings:
    count, steps, ode_steps, tolerance = (2_000, 150, 100, 0.1) if reduced else (40_000, 1000, 400, 0.02)
    gap_rows, checks, curves = identity(list(SCHEDULES)[: 2 if reduced else None], count // 2, steps, tolerance)
    kept_rows, kept = conservation(count, steps)
    worse_rows, fell, ends, x_T = worse(ode_steps)

    def draw() -> Figure:
        figure, (path, example) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
        for name, curve in curves.items():
            path.plot([math.log10(a / (1 - a)) for a in curve.alpha_bar], curve.mean, label=f"w = {name}", lw=1.3)
        path.set(xlabel="log₁₀ ā/(1−ā), noise to the left", ylabel="E[1/p_t(c | x_t)]", xlim=(-3, 4), ylim=(0.95, 2.1))
        path.set_title("½N(−1, 1) + ½N(1, 1): the mean falls all along")
        path.legend(fontsize=8)
        for w, p in ends.items():
            example.plot(x_T[:, 0], p, label=f"w = {w:g}", lw=1.3)
        example.set(xlabel="x_T, where the ODE starts", ylabel="p(c | x_0), where it ends", xlim=(-2, 3))
        example.set_title("three Gaussians: a sample may get worse")
        example.legend(fontsize=8)
        return figure

    tables = {
        "identity": table(
            ["w", "E[1/u]", "E[h_T] − E[h_0]", "∫ E[w h g²]", "open, %", "s.e. of the difference"], gap_rows
        ),
        "conservation": table(["w", "power k", "E[1/u^k]", "s.e.", "exact"], kept_rows),
        "worse": table(["w", "E[1/p]", "E[p]", "share that got worse", "the one that fell most"], worse_rows),
    }
    return Findings(tables, [*checks, *kept, *fell], draw)

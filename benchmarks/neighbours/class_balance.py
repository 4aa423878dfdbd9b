"""A long-tailed mixture: what few samples cost a class, what a guidance scale of its own mends, and what
class-balancing diffusion teaches where it has seen everything.

Classes are N(−2, 1), N(0, 1) and N(2, 1) with shares 1 : .1 : .01, the last being the tail. Laws of samples are those
of the probability-flow ODE, whose map is monotone in one dimension, so that no divergence needs samples.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.exact.class_balance import TIMESTEPS, Ends, balancing, expected_kl, follow
from benchmarks.neighbours.learned import SHARES, TRUTH, Learned, LearnedModel, class_balanced, exact, fitted, shrunk
from benchmarks.theory.ensemble import sample
from dsg.combiners import ClassifierFree, PiecewiseLinear, PredictionCombiner
from dsg.diffusion.kernels import Heun

NAMES, TAIL = ("head", "medium", "tail"), 2
SAMPLES = 10  # of the tail: its fit is off by 1/√n in the mean and by √(2/n) in the variance
OFF = 1 / SAMPLES**0.5
LARGEST = 5.0  # scale that is tried
Curves = dict[str, list[float]]


def kl(learned: Learned, label: int, scale: float | Callable[[float], float], ends: Ends) -> float:
    """KL(samples ‖ class) under a scale, by the exact file; quadrature leaves an exact one at −1e-6."""
    gamma = scale if callable(scale) else lambda _: scale
    x = follow(learned.guided(label, gamma), ends.starts)
    return max(0.0, ends.kl(x, TRUTH.means[label], TRUTH.variances[label]))


def sampled_kl(learned: Learned, label: int, combiner: PredictionCombiner, steps: int, ends: Ends) -> float:
    """The same through the library's sampler."""
    starts = torch.from_numpy(ends.starts)[:, None]
    x = sample(LearnedModel(learned), label, len(starts), Heun(), steps, combiner=combiner, x_T=starts)
    return ends.kl(x[:, 0].numpy(), TRUTH.means[label], TRUTH.variances[label])


def best(learned: Learned, label: int, ends: Ends) -> tuple[float, float]:
    """The best constant scale from 0 to 5, and the KL there."""
    found = minimize_scalar(
        lambda scale: kl(learned, label, float(scale), ends), bounds=(0.0, LARGEST), method="bounded",
        options={"xatol": 1e-3},
    )  # fmt: skip
    return float(found.x), float(found.fun)


def undone(tau: float = 1.0) -> PiecewiseLinear:
    """γ_t = 1 + (1 + ¼) τ t/T, which undoes class balancing with labels of the prior at high noise."""
    return PiecewiseLinear((0.0, float(TIMESTEPS)), (1.0, 1.0 + 1.25 * tau))


def fits(samples: int, dimension: int, count: int) -> tuple[float, float]:
    """The mean of KL(fit ‖ N(0, I)) over simulated fits, and its standard error."""
    x = np.random.Generator(np.random.PCG64DXSM(samples)).standard_normal((count, samples, dimension))
    mean = x.mean(1)
    covariance = np.einsum("cni,cnj->cij", x, x) / samples - mean[:, :, None] * mean[:, None]
    trace = np.trace(covariance, axis1=1, axis2=2)
    found = 0.5 * (trace + (mean**2).sum(1) - dimension - np.linalg.slogdet(covariance)[1])
    return float(found.mean()), float(found.std(ddof=1) / count**0.5)


def run(reduced: bool, runs: Path) -> Findings:
    ends, steps, count = (Ends(41), 60, 500) if reduced else (Ends(121), 500, 4000)
    close = 0.02 if reduced else 1e-3
    checks: list[Check] = []

    few = []
    for samples, dimension in ((10, 1), (100, 1), (1000, 1), (10, 2), (100, 2)):
        if reduced and samples == 1000:
            continue
        law, (mean, error) = expected_kl(samples, dimension), fits(samples, dimension, count)
        few.append([dimension, samples, law, mean, error])
        checks.append(Check(f"class_balance, E KL of {samples} samples, d = {dimension}, 3 s.e.", mean, law, 3 * error))

    errors = {
        "drawn to all classes, α = ½": shrunk(0.5),
        "mean off by 1/√n, to the head": fitted(-OFF),
        "mean off by 1/√n, away": fitted(OFF),
        "variance too small by √(2/n)": fitted(variance=1 - 2**0.5 * OFF),
        "variance too large by √(2/n)": fitted(variance=1 + 2**0.5 * OFF),
    }
    mended = []
    for name, learned in list(errors.items())[: 1 if reduced else None]:
        scale, least = best(learned, TAIL, ends)
        mended.append([name, kl(learned, TAIL, 1.0, ends), scale, least])
    half = errors["drawn to all classes, α = ½"]
    by_library = sampled_kl(half, TAIL, ClassifierFree((1.0, 1.0, 2.0)), steps, ends)
    without = kl(exact(), TAIL, 1.0, ends)  # what starting at ā > 0 costs
    checks += [
        Check("class_balance, α = ½ at γ = 2, exact", kl(half, TAIL, 2.0, ends), without, 1e-6),
        Check("class_balance, α = ½, a scale of 2 for the tail alone", by_library, without, close),
    ]

    losses = {"denoising": exact(), "balanced, y' as in the data": class_balanced(SHARES)}
    if not reduced:
        losses["balanced, y' uniform"] = class_balanced(np.full(3, 1 / 3))
    rows = []
    for name, learned in losses.items():
        for label in (TAIL,) if reduced else range(3):
            plain = kl(learned, label, 1.0, ends)
            scale, least = (1.0, plain) if name == "denoising" else best(learned, label, ends)
            undo = kl(learned, label, lambda a: 1 + 1.25 * balancing(a, 1.0), ends)
            rows.append([name, NAMES[label], plain, scale, least, "–" if name == "denoising" else undo])
            if name == "balanced, y' as in the data":
                seen = sampled_kl(learned, label, ClassifierFree(1.0), steps, ends)
                mends = sampled_kl(learned, label, ClassifierFree(undone()), steps, ends)
                checks += [
                    Check(f"class_balance, balanced, {NAMES[label]}, γ = 1", seen, plain, close * (1 + plain)),
                    Check(f"class_balance, balanced, {NAMES[label]}, γ_t", mends, undo, close * (1 + undo)),
                    Check(f"class_balance, balanced, {NAMES[label]}: γ_t mends", undo, plain, 0.0, below=True),
                ]

    grid = np.linspace(1.0, 3.0, 3 if reduced else 17)
    curves = {
        NAMES[label]: [kl(losses["balanced, y' as in the data"], label, float(g), ends) for g in grid]
        for label in ((TAIL,) if reduced else range(3))
    }
    around = np.linspace(0.6, 2.4, 19)
    alone = {
        name: [kl(learned, TAIL, float(g), ends) for g in around] for name, learned in errors.items() if not reduced
    }

    undoing = {row[1]: float(row[5]) for row in rows if row[0] == "balanced, y' as in the data"}
    tables = {
        "class_balance_samples": table(["d", "n", "E KL, exact", "simulated", "s.e."], few, 5),
        "class_balance_scale": table(["the tail's score", "KL at γ = 1", "best γ", "KL there"], mended),
        "class_balance": table(
            ["loss", "class", "KL at γ = 1", "best γ", "KL there", "KL at 1 + 1.25 t/T"],
            [[*row[:3], f"{row[3]:.2f}", *row[4:]] for row in rows],
        ),
    }
    return Findings(tables, checks, lambda: _draw(grid, curves, undoing, around, alone))


def _draw(grid: np.ndarray, curves: Curves, undo: dict[str, float], around: np.ndarray, alone: Curves) -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained", sharey=True)
    for colour, (name, curve) in zip(("tab:blue", "tab:orange", "tab:red"), curves.items(), strict=False):
        left.plot(grid, curve, color=colour, label=f"{name}, one scale")
        left.axhline(undo[name], color=colour, ls=":", label=f"{name}, 1 + 1.25 t/T")
    left.set(xlabel="γ", ylabel="KL(samples ‖ class)", yscale="log", title="class-balancing diffusion, all samples")
    for name, curve in alone.items():
        right.plot(around, curve, label=name)
    right.set(xlabel="γ of the tail", title="the tail's score is wrong")
    for ax in (left, right):
        ax.set(ylim=(1e-4, 10))
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=7)
    return figure

"""What becomes of all this when the step is DSG's, on the sphere of the noise, over the classifier's gradient."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import OPEN, sample
from benchmarks.theory.pair import log_probability, pair
from dsg.combiners import Conditional, MixtureClassifier
from dsg.diffusion.kernels import DDIM, EulerMaruyama
from dsg.diffusion.schedule import NoiseSchedule
from dsg.guidance import DSG, ClassifierGradient, Guidance
from dsg.metrics.reciprocal import Reciprocal
from dsg.models.mixture import GaussianMixture

DIMENSION = 64
RATES = (0.02, 0.05, 0.1, 0.2, 0.5)


def over_classifier(model: GaussianMixture, rate: float) -> Guidance:
    """DSG over the exact gradient of log p_t(c | x_t)."""
    return DSG(ClassifierGradient(MixtureClassifier(model)), guidance_rate=rate)


def on_sphere(model: GaussianMixture, label: int, count: int, steps: int, rate: float) -> Tensor:
    """DSG's samples on top of the conditional score, DDIM with η = 1."""
    guidance = over_classifier(model, rate)
    return sample(model, label, count, DDIM(1.0), steps, guidance=guidance, combiner=Conditional())


def row(name: str, steps: int, model: GaussianMixture, x: Tensor, twin: Tensor | None) -> list:
    """E[1/p], E[p], share worse than the twin, mean and variance along the classes' axis, variance across it."""
    log_p = log_probability(model, x)
    worse = "–" if twin is None else f"{(log_p < log_probability(model, twin)).double().mean():.3f}"
    found, across = Reciprocal.of(log_p.numpy()), x[:, 1:].var() if x.shape[1] > 1 else torch.tensor(math.nan)
    along = x[:, 0]
    return [name, str(steps), found.mean, found.standard_error, log_p.exp().mean().item(), worse,
            along.mean().item(), along.var().item(), across.item()]  # fmt: skip


def effect(count: int, steps: int) -> list[list]:
    """Classifier-free guidance and DSG in 64 dimensions, of which one tells the classes apart."""
    model = pair(schedule=OPEN, dimension=DIMENSION)
    twin = sample(model, 1, count, DDIM(1.0), steps)
    rows = [row("none, w = 0", steps, model, twin, None)]
    for w in (1.0, 4.0):
        rows.append(row(f"CFG, w = {w:g}", steps, model, sample(model, 1, count, DDIM(1.0), steps, w), twin))
    for rate in RATES:
        rows.append(row(f"DSG, rate {rate:g}", steps, model, on_sphere(model, 1, count, steps, rate), twin))
    return rows


def refined(count: int, all_steps: tuple[int, ...]) -> list[list]:
    """The same rate at more steps, and a rate that falls as 1/√steps."""
    model, rows = pair(schedule=OPEN, dimension=DIMENSION), []
    for steps in all_steps:
        scaled = 0.1 * math.sqrt(all_steps[0] / steps)
        found = []
        for rate in (0.1, scaled):
            x = on_sphere(model, 1, count, steps, rate)
            found += [x[:, 0].mean().item(), x[:, 1:].var().item()]
        rows.append([str(steps), *found[:2], f"{scaled:.3f}", *found[2:]])
    return rows


def split(count: int) -> list[list]:
    """Three Gaussians at −3, 0, 3, the centre guided to in 50 coarse steps: who is thrown out?"""
    coarse = NoiseSchedule.from_alpha_bar(np.exp(-0.2 * np.arange(1, 51)))  # even in time, as in `confidence`
    model = GaussianMixture([1.0, 1.0, 1.0], [[-3.0], [0.0], [3.0]], 1.0, [1, 0, 1], schedule=coarse)
    rows = []
    for name, x in (
        ("CFG, w = 100, Euler of the ODE", sample(model, 0, count, EulerMaruyama(0.0), 50, 100.0)),
        ("CFG, w = 100, Euler–Maruyama", sample(model, 0, count, EulerMaruyama(), 50, 100.0)),
        ("DSG, rate 0.5, DDIM η = 1", on_sphere(model, 0, count, 50, 0.5)),
        ("DSG, rate 1, DDIM η = 1", on_sphere(model, 0, count, 50, 1.0)),
    ):
        rows.append([name, (x.abs() > 6).double().mean().item(), x.abs().median().item(), x.abs().max().item()])
    return rows


def run(reduced: bool, runs: Path) -> Findings:
    count, steps, all_steps = (500, 50, (25, 50)) if reduced else (10_000, 100, (25, 50, 100, 200, 400))
    rows, finer, thrown = effect(count, steps), refined(count // 5, all_steps), split(count)
    unguided, weakest = rows[0], next(r for r in rows if r[0].startswith("DSG"))
    checks = [
        Check("DSG's weakest rate lowers E[1/p]", weakest[2], unguided[2], 0.0, below=True),
        Check("coarse CFG throws samples out that DSG keeps", thrown[3][1], thrown[0][1] - 0.5, 0.0, below=True),
        Check("DSG at a fixed rate drifts further with more steps", finer[0][1], finer[-1][1], 0.0, below=True),
    ]

    def draw() -> Figure:
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for start, colour in (("none", "0.3"), ("CFG", "tab:orange"), ("DSG", "tab:blue")):
            for r in (r for r in rows if r[0].startswith(start)):
                left.plot(r[6], r[7], "o", color=colour)
                left.annotate(
                    r[0].replace("DSG, rate", "DSG"), (r[6], r[7]), (5, 5), textcoords="offset points", fontsize=8
                )
        left.margins(y=0.1)
        left.axhline(1.0, color="0.7", lw=0.8, zorder=0)
        left.axvline(1.0, color="0.7", lw=0.8, zorder=0)
        left.set(xscale="log", xlabel="mean on the classes' axis", ylabel="variance on it", xlim=(0.8, 60))
        left.set_title("64 dimensions; the class itself is where the lines cross")
        numbers = [int(r[0]) for r in finer]
        right.plot(numbers, [r[1] for r in finer], "o-", label="rate 0.1")
        right.plot(numbers, [r[4] for r in finer], "s--", label=f"rate 0.1 √({all_steps[0]}/steps)")
        right.set(xlabel="steps", ylabel="mean on the classes' axis", title="DSG has no limit of fine steps")
        right.legend()
        return figure

    tables = {
        "sphere": table(
            ["method", "steps", "E[1/p]", "s.e.", "E[p]", "worse than twin", "mean along", "variance along",
             "variance across"], rows, 3,
        ),
        "sphere_steps": table(
            ["steps", "mean along, rate 0.1", "variance across", "scaled rate", "mean along", "variance across"],
            finer, 3,
        ),
        "sphere_split": table(["method, 50 steps", "share beyond 6", "median of abs(x)", "largest"], thrown, 3),
    }  # fmt: skip
    return Findings(tables, checks, draw)

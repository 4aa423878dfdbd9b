"""Strong guidance drives samples to the edge of the class's support; what an error of the score does to them there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.special import ndtri

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import DEEP, sample
from benchmarks.theory.exact.support import guided_intervals, pair_edge, pair_endpoint
from benchmarks.theory.pair import pair
from dsg.diffusion.kernels import EulerMaruyama, Heun, ReverseKernel
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.intervals import UniformIntervals
from dsg.models.score_error import ScoreError

PAIR = ((10.0, 1000), (100.0, 4000), (1000.0, 16000))  # w and steps: an explicit solver needs w h < 2 about halfway
WEIGHTS = (1.0, 3.0, 10.0)
ERRORS, ERROR_WEIGHTS = (0.0, 0.5, 2.0, 4.0), (0.0, 1.0, 4.0, 10.0)
SIGMA_LAST = 0.1  # √(1−ā) of the last level, from which x̂ is the sample
LAST = NoiseSchedule.from_alpha_bar(np.geomspace(1 - SIGMA_LAST**2, 1e-7, 1000))


def intervals(w: float, quantiles: np.ndarray, steps: int) -> np.ndarray:
    """x of the guided ODE from quantiles of N(0, 1), (n,)."""
    x_T = torch.from_numpy(ndtri(quantiles))[:, None]
    return sample(UniformIntervals(schedule=DEEP), 1, len(quantiles), Heun(), steps, w, x_T=x_T)[:, 0].numpy()


def outside(on: str, size: float, w: float, kernel: ReverseKernel, count: int, steps: int) -> np.ndarray:
    """Distances of samples from [1, 2], (n,), under an error of the score."""
    model = ScoreError(UniformIntervals(schedule=LAST), size, "both" if on == "both" else "conditional")
    x = sample(model, 1, count, kernel, steps, w)[:, 0]
    return torch.maximum(1 - x, x - 2).clamp_min(0).numpy()


def run(reduced: bool, runs: Path) -> Findings:
    steps, n, count, error_steps = (200, 50, 300, 40) if reduced else (3000, 200, 2_000, 150)
    fine = 0.02 if reduced else 1e-3
    checks, pair_rows, interval_rows, ends, exact_ends = [], [], [], {}, {}
    for w, pair_steps in PAIR[:1] if reduced else PAIR:
        x = sample(pair(schedule=DEEP), 1, 1, Heun(), pair_steps, w, x_T=torch.zeros(1, 1, dtype=torch.float64)).item()
        exact = pair_endpoint(w)
        pair_rows.append([f"{w:g}", x, exact, pair_edge() * w**0.5 + 1, x / w**0.5])
        checks.append(Check(f"support, pair, w = {w:g}", x, exact, 1e-3 * exact))
    quantiles = (np.arange(n) + 0.5) / n
    weights = WEIGHTS[::2] if reduced else WEIGHTS
    for w in weights:
        ends[w], exact = intervals(w, quantiles, steps), guided_intervals(w, quantiles)
        exact_ends[w] = exact
        literature = guided_intervals(w, quantiles, 10.0).mean()
        low, high = (float(np.quantile(ends[w], q)) for q in (0.1, 0.9))
        mean, exact_low = float(ends[w].mean()), float(np.quantile(exact, 0.1))
        interval_rows.append([f"{w:g}", mean, float(exact.mean()), low, exact_low, high, float(literature)])
        checks.append(Check(f"support, intervals, w = {w:g}, mean", mean, float(exact.mean()), fine))
        checks.append(Check(f"support, intervals, w = {w:g}, 10 % quantile", low, exact_low, fine))
    error_rows, distances = [], {}
    cases = [(on, w) for on in ("both", "conditional") for w in (ERROR_WEIGHTS[::3] if reduced else ERROR_WEIGHTS)]
    for on, w in cases:
        cells = []
        for size in ERRORS[::3] if reduced else ERRORS:
            for name, kernel in (("ODE", Heun()), ("SDE", EulerMaruyama())):
                distance = outside(on, size, w, kernel, count, error_steps)
                cells.append(f"{(distance > 1e-3).mean():.3f} / {distance.mean():.4f}")
                distances[on, w, size, name] = float(distance.mean())
                amplified = size * (1 + w if on == "conditional" else 1)
                # x̂ of the exact scores is inside from wherever x_t is; the error, √2 δ at most, moves it by (1−ā)/√ā
                bound = 2**0.5 * amplified * SIGMA_LAST**2 / (1 - SIGMA_LAST**2) ** 0.5
                what = f"support, {name}, error {size:g} on {on}, w = {w:g}, largest distance"
                checks.append(Check(what, float(distance.max()), bound, 1e-3 + 0.02 * bound, below=True))
        error_rows.append([on, f"{w:g}", *cells])

    def draw() -> Figure:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
        for w in weights:
            left.plot(quantiles, ends[w], ".", label=f"w = {w:g}, Heun", ms=4)
            left.plot(quantiles, exact_ends[w], "k-", lw=0.6)
        left.set(xlabel="quantile of x_T", ylabel="x", title="U[1, 2] against U[−2, −1]; lines are exact")
        left.legend()
        for on, style in (("both", "--"), ("conditional", "-")):
            for size, colour in ((2.0, "tab:blue"), (4.0, "tab:orange")):
                shown = [
                    (w, distances[on, w, size, "ODE"]) for o, w in cases if o == on and (o, w, size, "ODE") in distances
                ]
                if shown:
                    right.plot(*zip(*shown, strict=True), style, marker="o", color=colour, label=f"δ = {size:g}, {on}")
        right.set(xlabel="w", ylabel="mean distance from [1, 2]", title="error of the score, ODE to √(1−ā) = 0.1")
        right.legend()
        return figure

    names = [f"{name}, δ = {size:g}" for size in (ERRORS[::3] if reduced else ERRORS) for name in ("ODE", "SDE")]
    tables = {
        "support_pair": table(["w", "x", "exact", "0.93329 √w + 1", "x/√w"], pair_rows),
        "support_intervals": table(["w", "mean", "exact", "10 %", "exact", "90 %", "mean from σ = 10"], interval_rows),
        "support_error": table(["error on", "w", *names], error_rows),
    }
    return Findings(tables, checks, draw)

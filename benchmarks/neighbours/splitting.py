"""Strong guidance in pictures: coarse steps tear a class in two, fine ones turn and narrow it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.exact.splitting import HORIZON, OTHER, TURNED, euler_ends, shape, turned
from benchmarks.theory.ensemble import DEEP, sample
from benchmarks.theory.exact.pair import normal_nodes
from dsg.combiners import ClassifierFree
from dsg.data.examples import Examples
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.guidance import Unguided
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import Generation

COARSE = ((20.0, 50), (50.0, 50), (100.0, 50), (100.0, 100), (100.0, 1000), (200.0, 1000))
COARSE_REDUCED = ((20.0, 50), (100.0, 50), (100.0, 100))
NEEDED = 4.32  # w h, without which nothing splits (2403.01639)
WEIGHTS = (0.0, 1.0, 4.0, 10.0)
NODES = 16  # of each axis of x_T
SHOWN = 1500  # samples in a picture


def in_time(w: float, steps: int, count: int, dimension: int = 1) -> Tensor:
    """Samples of the middle of three, (count, dimension), by Euler steps that are even in time."""
    schedule = NoiseSchedule.from_alpha_bar(np.exp(-HORIZON / steps * np.arange(1, steps + 1)))
    means = torch.zeros(3, dimension)
    means[:, 0] = torch.tensor([-3.0, 0.0, 3.0])
    model = GaussianMixture([1.0] * 3, means, 1.0, [1, 0, 1], schedule=schedule)
    sampler = Sampler(model, Generation(), Unguided(), EulerMaruyama(noise=0.0), steps, clip_denoised=False,
                      combiner=ClassifierFree(1.0 + w))  # fmt: skip
    labels, x = torch.zeros(count, dtype=torch.long), torch.empty(0)
    streams = EnsembleStreams(SampleKey(0, "splitting"), count)
    for record in sampler.run(sampler.begin(Examples(None, {"label": labels}), streams)):
        x = record.x_prev
    return x.double()


def between() -> GaussianMixture:
    """A slanted class at 0 and a round one beside it."""
    covariances = torch.stack([torch.from_numpy(TURNED), torch.eye(2, dtype=torch.float64)])
    return GaussianMixture([1.0, 1.0], torch.tensor([[0.0, 0.0], OTHER.tolist()]), covariances, [0, 1], schedule=DEEP)


def nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes of the plane, (n, 2), and their weights."""
    z, weights = normal_nodes(NODES)
    return np.stack(np.meshgrid(z, z), axis=-1).reshape(-1, 2), np.outer(weights, weights).ravel()


def tears(cases: tuple[tuple[float, int], ...], count: int) -> tuple[list[list], list[Check]]:
    rows, checks = [], []
    for w, steps in cases:
        exact, x = euler_ends(w, steps), in_time(w, steps, count)[:, 0].abs()
        error, wh = (x.std() / math.sqrt(count)).item(), w * HORIZON / steps
        share = (x > 6).double().mean().item()
        rows.append([f"{w:g}", steps, f"{wh:.1f}", share, float((exact > 6).mean()), x.mean().item(), error,
                     float(exact.mean())])  # fmt: skip
        name = f"splitting, w = {w:g}, {steps} steps"
        checks.append(Check(f"{name}, mean of abs(x), 3 s.e.", x.mean().item(), float(exact.mean()), 3 * error + 1e-3))
        if wh < NEEDED:
            checks.append(Check(f"{name}, w h = {wh:.1f} does not split", share, 0.0, 0.0))
        if (w, steps) == (100.0, 50):
            checks.append(Check(f"{name}, two clusters at the published distance", float(exact.mean()), 12.7, 0.1))
    return rows, checks


def turns(weights: tuple[float, ...], steps: int, tolerance: float) -> tuple[list[list], list[Check]]:
    start, of_nodes = nodes()
    rows, checks = [], []
    for w in weights:
        exact = shape(turned(w, start), of_nodes)
        x = sample(between(), 0, len(start), Heun(), steps, w, x_T=torch.from_numpy(start))
        found = shape(x.numpy(), of_nodes)
        rows.append([f"{w:g}", *(part for pair in zip(found, exact, strict=True) for part in pair)])
        for what, one, other in zip(("angle", "longer axis", "shorter axis"), found, exact, strict=True):
            checks.append(Check(f"splitting, turned, w = {w:g}, {what}", one, other, tolerance * abs(other)))
    checks.append(Check("splitting, guidance turns the class", -rows[-1][1], -rows[0][1] - 10, 0.0, below=True))
    return rows, checks


def run(reduced: bool, runs: Path) -> Findings:
    cases, count, steps = (COARSE_REDUCED, 500, 150) if reduced else (COARSE, 4_000, 1500)
    torn, checks = tears(cases, count)
    shapes, more = turns(WEIGHTS[::3] if reduced else WEIGHTS, steps, 1e-2 if reduced else 2e-4)

    def draw() -> Figure:
        figure, axes = plt.subplots(1, 5, figsize=(13, 3.2), layout="constrained")
        for ax, (w, n) in zip(axes, ((0.0, 50), (100.0, 100), (100.0, 50)), strict=False):
            x = in_time(w, n, SHOWN, 2)
            ax.scatter(*x.T, s=2, alpha=0.4, lw=0)
            ax.plot([-3, 0, 3], [0, 0, 0], "k+")
            ax.set(title=f"w = {w:g}, {n} Euler steps", xlim=(-25, 25), ylim=(-5, 5))
        start = torch.from_numpy(np.random.default_rng(0).standard_normal((SHOWN, 2)))
        for ax, w in zip(axes[3:], (0.0, 10.0), strict=True):
            x = sample(between(), 0, SHOWN, Heun(), 150, w, x_T=start)
            ax.scatter(*x.T, s=2, alpha=0.4, lw=0, color="tab:orange")
            ax.plot([0, OTHER[0]], [0, OTHER[1]], "k+")
            ax.set(title=f"w = {w:g}, fine steps", xlim=(-5, 5), ylim=(-5, 5))
        return figure

    ends = ["w", "steps", "w h", f"share of abs(x) > 6, {count} samples", "exact", "mean of abs(x)", "s.e.", "exact"]
    axes_of = ("angle of the longer axis, °", "longer deviation", "shorter deviation")
    tables = {
        "splitting": table(ends, torn, 3),
        "splitting_turned": table(["w", *(name for what in axes_of for name in (what, "exact"))], shapes),
    }
    return Findings(tables, [*checks, *more], draw)

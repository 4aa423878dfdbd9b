"""The theorem on data without the pair's symmetry: overlapping mixtures in the plane, and the Swiss roll."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.theory.ensemble import sample
from dsg.diffusion.kernels import EulerMaruyama, Heun, ReverseKernel
from dsg.metrics.posterior import sliced_wasserstein
from dsg.metrics.reciprocal import CAP, Reciprocal
from dsg.models.mixture import GaussianMixture, SwissRoll

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
ANGLES = torch.arange(50, dtype=torch.float64) * math.pi / 50
DIRECTIONS = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)  # of the sliced distance, evenly over the half-circle
LABEL = 0  # of both: the class in the middle, which overlaps most
HEADER = ["w", "E[1/p]", "s.e.", "E[min(1/p, 100)]", "tail index", "E[p]", "accuracy", "worse than w = 0",
          "tr Cov", "sliced W₁"]  # fmt: skip


def overlapping() -> GaussianMixture:
    """Seven Gaussians, three classes; that of class 0 lies under all others, so that 1/p has a finite variance."""
    means = [[0.0, 0.0], [1.5, 0.5], [1.2, 1.6], [0.9, -1.4], [-0.6, 1.5], [-1.5, -0.3], [-0.7, -1.5]]
    spreads = [(0.8, 0.0, 0.8), (0.49, 0.16, 0.36), (0.45, -0.08, 0.35), (0.42, 0.15, 0.48), (0.84, 0.2, 0.26),
               (0.32, -0.08, 0.68), (0.37, -0.12, 0.38)]  # fmt: skip
    covariances = [[[a, b], [b, c]] for a, b, c in spreads]
    return GaussianMixture([2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], means, covariances, [0, 1, 1, 1, 2, 2, 2])


class Exact(NamedTuple):
    """Under p(x | c), which w = 0 samples."""

    reciprocal: float  # 1/p(c)
    variance: float  # of 1/p(c | x)
    truncated: float  # E[min(1/p, 100)]
    probability: float  # E[p]

    @classmethod
    def of(cls, model: GaussianMixture, half: float = 8.0, spacing: float = 0.1) -> Exact:
        """By the trapezoidal rule on a square, whose error is far below a digit for densities this smooth."""
        axis = torch.arange(-half, half, spacing, dtype=torch.float64)
        x = torch.cartesian_prod(axis, axis)
        labels = torch.full((len(x),), LABEL)
        log_density, log_p = model.log_prob(x, condition=labels), model.classifier_log_prob(x, labels)
        mean = lambda log_value: float((log_density + log_value).exp().sum()) * spacing**2  # noqa: E731
        first, second = mean(-log_p), mean(-2 * log_p)
        return cls(first, second - first**2, mean((-log_p).clamp(max=math.log(CAP))), mean(log_p))


@dataclass
class Point:
    """Samples at one w, with log p(c | x), and what the table says of them."""

    x: Tensor
    log_p: Tensor
    found: Reciprocal
    row: list[str | float]


def measure(model: GaussianMixture, x: Tensor, w: float, twin: Point | None, truth: Tensor) -> Point:
    """A row: E[1/p] and its reliability, E[p], accuracy, comparison with the twin, diversity and quality."""
    labels = torch.full((len(x),), LABEL)
    log_p = model.classifier_log_prob(x, labels)
    others = [model.classifier_log_prob(x, torch.full_like(labels, c)) for c in range(1, model.num_classes or 1)]
    right = (log_p > torch.stack(others).amax(0)).double().mean().item()
    worse = "–" if twin is None else f"{(log_p < twin.log_p).double().mean().item():.3f}"
    found = Reciprocal.of(log_p.numpy())
    row = [f"{w:g}", found.mean, found.standard_error, found.truncated, f"{found.tail_index:.1f}",
           log_p.exp().mean().item(), f"{right:.3f}", worse, x.T.cov().trace().item(),
           sliced_wasserstein(x, truth, DIRECTIONS)]  # fmt: skip
    return Point(x, log_p, found, row)


def curve(model: GaussianMixture, kernel: ReverseKernel, count: int, steps: int) -> list[Point]:
    """A point at each w, all from the same noise; the first is the twin of the others."""
    exact = model.sample(count, torch.Generator().manual_seed(0), torch.full((count,), LABEL))
    points: list[Point] = []
    for w in WEIGHTS:
        x = sample(model, LABEL, count, kernel, steps, w)
        points.append(measure(model, x, w, points[0] if points else None, exact))
    return points


def checks(name: str, exact: Exact, points: list[Point], bias: float) -> list[Check]:
    """w = 0 within 3 standard errors of quadrature (and a share `bias`); E[1/p] falls by more than a standard error."""
    first, n = points[0], len(points[0].x)
    capped, p = (-first.log_p).exp().clamp(max=CAP), first.log_p.exp()
    made = [
        Check(
            f"{name}, w = 0, E[min(1/p, 100)]",
            capped.mean().item(),
            exact.truncated,
            3 * _error(capped) + bias * exact.truncated,
        ),
        Check(f"{name}, w = 0, E[p]", p.mean().item(), exact.probability, 3 * _error(p) + bias * exact.probability),
    ]
    if exact.variance < CAP:
        bound = 3 * math.sqrt(exact.variance / n) + bias * exact.reciprocal
        made.append(Check(f"{name}, w = 0, E[1/p] is 1/p(c)", first.found.mean, exact.reciprocal, bound))
    before, error = exact.reciprocal, 0.0
    for w, point in zip(WEIGHTS[1:], points[1:], strict=True):
        found = point.found
        margin = math.hypot(error, found.standard_error)
        made.append(Check(f"{name}, w = {w:g}, E[1/p] has fallen", found.mean, before, -margin, below=True))
        before, error = found.mean, found.standard_error
    return made


def run(reduced: bool, runs: Path) -> Findings:
    sizes = ((1_500, 100), (600, 100)) if reduced else ((10_000, 400), (4_000, 400))
    ode_steps = 20 if reduced else 60
    models = {"mixture": overlapping(), "roll": SwissRoll(points=60, bandwidth=0.4)}
    exacts = {name: Exact.of(model) for name, model in models.items()}
    tables, found, curves = {}, [], {}
    for (name, model), (count, steps) in zip(models.items(), sizes, strict=True):
        exact = exacts[name]
        rows: list[list[str | float]] = [["exact, w = 0", exact.reciprocal, math.sqrt(exact.variance / count),
                                          exact.truncated, "", exact.probability, *[""] * 4]]  # fmt: skip
        for solver, kernel, number in (("SDE", EulerMaruyama(), steps), ("ODE", Heun(), ode_steps)):
            points = curves[name, solver] = curve(model, kernel, count, number)
            rows += [[f"{solver}, {point.row[0]}", *point.row[1:]] for point in points]
            found += checks(f"{name}, {solver}", exact, points, 0.05 if reduced else 0.0)
        tables[f"general_{name}"] = table(HEADER, rows, 3)

    def draw() -> Figure:
        figure, axes = plt.subplots(2, 4, figsize=(11, 5.4), layout="constrained")
        for line, (name, model) in zip(axes, models.items(), strict=True):
            for solver, color in (("SDE", "tab:blue"), ("ODE", "tab:orange")):
                points = curves[name, solver]
                means, errors = zip(*((p.found.mean, 1.96 * p.found.standard_error) for p in points), strict=True)
                line[0].errorbar(WEIGHTS, means, errors, fmt="o-", ms=4, capsize=3, color=color, label=solver)
                line[1].plot(WEIGHTS, [p.row[8] for p in points], "o-", ms=4, color=color)
            line[0].axhline(exacts[name].reciprocal, color="0.6", ls="--", label="1/p(c)")
            line[0].set(xlabel="w", ylabel="E[1/p(c | x)]", title=f"{name}, 95 % interval")
            line[1].set(xlabel="w", ylabel="tr Cov", ylim=(0, None), title="diversity")
            everything = model.sample(700, torch.Generator().manual_seed(1))
            for ax, place in zip(line[2:], (0, -1), strict=True):
                ax.scatter(*everything.T, s=2, color="0.8")
                ax.scatter(*curves[name, "SDE"][place].x[:350].T, s=2, color="tab:blue")
                ax.set(title=f"SDE, w = {WEIGHTS[place]:g}", aspect="equal", xticks=[], yticks=[])
            line[0].legend()
        return figure

    return Findings(tables, found, draw)


def _error(values: Tensor) -> float:
    return (values.std() / len(values) ** 0.5).item()

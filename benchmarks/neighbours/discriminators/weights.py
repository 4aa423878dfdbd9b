"""What the weight does with the best discriminator: too much of it is as wrong as none."""

from __future__ import annotations

import torch

from benchmarks.experiments.findings import Check
from benchmarks.neighbours.discriminators.oscillating import DATA, gaussian
from benchmarks.neighbours.exact.discriminator import correction_slope, gaussian_kl, scaled_variance, shifted_kl
from benchmarks.theory.ensemble import sample
from dsg.combiners import DiscriminatorGuidance
from dsg.diffusion.kernels import Heun
from dsg.diffusion.level import CLEAN
from dsg.models.discriminator import MixtureDiscriminator

WEIGHTS = (0.0, 0.5, 1.0, 2.0)
MODELS = ((0.5, 1.0), (0.0, 4.0), (0.0, 0.5))  # mean and variance of what the model makes


def ode(mean: float, variance: float, w: float, steps: int) -> tuple[float, float]:
    """Mean and variance of what Heun makes of N(0, 1), from the images of z = ±1."""
    made, starts = gaussian(mean, variance), torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    combiner = DiscriminatorGuidance(w, discriminator=MixtureDiscriminator(DATA, made))
    low, high = sample(made, 0, 2, Heun(), steps, combiner=combiner, x_T=starts)[:, 0].tolist()
    return (high + low) / 2, ((high - low) / 2) ** 2


def weights(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    """Rows by weight, and the checks."""
    steps, fine = (100, 2e-2) if reduced else (2000, 1e-4)
    rows, checks = [], []
    for w in WEIGHTS[1:2] if reduced else WEIGHTS:
        row: list[str | float | int] = [f"{w:g}"]
        for mean, variance in MODELS:
            found_mean, found_variance = ode(mean, variance, w, steps)
            kl = shifted_kl(mean, w) if mean else gaussian_kl(0.0, scaled_variance(variance, w))
            found = gaussian_kl(found_mean, found_variance)
            row += [found, kl]
            name = f"discriminator, the best one of N({mean:g}, {variance:g}), w = {w:g}"
            checks += [
                Check(f"{name}, mean", found_mean, (1 - w) * mean, fine),
                Check(
                    f"{name}, variance",
                    found_variance,
                    scaled_variance(variance, w),
                    fine * scaled_variance(variance, w),
                ),
                Check(f"{name}, KL", found, kl, fine),
            ]
        rows.append(row)
    for variance, slope in ((4.0, -0.75), (0.5, 1.0)):
        best = MixtureDiscriminator(DATA, gaussian(0.0, variance))
        ends = best.logit(torch.tensor([[-1.0], [2.0]]), CLEAN)  # a + slope x²/2
        checks.append(Check(f"discriminator, ∇ of N(0, {variance:g})", float(ends[1] - ends[0]) / 1.5, slope, 1e-6))
        checks.append(Check(f"discriminator, ∇ of N(0, {variance:g}), exact", correction_slope(variance), slope, 0.0))
    return rows, checks

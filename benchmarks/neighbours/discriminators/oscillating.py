"""A logit that is nearly the best and whose gradient is not, under the ODE and under the SDE."""

from __future__ import annotations

import math

import numpy as np
import torch

from benchmarks.experiments.findings import Check
from benchmarks.neighbours.exact.discriminator import (
    excess_cross_entropy,
    gradient_error,
    kl_of_map,
    ode_kl,
    sde_law,
)
from benchmarks.neighbours.switching import between
from benchmarks.theory.ensemble import DEEP, sample
from dsg.combiners import DiscriminatorGuidance
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.level import NoiseLevel
from dsg.models.discriminator import Discriminator, MixtureDiscriminator
from dsg.models.mixture import GaussianMixture
from dsg.types import PerSample, State

FREQUENCIES = (1, 4, 16, 64)
PRINTED = {1: (0.0536, 0.57), 4: (0.0146, 2.0), 16: (0.0037, 8.0), 64: (0.0009, 32.0)}
SAMPLED = (1, 4)  # faster ones ask for steps that are too fine
MEAN = 0.5


def gaussian(mean: float, variance: float = 1.0) -> GaussianMixture:
    """N(m, v) in one dimension, of one class."""
    return GaussianMixture([1.0], [[mean]], variance, [0], schedule=DEEP)


DATA, MADE = gaussian(0.0), gaussian(MEAN)


class Oscillating(Discriminator):
    """The best logit, and sin(kx)/√k at the levels below one.

    Args:
        k: frequency.
        start: of the error.
    """

    shape = (1,)

    def __init__(self, k: float, start: NoiseLevel) -> None:
        super().__init__()
        self.best, self.k, self.start = MixtureDiscriminator(DATA, MADE), k, start

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        best = self.best.logit(x_t, level)
        wrong = level.log_snr > self.start.log_snr
        return best + torch.sin(self.k * x_t[:, 0]) / math.sqrt(self.k) if wrong else best


def ode(k: float, steps: int, points: int) -> tuple[float, float]:
    """KL to the data of what Heun makes, and the exact one."""
    start, _ = between(0.0, steps)
    z = np.linspace(-6.0, 6.0, points)
    combiner = DiscriminatorGuidance(discriminator=Oscillating(k, start))
    y = sample(MADE, 0, points, Heun(), steps, combiner=combiner, x_T=torch.from_numpy(z)[:, None])
    return kl_of_map(z, y[:, 0].numpy()), ode_kl(k, -start.log_alpha_bar)


def sde(k: float, count: int, steps: int) -> tuple[float, float, float]:
    """E[sin(kX)] of `count` samples, its standard error, and the exact one."""
    start, first = between(0.0, steps)
    combiner = DiscriminatorGuidance(discriminator=Oscillating(k, start))
    seen = torch.sin(k * sample(MADE, 0, count, EulerMaruyama(), steps, combiner=combiner)[:, 0])
    return seen.mean().item(), (seen.std() / count**0.5).item(), sde_law(k, -first.log_alpha_bar)[1]


def oscillating(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    """Rows by frequency, and the checks."""
    steps, points, count, sde_steps = (150, 201, 1_000, 100) if reduced else (1200, 601, 10_000, 600)
    rows, checks = [], []
    for k in FREQUENCIES:
        excess, error = excess_cross_entropy(k), gradient_error(k)
        by_sde, _ = sde_law(k)
        row: list[str | float | int] = [k, excess, error, ode_kl(k), by_sde]
        entropy, slope = PRINTED[k]
        checks.append(Check(f"discriminator, k = {k}, excess cross-entropy as printed", excess, entropy, 5e-5))
        checks.append(Check(f"discriminator, k = {k}, error of the gradient as printed", error, slope, 5e-3))
        if k not in SAMPLED or (reduced and k > 1):
            rows.append([*row, "", "", "", ""])
            continue
        (measured, exact), (seen, spread, wanted) = ode(k, steps, points), sde(k, count, sde_steps)
        rows.append([*row, measured, seen, spread, wanted])
        checks += [
            Check(f"discriminator, k = {k}, ODE, KL", measured, exact, (2e-2 if reduced else 1e-3) * exact),
            Check(f"discriminator, k = {k}, SDE, E[sin kX], 3 s.e. and the steps", seen, wanted, 3 * spread + 0.005),
        ]
    return rows, checks

"""DSG's step over the gradient of the best discriminator: a direction does not say when it is enough."""

from __future__ import annotations

import torch

from benchmarks.experiments.findings import Check
from benchmarks.neighbours.exact.discriminator import gaussian_kl
from benchmarks.theory.ensemble import OPEN, sample
from dsg.combiners import Conditional, DiscriminatorGuidance, PredictionCombiner
from dsg.diffusion.kernels import DDIM
from dsg.guidance import DSG, DiscriminatorGradient, Guidance, Unguided
from dsg.models.discriminator import MixtureDiscriminator
from dsg.models.mixture import GaussianMixture

DIMENSION, MEAN, STEPS = 32, 0.5, 100
RATES = (0.005, 0.01, 0.02, 0.05)


def sphere(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    """Rows by method, and the checks. Data are N(0, I) and the model's samples N(m e₁, I)."""
    count = 400 if reduced else 10_000
    centre = torch.zeros(1, DIMENSION)
    data = GaussianMixture([1.0], centre, 1.0, [0], schedule=OPEN)
    made = GaussianMixture([1.0], centre + MEAN * torch.eye(DIMENSION)[:1], 1.0, [0], schedule=OPEN)
    best = MixtureDiscriminator(data, made)
    plain = Conditional()
    methods: dict[str, tuple[Guidance, PredictionCombiner]] = {
        "none": (Unguided(), plain),
        "s + ∇d": (Unguided(), DiscriminatorGuidance(discriminator=best)),
        "σ² ∇d on the mean": (DiscriminatorGradient(best), plain),
    }
    for rate in RATES[1::2] if reduced else RATES:
        methods[f"DSG, rate {rate:g}"] = (DSG(DiscriminatorGradient(best), guidance_rate=rate), plain)
    rows, along = [], {}
    for name, (guidance, combiner) in methods.items():
        x = sample(made, 0, count, DDIM(1.0), STEPS, guidance=guidance, combiner=combiner)
        mean, variance, across = x[:, 0].mean().item(), x[:, 0].var().item(), x[:, 1:].var().item()
        rows.append([name, mean, variance, across, gaussian_kl(mean, variance)])
        along[name] = mean
    error = 3 / count**0.5
    checks = [
        Check("discriminator, s + ∇d, mean, 3 s.e.", along["s + ∇d"], 0.0, error),
        Check("discriminator, none, mean, 3 s.e.", along["none"], MEAN, error),
        Check("discriminator, DSG at rate 0.05 goes past the data", along["DSG, rate 0.05"], -MEAN, 0.0, below=True),
    ]  # fmt: skip
    return rows, checks

"""Discriminators trained on 100, 1000 and 10 000 samples, by cross-entropy and by the refined score loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import torch
from scipy.special import ndtri

from benchmarks.experiments.findings import Check
from benchmarks.neighbours.discriminators.linear_logit import HATS, LinearLogit, Loss, errors, train
from benchmarks.neighbours.discriminators.oscillating import MADE, MEAN
from benchmarks.neighbours.exact.discriminator import distance_of_map, kl_of_map, shifted_kl
from benchmarks.theory.ensemble import DEEP, sample
from dsg.combiners import DiscriminatorGuidance
from dsg.diffusion.kernels import DDIM, Heun

SIZES = (100, 1_000, 10_000)
WEIGHTS = (0.5, 1.0, 2.0)


def divergence(theta: torch.Tensor, w: float, steps: int, points: int) -> tuple[float, float]:
    """KL and W₁ of the guided ODE's samples to the data; NaN for a KL where the steps were too coarse for its map."""
    low, high = DEEP.at(float(HATS[-1])).t, DEEP.at(float(HATS[0])).t  # where it was trained
    combiner = DiscriminatorGuidance(w, low, high, discriminator=LinearLogit(theta))
    z = np.linspace(-5.0, 5.0, points)
    y = sample(MADE, 0, points, Heun(), steps, combiner=combiner, x_T=torch.from_numpy(z)[:, None])[:, 0].numpy()
    rises = (np.diff(y) > 0).all()
    return kl_of_map(z, y) if rises else float("nan"), distance_of_map(z, y)


def distance_of_sde(theta: torch.Tensor, count: int, steps: int) -> float:
    """W₁ of `count` samples of DDIM with η = 1 to the data, at w = 1; as many samples of the data are not at 0."""
    low, high = DEEP.at(float(HATS[-1])).t, DEEP.at(float(HATS[0])).t
    combiner = DiscriminatorGuidance(1.0, low, high, discriminator=LinearLogit(theta))
    x = sample(MADE, 0, count, DDIM(1.0), steps, combiner=combiner)[:, 0].sort().values.numpy()
    return float(np.abs(x - ndtri((np.arange(count) + 0.5) / count)).mean())


def trained(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    """Rows by number of samples and loss, and the checks."""
    steps, points, rows_of, seeds = (60, 101, 2_000, 1) if reduced else (250, 251, 8_000, 3)
    sizes: Sequence[int] = SIZES[1:2] if reduced else SIZES
    losses: Sequence[Loss] = get_args(Loss)[:2] if reduced else get_args(Loss)
    weights = WEIGHTS[1:2] if reduced else WEIGHTS
    rows: list[list[str | float | int]] = []
    found: dict[tuple[int, Loss], float] = {}
    for n in sizes:
        for loss in losses:
            results, noisy = [], float("nan")
            for seed in range(seeds):
                draws = torch.randn(2, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
                theta = train(draws[0], MEAN + draws[1], MADE, loss, rows_of, seed)
                at = [divergence(theta, w, steps, points) for w in weights]
                results.append([*errors(theta, MEAN), *(kl for kl, _ in at), at[len(at) // 2][1]])
                if seed == 0:
                    noisy = distance_of_sde(theta, *((200, 20) if reduced else (2_000, 200)))
            middle = [float(value) for value in np.median(results, axis=0)]
            found[n, loss] = middle[2 + len(weights) // 2]
            rows.append([str(n), loss, seeds, *middle, noisy])
    most = sizes[-1]
    checks = [
        Check(f"discriminator, {most} samples: refined, KL below that without", found[most, "refined"],
              shifted_kl(MEAN, 0.0), 0.0, below=True),
        Check(f"discriminator, {most} samples: no guidance's KL below that of cross-entropy", shifted_kl(MEAN, 0.0),
              found[most, "cross-entropy"], 0.0, below=True),
    ]  # fmt: skip
    return rows, checks

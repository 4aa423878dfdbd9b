"""What DSG's sphere costs where the posterior is known: the spread of samples against the truth for its three radii.

python -m benchmarks.dsg_radius [--out docs/tables/dsg_radius] [--join TABLE.csv]

Writes OUT.csv and OUT.md. Two worlds, DDIM with η = 1 and 100 steps: N(0, I) of 3072 numbers of which half are measured
without noise, where the spread of the others is known in closed form; and the 25 Gaussians in 8 dimensions with two
noisy measurements, where the whole posterior is. TABLE.csv may bring further columns, such as of portraits: it has the
columns `radius` and `rate`, by which they are put beside these. About three minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import tasks
from benchmarks.experiments.findings import table as in_words
from dsg.data.examples import Examples
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DSG
from dsg.guidance.dsg import Radius
from dsg.guidance.exact import posteriors
from dsg.metrics.posterior import mean_error, random_directions, sliced_wasserstein, spread_ratio
from dsg.models.mixture import GaussianMixture, TwentyFiveGaussians
from dsg.run_folder.atomic import write_atomically
from dsg.sampling import Sampler

RADII: tuple[Radius, ...] = ("fixed", "chi", "free")
RATES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
SIDE, IMAGES = 32, 3
PROBLEMS, SAMPLES, DIMENSION = 10, 100, 8


def kept_power(rate: float, radius: Radius) -> float:
    """k(w) = (1−w)²/((1−w)²+w²), the share of the noise's power that a guided step keeps in a direction which the
    gradient does not touch, in many dimensions; 1 without a sphere."""
    return 1.0 if radius == "free" else (1.0 - rate) ** 2 / ((1.0 - rate) ** 2 + rate**2)


def predicted_std(steps: Sequence[Step], guidance: DSG) -> float:
    """Of a coordinate N(0, 1) that y does not see, by DDIM with η = 1 and the exact score: from v = 1, each step

    v ← c² v + k σ²,   c = √(ā_prev ā) + √((1−ā_prev−σ²)(1−ā))
    """
    variance = 1.0
    for step in steps:
        k = kept_power(guidance.rate(step), guidance.radius) if guidance.is_guided(step) else 1.0
        sigma2, p = step.posterior_variance, step.prev
        share = p.signal * step.signal + math.sqrt(max(p.noise_variance - sigma2, 0.0)) * step.noise
        variance = share**2 * variance + k * sigma2
    return math.sqrt(variance)


def on_normal(guidance: DSG, side: int = SIDE, images: int = IMAGES, steps: int = 100) -> dict[str, float]:
    """Standard deviation of what is not measured (right: 1), as predicted and as sampled, and the error of the rest."""
    model = GaussianMixture.standard_normal((3, side, side))
    task = tasks.RandomInpainting(0.5, 0.5, noise=tasks.GaussianNoise(0.0))
    sampler = Sampler(model, task, guidance, DDIM(1.0), steps)
    streams = NoiseStreams([SampleKey(0, str(i)) for i in range(images)])
    truth = torch.randn(images, *model.shape, generator=torch.Generator().manual_seed(1))
    process = sampler.begin(Examples(truth), streams)
    *_, last = sampler.run(process)
    seen = process.measurement.operator.forward(torch.ones_like(truth)) > 0
    unseen = last.x_prev[~seen]
    return {
        "predicted_std": predicted_std(sampler.levels, guidance),
        "unseen_std": unseen.square().mean().sqrt().item(),
        "seen_rmse": (last.x_prev - truth)[seen].square().mean().sqrt().item(),
    }


def on_mixture(guidance: DSG, problems: int = PROBLEMS, samples: int = SAMPLES) -> dict[str, float]:
    """Distance to the posterior, and the total spread of the samples over its own; means over problems."""
    model, task = TwentyFiveGaussians(DIMENSION), tasks.RandomProjection(2)
    data = MixtureDraws(limit=problems, samples_per_image=samples)
    data.bind(model)
    sampler = Sampler(model, task, guidance, DDIM(1.0), 100)
    names = [name for name in data.image_ids() for _ in range(samples)]
    loaded = {name: data.load(name) for name in data.image_ids()}
    keys = [SampleKey(0, name, k % samples) for k, name in enumerate(names)]
    process = sampler.begin(Examples.of([loaded[name] for name in names]), NoiseStreams(keys))
    *_, last = sampler.run(process)
    known = posteriors(model, process.measurement, names, task.noise_sigma)
    return pd.DataFrame([_of_problem(last.x_prev[rows], posterior) for rows, posterior in known]).mean().to_dict()


def _of_problem(x: Tensor, posterior: GaussianMixture) -> dict[str, float]:
    normal = np.random.default_rng(1).standard_normal((len(x), 1 + DIMENSION))
    exact = posterior.transform(torch.from_numpy(normal)).double()
    directions = random_directions(np.random.default_rng(0), 100, DIMENSION)
    return {
        "sliced_wasserstein": sliced_wasserstein(x, exact, directions),
        "mean_error": mean_error(x, posterior),
        "spread_ratio": spread_ratio(x, posterior),
    }


def rows(radii: Iterable[Radius] = RADII, rates: Iterable[float] = RATES) -> pd.DataFrame:
    """A row a radius and rate; at rate 0 all radii are the unguided sampler."""
    made = []
    for radius in radii:
        for rate in rates:
            guidance = DSG(guidance_rate=rate, radius=radius)
            made.append({"radius": radius, "rate": rate, **on_normal(guidance), **on_mixture(guidance)})
            print(made[-1], flush=True)
    return pd.DataFrame(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/tables/dsg_radius"))
    parser.add_argument("--join", type=Path, metavar="TABLE.csv", help="further columns, by radius and rate")
    options = parser.parse_args()
    table = rows()
    if options.join is not None:
        table = table.merge(pd.read_csv(options.join), on=["radius", "rate"], how="left")
    write_atomically(options.out.with_suffix(".csv"), table.to_csv(index=False, float_format="%.4g").encode())
    markdown = in_words(list(table.columns), table.to_numpy().tolist(), digits=3)
    write_atomically(options.out.with_suffix(".md"), markdown.encode())


if __name__ == "__main__":
    main()

"""How far samples are from a posterior that is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dsg.models.mixture import GaussianMixture


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> float:
    """Mean over directions of the 1-D Wasserstein-1 distance between the projections of two sets of samples:

        1/P Σ_p ∫ |F_p⁻¹(u) − G_p⁻¹(u)| du

    with F, G the empirical distributions, whose sizes may differ.

    Args:
        x: (n, d).
        y: (m, d).
        directions: unit vectors, (P, d).

    Raises:
        ValueError: without samples.
    """
    if not len(x) or not len(y):
        raise ValueError("sliced_wasserstein: needs samples on both sides")
    first, second = ((z.double() @ directions.double().T).sort(dim=0).values for z in (x, y))
    if len(x) == len(y):
        return (first - second).abs().mean().item()
    # both quantile functions are constant between the points k/n and l/m
    ends = torch.cat([torch.arange(1, n + 1, dtype=torch.float64) / n for n in (len(x), len(y))]).sort().values
    widths = ends.diff(prepend=ends.new_zeros(1))
    middles = ends - widths / 2
    quantiles = [z[(middles * len(z)).long().clamp(max=len(z) - 1).to(z.device)] for z in (first, second)]
    return (widths.to(first) @ (quantiles[0] - quantiles[1]).abs()).mean().item()


def random_directions(generator: np.random.Generator, count: int, dimension: int) -> Tensor:
    """Unit vectors, uniform on the sphere, (count, dimension) float64."""
    vectors = torch.from_numpy(generator.standard_normal((count, dimension)))
    return vectors / vectors.norm(dim=1, keepdim=True)


def mean_error(samples: Tensor, posterior: GaussianMixture) -> float:
    """‖mean of samples − E[x|y]‖₂/√tr Cov[x|y], samples (n, d): 1/√n is what n exact samples give on average."""
    mean, covariance = moments(posterior)
    return ((samples.double().mean(0) - mean).norm() / covariance.trace().sqrt()).item()


def covariance_error(samples: Tensor, posterior: GaussianMixture) -> float:
    """‖Ĉ − Cov[x|y]‖_F/‖Cov[x|y]‖_F of the samples' covariance Ĉ; samples (n, d) with n ≥ 2."""
    _, covariance = moments(posterior)
    return ((samples.double().T.cov() - covariance).norm() / covariance.norm()).item()


def spread_ratio(samples: Tensor, posterior: GaussianMixture) -> float:
    """√(tr Ĉ/tr Cov[x|y]), the samples' total spread over the posterior's; samples (n, d) with n ≥ 2.

    1 is right. Below 1 samples that agree with each other are over-confident, and not merely consistent.
    """
    _, covariance = moments(posterior)
    return (samples.double().var(dim=0).sum() / covariance.trace()).sqrt().item()


def moments(mixture: GaussianMixture) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of a mixture: Σ w_i μ_i, and Σ w_i (S_i + (μ_i − μ)(μ_i − μ)ᵀ)."""
    weights, means = mixture.mixture_weights, mixture.means
    mean = weights @ means
    spread = means - mean
    covariance = torch.einsum("k,kde->de", weights, mixture.covariances) + (weights[:, None] * spread).T @ spread
    return mean, covariance
